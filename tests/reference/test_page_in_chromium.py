"""The page in a real browser: no console error, nothing wider than the screen, not blank, in light and dark.

Needs Debian's `chromium` on the PATH. The screenshots stay in pytest's temporary folder, to be looked at.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

pytestmark = pytest.mark.heavy

WIDTHS = (390, 1280)  # a phone, a desk
SCHEMES = {"dark": 0, "light": 1}  # the values of Chromium's preferredColorScheme
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    "--v=0",
)


@pytest.fixture(scope="module")
def folder(html: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page, the page with every finding open, and a page that complains."""
    made = tmp_path_factory.mktemp("page")
    (made / "index.html").write_text(html, encoding="utf-8")
    (made / "open.html").write_text(html.replace("<details>", "<details open>"), encoding="utf-8")
    complaint = "<script>console.error('a complaint')</script></body>"
    (made / "complains.html").write_text(html.replace("</body>", complaint), encoding="utf-8")
    return made


def chromium(page: Path, profile: Path, *flags: str) -> tuple[str, str]:
    """Opens a page; what Chromium printed, and what was on the page's console."""
    program = shutil.which("chromium")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is not on the PATH: apt-get install chromium")
        pytest.skip("chromium is not on the PATH")
    command = [program, *FLAGS, f"--user-data-dir={profile}", *flags, page.as_uri()]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120, check=True)
    return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


def test_a_complaint_on_the_console_would_be_seen(folder: Path, tmp_path: Path) -> None:
    _, console = chromium(folder / "complains.html", tmp_path, "--dump-dom")
    assert "a complaint" in console


@pytest.mark.parametrize("name", ["index.html", "open.html"])
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_screenshot(folder: Path, tmp_path: Path, width: int, scheme: str, name: str) -> None:
    picture = tmp_path / f"{name}-{width}-{scheme}.png"
    _, console = chromium(
        folder / name,
        tmp_path / "profile",
        f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
        f"--window-size={width},2400",
        f"--screenshot={picture}",
    )
    assert console == ""
    pixels = matplotlib.image.imread(picture)[..., :3]  # (height, width, 3), each from 0 to 1
    assert pixels.shape[:2] == (2400, width)
    paper = np.median(pixels.reshape(-1, 3), axis=0).mean()
    assert paper > 0.9 if scheme == "light" else paper < 0.2
    drawn = np.abs(pixels - np.median(pixels.reshape(-1, 3), axis=0)).max(axis=-1) > 0.3
    assert drawn[: 2400 // 2].mean() > 0.01
    assert drawn[2400 // 2 :].mean() > 0.01


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_screen(folder: Path, tmp_path: Path, width: int) -> None:
    """Measured in a frame, because a window of Chromium's does not get narrower than 500 pixels."""
    inside, outside = folder / f"inside-{width}.html", folder / f"outside-{width}.html"
    tell = "<script>parent.postMessage(document.documentElement.scrollWidth, '*')</script></body>"
    html = (folder / "open.html").read_text(encoding="utf-8")
    inside.write_text(html.replace("</body>", tell), encoding="utf-8")
    outside.write_text(
        "<!doctype html><script>onmessage = event => { document.body.dataset.wide = event.data }</script>"
        f'<body><iframe src="{inside.name}" style="border: 0; width: {width}px; height: 2400px"></iframe>',
        encoding="utf-8",
    )
    flags = (f"--window-size={width + 200},2400", "--virtual-time-budget=3000", "--dump-dom")
    dom, _ = chromium(outside, tmp_path / "profile", *flags)
    wide = re.search(r'data-wide="(\d+)"', dom)
    assert wide is not None
    assert int(wide[1]) == width
