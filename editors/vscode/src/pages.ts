/** The pages of the rules, as `batchmean explain` prints them, in the preview of Markdown. */

import * as vscode from "vscode";

const SCHEME = "batchmean";

interface Rule {
    readonly code: string;
    readonly name: string;
    readonly summary: string;
    readonly preview: boolean;
}

export class Pages implements vscode.Disposable {
    private readonly registration: vscode.Disposable;

    /** `ask` runs batchmean with arguments and gives what it prints. */
    constructor(private readonly ask: (given: readonly string[]) => Promise<string>) {
        const provideTextDocumentContent = (uri: vscode.Uri): Promise<string> =>
            this.ask(["explain", uri.path.replace(/\.md$/, "")]);
        this.registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, {
            provideTextDocumentContent,
        });
    }

    dispose(): void {
        this.registration.dispose();
    }

    /** Show a rule's page beside the code. */
    async show(code: string): Promise<void> {
        if (!/^[A-Z]{3}\d{3}$/.test(code)) {
            return;
        }
        const page = vscode.Uri.from({ scheme: SCHEME, path: `${code}.md` });
        try {
            await vscode.workspace.openTextDocument(page);
        } catch (error) {
            void vscode.window.showErrorMessage(`batchmean: ${code} cannot be explained: ${error}`);
            return;
        }
        await vscode.commands.executeCommand("markdown.showPreviewToSide", page);
    }

    /** The code of a rule that is chosen from a list. */
    async choose(): Promise<string | undefined> {
        const rules = this.ask(["rules", "--output-format", "json"]).then((text) => JSON.parse(text) as Rule[]);
        const items = rules.then((found) =>
            found.map((rule) => ({
                label: rule.code,
                description: rule.preview ? `${rule.name} (preview)` : rule.name,
                detail: rule.summary,
            })),
        );
        const chosen = await vscode.window.showQuickPick(items, {
            placeHolder: "Which rule?",
            matchOnDescription: true,
            matchOnDetail: true,
        });
        return chosen?.label;
    }
}
