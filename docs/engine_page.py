"""The page for people who change the engine: its domain in words, where things are, and the primitives."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from batchmean import engine
from batchmean.engine.primitives import PRIMITIVES

_HEAD: Final = """\
# The engine

For those who change it. [How a text becomes a finding](how-it-works.md) is the same for users, with an example; what to
do to add a framework, an operation, a rule, a law, a format or a kind of document stands in `CONTRIBUTING.md`, and each
of its recipes is carried out by a test.

```text
 text ── gate ──> tree ── selection ──> the statements that a loss depends on
                                            │
   operations (a table per framework)   machine: expressions, statements, calls
              │                             │
              └────> primitives ────> domain: values, shapes, accounts
                                            │        │
                               recognise ───┘        │   evidence: names, comments
                                                     │      (weak: never proved)
                                                  ledger
                                                     │
        factors: an account as a monomial ──> rules: find, message
                                                     │
                                   fixes: propose, analyse again, compare accounts
```

## The domain in words
"""
_PLACES: Final = """\
## Where things are

| module of `batchmean.engine` | what it holds |
| --- | --- |"""
_PRIMITIVES: Final = """\
## The primitives

A line of a framework's table names one of these, and its arguments by these names: `"torch.softmax":
"softmax(x|input, axis|dim)"`. What stands behind `=` may be left out.

| primitive | arguments | file |
| --- | --- | --- |"""
_GLOSSARY: Final = """\
## Words

- **support**: the axis that an expectation is over: classes, a vocabulary, actions, latent dimensions.
- **unit**: what a loss is one number for: an example; a position where there is a time axis; a valid one under a mask.
- **integrand**: what is summed over the support, before anything is reduced.
- **account**: what was summed, averaged and divided since, step by step. The ledger holds all of them.
- **factor**: the loss over the right one of the same integrand, as powers of V, B, T, D: `V^-1`.
- **known**: the code says it. A size, a rank or an axis that is not known is nobody's: never the batch, never the same
  as another.
- **join**: one value for what is one of several, each under the decisions that lead to it.
- **evidence**: what a name, a comment or an annotation suggests. It makes a finding likely, or takes it away.
- **docket**: a ledger on its way through the rules; each account is left to the first rule that speaks of it.
"""


def engine_page() -> str:
    """docs/engine.md."""
    domain = inspect.cleandoc(engine.__doc__ or "")
    return "\n".join([_HEAD, domain, "", _PLACES, *_places(), "", _PRIMITIVES, *_primitives(), "", _GLOSSARY])


def _places() -> Iterator[str]:
    spec = find_spec("batchmean.engine")
    assert spec is not None
    assert spec.origin is not None
    root = Path(spec.origin).parent
    for path in sorted(root.rglob("*.py")):
        name = (
            path.relative_to(root)
            .with_suffix("")
            .as_posix()
            .replace("/", ".")
            .removesuffix("__init__")
            .rstrip(".")
        )
        doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        if name and doc:
            first = " ".join(doc.partition("\n\n")[0].split())
            yield f"| `{name}` | {first} |"


def _primitives() -> Iterator[str]:
    for name, function in sorted(PRIMITIVES.items()):
        _, *parameters = inspect.signature(function).parameters.values()
        shown = ", ".join(_shown(parameter) for parameter in parameters)
        yield f"| `{name}` | {f'`{shown}`' if shown else ''} | {function.__module__.rpartition('.')[2]} |"


def _shown(parameter: inspect.Parameter) -> str:
    is_many, is_named = parameter.kind is parameter.VAR_POSITIONAL, parameter.kind is parameter.VAR_KEYWORD
    star = "*" if is_many else "**" if is_named else ""
    return f"{star}{parameter.name}" + ("=" if parameter.default is not inspect.Parameter.empty else "")
