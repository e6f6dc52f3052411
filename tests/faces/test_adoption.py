"""docs/colleagues.md, carried out: a code base that has never seen batchmean, until only what is new is reported."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.faces.support import WRONG, Run, Write

PAGE = (Path(__file__).parents[2] / "docs" / "colleagues.md").read_text(encoding="utf-8")
OWN = "from acme.losses import kl\n\n\ndef divergence(p, q):\n    return kl(p, q)\n"


def commands() -> list[list[str]]:
    """The commands of the page, in order; those of git are left to the reader."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    lines = [shlex.split(line) for block in blocks for line in block.splitlines()]
    assert all(line[0] in ("batchmean", "git") for line in lines)
    return [line[1:] for line in lines if line[0] == "batchmean"]


@pytest.mark.heavy
def test_the_page_leads_from_nothing_to_what_is_new(write: Write, batchmean: Run) -> None:
    write({f"package/module_{n}.py": f"def f{n}(x):\n    return x.mean()\n" for n in range(50)})
    write({"package/losses.py": WRONG, "package/own.py": OWN, "pyproject.toml": "[project]\nname = 'acme'\n"})
    look, count, show, keep = commands()
    found = batchmean(*look)
    assert (found.returncode, found.stdout.count("BMN102")) == (1, 1)
    assert batchmean(*count).stdout.split() == ["1", "BMN102", "class-axis-mean"]
    assert batchmean(*show).stdout.count("+    return") == 1
    assert batchmean(*keep).returncode == 0
    [settings] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    write({"pyproject.toml": settings})
    known = batchmean(*look)
    assert (known.returncode, known.stdout.split(":")[0]) == (1, str(Path("package/own.py")))
    assert batchmean(*keep).returncode == 0  # once more, as the page says
    clean = batchmean(*look)
    assert (clean.returncode, clean.stdout, clean.stderr) == (0, "", "")
    write({"package/new.py": WRONG})
    new = batchmean(*look)
    assert (new.returncode, new.stdout.count("BMN")) == (1, 1)
    assert "new.py:8:13: BMN102" in new.stdout


def test_the_page_to_send_names_what_there_is(batchmean: Run, write: Write) -> None:
    write({"losses.py": WRONG})
    quoted = PAGE.partition("## The page to send")[2]
    options = set(re.findall(r"(--[a-z-]+)", quoted))
    assert options == {"--output-format", "--diff", "--fix", "--write-baseline"}
    assert batchmean("explain", "BMN102").returncode == 0
    assert "because" in batchmean("check", "losses.py", "--output-format", "full").stdout
