"""Rewrites that change nothing in the maths of a module, and what they change in its verdicts.

    python -m benchmarks.rewrites [--rewrites NAME ...] [--fixtures PATTERN] [--jobs J] [--show K]

Each case of `fixtures/`, with what it needs of its module, is a program of its own. It is linted as it is and
after each rewrite of the catalogue; a verdict is a code, a confidence and a function. `flips` compares,
`registry` holds the catalogue: `around`, `names`, `spelling`, `operands`, `between`, `helpers` and `callers`.
"""

from benchmarks.rewrites import around, between, callers, helpers, names, operands, spelling

__all__ = ["around", "between", "callers", "helpers", "names", "operands", "spelling"]
