// Python in colours, by eye: strings, comments, keywords and numbers. The linter itself has a parser.
const KEYWORDS =
  "and as assert async await break case class continue def del elif else except finally for from global if import in is " +
  "lambda match nonlocal not or pass raise return try while with yield None True False";
const TOKENS = new RegExp(
  [
    String.raw`(?<comment>#[^\n]*)`,
    String.raw`(?<string>\b[rbfuRBFU]{0,2}(?:"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$))|\b[rbfuRBFU]{0,2}(?:"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?)|"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|"(?:[^"\\\n]|\\[\s\S])*"?|'(?:[^'\\\n]|\\[\s\S])*'?)`,
    String.raw`(?<keyword>\b(?:${KEYWORDS.replaceAll(" ", "|")})\b)`,
    String.raw`(?<number>\b\d[\d_]*\.?\d*(?:[eE][+-]?\d+)?\b)`,
  ].join("|"),
  "g",
);

// Nodes that show the text, with marks over some ranges [start, end).
export function colored(text, ranges) {
  const kinds = [];
  for (const match of text.matchAll(TOKENS)) {
    const [kind] = Object.entries(match.groups).find(([, value]) => value !== undefined);
    kinds.push([match.index, match.index + match[0].length, kind]);
  }
  const cuts = [0, text.length, ...kinds.flatMap(([a, b]) => [a, b]), ...ranges.flat()];
  const places = [...new Set(cuts)].filter((place) => place >= 0 && place <= text.length).sort((a, b) => a - b);
  const nodes = [];
  let next = 0;
  for (let n = 0; n + 1 < places.length; n++) {
    const [start, end] = [places[n], places[n + 1]];
    while (next < kinds.length && kinds[next][1] <= start) next++;
    let node = document.createTextNode(text.slice(start, end));
    if (next < kinds.length && kinds[next][0] <= start) node = inside("span", node, kinds[next][2]);
    if (ranges.some(([a, b]) => a <= start && end <= b)) node = inside("mark", node);
    nodes.push(node);
  }
  return nodes;
}

function inside(name, node, kind) {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  made.append(node);
  return made;
}
