"""The rules that are reported where they are asked for, for Fixit: those in preview, and BMN901 about comments."""

from __future__ import annotations

from batchmean.fixit import rules

globals().update(rules(preview=True))
