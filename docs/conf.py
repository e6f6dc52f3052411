"""How Sphinx makes the site of these pages: `make site`."""

from __future__ import annotations

import re
from pathlib import Path

from batchmean import __version__
from sphinx.application import Sphinx

project = "batchmean"
author = "the authors of batchmean"
release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["playground/*"]
myst_heading_anchors = 3
myst_links_external_new_tab = False

autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
maximum_signature_line_length = 80
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"

html_theme = "furo"
html_title = "batchmean"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": False}
pygments_style = "friendly"
pygments_dark_style = "github-dark"


def as_written(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Docstrings have `names` in single backticks; here these are two."""
    lines[:] = [re.sub(r"(?<![`:])`([^`]+)`(?!`)", r"``\1``", line) for line in lines]


def setup(app: Sphinx) -> None:
    """Let the page about the playground lead to it, if it has been put beside the site."""
    app.connect("autodoc-process-docstring", as_written, priority=400)
    if Path(app.outdir, "playground", "index.html").is_file():
        app.tags.add("playground")
