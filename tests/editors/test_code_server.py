"""The extension for VS Code in code-server, in a real browser: what a user sees of a loss, and what their keys do."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator

import pytest

from tests.editors.code_server import CONTROL, Editor, editor, lacks
from tests.faces.notebooks import jupyter, notebook
from tests.faces.support import WRONG

pytestmark = pytest.mark.heavy

RIGHT = WRONG.replace(".mean()", ".sum(axis=-1).mean()")
TWO = WRONG + WRONG.replace("def loss", "def other").partition("\n\n\n")[2].join(["\n\n", ""])
IMPORTS = "import numpy as np\nfrom scipy.special import log_softmax"
SETUP = "logits = np.zeros((2, 10))\ntarget = np.eye(10)[[1, 2]]"
LOSS = "logp = log_softmax(logits, axis=-1)\nloss = -(target * logp).mean()"
CELLS = [("code", f"{IMPORTS}\n%matplotlib inline"), ("markdown", "# Loss"), ("code", SETUP), ("code", LOSS)]
ON_TRIAL = """\
import torch
import torch.nn.functional as F


def loss(logits, labels, attention_mask):
    per_token = F.cross_entropy(logits, labels, reduction="none")
    return (per_token * attention_mask).mean()
"""
ACTION = ".action-widget .monaco-list-row"
TOAST = ".notifications-toasts"
STATUS = '[id="batchmean.batchmean.status"]'


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    missing = "chromium" if shutil.which("chromium") is None else lacks()
    if missing is not None:
        if os.environ.get("BATCHMEAN_HEAVY") == "1":
            pytest.fail(f"missing: {missing}")
        pytest.skip(f"missing: {missing}")
    files = {"a.py": WRONG, "two.py": TWO, "again.py": WRONG, "trial.py": ON_TRIAL}
    files["n.ipynb"] = jupyter(notebook(CELLS))
    with editor(tmp_path_factory.mktemp("code"), files, interpreter=sys.executable) as made:
        try:
            yield made
        finally:
            made.picture("last")


def test_a_loss_is_marked_and_fixed_where_it_stands(window: Editor) -> None:
    window.wait_for(".squiggly-warning")
    window.wait_for(STATUS, "batchmean 0")
    told = window.page.run(f"document.querySelector('{STATUS}').ariaLabel")
    assert sys.executable in told and "from batchmean.interpreter" in told
    window.command("Problems: Focus on Problems View")
    window.wait_for(".markers-panel .monaco-list-row", "this mean runs over the class axis")
    _, finding, *because = window.texts(".markers-panel .monaco-list-row")
    assert finding.startswith("cross-entropy is averaged over the class axis too: 10 times too small; use")
    assert finding.endswith("batchmeanBMN102[Ln 8, Col 13]")
    assert [reason.partition("]:")[2] for reason in because] == [
        "rows of the identity are one-hot targets",
        "log_softmax over the last axis gives log-probabilities",
        "this mean runs over the class axis",
    ]
    window.picture("problems")
    window.open("a.py", line=8, column=20)
    window.press(".", modifiers=CONTROL)
    window.wait_for(ACTION, "Explain BMN102")
    assert window.texts(ACTION)[1:] == [
        "Fix BMN102 class-axis-mean",
        "Silence BMN102 on this line (# noqa)",
        "Explain BMN102",
    ]
    window.picture("quick-fix")
    window.press("Enter")
    window.wait_for_none(".squiggly-warning")
    window.save("a.py", RIGHT)


def test_all_losses_of_a_file_are_fixed_by_a_command(window: Editor) -> None:
    window.open("two.py")
    window.page.wait("document.querySelectorAll('.squiggly-warning').length === 2")
    window.command("batchmean: Fix All That Can Be Fixed Safely")
    window.wait_for_none(".squiggly-warning")
    window.save("two.py", TWO.replace(".mean()", ".sum(axis=-1).mean()"))
    window.command("batchmean: Fix All That Can Be Fixed Safely")
    window.wait_for(TOAST, "nothing here can be fixed safely")


def test_a_cell_of_a_notebook_is_marked_and_fixed(window: Editor) -> None:
    window.open("n.ipynb")
    window.wait_for(".notebookOverlay .squiggly-warning")
    window.picture("notebook")
    window.command("batchmean: Fix All That Can Be Fixed Safely")
    window.wait_for_none(".notebookOverlay .squiggly-warning")
    before = json.loads(jupyter(notebook(CELLS)))
    saved = json.loads(window.saved("n.ipynb", ".sum(axis=-1)"))
    assert saved["cells"][:-1] == before["cells"][:-1]
    assert "".join(saved["cells"][-1]["source"]) == LOSS.replace(".mean()", ".sum(axis=-1).mean()")


def test_a_setting_counts_at_once_and_a_rule_has_its_page(window: Editor) -> None:
    window.open("again.py")
    window.wait_for(".squiggly-warning")
    window.configure(interpreter=sys.executable, severity_proved="error")
    window.wait_for(".squiggly-error")
    window.wait_for_none(".squiggly-warning")
    window.open("again.py", line=8, column=20)
    window.command("batchmean: Explain Rule")
    window.wait_for(".tab", "Preview BMN102.md")
    window.page.wait(
        "[...document.querySelectorAll('iframe.webview')].some(view => view.contentDocument"
        "?.querySelector('iframe')?.contentDocument?.body?.innerText.includes('By how much'))"
    )
    window.picture("explained")


def test_what_is_on_trial_is_asked_for_by_a_setting(window: Editor) -> None:
    here = ".editor-group-container.active .squiggly-info"
    window.open("trial.py")
    window.configure(interpreter=sys.executable, preview=True)
    window.wait_for(here)
    window.configure(interpreter=sys.executable, preview=True, minConfidence="proved")
    window.wait_for_none(here)
    window.configure(interpreter=sys.executable, arguments=["--preview", "--select", "BMN2"])
    window.wait_for(here)


def test_without_batchmean_one_is_told_what_to_do(window: Editor) -> None:
    bare = window.folder.parent / "python"
    bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "$@"\n')
    bare.chmod(0o755)
    window.open("again.py")
    for settings, said in (
        ({"interpreter": str(bare)}, '-m pip install ".[server]"'),
        ({"interpreter": str(window.folder / "nowhere")}, "cannot be started"),
        ({"interpreter": sys.executable, "arguments": ["--colour"]}, "See the setting batchmean.arguments"),
    ):
        window.configure(**settings)
        window.wait_for(TOAST, said)
        window.wait_for(f"{STATUS}.has-background-color")
    window.picture("missing")
    window.configure(interpreter=sys.executable)
    window.wait_for(STATUS, "batchmean 0")
    window.wait_for(".editor-group-container.active .squiggly-warning")
