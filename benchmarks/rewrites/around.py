"""Rewrites of what stands around a loss: the order of things, and unrelated things with telling words in them."""

from __future__ import annotations

import ast

from benchmarks.rewrites.programs import Program, Scope, bound_by, loaded_by, whole_module
from benchmarks.rewrites.registry import rewrite
from benchmarks.rewrites.syntax import (
    Function,
    Names,
    add_parameter,
    after_imports,
    block,
    expr,
    functions,
    is_simple,
    parameters,
    plain_functions,
    position_after_future,
    stored,
)

BOTTOM = """
def apply_dropout(mask, p=0.1):
    patch = mask * (1 - p)
    return patch / p

def log_loss_history(history):
    print("loss", sum(history) / len(history))
    return [entry["loss"] for entry in history]

def token_mask(tokens, pad_token):
    return tokens != pad_token

def accuracy(preds, labels):
    return (preds.argmax(-1) == labels).mean()
"""

CLASSES = """
class PatchDropout:
    def __init__(self, p=0.5, mask=None):
        self.p = p
        self.mask = mask

    def forward(self, x):
        patch = x * self.mask
        return patch / (1 - self.p)

class LossLog:
    def __init__(self):
        self.total = 0.0
        self.count = 0

    def update(self, loss, n):
        self.total += loss * n
        self.count += n

    def mean(self):
        return self.total / self.count
"""

CALLS = """
print("dropout mask patch", len([0.5]))
log = dict(loss=0.0, p=0.1)
log.update(mask=None, dropout=0.5)
"""


@rewrite("whole-module", "The rest of the fixture's own module around it.")
def _whole_module(tree: ast.Module, program: Program) -> ast.Module:
    return whole_module(program)


@rewrite("functions-reversed", "Functions and classes in the opposite order, as far as that does not matter.")
def _functions_reversed(tree: ast.Module, program: Program) -> ast.Module | None:
    early: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef):
            for node in [*statement.decorator_list, *statement.args.defaults, *statement.args.kw_defaults]:
                early |= loaded_by(node) if node is not None else set()
        else:
            early |= loaded_by(statement)
    places = [
        i
        for i, s in enumerate(tree.body)
        if isinstance(s, ast.FunctionDef) and s.name not in early and not s.decorator_list
    ]
    moved = [tree.body[i] for i in reversed(places)]
    for place, statement in zip(places, moved, strict=True):
        tree.body[place] = statement
    return tree if len(places) > 1 else None


@rewrite("methods-reversed", "The methods of every class in the opposite order.")
def _methods_reversed(tree: ast.Module, program: Program) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            places = [
                i for i, s in enumerate(node.body) if isinstance(s, ast.FunctionDef) and not s.decorator_list
            ]
            moved = [node.body[i] for i in reversed(places)]
            for place, statement in zip(places, moved, strict=True):
                node.body[place] = statement
    return tree


@rewrite("imports-reversed", "The imports in the opposite order.")
def _imports_reversed(tree: ast.Module, program: Program) -> ast.Module:
    places = [
        i
        for i, s in enumerate(tree.body)
        if isinstance(s, ast.Import | ast.ImportFrom)
        and not (isinstance(s, ast.ImportFrom) and (s.module == "__future__" or s.names[0].name == "*"))
    ]
    moved = [tree.body[i] for i in reversed(places)]
    for place, statement in zip(places, moved, strict=True):
        tree.body[place] = statement
    return tree


@rewrite("imports-in-function", "The imports inside the functions that use them.")
def _imports_in_function(tree: ast.Module, program: Program) -> ast.Module | None:
    moved = [
        s
        for s in tree.body
        if isinstance(s, ast.Import | ast.ImportFrom)
        and not (isinstance(s, ast.ImportFrom) and (s.module == "__future__" or s.names[0].name == "*"))
    ]
    for statement in tree.body:
        if statement not in moved and not isinstance(statement, ast.FunctionDef):
            return None
        if isinstance(statement, ast.FunctionDef):
            outside = [*statement.decorator_list, *statement.args.defaults, *statement.args.kw_defaults]
            if any(loaded_by(n) for n in outside if n is not None):
                return None
            used = loaded_by(statement)
            own = [s for s in moved if used & set(bound_by(s))]
            statement.body = [*own, *statement.body]
    tree.body = [s for s in tree.body if s not in moved]
    return tree


def _with_unused(tree: ast.Module, text: str, *, before: bool) -> ast.Module:
    added = block(text)
    names = Names(tree)
    for statement in added:
        if isinstance(statement, Scope) and statement.name in names.taken:
            statement.name = names.new(statement.name)
    if before:
        after_imports(tree, added)
    else:
        tree.body += added
    return tree


@rewrite("unrelated-functions-before", "Unused functions before it that speak of masks, dropout and patches.")
def _functions_before(tree: ast.Module, program: Program) -> ast.Module:
    return _with_unused(tree, BOTTOM, before=True)


@rewrite("unrelated-functions-after", "The same unused functions after it.")
def _functions_after(tree: ast.Module, program: Program) -> ast.Module:
    return _with_unused(tree, BOTTOM, before=False)


@rewrite("unrelated-classes", "Unused classes before and after it.")
def _classes(tree: ast.Module, program: Program) -> ast.Module:
    return _with_unused(_with_unused(tree, CLASSES, before=True), CLASSES, before=False)


@rewrite("unrelated-calls", "Calls at the top level of the module, before and after it.")
def _calls(tree: ast.Module, program: Program) -> ast.Module | None:
    if {"log", "dict", "print", "len"} & Names(tree).taken:
        return None
    return _with_unused(_with_unused(tree, CALLS, before=True), CALLS, before=False)


@rewrite("unrelated-prints", "A print with telling words at the beginning of each function.")
def _prints(tree: ast.Module, program: Program) -> ast.Module:
    for function in functions(tree):
        function.body[:0] = block('print("mask", "dropout", "patch", "p", "loss", "log", "[todo]")')
    return tree


@rewrite("unrelated-docstrings", "Docstrings with telling words in the module and in each function.")
def _docstrings(tree: ast.Module, program: Program) -> ast.Module:
    text = '"""Mask, dropout, patches: the loss (chosen), padded tokens, log p. No sum, no mean."""'
    for function in functions(tree):
        function.body[:0] = block(text)
    tree.body[:0] = block(text)
    return tree


@rewrite("unrelated-locals", "Unused variables with telling names at the beginning of each function.")
def _locals(tree: ast.Module, program: Program) -> ast.Module:
    names = Names(tree)
    for function in functions(tree):
        for name, value in (
            ("dropout_p", "0.1"),
            ("pad_mask", "None"),
            ("patch_size", "16"),
            ("log", "print"),
        ):
            if name not in names.taken:
                function.body[:0] = block(f"{name} = {value}")
    return tree


@rewrite("unrelated-comments", "Comments with telling words before every statement.")
def _comments(tree: ast.Module, program: Program) -> str:
    lines = program.source.split("\n")
    starts = {n.lineno: n for n in ast.walk(ast.parse(program.source)) if isinstance(n, ast.stmt)}
    result = []
    for number, line in enumerate(lines, 1):
        if number in starts and not line.lstrip().startswith(("elif ", "def ", "class ")):
            indent = line[: len(line) - len(line.lstrip())]
            result.append(
                f"{indent}# [todo] mask, dropout and patches of the loss: log p (chosen), pad tokens"
            )
        result.append(line)
    return "\n".join(result)


_CALLED = {
    "numpy": ("np.full(({shape},), 0.25)", "np.zeros(({shape},), dtype=int)", "import numpy as np"),
    "jax": ("jnp.full(({shape},), 0.25)", "jnp.zeros(({shape},), dtype=int)", "import jax.numpy as jnp"),
    "torch": ("torch.full(({shape},), 0.25)", "torch.zeros(({shape},), dtype=torch.long)", "import torch"),
    "tensorflow": ("tf.fill(({shape},), 0.25)", "tf.zeros(({shape},), tf.int64)", "import tensorflow as tf"),
    "keras": ("ops.full(({shape},), 0.25)", "ops.zeros(({shape},), 'int64')", "from keras import ops"),
    "mlx": ("mx.full(({shape},), 0.25)", "mx.zeros(({shape},), mx.int32)", "import mlx.core as mx"),
    "paddle": ("paddle.full(({shape},), 0.25)", "paddle.zeros(({shape},), 'int64')", "import paddle"),
    "tinygrad": ("Tensor.full(({shape},), 0.25)", "Tensor.zeros({shape})", "from tinygrad import Tensor"),
}
_SIZES = {"B": 3, "T": 7, "V": 5, "D": 11, "H": 13, "W": 17}


def _call(program: Program) -> tuple[str, str]:
    """A call of the case with concrete arrays of the declared axes, and the import it needs."""
    floats, integers, needed = _CALLED[program.framework]
    given: list[str] = []
    for argument in program.case.arguments:
        if argument.is_array:
            shape = ", ".join(str(_SIZES.get(axis, 2)) for axis in argument.axes)
            whole = argument.kind in ("labels", "ignorable_labels", "padded_labels", "lengths")
            given.append(f"{argument.name}={(integers if whole else floats).format(shape=shape)}")
        else:
            size = _SIZES.get(argument.axes[0], 2) if argument.kind == "size" else argument.value
            given.append(f"{argument.name}={size!r}")
    return f"{program.case.name}({', '.join(given)})", needed


@rewrite("called-with-arrays", "The module calls the function with concrete arrays below it.", runs=False)
def _called(tree: ast.Module, program: Program) -> ast.Module:
    call, needed = _call(program)
    tree.body[position_after_future(tree) : position_after_future(tree)] = block(needed)
    tree.body += block(f"print({call})")
    return tree


@rewrite("called-in-main", "A `main` that is guarded as a script's calls the function with concrete arrays.")
def _called_in_main(tree: ast.Module, program: Program) -> ast.Module:
    call, needed = _call(program)
    tree.body += block(
        f"def main():\n    {needed}\n    print({call})\n\nif __name__ == '__main__':\n    main()"
    )
    return tree


@rewrite("branches-swapped", "`if not c: B else: A` for `if c: A else: B`, conditional expressions too.")
def _branches_swapped(tree: ast.Module, program: Program) -> ast.Module:
    for node in ast.walk(tree):
        if (isinstance(node, ast.If) and node.orelse) or isinstance(node, ast.IfExp):
            node.test, node.body, node.orelse = _negated(node.test), node.orelse, node.body
    return tree


_OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


def _negated(test: ast.expr) -> ast.expr:
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return test.operand
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and type(test.ops[0]) in _OPPOSITE:
        return ast.Compare(test.left, [_OPPOSITE[type(test.ops[0])]()], test.comparators)
    return ast.UnaryOp(ast.Not(), test)


def _leaves(body: list[ast.stmt]) -> bool:
    """Does a block never come to its end?"""
    last = body[-1]
    if isinstance(last, ast.If):
        return bool(last.orelse) and _leaves(last.body) and _leaves(last.orelse)
    return isinstance(last, ast.Return | ast.Raise)


@rewrite("early-return-swapped", "`if not c: rest; return A` for `if c: return A` and the rest after it.")
def _early_return_swapped(tree: ast.Module, program: Program) -> ast.Module:
    for function in functions(tree):
        for i, node in enumerate(function.body):
            rest = function.body[i + 1 :]
            if isinstance(node, ast.If) and not node.orelse and rest and _leaves(node.body) and _leaves(rest):
                function.body[i:] = [ast.If(_negated(node.test), rest, []), *node.body]
                break
    return tree


@rewrite("early-return-as-else", "The rest after `if c: return A` as its `else`.")
def _early_return_as_else(tree: ast.Module, program: Program) -> ast.Module:
    for function in functions(tree):
        for i, node in enumerate(function.body):
            rest = function.body[i + 1 :]
            if isinstance(node, ast.If) and not node.orelse and rest and _leaves(node.body):
                node.orelse = rest
                del function.body[i + 1 :]
                break
    return tree


@rewrite("else-as-early-return", "What stands in the `else` of a returning branch after the `if` instead.")
def _else_as_early_return(tree: ast.Module, program: Program) -> ast.Module:
    for function in functions(tree):
        for i, node in enumerate(function.body):
            if isinstance(node, ast.If) and node.orelse and _leaves(node.body):
                function.body[i + 1 : i + 1] = node.orelse
                node.orelse = []
                break
    return tree


@rewrite("exclusive-tests-swapped", "`elif x == b` before `if x == a`: tests for different constants.")
def _exclusive_tests_swapped(tree: ast.Module, program: Program) -> ast.Module:
    def subject(node: ast.If) -> tuple[str, object] | None:
        test = node.test
        if isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Eq) and len(test.ops) == 1:
            constant = test.comparators[0]
            if isinstance(constant, ast.Constant):
                return ast.dump(test.left), constant.value
        return None

    for node in ast.walk(tree):
        if isinstance(node, ast.If) and len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
            inner = node.orelse[0]
            mine, its = subject(node), subject(inner)
            if mine and its and mine[0] == its[0] and mine[1] != its[1]:
                node.test, inner.test = inner.test, node.test
                node.body, inner.body = inner.body, node.body
    return tree


def wrapped(tree: ast.Module, template: str, *, unless_stored: bool = False) -> ast.Module:
    """The body of every plain function in a template, where it stands as `BODY`."""
    for function in plain_functions(tree):
        names = Names(tree)
        if unless_stored and stored(function) & set(parameters(function)):
            continue
        if any(isinstance(n, ast.Global | ast.Nonlocal) for n in ast.walk(function)):
            continue
        function.body = block(template, BODY=function.body, INNER=names.new("inner"))
    return tree


@rewrite("in-try", "The bodies of functions in a `try` with an `except` that raises again.")
def _in_try(tree: ast.Module, program: Program) -> ast.Module:
    return wrapped(tree, "try:\n    BODY\nexcept ValueError:\n    raise")


@rewrite("in-try-finally", "The bodies of functions in a `try` that prints at last.")
def _in_try_finally(tree: ast.Module, program: Program) -> ast.Module:
    return wrapped(tree, "try:\n    BODY\nfinally:\n    print('the loss is done')")


@rewrite("in-with", "The bodies of functions in a `with`.")
def _in_with(tree: ast.Module, program: Program) -> ast.Module:
    names = Names(tree)
    alias = names.new("contextlib")
    tree = wrapped(tree, f"with {alias}.suppress(KeyboardInterrupt):\n    BODY")
    text = "import contextlib" + ("" if alias == "contextlib" else f" as {alias}")
    place = position_after_future(tree)
    tree.body[place:place] = block(text)
    return tree


@rewrite("in-known-branch", "The bodies of functions under `if True:`.")
def _in_known_branch(tree: ast.Module, program: Program) -> ast.Module:
    return wrapped(tree, "if True:\n    BODY")


@rewrite("in-unknown-branch", "The bodies of functions under an `if` of a further parameter.")
def _in_unknown_branch(tree: ast.Module, program: Program) -> ast.Module:
    names = Names(tree)
    flag = names.new("enabled")
    tree = wrapped(tree, f"if {flag}:\n    BODY")
    for function in plain_functions(tree):
        if isinstance(function.body[0], ast.If) and flag in loaded_by(function.body[0].test):
            add_parameter(function, flag, "True")
    return tree


@rewrite("in-loop", "The bodies of functions in a loop that runs once.")
def _in_loop(tree: ast.Module, program: Program) -> ast.Module:
    return wrapped(tree, "for INNER in range(1):\n    BODY")


@rewrite("in-closure", "The bodies of functions in an inner function without parameters.", moves=True)
def _in_closure(tree: ast.Module, program: Program) -> ast.Module:
    return wrapped(tree, "def INNER():\n    BODY\nreturn INNER()", unless_stored=True)


def _static(function: Function, tree: ast.Module) -> bool:
    """A function of the module that can stand in another place and be called from its old one."""
    return function in tree.body and is_simple(function) and not function.decorator_list


def _forwarded(tree: ast.Module, template: str) -> ast.Module:
    """Every function of the module moved to where a template puts it; what is left calls it there.

    The template has `MOVED` for the function's statements, `METHOD` for a name and `CALL` for its arguments.
    """
    for function in plain_functions(tree):
        if not _static(function, tree):
            continue
        names = Names(tree)
        given = ", ".join(parameters(function))
        inner = names.new("computed")
        owner = names.new("Losses")
        parts = template.replace("GIVEN", given).replace("(self, )", "(self)")
        placed = block(parts, BODY=function.body, METHOD=inner, OWNER=owner)
        *before, last = placed
        function.body = [last]
        place = tree.body.index(function)
        tree.body[place:place] = before
    return tree


@rewrite("in-method", "The functions as methods of a class that the old functions call.", moves=True)
def _in_method(tree: ast.Module, program: Program) -> ast.Module:
    return _forwarded(
        tree, "class OWNER:\n    def METHOD(self, GIVEN):\n        BODY\nreturn OWNER().METHOD(GIVEN)"
    )


@rewrite(
    "in-static-method", "The functions as static methods of a class that the old functions call.", moves=True
)
def _in_static_method(tree: ast.Module, program: Program) -> ast.Module:
    return _forwarded(
        tree,
        "class OWNER:\n    @staticmethod\n    def METHOD(GIVEN):\n        BODY\nreturn OWNER.METHOD(GIVEN)",
    )


@rewrite(
    "in-inner-function",
    "The functions as helpers under neutral names that the old functions call.",
    moves=True,
)
def _in_helper(tree: ast.Module, program: Program) -> ast.Module:
    return _forwarded(tree, "def METHOD(GIVEN):\n    BODY\nreturn METHOD(GIVEN)")


@rewrite(
    "called-with-star",
    "The functions as helpers that are called with their arguments in a tuple.",
    moves=True,
)
def _called_with_star(tree: ast.Module, program: Program) -> ast.Module:
    return _forwarded(tree, "def METHOD(GIVEN):\n    BODY\nreturn METHOD(*(GIVEN,))")


@rewrite("as-lambda", "A function that is one `return` as a lambda that the old function calls.", moves=True)
def _as_lambda(tree: ast.Module, program: Program) -> ast.Module:
    for function in plain_functions(tree):
        only = function.body[0]
        if (
            len(function.body) == 1
            and isinstance(only, ast.Return)
            and only.value
            and _static(function, tree)
        ):
            given = ", ".join(parameters(function))
            name = Names(tree).new("computed")
            function.body = block(
                f"computed = lambda {given}: VALUE\nreturn computed({given})", VALUE=only.value, computed=name
            )
    return tree


@rewrite("decorated", "An identity decorator on the functions.")
def _decorated(tree: ast.Module, program: Program) -> ast.Module:
    names = Names(tree)
    name = names.new("traced")
    for function in plain_functions(tree):
        if function in tree.body:
            function.decorator_list.insert(0, expr(name))
    after_imports(tree, block(f"def {name}(function):\n    return function"))
    return tree
