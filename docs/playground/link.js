// The state in the fragment of the address, which browsers send to no server: JSON, deflated, in base64url.
const MOST = 1_000_000; // bytes that a link may unfold to

async function through(stream, bytes, most = Infinity) {
  const chunks = [];
  let size = 0;
  for await (const chunk of read(new Blob([bytes]).stream().pipeThrough(stream))) {
    size += chunk.length;
    if (size > most) throw new Error("too large");
    chunks.push(chunk);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

async function* read(stream) {
  const reader = stream.getReader();
  for (let step = await reader.read(); !step.done; step = await reader.read()) yield step.value;
}

export async function packed({ text, size }) {
  const bytes = await through(new CompressionStream("deflate-raw"), new TextEncoder().encode(JSON.stringify([text, size])));
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

// What was packed, or null where the address has no state. Throws where it is damaged.
export async function unpacked(fragment) {
  if (!fragment) return null;
  const bytes = Uint8Array.from(atob(fragment.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
  const json = new TextDecoder().decode(await through(new DecompressionStream("deflate-raw"), bytes, MOST));
  const [text, size] = JSON.parse(json);
  if (typeof text !== "string") throw new Error("no text");
  return { text, size };
}
