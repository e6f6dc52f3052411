// Runs Python and the linter beside the page, so that typing never waits for either.
import { loadPyodide } from "./pyodide/pyodide.mjs";

const say = (message) => postMessage(message);

async function bytes(path) {
  const response = await fetch(new URL(path, import.meta.url));
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.arrayBuffer();
}

async function start() {
  const wheels = JSON.parse(new TextDecoder().decode(await bytes("wheels.json")));
  const [pyodide, ...contents] = await Promise.all([
    loadPyodide({ indexURL: new URL("./pyodide/", import.meta.url).href }),
    ...wheels.map((wheel) => bytes(wheel)),
  ]);
  contents.forEach((content) => pyodide.unpackArchive(content, "wheel"));
  pyodide.FS.writeFile("face.py", new Uint8Array(await bytes("face.py")));
  pyodide.runPython("import sys; sys.path.insert(0, '')");
  const face = pyodide.pyimport("face");
  face.check("import numpy as np\nloss = -(np.eye(2) * np.log(p)).mean()\n", true); // what is imported late is imported now
  return face;
}

const starting = start();
starting.then(
  (face) => say({ ready: true, fixes: face.has_fixes() }),
  (error) => say({ failed: String(error) }),
);

onmessage = async ({ data }) => {
  let face;
  try {
    face = await starting;
  } catch {
    return; // it has been said
  }
  try {
    const begun = performance.now();
    const answer = data.rule === undefined ? JSON.parse(face.check(data.text, data.preview, data.fixes ?? false)) : face.rule(data.rule);
    say({ id: data.id, answer, milliseconds: performance.now() - begun });
  } catch (error) {
    say({ id: data.id, error: String(error) });
  }
};
