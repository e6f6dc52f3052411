// The page: an editor, the findings in its text, the plot, and a link that holds it all.
import { colored } from "./python.js";
import { drawn, figures } from "./plot.js";
import { written } from "./markdown.js";
import { packed, unpacked } from "./link.js";

const PAUSE = 120; // milliseconds without a key before the text is linted
const LONG_PAUSE = 600; // and before its fixes are worked out, which takes longer
const byId = (id) => document.getElementById(id);
const [text, paint, numbers, status, list] = ["text", "paint", "numbers", "status", "findings"].map(byId);

status.textContent = "Loading Python…";
const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
const waiting = new Map();
let isReady = false;
let hasFixes = false;
let lastId = 0;
let findings = [];
let isSizeGiven = false;

function ask(question) {
  return new Promise((resolve, reject) => {
    waiting.set(++lastId, { resolve, reject });
    worker.postMessage({ id: lastId, ...question });
  });
}

const ready = new Promise((resolve, reject) => {
  worker.onmessage = ({ data }) => {
    if (data.ready) {
      isReady = true;
      hasFixes = data.fixes;
      byId("fixes").hidden = hasFixes;
      resolve();
    } else if (data.failed !== undefined) {
      reject(new Error(data.failed));
    } else {
      const { resolve: done, reject: failed } = waiting.get(data.id);
      waiting.delete(data.id);
      if (data.error === undefined) done(data);
      else failed(new Error(data.error));
    }
  };
  worker.onerror = (event) => reject(new Error(event.message ?? "the worker did not start"));
});
ready.catch((error) => {
  status.textContent = `The linter did not start: ${error.message}.`;
});

// An element with its children; strings become text, so nothing that is typed becomes HTML.
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

// Where a line and column, in code points from 1, are in the text.
function offset(line, column) {
  let start = 0;
  for (let n = 1; n < line; n++) start = text.value.indexOf("\n", start) + 1 || text.value.length;
  let units = 0;
  const rest = text.value.slice(start);
  for (const char of rest) {
    if (--column < 1) break;
    units += char.length;
  }
  return start + units;
}

const range = (place) => [offset(place.line, place.column), offset(place.end_line, place.end_column)];

function repaint() {
  paint.replaceChildren(...colored(text.value, findings.map(range)), "\n");
  const count = text.value.split("\n").length;
  numbers.textContent = Array.from({ length: count }, (_, n) => n + 1).join("\n") + "\n";
  scroll();
}

function scroll() {
  paint.scrollTop = numbers.scrollTop = text.scrollTop;
  paint.scrollLeft = text.scrollLeft;
}

function goTo(line, column) {
  const at = offset(line, column);
  text.focus();
  text.setSelectionRange(at, at);
  text.scrollTop = (line - 5) * Number.parseFloat(getComputedStyle(text).lineHeight);
}

function mend(fix) {
  const edits = fix.edits.map((edit) => [...range(edit), edit.text]).sort((a, b) => b[0] - a[0]);
  for (const [start, end, put] of edits) text.setRangeText(put, start, end);
  changed();
}

function shown(finding) {
  const { code, name, line, column, message, confidence, because, fix, no_fix: noFix, preview } = finding;
  const item = element(
    "li",
    { class: confidence },
    element(
      "div",
      { class: "head" },
      element("strong", {}, `${code} ${name}`),
      element("button", { type: "button", class: "link", click: () => goTo(line, column) }, `line ${line}`),
      ...(confidence === "likely" ? ["likely: rests on names"] : []),
      ...(preview ? ["in preview"] : []),
    ),
    element("p", {}, message),
    element(
      "ul",
      { class: "because" },
      ...because.map((b) =>
        element(
          "li",
          {},
          element("button", { type: "button", class: "link", click: () => goTo(b.line, b.column) }, `line ${b.line}`),
          `: ${b.text}`,
        ),
      ),
    ),
    element(
      "div",
      { class: "actions" },
      element("button", { type: "button", class: "explain", click: () => explain(code) }, `About ${code}`),
      ...(fix ? [element("button", { type: "button", class: "fix", click: () => mend(fix) }, fix.safe ? "Fix it" : "Fix it (unsafe: look again)")] : []),
      ...(noFix ? [element("span", { class: "muted" }, `No fix: ${noFix}`)] : []),
    ),
  );
  return item;
}

function show(report) {
  findings = report.findings;
  const [error] = report.errors;
  const count = findings.length;
  status.textContent = error
    ? `No verdict: ${error.message}`
    : count
      ? `${count} finding${count === 1 ? "" : "s"}`
      : report.nothing_to_read
        ? "Nothing found: there is no loss to read here"
        : "All clean";
  if (report.warnings?.length) status.textContent += `. Not all of it was read: it ${report.warnings[0].message}`;
  list.replaceChildren(...findings.map(shown));
  const known = findings.map((finding) => finding.sizes.V).find((size) => size > 1);
  if (!isSizeGiven && known) size(known, "as in the code");
  repaint();
}

let timer;
let asked = 0;
let running = null;

// Lints the text as it is now; the milliseconds that the linter took. One at a time, and only the newest waits.
async function lint(fixes = false) {
  if (!isReady) return undefined;
  clearTimeout(timer);
  const mine = ++asked;
  while (running !== null) {
    await running;
    if (mine !== asked) return undefined;
  }
  const answer = ask({ text: text.value, preview: byId("preview").checked, fixes });
  running = answer.then(() => {}, () => {}).finally(() => (running = null));
  let told;
  try {
    told = await answer;
  } catch (error) {
    if (mine === asked && !fixes) status.textContent = `No verdict: ${error.message}`;
    return undefined;
  }
  if (mine !== asked || (fixes && told.answer.errors.length)) return undefined; // a newer text, or findings without fixes
  show(told.answer);
  if (hasFixes && !fixes && findings.length) later(LONG_PAUSE, true);
  return told.milliseconds;
}

function later(pause, fixes) {
  clearTimeout(timer);
  timer = setTimeout(() => lint(fixes), pause);
}

function changed() {
  asked++; // what is on its way is about another text
  findings = [];
  repaint();
  keep();
  later(PAUSE, false);
}

async function explain(code) {
  const section = byId("page");
  section.replaceChildren(...written((await ask({ rule: code })).answer, element));
  section.hidden = false;
  section.scrollIntoView({ behavior: "smooth" });
}

function size(value, from = "") {
  byId("size").value = value;
  byId("from").textContent = from;
  plot(value);
}

function plot(value) {
  byId("plot").replaceChildren(drawn(value, byId("plot").clientWidth - 2));
  byId("numbers-of-v").textContent = figures(value);
}

const givenSize = () => {
  const value = Number(byId("size").value);
  return value >= 2 && value <= 1e7 ? value : null;
};

let keeping;
async function keep() {
  const mine = (keeping = {});
  const fragment = await packed({ text: text.value, size: isSizeGiven ? byId("size").value : "" });
  if (mine === keeping) history.replaceState(null, "", `#${fragment}`);
}

async function restore() {
  try {
    const kept = await unpacked(location.hash.slice(1));
    if (kept === null) return false;
    text.value = kept.text;
    if (Number(kept.size) >= 2 && Number(kept.size) <= 1e7) {
      isSizeGiven = true;
      size(Number(kept.size));
    }
    return true;
  } catch {
    byId("shared").textContent = "This link is cut off or altered: here is an example instead.";
    return false;
  }
}

async function start() {
  const examples = await (await fetch(new URL("./examples.json", import.meta.url))).json();
  const choice = byId("example");
  choice.append(...examples.map((example, n) => element("option", { value: n }, example.name)));
  choice.addEventListener("change", () => {
    text.value = examples[choice.value].text;
    isSizeGiven = false;
    changed();
  });
  text.addEventListener("input", changed);
  text.addEventListener("scroll", scroll);
  text.addEventListener("keydown", (event) => {
    // Tab indents; Escape and then Tab leaves, so that a keyboard is not caught.
    if (event.key === "Escape") text.dataset.leaves = "yes";
    else if (event.key === "Tab" && !event.shiftKey && !event.ctrlKey && text.dataset.leaves !== "yes") {
      event.preventDefault();
      text.setRangeText("    ", text.selectionStart, text.selectionEnd, "end");
      changed();
    } else delete text.dataset.leaves;
  });
  byId("preview").addEventListener("change", () => lint());
  byId("size").addEventListener("input", () => {
    if (givenSize() === null) return;
    isSizeGiven = true;
    plot(givenSize());
    byId("from").textContent = "";
    keep();
  });
  byId("share").addEventListener("click", async () => {
    await keep();
    try {
      await navigator.clipboard.writeText(location.href);
      byId("shared").textContent = "Copied.";
    } catch {
      byId("shared").textContent = "It is in the address bar.";
    }
  });
  document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", async () => {
    if (await restore()) {
      repaint();
      lint();
    }
  });
  window.addEventListener("resize", () => plot(givenSize() ?? 50257));
  size(50257);
  if (!(await restore())) text.value = examples[0].text;
  repaint();
  await ready;
  await lint();
}

// For the tests and the benchmark.
window.playground = { started: start(), lint };
window.playground.started.catch(() => {});
