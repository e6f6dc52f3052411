/** batchmean in VS Code: it starts `batchmean server`, shows which one that is, and adds two commands. */

import * as vscode from "vscode";
import {
    CloseAction,
    ErrorAction,
    LanguageClient,
    LanguageClientOptions,
    RevealOutputChannelOn,
} from "vscode-languageclient/node";
import { Command, Unusable, check, find, options, output, pythonExtension, serverArguments } from "./command";
import { Pages } from "./pages";
import { Status } from "./status";

const FIX_ALL = "source.fixAll.batchmean";
const FIX_NOTEBOOK = `notebook.${FIX_ALL}`;
const SCHEMES = ["file", "untitled", "vscode-notebook-cell"];
const SEVERITIES: Readonly<Record<string, vscode.DiagnosticSeverity>> = {
    error: vscode.DiagnosticSeverity.Error,
    warning: vscode.DiagnosticSeverity.Warning,
    information: vscode.DiagnosticSeverity.Information,
    hint: vscode.DiagnosticSeverity.Hint,
};

let session: Session | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
    session = new Session(context);
    await session.restart();
}

export async function deactivate(): Promise<void> {
    await session?.stop();
}

/** One server at a time, and what is shown of it. */
class Session {
    private client: LanguageClient | undefined;
    private command: Command | undefined;
    /** Starts and stops wait for each other. */
    private turn: Promise<void> = Promise.resolve();
    private readonly log = vscode.window.createOutputChannel("batchmean", { log: true });
    private readonly status = new Status();
    private readonly pages = new Pages((given) => this.ask(given));

    constructor(context: vscode.ExtensionContext) {
        const register = vscode.commands.registerCommand;
        context.subscriptions.push(
            this.log,
            this.status,
            this.pages,
            register("batchmean.explain", (code?: unknown) => this.explain(code)),
            register("batchmean.fixAll", () => this.fixAll()),
            register("batchmean.restart", () => this.restart()),
            register("batchmean.showLog", () => this.log.show()),
            vscode.languages.registerCodeActionsProvider(
                SCHEMES.map((scheme) => ({ scheme, language: "python" })),
                { provideCodeActions: (_document, _range, asked) => explanations(asked) },
                { providedCodeActionKinds: [vscode.CodeActionKind.QuickFix] },
            ),
            vscode.workspace.onDidChangeConfiguration((event) => {
                if (event.affectsConfiguration("batchmean")) {
                    void this.restart();
                }
            }),
        );
        void pythonExtension().then((python) => {
            const changed = python?.environments.onDidChangeActiveEnvironmentPath(() => this.restart());
            if (changed !== undefined) {
                context.subscriptions.push(changed);
            }
        });
    }

    restart(): Promise<void> {
        this.turn = this.turn.then(async () => {
            await this.end();
            await this.start();
        });
        return this.turn;
    }

    stop(): Promise<void> {
        this.turn = this.turn.then(() => this.end());
        return this.turn;
    }

    private async start(): Promise<void> {
        if (!vscode.workspace.getConfiguration("batchmean").get("enable", true)) {
            this.status.off();
            return;
        }
        this.status.starting();
        let command: Command | undefined;
        try {
            command = await find();
            const version = await check(command);
            const client = this.made(command);
            await client.start();
            this.client = client;
            this.command = command;
            this.status.running(version, command);
            this.log.info(`batchmean ${version}: ${command.program}, from ${command.source}`);
        } catch (error) {
            this.fail(error, command);
        }
    }

    private async end(): Promise<void> {
        const client = this.client;
        this.client = this.command = undefined;
        await client?.dispose().catch((error) => this.log.warn(String(error)));
    }

    private made(command: Command): LanguageClient {
        let ends = 0;
        const made: LanguageClientOptions = {
            documentSelector: SCHEMES.map((scheme) => ({ scheme, language: "python" })),
            outputChannel: this.log,
            revealOutputChannelOn: RevealOutputChannelOn.Never,
            diagnosticCollectionName: "batchmean",
            middleware: {
                handleDiagnostics: (uri, found, next) => next(uri, found.map(shown)),
            },
            errorHandler: {
                error: () => ({ action: ErrorAction.Continue }),
                closed: () => {
                    if (++ends <= 3) {
                        return { action: CloseAction.Restart, handled: true };
                    }
                    this.fail(new Unusable("the server has ended four times", "The log says why."), command);
                    return { action: CloseAction.DoNotRestart, handled: true };
                },
            },
        };
        const server = { command: command.program, args: [...command.start, ...serverArguments()] };
        return new LanguageClient("batchmean", "batchmean", { ...server, options: options() }, made);
    }

    /** Say what is wrong, once for each start, with what helps. */
    private fail(error: unknown, command: Command | undefined): void {
        const problem = error instanceof Error ? error.message : String(error);
        const hint = error instanceof Unusable ? error.hint : "";
        this.log.error(problem, hint);
        this.status.failed(problem, hint, command);
        const chooses = vscode.extensions.getExtension("ms-python.python") !== undefined;
        const choose = chooses ? "Select Interpreter" : "Open Settings";
        const named = problem.startsWith("batchmean") ? problem : `batchmean: ${problem}`;
        const said = hint === "" ? named : `${named}. ${hint}`;
        void vscode.window.showErrorMessage(said, choose, "Try Again", "Show Log").then((chosen) => {
            if (chosen === "Try Again") {
                return this.restart();
            }
            if (chosen === "Show Log") {
                return this.log.show();
            }
            if (chosen === "Select Interpreter") {
                return vscode.commands.executeCommand("python.setInterpreter");
            }
            return chosen && vscode.commands.executeCommand("workbench.action.openSettings", "batchmean");
        });
    }

    private async ask(given: readonly string[]): Promise<string> {
        return output(this.command ?? (await find()), given);
    }

    /** The page of a rule: of the one that is named, of the finding at the cursor, or of one that is chosen. */
    private async explain(asked: unknown): Promise<void> {
        const code = typeof asked === "string" ? asked : (codeAtCursor() ?? (await this.pages.choose()));
        if (code !== undefined) {
            await this.pages.show(code);
        }
    }

    /** Apply the safe fixes of the active file, or notebook. */
    private async fixAll(): Promise<void> {
        const editor = vscode.window.activeTextEditor;
        const notebook = vscode.window.activeNotebookEditor?.notebook;
        const cell = notebook?.getCells().find((each) => each.document.languageId === "python");
        const document = cell?.document ?? editor?.document;
        if (document === undefined || this.client === undefined) {
            return;
        }
        const kind = cell === undefined ? FIX_ALL : FIX_NOTEBOOK;
        const whole = document.validateRange(new vscode.Range(0, 0, document.lineCount, 0));
        const actions = await vscode.commands.executeCommand<vscode.CodeAction[]>(
            "vscode.executeCodeActionProvider",
            document.uri,
            whole,
            kind,
            1,
        );
        const edit = actions.find((action) => action.kind?.value === kind)?.edit;
        if (edit === undefined || !(await vscode.workspace.applyEdit(edit))) {
            void vscode.window.showInformationMessage("batchmean: nothing here can be fixed safely.");
        }
    }
}

/** A finding as the settings want it, with its code as a link to its page. */
function shown(diagnostic: vscode.Diagnostic): vscode.Diagnostic {
    const settings = vscode.workspace.getConfiguration("batchmean.severity");
    const isProved = diagnostic.severity === vscode.DiagnosticSeverity.Warning;
    const [name, usual] = isProved ? ["proved", "warning"] : ["likely", "information"];
    diagnostic.severity = SEVERITIES[settings.get(name!, usual!)] ?? diagnostic.severity;
    if (typeof diagnostic.code === "string") {
        const given = encodeURIComponent(JSON.stringify([diagnostic.code]));
        const target = vscode.Uri.parse(`command:batchmean.explain?${given}`);
        diagnostic.code = { value: diagnostic.code, target };
    }
    return diagnostic;
}

function explanations(asked: vscode.CodeActionContext): vscode.CodeAction[] {
    const codes = new Set(asked.diagnostics.map(codeOf).filter((code) => code !== undefined));
    return [...codes].map((code) => {
        const action = new vscode.CodeAction(`Explain ${code}`, vscode.CodeActionKind.QuickFix);
        action.command = { command: "batchmean.explain", title: action.title, arguments: [code] };
        action.diagnostics = asked.diagnostics.filter((diagnostic) => codeOf(diagnostic) === code);
        return action;
    });
}

function codeAtCursor(): string | undefined {
    const editor = vscode.window.activeTextEditor;
    const found = editor && vscode.languages.getDiagnostics(editor.document.uri);
    return found
        ?.filter((diagnostic) => diagnostic.range.intersection(editor!.selection) !== undefined)
        .map(codeOf)
        .find((code) => code !== undefined);
}

function codeOf(diagnostic: vscode.Diagnostic): string | undefined {
    const code = diagnostic.code;
    if (diagnostic.source !== "batchmean" || code === undefined) {
        return undefined;
    }
    return String(typeof code === "object" ? code.value : code);
}
