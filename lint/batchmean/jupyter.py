"""What jupyter-lsp asks for: how JupyterLab starts the language server. Entry point `jupyter_lsp_spec_v1`."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Any


def language_server(app: object) -> dict[str, Any]:
    """The server of this environment, in version 2 of jupyter-lsp's form; none where its extra is not installed."""
    if find_spec("pygls") is None:
        return {}
    return {
        "batchmean": {
            "version": 2,
            "argv": [sys.executable, "-m", "batchmean", "server"],
            "languages": ["python"],
            "mime_types": ["text/x-python", "text/x-ipython", "text/python"],
            "display_name": "batchmean",
        }
    }
