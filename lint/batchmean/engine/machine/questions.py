"""What a test asks about: the same question may be asked in many spellings, and two answers exclude each other."""

from __future__ import annotations

import ast
from collections.abc import Hashable, Mapping
from typing import Final

from batchmean.engine.context import Context
from batchmean.engine.domain.literals import SPELLERS
from batchmean.engine.domain.paths import TRUTHY, Answer
from batchmean.engine.domain.tensors import Role, Tensor
from batchmean.engine.domain.values import Alternatives, Condition, Const, Itself, ModuleValue, Value
from batchmean.engine.machine.memory import is_anything
from batchmean.nodes import nodes


def read(context: Context, node: ast.expr) -> Value:
    """What is compared: of a set its items, of a setting in other words what is known of it in plain ones."""
    if isinstance(node, ast.Set):
        items = getattr(node, "_plainly", None)
        if items is None:
            items = node._plainly = _located(ast.Tuple(node.elts, ast.Load()), node)  # type: ignore[attr-defined]
        return context.evaluate(items)
    return in_plain_words(context, node, context.evaluate(node))


def in_plain_words(context: Context, node: ast.expr, value: Value) -> Value:
    """What is known of a setting, whose value is this, by its plainest spelling."""
    plain = plainly(node)
    if plain is node or isinstance(value, Const):
        return value
    known = context.evaluate(plain)
    if isinstance(known, Const) and not (
        isinstance(known.value, str) and known.value != known.value.lower().strip()
    ):
        return known
    # Only the default of a `getattr` makes two values of one setting.
    return known if isinstance(value, Alternatives) and not isinstance(known, Alternatives) else value


def setting(context: Context, node: ast.Call, value: Value) -> Value:
    """What a call gives that reads a setting: a default is all that is known of what may be set elsewhere."""
    name = _last_name(node)
    if name not in ("getattr", "get") or isinstance(value, Const):
        return value
    plain = plainly(node)
    if plain is node or not isinstance(plain, ast.Attribute | ast.Subscript):
        return value
    default = context.evaluate(node.args[-1]) if len(node.args) > (name == "getattr") + 1 else None
    known = context.evaluate(plain)
    if isinstance(known, Const):
        return known
    if isinstance(default, Const) and isinstance(default.value, str | bool | int | float):
        subject = (asked(context, known, plain) or form_of(context, plain)) if _is_unknown(known) else None
        return value if subject is None else Const(default.value, subject)
    return known if default is None and _is_unknown(known) and _is_unknown(value) else value


def _is_unknown(value: Value) -> bool:
    """Is nothing known of it but where it was read?"""
    atom = value.single() if isinstance(value, Tensor) and not value.reductions else None
    return isinstance(value, ModuleValue) or (atom is not None and atom.role is Role.OPAQUE)


def plainly(node: ast.expr) -> ast.expr:
    """What is asked about, spelled in the plainest way: `how` of `str(how).lower()`, `config.how` of a `getattr`."""
    found: ast.expr | None = getattr(node, "_plainly", None)
    if found is None:
        inner = _inner(node)
        found = node if inner is None else plainly(inner)
        if found is not node:  # it stays with the node: values are known by the nodes that gave them
            node._plainly = found  # type: ignore[attr-defined]
    return found


def _inner(node: ast.expr) -> ast.expr | None:
    """The same in plainer words, or what a call only writes in another way."""
    if isinstance(node, ast.Subscript):
        field = node.slice.value if isinstance(node.slice, ast.Constant) else None
        of = node.value.args if isinstance(node.value, ast.Call) else ()
        if len(of) == 1 and isinstance(field, str) and _last_name(node.value) in _AS_DICT:
            return _located(ast.Attribute(of[0], field, ast.Load()), node)
        return None
    if isinstance(node, ast.Attribute) and node.attr == "value":
        return node.value  # a member of an Enum is taken for its value
    if not isinstance(node, ast.Call) or node.keywords:
        return None
    name, arguments = _last_name(node), node.args
    if isinstance(node.func, ast.Name):
        if name in _WRITERS and len(arguments) == 1:
            return arguments[0]
        field = arguments[1].value if len(arguments) > 1 and isinstance(arguments[1], ast.Constant) else None
        if name == "getattr" and isinstance(field, str):
            return _located(ast.Attribute(arguments[0], field, ast.Load()), node)
        return None
    if not isinstance(node.func, ast.Attribute):
        return None
    if name in SPELLERS and not arguments:
        return node.func.value
    if name == "get" and arguments and isinstance(arguments[0], ast.Constant):
        return _located(ast.Subscript(node.func.value, arguments[0], ast.Load()), node)
    return None


def _located(node: ast.expr, like: ast.expr) -> ast.expr:
    return ast.copy_location(node, like)


def _last_name(node: ast.expr) -> str:
    function = node.func if isinstance(node, ast.Call) else None
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def asked_first(node: ast.Compare) -> ast.Compare:
    """`how == "mean"` of `"mean" == how`."""
    by = node.comparators[0]
    if not isinstance(node.left, ast.Constant) or isinstance(by, ast.Constant) or len(node.ops) != 1:
        return node
    if not isinstance(node.ops[0], ast.Eq | ast.NotEq | ast.Is | ast.IsNot):
        return node
    turned: ast.Compare | None = getattr(node, "_turned", None)
    if turned is None:  # it stays with the node: values are known by the nodes that gave them
        turned = node._turned = ast.copy_location(ast.Compare(by, node.ops, [node.left]), node)  # type: ignore[attr-defined]
    return turned


def asserted(test: ast.expr) -> tuple[ast.expr, bool]:
    """`how == "sum"` of `how != "sum"` and of `not how == "sum"`, and whether it is to be false."""
    negated = False
    while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test, negated = test.operand, not negated
    if isinstance(test, ast.Compare):
        test = asked_first(test)
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and type(test.ops[0]) in _OPPOSITE:
        return ast.Compare(test.left, [_OPPOSITE[type(test.ops[0])]()], test.comparators), not negated
    return test, negated


_OPPOSITE: Final[Mapping[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.NotEq: ast.Eq,
    ast.IsNot: ast.Is,
    ast.NotIn: ast.In,
    ast.GtE: ast.Lt,
    ast.LtE: ast.Gt,
}


def literal_answer(test: ast.expr) -> tuple[ast.expr, Hashable, bool]:
    """`level == 1`, `how is How.MEAN`: what is asked about, the answer, and whether it is to have it."""
    if (
        isinstance(test, ast.Call)
        and _last_name(test) == "startswith"
        and isinstance(test.func, ast.Attribute)
    ):
        by = test.args[0] if len(test.args) == 1 else None
        if isinstance(by, ast.Constant) and isinstance(by.value, str):
            return test.func.value, Answer(str, by.value), True
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return test, TRUTHY, True
    op, by = test.ops[0], test.comparators[0]
    if isinstance(by, ast.Constant) and type(by.value) in (int, float):
        if isinstance(op, ast.Eq | ast.Is):
            return test.left, Answer(type(by.value), by.value), True
        if level := level_of(op, by.value):
            return test.left, *level
    if isinstance(op, ast.Eq | ast.Is) and isinstance(by, ast.Attribute) and _is_dotted(by):
        of = by.value.attr if isinstance(by.value, ast.Attribute) else getattr(by.value, "id", "")
        if of[:1].isupper():  # a member of an Enum, by the names that people give to classes
            return test.left, Answer(ast.Attribute, ast.unparse(by)), True
    return test, TRUTHY, True


def level_of(op: ast.cmpop, number: object) -> tuple[Answer, bool] | None:
    """`level < 1`, `level > 0`: a level, or a number of something, that is 0 or is not."""
    is_zero = _OF_ZERO.get((type(op), number)) if isinstance(number, int) else None
    return None if is_zero is None else (Answer(int, 0), is_zero)


def form_of(context: Context, test: ast.expr) -> Hashable:
    """The form of what is tested, and the values in it; None where it may give something else the next time."""
    form: list[Hashable] = []
    todo: list[ast.AST] = [test]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Call) and not _is_pure(node):
            return None
        if isinstance(node, ast.Name | ast.Attribute):
            context.spend()
            if isinstance(node, ast.Name) or _is_dotted(node):
                form.append(_identity_of(context, node))
                continue
        if isinstance(node, ast.NamedExpr | ast.Lambda | ast.Await):
            return None
        children = list(ast.iter_child_nodes(node))
        own = getattr(node, "attr", getattr(node, "arg", None))
        leaf = node.value if isinstance(node, ast.Constant) else None
        form.append((type(node), own, len(children), type(leaf), leaf))
        todo += children
    return "test", *form


def _identity_of(context: Context, node: ast.expr) -> Hashable:
    """Of what is spelled with dots: where anything may have changed the configuration, each read of
    `self.config.how` is a value of its own, but two tests in a row decide alike.
    """
    value = context.evaluate(node)
    if not is_anything(value) or not isinstance(node, ast.Attribute):
        return identity_of(value)
    root: ast.expr = node
    while isinstance(root, ast.Attribute):
        root = root.value
    return "anything", ast.unparse(node), identity_of(context.evaluate(root))


def asked(context: Context, value: Value, node: ast.expr) -> Hashable:
    """What a test of an expression asks about: what a call gives is known by its form alone."""
    plain = plainly(node)
    if plain is not node:
        node, value = plain, context.evaluate(plain)
        if isinstance(value, Alternatives):
            return form_of(context, node)
    subject = subject_of(value)
    if subject is None or isinstance(value, Const) or isinstance(node, ast.Name):
        return subject
    if is_anything(value) or any(isinstance(each, ast.Call) for each in nodes(node)):
        return form_of(context, node) or subject
    return subject


def is_about_a_setting(test: ast.expr) -> bool:
    """Does it ask what something with a name is: `self.level == 0`, `bool(config["averaged"])`?"""
    if isinstance(test, ast.Call) and _last_name(test) not in _ASKING:
        return False
    about, answer, _ = literal_answer(asserted(test)[0])
    if isinstance(test, ast.Compare) and answer == TRUTHY:
        return False
    about = plainly(about)
    while isinstance(about, ast.Attribute | ast.Subscript):
        about = about.value
    return isinstance(about, ast.Name)


def subject_of(value: Value) -> Hashable:
    """What a test of this value asks about; None where a test cannot be told from another."""
    if isinstance(value, Const):
        return value.subject
    atom = value.single() if isinstance(value, Tensor) and not value.reductions else None
    return ("value", atom.key) if atom is not None else None


def default_of(context: Context, value: Value) -> Answer | None:
    """What it is if nobody says anything: a parameter's default, or an attribute's that others may set."""
    found = value if isinstance(value, Const) else context.usual(value)
    return Answer.of(found.value) if found is not None else None


def identity_of(value: Value) -> Hashable:
    """Equal for equal values."""
    if isinstance(value, Const):
        return repr(value.value), value.subject
    if isinstance(value, Tensor):
        return value.terms
    return value if isinstance(value, ModuleValue | Condition) else Itself(value)


_OF_ZERO: Final = {(ast.Lt, 1): True, (ast.LtE, 0): True, (ast.Gt, 0): False, (ast.GtE, 1): False}


_ASKING: Final = frozenset("bool startswith".split())
"""What gives the answer to a question."""
_WRITERS: Final = frozenset("str int bool float".split())
_AS_DICT: Final = frozenset("vars asdict".split())


_PURE_FUNCTIONS: Final = frozenset(
    "isinstance issubclass hasattr getattr len callable type bool int float str".split()
)


_PURE_METHODS: Final = frozenset(
    "dim size ndimension numel get startswith endswith keys lower upper strip".split()
)


def _is_pure(node: ast.Call) -> bool:
    """Does the call give the same for the same arguments?"""
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr in _PURE_METHODS
    return isinstance(function, ast.Name) and function.id in _PURE_FUNCTIONS


def _is_dotted(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)
