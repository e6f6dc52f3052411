"""Real editors, headless: what they show of a finding, where, and what becomes of it when the text changes.

Neovim, Vim with ALE and Emacs come from Debian; python-lsp-server has an environment of its own (`make test-heavy`).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.editors.client import Client
from tests.faces.support import WRONG

pytestmark = pytest.mark.heavy

MEAN = "(target * logp).mean()"
SUMMED = "(target * logp).sum(axis=-1).mean()"
WIDE = WRONG.replace("return -", 'é = "日本 𝕏𝕏"; return é, -')
PROJECT = Path(__file__).parents[2]
DOCS = PROJECT / "docs" / "editors.md"
PYLSP = str(Path(sys.prefix) / "pylsp" / "bin" / "pylsp")


def documented(heading: str, language: str, mark: str = "") -> str:
    """The settings that docs/editors.md gives, for the environment of the tests: the first block with this in it."""
    section = DOCS.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    blocks = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    block: str = next(block for block in blocks if mark in block)
    assert "/path/to/venv/bin" in block
    return block.replace("/path/to/venv", sys.prefix)


def settings(name: str) -> str:
    """The settings file of this name in editors/, for the environment of the tests."""
    text = (PROJECT / "editors" / name).read_text(encoding="utf-8")
    assert "/path/to/venv/bin" in text
    return text.replace("/path/to/venv", sys.prefix)


def found(name: str) -> str:
    """The path of a program that the test needs."""
    path = shutil.which(name)
    need(name, path is not None)
    return path or ""


def need(name: str, is_there: bool) -> None:
    """Skip the test without this, or fail it where everything has to be there."""
    if not is_there:
        if os.environ.get("BATCHMEAN_HEAVY") == "1":
            pytest.fail(f"{name} is not there: .ci/run installs it")
        pytest.skip(f"{name} is not there")


def run(folder: Path, *command: str | Path) -> str:
    """The output of a program that ends by itself, without the user's own settings."""
    done = subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=100,
        env={
            **os.environ,
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder),
            "XDG_STATE_HOME": str(folder),
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def result(folder: Path) -> Any:
    """What an editor wrote."""
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


def place(text: str, part: str = MEAN) -> tuple[int, int]:
    """Row and column of a part of the text, from 0, in bytes: as Vim and Neovim count columns."""
    before = text.partition(part)[0]
    return before.count("\n"), len(before.rpartition("\n")[2].encode())


# Neovim 0.7, which has no vim.lsp.start() yet.
NEOVIM = """
local function write(value)
    local file = io.open("result.json", "w")
    file:write(vim.fn.json_encode(value))
    file:close()
end

local function ours()
    return vim.tbl_filter(function(d) return d.message:find(MARK, 1, true) end, vim.diagnostic.get(0))
end

local function findings(wanted, row)
    vim.wait(30000, function()
        local found = ours()
        return #found == wanted and (not row or found[1].lnum == row)
    end, 50)
    return vim.tbl_map(function(d)
        return { d.lnum, d.col, d.end_lnum, d.end_col, d.severity, d.source, d.code or "", d.message }
    end, ours())
end

local function body()
    vim.wait(30000, function() return #vim.lsp.get_active_clients() > 0 end, 50)
    local client = vim.lsp.get_active_clients()[1]
    local seen = { opened = findings(1) }
    vim.api.nvim_buf_set_lines(0, 0, 0, true, { "# 𝕏" })
    seen.changed = findings(1, seen.opened[1][1] + 1)
    if ACTIONS then
        vim.api.nvim_win_set_cursor(0, { seen.changed[1][1] + 1, seen.changed[1][2] })
        local params = vim.lsp.util.make_range_params()
        params.context = { diagnostics = vim.lsp.diagnostic.get_line_diagnostics() }
        local answer = vim.lsp.buf_request_sync(0, "textDocument/codeAction", params, 30000)[client.id].result
        seen.actions = vim.tbl_map(function(action) return action.title end, answer)
        local hover = vim.lsp.buf_request_sync(0, "textDocument/hover", vim.lsp.util.make_position_params(), 30000)
        seen.hover = hover[client.id].result.contents.value
        vim.lsp.util.apply_workspace_edit(answer[1].edit, client.offset_encoding)
        seen.text = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, true), "\\n") .. "\\n"
        seen.fixed = #findings(0)
    end
    seen.messages = vim.fn.execute("messages")
    write(seen)
end

local ok, problem = pcall(body)
if not ok then write({ problem = tostring(problem) }) end
vim.cmd("qall!")
"""


def neovim(folder: Path, text: str, init: str, *, actions: bool) -> Any:
    """What Neovim's built-in client shows with this init.lua."""
    (folder / "a.py").write_text(text, encoding="utf-8")
    (folder / "init.lua").write_text(init, encoding="utf-8")
    head = f'local ACTIONS, MARK = {json.dumps(actions)}, "cross-entropy"\n'
    (folder / "try.lua").write_text(head + NEOVIM, encoding="utf-8")
    start = ("--headless", "-u", "init.lua", "-n", "a.py", "-c", "luafile try.lua", "-c", "qall!")
    run(folder, found("nvim"), *start)
    seen = result(folder)
    assert "problem" not in seen, seen
    return seen


def test_neovim_on_the_server(tmp_path: Path) -> None:
    seen = neovim(tmp_path, WIDE, settings("neovim.lua"), actions=True)
    row, column = place(WIDE)
    [[*where, severity, source, code, message]] = seen["opened"]
    assert where == [row, column, row, column + len(MEAN)]
    assert (severity, source, code) == (2, "batchmean", "BMN102")
    assert message.endswith("10 times too small; use .sum(axis=-1).mean()")
    [[*where, _, _, _, _]] = seen["changed"]
    assert where == [row + 1, column, row + 1, column + len(MEAN)]
    assert seen["actions"] == [
        "Fix BMN102 class-axis-mean",
        "Silence BMN102 on this line (# noqa)",
        "Fix all that batchmean can fix safely",
    ]
    assert "Here V = 10: a factor of 0.1." in seen["hover"]
    assert seen["text"] == "# 𝕏\n" + WIDE.replace(MEAN, SUMMED)
    assert (seen["fixed"], seen["messages"].strip()) == (0, "")
    log = tmp_path / "nvim" / "lsp.log"
    assert not log.exists() or "ERROR" not in log.read_text(encoding="utf-8")


PYLSP_SETTINGS = json.loads(documented("python-lsp-server", "json"))
PLAIN = WIDE.replace("𝕏", "X")  # pylsp counts columns in code points, where the protocol has UTF-16


PYLSP_IN_NEOVIM = """
vim.api.nvim_create_autocmd("FileType", {
    pattern = "python",
    callback = function(args)
        local id = vim.lsp.start_client({
            cmd = { "PYLSP" },
            on_init = function(client)
                local settings = vim.fn.json_decode([==[SETTINGS]==])
                client.notify("workspace/didChangeConfiguration", { settings = settings })
            end,
        })
        vim.lsp.buf_attach_client(args.buf, id)
    end,
})
"""


def test_neovim_on_pylsp(tmp_path: Path) -> None:
    init = PYLSP_IN_NEOVIM.replace("PYLSP", found(PYLSP)).replace("SETTINGS", json.dumps(PYLSP_SETTINGS))
    seen = neovim(tmp_path, PLAIN, init, actions=False)
    for name, further in (("opened", 0), ("changed", 1)):
        [[row, column, _, _, _, source, code, message]] = seen[name]
        assert (row - further, column) == place(PLAIN)
        assert (source, code) == ("flake8", "BMN102")
        assert "10 times too small" in message


def test_pylsp(tmp_path: Path) -> None:
    with Client([found(PYLSP)], tmp_path) as client:
        client.initialize()
        client.notify("workspace/didChangeConfiguration", {"settings": PYLSP_SETTINGS})
        uri = client.open(tmp_path / "a.py", PLAIN)
        opened = client.diagnostics(uri)
        client.change(uri, "# 日本\n" + PLAIN)
        changed = client.diagnostics(uri)
        client.change(uri, PLAIN.replace(MEAN, SUMMED))
        fixed = client.diagnostics(uri)
    line, _ = place(PLAIN)
    column = PLAIN.split("\n")[line].index(MEAN)
    for row, diagnostics in ((line, opened), (line + 1, changed)):
        [ours] = [d for d in diagnostics if d["code"] == "BMN102"]
        assert ours["range"]["start"] == {"line": row, "character": column}
        assert ours["source"] == "flake8"
    assert not [d for d in fixed if d["code"].startswith("BMN")]


VIM = """
let g:ale_echo_cursor = 0
filetype on
packadd ale
edit a.py

function! Findings(row) abort
    for l:attempt in range(300)
        sleep 100m
        let l:found = filter(copy(ale#engine#GetLoclist(bufnr(''))), 'v:val.code =~# "^BMN"')
        if len(l:found) == 1 && l:found[0].lnum == a:row && !ale#engine#IsCheckingBuffer(bufnr(''))
            break
        endif
    endfor
    return map(l:found, '[v:val.lnum - 1, v:val.col - 1, v:val.linter_name, v:val.code, v:val.text]')
endfunction

call ale#Queue(0, 'lint_file')
let s:seen = {'opened': Findings(ROW)}
call append(0, '# 𝕏')
doautocmd TextChanged
let s:seen.changed = Findings(ROW + 1)
call writefile([json_encode(s:seen)], 'result.json')
qall!
"""


def test_vim_with_ale(tmp_path: Path) -> None:
    need("ALE", any(Path("/usr/share/vim").glob("**/opt/ale")))
    row, column = place(WIDE)
    (tmp_path / "a.py").write_text(WIDE, encoding="utf-8")
    script = documented("Vim with ALE", "vim") + VIM.replace("ROW", str(row + 1))
    (tmp_path / "try.vim").write_text(f"set encoding=utf-8\nscriptencoding utf-8\n{script}", encoding="utf-8")
    run(tmp_path, found("vim"), "-N", "-u", "NONE", "-n", "--not-a-term", "-es", "-S", "try.vim")
    seen = result(tmp_path)
    for name, further in (("opened", 0), ("changed", 1)):
        [[found_row, found_column, linter, code, text]] = seen[name]
        assert (found_row - further, found_column) == (row, column)
        assert (linter, code) == ("flake8", "BMN102")
        assert text.endswith("10 times too small; use .sum(axis=-1).mean()")


EMACS = """
(package-initialize)
(require 'json)

(defun wait-until (test)
  (let ((end (+ (float-time) 30)))
    (while (and (< (float-time) end) (not (funcall test)))
      (accept-process-output nil 0.1))))

(defun row () (1- (line-number-at-pos)))
(defun column () (- (point) (line-beginning-position)))
(defun write-result (value)
  (let ((coding-system-for-write 'utf-8))
    (write-region (json-encode value) nil "result.json")))
"""

EGLOT = """
(defun findings ()
  (mapcar
   (lambda (found)
     (save-excursion
       (goto-char (flymake-diagnostic-beg found))
       (vector (row) (column)
               (buffer-substring-no-properties (point) (flymake-diagnostic-end found))
               (flymake-diagnostic-text found))))
   (flymake-diagnostics)))

(setq eglot-sync-connect 30)
(find-file "a.py")
(python-mode)
(call-interactively #'eglot)
(wait-until #'findings)
(defvar opened (findings))
(goto-char (point-min))
(insert "# 𝕏\\n")
(eglot--signal-textDocument/didChange)
(wait-until (lambda () (and (findings) (string= (aref (car (findings)) 2) "MEAN"))))
(defvar changed (findings))
(goto-char (flymake-diagnostic-beg (car (flymake-diagnostics))))
(defvar actions (append (eglot-code-actions (point) (point) "quickfix") nil))
(eglot--apply-workspace-edit (plist-get (car actions) :edit))
(eglot--signal-textDocument/didChange)
(wait-until (lambda () (null (findings))))
(write-result
 (list (cons 'opened (vconcat opened))
       (cons 'changed (vconcat changed))
       (cons 'actions (vconcat (mapcar (lambda (action) (plist-get action :title)) actions)))
       (cons 'text (buffer-string))
       (cons 'fixed (vconcat (findings)))))
(eglot-shutdown (eglot-current-server))
"""

FLYCHECK = """
(find-file "a.py")
(python-mode)
(flycheck-mode 1)

(defun findings (first-row)
  (flycheck-buffer)
  (wait-until
   (lambda ()
     (and flycheck-current-errors (equal (flycheck-error-line (car flycheck-current-errors)) first-row))))
  (vconcat
   (mapcar
    (lambda (found)
      (vector (1- (flycheck-error-line found)) (1- (flycheck-error-column found)) (flycheck-error-id found)))
    (seq-filter (lambda (found) (string-prefix-p "BMN" (flycheck-error-id found))) flycheck-current-errors))))

(defvar opened (findings ROW))
(goto-char (point-min))
(insert "# 𝕏\\n")
(write-result (list (cons 'opened opened) (cons 'changed (findings (1+ ROW)))))
(set-buffer-modified-p nil)
"""


def emacs(folder: Path, package: str, script: str) -> Any:
    """What Emacs shows with a package of Debian's."""
    load = [found("emacs"), "-q", "--batch", "--eval", f"(progn (package-initialize) (require '{package}))"]
    need(f"Emacs's {package}", subprocess.run(load, capture_output=True, check=False).returncode == 0)
    (folder / "a.py").write_text(WIDE, encoding="utf-8")
    (folder / "try.el").write_text(f";; -*- coding: utf-8 -*-\n{EMACS}{script}", encoding="utf-8")
    run(folder, found("emacs"), "-q", "--batch", "-l", "try.el")
    return result(folder)


def test_emacs_with_eglot(tmp_path: Path) -> None:
    seen = emacs(
        tmp_path,
        "eglot",
        settings("emacs.el") + EGLOT.replace("MEAN", MEAN),
    )
    row, _ = place(WIDE)
    column = WIDE.split("\n")[row].index(MEAN)
    for name, further in (("opened", 0), ("changed", 1)):
        [[*where, marked, text]] = seen[name]
        assert where == [row + further, column]
        assert marked == MEAN
        assert text.startswith("batchmean [BMN102]: cross-entropy is averaged over the class axis too")
    assert seen["actions"] == ["Fix BMN102 class-axis-mean", "Silence BMN102 on this line (# noqa)"]
    assert seen["text"] == "# 𝕏\n" + WIDE.replace(MEAN, SUMMED)
    assert seen["fixed"] == []


def test_emacs_with_flycheck(tmp_path: Path) -> None:
    row, _ = place(WIDE)
    column = WIDE.split("\n")[row].index(MEAN)
    seen = emacs(
        tmp_path, "flycheck", documented("Emacs", "elisp", "flycheck") + FLYCHECK.replace("ROW", str(row + 1))
    )
    assert seen == {"opened": [[row, column, "BMN102"]], "changed": [[row + 1, column, "BMN102"]]}
