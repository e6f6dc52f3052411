// The loss of a model that knows nothing against V: log V, and log(V)/V where the mean takes in the classes, too.
const HEIGHT = 320;
const [SMALLEST, LARGEST] = [2, 1e7];
const [LOW, HIGH] = [1e-7, 1000];
const SVG = "http://www.w3.org/2000/svg";

const right = (v) => Math.log(v);
const wrong = (v) => Math.log(v) / v;
const part = (value, low, high) => Math.log(value / low) / Math.log(high / low);
const short = (value) => (value >= 1 ? value.toPrecision(4) : value.toFixed(2 - Math.floor(Math.log10(value))));

export function figures(v) {
  const count = v.toLocaleString("en");
  return `For V = ${count} an untrained model should have a loss of log V = ${short(right(v))}. Averaged over the classes, too, it shows log(V)/V = ${short(wrong(v))}: ${count} times too small.`;
}

function svg(name, attributes, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

// The plot for V = v, as wide as there is room, so that its letters are as large as those of the page.
export function drawn(v, room) {
  const width = Math.min(Math.max(room, 280), 730);
  const box = { left: 74, right: width - 12, top: 34, bottom: HEIGHT - 46 };
  const x = (at) => box.left + (box.right - box.left) * part(at, SMALLEST, LARGEST);
  const y = (loss) => box.bottom - (box.bottom - box.top) * part(loss, LOW, HIGH);
  const root = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": figures(v) });
  const put = (name, attributes, text) => root.append(svg(name, attributes, text));
  for (let power = 1; power <= 7; power++) {
    put("line", { class: "grid", x1: x(10 ** power), x2: x(10 ** power), y1: box.top, y2: box.bottom });
    const label = power % 2 && power < 7 ? (10 ** power).toLocaleString("en") : "";
    put("text", { class: "tick", x: x(10 ** power), y: box.bottom + 18, "text-anchor": "middle" }, label);
  }
  for (let power = -6; power <= 2; power += 2) {
    put("line", { class: "grid", x1: box.left, x2: box.right, y1: y(10 ** power), y2: y(10 ** power) });
    const label = power < 0 ? (10 ** power).toFixed(-power) : String(10 ** power);
    put("text", { class: "tick", x: box.left - 6, y: y(10 ** power) + 4, "text-anchor": "end" }, label);
  }
  put("text", { x: 8, y: 20 }, "Loss of a model that knows nothing");
  put("text", { class: "tick", x: box.right, y: HEIGHT - 8, "text-anchor": "end" }, "V, the number of classes");
  for (const [curve, kind] of [[right, "right"], [wrong, "wrong"]]) {
    const steps = Array.from({ length: 121 }, (_, n) => SMALLEST * (LARGEST / SMALLEST) ** (n / 120));
    put("path", { class: kind, d: `M${steps.map((at) => `${x(at).toFixed(1)},${y(curve(at)).toFixed(1)}`).join("L")}` });
  }
  put("text", { class: "right", x: x(2.5), y: y(250) }, "log V: mean over the examples");
  put("text", { class: "wrong", x: box.right, y: y(0.6), "text-anchor": "end" }, "log(V)/V: over classes, too");
  put("line", { class: "here", x1: x(v), x2: x(v), y1: box.top, y2: box.bottom });
  const isFar = x(v) > box.right - 70;
  const beside = { x: x(v) + (isFar ? -10 : 10), "text-anchor": isFar ? "end" : "start" };
  for (const [curve, kind, below] of [[right, "right", -10], [wrong, "wrong", isFar ? 20 : -8]]) {
    put("circle", { class: kind, cx: x(v), cy: y(curve(v)), r: 5 });
    put("text", { class: kind, ...beside, y: y(curve(v)) + below }, short(curve(v)));
  }
  return root;
}
