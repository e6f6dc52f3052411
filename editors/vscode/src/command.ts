/** Which `batchmean` is run: the one of the settings, of the chosen interpreter, or of the folder. */

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import * as path from "node:path";
import * as vscode from "vscode";

/** A command line, and where it comes from in words. */
export interface Command {
    readonly program: string;
    /** What has to stand before the arguments of batchmean. */
    readonly start: readonly string[];
    readonly source: string;
}

/** Why there is no server, and what to do about it. */
export class Unusable extends Error {
    constructor(
        message: string,
        readonly hint: string,
    ) {
        super(message);
    }
}

/** What is used of the Python extension, `ms-python.python`. */
interface PythonApi {
    readonly environments: {
        getActiveEnvironmentPath(resource?: vscode.Uri): { readonly path: string };
        resolveEnvironment(
            environment: unknown,
        ): Promise<{ readonly executable: { readonly uri?: vscode.Uri } } | undefined>;
        readonly onDidChangeActiveEnvironmentPath: vscode.Event<unknown>;
    };
}

/** The Python extension, if it is there. */
export async function pythonExtension(): Promise<PythonApi | undefined> {
    const extension = vscode.extensions.getExtension<PythonApi>("ms-python.python");
    const api = await extension?.activate();
    return api?.environments === undefined ? undefined : api;
}

/** The command that the settings and the workspace lead to. */
export async function find(): Promise<Command> {
    const settings = vscode.workspace.getConfiguration("batchmean");
    const program = expanded(settings.get("path", ""));
    if (program !== "") {
        return { program, start: [], source: "batchmean.path" };
    }
    const module = ["-m", "batchmean"];
    const interpreter = expanded(settings.get("interpreter", ""));
    if (interpreter !== "") {
        return { program: interpreter, start: module, source: "batchmean.interpreter" };
    }
    const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
    const python = await pythonExtension();
    if (python !== undefined) {
        const active = python.environments.getActiveEnvironmentPath(folder);
        const chosen = (await python.environments.resolveEnvironment(active))?.executable.uri;
        if (chosen !== undefined) {
            return { program: chosen.fsPath, start: module, source: "the Python extension" };
        }
    }
    const isWindows = process.platform === "win32";
    for (const name of folder?.scheme === "file" ? [".venv", "venv"] : []) {
        const inside = isWindows ? ["Scripts", "python.exe"] : ["bin", "python"];
        const candidate = path.join(folder!.fsPath, name, ...inside);
        if (existsSync(candidate)) {
            return { program: candidate, start: module, source: `${name} of the folder` };
        }
    }
    return { program: isWindows ? "python" : "python3", start: module, source: "the PATH" };
}

/** The arguments of the server that the settings ask for. */
export function serverArguments(): string[] {
    const settings = vscode.workspace.getConfiguration("batchmean");
    const given = ["server"];
    if (settings.get("preview", false)) {
        given.push("--preview");
    }
    const confidence = settings.get("minConfidence", "project");
    if (confidence !== "project") {
        given.push("--min-confidence", confidence);
    }
    return [...given, ...settings.get<string[]>("arguments", [])];
}

/** The version of what would be run; `Unusable` if it would not run. */
export async function check(command: Command): Promise<string> {
    const version = await run(command, ["--version"]);
    if (version.code !== 0) {
        throw missing(command, version);
    }
    // With nothing to read the server ends at once: 1, for nobody has said goodbye; 2 if it could not start.
    const started = await run(command, serverArguments());
    if (started.code !== 1) {
        const reason = lastLine(started.errors) || `it ended with ${started.code}`;
        throw new Unusable(reason.replace(/^(batchmean server: )?error: /, ""), hintFor(started.errors));
    }
    return version.output.trim().replace(/^batchmean /, "");
}

/** What batchmean prints. */
export async function output(command: Command, given: readonly string[]): Promise<string> {
    const done = await run(command, given);
    if (done.code !== 0) {
        throw new Unusable(lastLine(done.errors) || `it ended with ${done.code}`, "");
    }
    return done.output;
}

interface Done {
    /** The exit code; undefined if it could not be started. */
    readonly code: number | null | undefined;
    readonly output: string;
    readonly errors: string;
}

function run(command: Command, given: readonly string[]): Promise<Done> {
    return new Promise((resolve) => {
        const child = spawn(command.program, [...command.start, ...given], {
            ...options(),
            stdio: ["ignore", "pipe", "pipe"],
            timeout: 60_000,
        });
        let output = "";
        let errors = "";
        child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
        child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
        child.on("error", (error) => resolve({ code: undefined, output, errors: error.message }));
        child.on("close", (code) => resolve({ code, output, errors }));
    });
}

/** How batchmean is started: in the folder, and with UTF-8 whatever the locale. */
export function options(): { cwd?: string; env: NodeJS.ProcessEnv } {
    const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
    const env = { ...process.env, PYTHONUTF8: "1" };
    return folder?.scheme === "file" ? { cwd: folder.fsPath, env } : { env };
}

function missing(command: Command, done: Done): Unusable {
    const where = `${command.program} (from ${command.source})`;
    if (done.code === undefined) {
        return new Unusable(
            `${where} cannot be started`,
            "Choose an interpreter, or name one in batchmean.interpreter.",
        );
    }
    if (done.errors.includes("No module named batchmean")) {
        return new Unusable(
            `batchmean is not installed for ${where}`,
            `In a checkout of batchmean: "${command.program}" -m pip install ".[server]"`,
        );
    }
    return new Unusable(`${where}: ${lastLine(done.errors) || `it ended with ${done.code}`}`, "");
}

function hintFor(errors: string): string {
    return errors.includes("unrecognized arguments") || errors.includes("argument --")
        ? "See the setting batchmean.arguments."
        : "";
}

function expanded(text: string): string {
    const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath ?? "";
    const home = process.env["HOME"] ?? process.env["USERPROFILE"] ?? "";
    return text.trim().replaceAll("${workspaceFolder}", folder).replace(/^~(?=[\\/])/, home);
}

function lastLine(text: string): string {
    return text.trim().split(/\r?\n/).at(-1) ?? "";
}
