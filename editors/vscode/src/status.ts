/** The item in the status bar: which batchmean runs, or why none does. */

import * as vscode from "vscode";
import { Command } from "./command";

export class Status implements vscode.Disposable {
    private readonly item = vscode.window.createStatusBarItem("status", vscode.StatusBarAlignment.Right, 0);
    private readonly listening: vscode.Disposable;

    constructor() {
        this.item.name = "batchmean";
        const changed = [vscode.window.onDidChangeActiveTextEditor, vscode.window.onDidChangeActiveNotebookEditor];
        this.listening = vscode.Disposable.from(...changed.map((event) => event(() => this.appear())));
        this.appear();
    }

    dispose(): void {
        this.listening.dispose();
        this.item.dispose();
    }

    starting(): void {
        this.set("$(sync~spin) batchmean", "The server starts.", "batchmean.showLog");
    }

    off(): void {
        this.set("$(circle-slash) batchmean", "Switched off by batchmean.enable.", "batchmean.restart");
    }

    running(version: string, command: Command): void {
        const facts = `batchmean ${version}\n\n${command.program}\n\nfrom ${command.source}`;
        this.set(`$(check) batchmean ${version}`, `${facts}\n\nClick: restart`, "batchmean.restart");
    }

    failed(problem: string, hint: string, command: Command | undefined): void {
        const program = command === undefined ? "" : `\n\n${command.program}, from ${command.source}`;
        const said = hint === "" ? problem : `${problem}\n\n${hint}`;
        this.set("$(error) batchmean", `${said}${program}\n\nClick: try again`, "batchmean.restart");
        this.item.backgroundColor = new vscode.ThemeColor("statusBarItem.errorBackground");
    }

    private set(text: string, tooltip: string, command: string): void {
        this.item.text = text;
        this.item.tooltip = tooltip;
        this.item.command = command;
        this.item.backgroundColor = undefined;
    }

    /** It is there beside Python only. */
    private appear(): void {
        const notebook = vscode.window.activeNotebookEditor?.notebook;
        const languages = [
            vscode.window.activeTextEditor?.document.languageId,
            ...(notebook?.getCells().map((cell) => cell.document.languageId) ?? []),
        ];
        if (languages.includes("python")) {
            this.item.show();
        } else {
            this.item.hide();
        }
    }
}
