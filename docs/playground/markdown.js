// As much Markdown as the pages of the rules use, as elements: text stays text.
import { colored } from "./python.js";

export function written(markdown, element) {
  const made = [];
  const lines = markdown.split("\n");
  let n = 0;
  const take = (belongs) => {
    const start = n;
    while (n < lines.length && belongs(lines[n])) n++;
    return lines.slice(start, n);
  };
  while (n < lines.length) {
    const line = lines[n];
    const heading = /^(#+) (.*)$/.exec(line);
    if (heading) {
      made.push(element(heading[1].length === 1 ? "h2" : "h3", {}, ...spans(heading[2], element)));
      n++;
    } else if (line.startsWith("```")) {
      n++;
      const code = take((each) => each !== "```").join("\n");
      made.push(element("pre", {}, ...(line === "```python" ? colored(code, []) : [code])));
      n++;
    } else if (line.startsWith("|")) {
      const rows = take((each) => each.startsWith("|")).map((row) => row.slice(1, -1).split("|"));
      rows.splice(1, 1); // the line of dashes
      const cells = rows.map((row, at) =>
        element("tr", {}, ...row.map((cell) => element(at ? "td" : "th", {}, ...spans(cell.trim(), element)))),
      );
      made.push(element("table", {}, ...cells));
    } else if (line.startsWith("- ")) {
      const items = take((each) => /^(- | +\S)/.test(each)).join("\n").slice(2).split(/\n- /);
      made.push(element("ul", {}, ...items.map((item) => element("li", {}, ...spans(item, element)))));
    } else if (line.trim()) {
      made.push(element("p", {}, ...spans(take((each) => each.trim() && !/^([#|]|```|- )/.test(each)).join(" "), element)));
    } else n++;
  }
  return made;
}

function spans(text, element) {
  return text
    .split(/(`[^`]+`|\*\*[^*]+\*\*)/)
    .filter(Boolean)
    .map((piece) => {
      if (piece.startsWith("`") && piece.endsWith("`") && piece.length > 2) return element("code", {}, piece.slice(1, -1));
      if (piece.startsWith("**")) return element("strong", {}, piece.slice(2, -2));
      return piece;
    });
}
