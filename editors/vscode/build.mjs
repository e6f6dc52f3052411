// One file with the language client in it, so that the package needs no node_modules.
import { build } from "esbuild";
import { copyFileSync } from "node:fs";

await build({
    entryPoints: ["src/extension.ts"],
    outfile: "out/extension.js",
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node18",
    external: ["vscode"],
    minify: true,
});
copyFileSync("../../LICENSE", "LICENSE.txt");
