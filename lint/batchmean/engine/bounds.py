"""The bounds of the work on one file, as they are named where one is reached: what is beyond it has no verdict.

A bound that only makes an unknown of something that is no loss is not said: it changes no verdict.
"""

from __future__ import annotations

from typing import Final

NODES: Final = "more code than is read of one file"
NESTING: Final = "code nested more deeply than is read"
DECISIONS: Final = "more undecided branches on the way than are followed"
CALLS: Final = "a loss in calls nested more deeply than are followed"
MODULES: Final = "more modules of the project, or larger ones, than are read for one file"
VALUES: Final = "a loss of more values, terms or steps than are told apart"
BACKWARD: Final = "more calls of backward than are looked at"

ALL: Final = (NODES, NESTING, DECISIONS, CALLS, MODULES, VALUES, BACKWARD)
"""In the order in which they are said."""
