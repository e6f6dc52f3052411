"""Programs that are meant to take long, fill the memory or fail, by what they are made of. Each is one file."""

from __future__ import annotations

from typing import Final

HEAD: Final = "import numpy as np\nimport torch\nimport torch.nn.functional as F\nimport einops\nfrom functools import partial\n"
LOSS: Final = "-(p * np.log(p)).mean()"
_HUGE: Final = f"0x{'f' * 20_000}"
"""An integer of more decimal digits than Python writes out."""
_METHOD: Final = f"    def forward(self, p):\n        return self.no(p) + {LOSS}"


def _function(*lines: str, result: str = LOSS) -> str:
    body = "\n".join(f"    {line}" for part in lines for line in part.split("\n") if line)
    return f"{HEAD}def f(logits, labels, p, q, x, y):\n{body}\n    return {result}\n"


def _repeated(pattern: str, count: int, joined: str = "\n") -> str:
    return joined.join(pattern.replace("#", str(i)) for i in range(count))


def _nested(opening: str, inner: str, closing: str, depth: int) -> str:
    return opening * depth + inner + closing * depth


def _indented(pattern: str, depth: int, inner: str) -> str:
    return (
        "".join(f"{' ' * i}{pattern.replace('#', str(i))}\n" for i in range(depth))
        + " " * depth
        + inner
        + "\n"
    )


def ring(count: int) -> str:
    """Helpers that call each other in a ring, and across it."""
    helpers = "\n".join(
        f"def h{i}(x, y):\n    a = np.log(x) * h{(i + 1) % count}(y, x)\n"
        f"    return np.mean(a) + h{(i + 7) % count}(x, y)"
        for i in range(count)
    )
    return f"{HEAD}{helpers}\n"


def deep(depth: int) -> dict[str, str]:
    """Everything that nests, to a depth."""
    level = min(depth, 90)  # Python's own limit for blocks and brackets is 100 and 200
    return {
        "brackets": f"{HEAD}x = {_nested('(', 'np.log(1).mean()', ')', level)}\n",
        "calls": _function(f"z = {_nested('np.log(', 'p', ')', level)}.mean()"),
        "attributes": _function(f"z = np.log(p){'.T' * depth}.mean()"),
        "methods": _function(f"z = p{'.log()' * depth}.mean()"),
        "kept sums": _function(f"z = p{'.sum(-1, keepdims=True)' * depth}", "z = np.log(z).mean()"),
        "a sum": _function(result="np.mean(" + " + ".join(["p * np.log(p)"] * depth) + ")"),
        "powers": _function("z = np.mean(np.log(" + "**".join("p" * depth) + "))"),
        "minuses": _function(f"z = np.mean(np.log({'-' * depth}p))"),
        "nots": _function(f"z = np.mean(np.log({'not ' * depth}p))"),
        "conditions": _function("z = np.log(p).mean() " + _repeated("if a# else p * #", depth, " ")),
        "lambdas": _function(f"z = {'lambda x: ' * depth}np.mean(np.log(x))"),
        "called lambdas": _function(f"z = {_nested('(lambda x: ', 'np.mean(x * np.log(x))', ')(p)', level)}"),
        "walrus": _function("z = " + _repeated("(a# := ", level, "") + "np.log(p)" + ")" * level),
        "targets": _function(f"{'(' * level}a,{'),' * (level - 1)}) = np.log(p)"),
        "if in if": f"{HEAD}def f(p):\n" + _indented(" if a#:", level, f" return {LOSS}"),
        "elif": _function(
            "if a: z = np.log(p)", _repeated("elif a#: z = np.log(p) * #", depth), "else: z = p"
        ),
        "loops": f"{HEAD}def f(p):\n" + _indented(" while a#:", 19, f" return {LOSS}"),
        "functions": HEAD + _indented("def f#(p):", level, f"return {LOSS}"),
        "classes": HEAD + _indented("class C#:", level, f"def f(p): return {LOSS}"),
        "tuples": _function("t = (np.log(p),)", "t = (t,)\n" * depth, result="np.mean(t)"),
        "partials": _function("g = np.mean", "g = partial(g)\n" * depth, result="g(p * np.log(p))"),
        "kept sums, one after the other": _function("p = p.sum(-1, keepdims=True)\n" * depth),
        "logarithms, one after the other": _function("p = np.log(p)\n" * depth),
        "decorators": HEAD + "@partial\n" * depth + f"def f(p):\n    return {LOSS}\n",
        "base classes": HEAD
        + "class C0: pass\n"
        + "\n".join(
            f"class C{i}({', '.join([f'C{i - 1}'] * 9)}):\n    def forward(self, p):\n        return self.no(p) + {LOSS}"
            for i in range(1, min(depth, 40))
        )
        + "\n",
    }


def wide(count: int) -> dict[str, str]:
    """Everything that repeats: each should cost as much as it is long."""
    return {
        "statements of one name": _function("p = p.sum(-1)\n" * count),
        "branches": _function(_repeated("if a#: p = np.log(p) * q\nelse: p = p + #", count)),
        "branches over many names": _function(_repeated("n# = p * #", count), _repeated("if a: n# = np.log(n#)", count)),
        "branches of the module": f"{HEAD}{_repeated('n# = #', count)}\n{_repeated('if a: n# = 2', count)}\n" + _function(),
        "returns": _function(_repeated("if a#: return (p * np.log(p)).mean() * #", count)),
        "tries": _function(_repeated("try: z# = np.log(p)\nexcept ValueError: z# = p", count)),
        "cases": _function("match x:", _repeated("  case #: z = np.log(p) * #", count)),
        "alternatives multiplied": _function(
            _repeated("if a: a# = np.log(p)\nelif b: a# = q * #\nelse: a# = p.exp()", min(count, 500)),
            "z = " + _repeated("a#", min(count, 500), " * "),
            result="np.mean(z)",
        ),
        "branches of a loop": _function(
            "for x in q:", "  p = np.log(x)", _repeated("  if a#: p = p + #", count), "  z = np.mean(p)"
        ),
        "factors": _function("p = np.log(p)", _repeated("p = p * a#", count)),
        "factors that are reductions": _function("for x in q:", _repeated("  if a#: p = p * np.log(p).mean()", count)),
        "reductions added": _function("z = 0", "z = z + (p * np.log(p)).mean()\n" * count, result="z"),
        "reductions of branches": _function(
            "z = 0",
            "if a: z = z + (p * np.log(p)).mean()\nelse: z = z - np.sum(q * np.log(q)) / q.size\n" * count,
            result="z",
        ),
        "lambdas": _function(_repeated("z# = (lambda x: np.mean(x * np.log(x)))(p)", count)),
        "attributes": f"{HEAD}class M:\n  def __init__(self):\n{_repeated('    self.a# = np.log(q)', count)}\n"
        f"  def forward(self, p):\n    return {LOSS}\n",
        "classes": HEAD
        + _repeated(f"class M#:\n def __init__(self):\n  self.l = np.log(q)\n def forward(self, p):\n  return {LOSS}", count),
        "functions": HEAD + _repeated(f"def f#(p):\n    z = np.log(p)\n    return {LOSS}", count),
        "logs of the module": HEAD + _repeated("l# = np.log(v#).mean()", count) + "\n",
        "star imports": _repeated("from m# import *", count) + f"\n{HEAD}" + _repeated("z# = np.log(u#).mean()", count),
        "statements in one line": HEAD + _repeated("a# = np.log(b).mean()", count, "; ") + "\n" + _function(),
        "losses in one line": f"{HEAD}def f(p):\n    s = 'é日本'; " + _repeated(f"z# = {LOSS}", count, "; ") + "\n",
        "a long comment": f"{HEAD}def f(p):\n    " + _repeated(f"z# = {LOSS}", count, "; ") + f"  # {'#(a,' * 5000}\n",
        "noqa": f"{HEAD}def f(p):\n    z = {LOSS}  # noqa: {'A1,' * count}\n",
        "items of a tuple": _function(f"t = ({'p, ' * count})", "z = sum(t)\n" * count, result="np.mean(np.log(z))"),
        "keys of a dict": _function(
            f"d = {{{_repeated('1# : p', count, ', ')}}}", "z = d[0]\n" * count, result="np.mean(np.log(z))"
        ),
        "keys stored": _function("d = {}", _repeated("d['#'] = p", count), result="np.mean(np.log(d['1']))"),
        "arguments": _function(f"z = g({_repeated('k#=np.log(p)', count, ', ')})"),
        "alternatives of or": _function(f"z = {' or '.join(['np.log(p)'] * count)}"),
        "axes": _function(f"z = p.reshape({_repeated('n#', count, ', ')})", result=LOSS.replace("p", "z")),
        "axes permuted": _function(f"z = p.permute({_repeated('#', count, ', ')})"),
        "axes added": _function("p = p.unsqueeze(1)\n" * count),
        "arrays stacked": _function("p = torch.stack([p, p], 1)\n" * count),
        "reshapes": _function("p = p.reshape(-1)\np = p.reshape(3, -1)\n" * count),
        "letters of einsum": _function(f"z = np.einsum('{'i' * count},{'i' * count}->', p, np.log(p))"),
        "names of einops": _function(f"z = einops.reduce(p * np.log(p), '{_repeated('a#', count, ' ')} -> a1', 'mean')"),
        "brackets of einops": _function(f"z = einops.reduce(p * np.log(p), '{'(' * count} -> a1', 'mean')"),
    }  # fmt: skip


OUT_OF_ALL_BOUNDS: Final = {
    "doubled tuples": _function("t = (p, q)", "t = t + t\n" * 60, result="np.mean(np.log(t))"),
    "doubled stars": _function("t = (p, q)", "t = (*t, *t)\n" * 60, result="np.mean(np.log(t))"),
    "doubled arguments": f"{HEAD}def g(*a):\n    return a\n"
    + _function("t = (p, q)", "t = g(*t, *t)\n" * 60, result="np.mean(t)"),
    "doubled numbers": _function("n = 10**5", "n = n + n\n" * 5000, result="np.log(p).sum() / n"),
    "repeated lists": _function("t = [np.log(p)] * 10**9", result="np.mean(t)"),
    "repeated strings": _function("t = 'a' * 10**12", "u = np.log(p).mean(axis=t)"),
    "powers of numbers": _function("t = 2 ** 10**9", "u = 9**9**9**9", "v = 1 << 10**10", "w = np.log(p).mean(axis=t)"),
    "powers of counts": _function("n = p.size", "n = n ** 1000\n" * 50, result="(p * np.log(p)).sum() / n"),
    "a huge class count": _function(
        f"t = F.one_hot(labels, {_HUGE})", result=f"-(t * F.log_softmax(logits, -1)).mean() * {_HUGE}"
    ),
    "a huge argument": f"{HEAD}def g(n, p):\n    return np.log(p)\ndef f(p):\n    return -(p * g({_HUGE}, p)).mean()\n",
    "a huge axis": _function(result=f"-(p * np.log(p)).mean(axis=-{_HUGE})"),
    "a huge index": _function(f"z = p[:, {_HUGE}] * np.log(p[{_HUGE}:])", result="z.mean()"),
    "a huge number in a test": _function("z = p * np.log(p)", f"if x == {_HUGE}: z = z.sum(-1)", result="-z.mean()"),
    "too many digits": _function(f"n = 1{'0' * 100_000}"),
    "infinite powers": _function(result="(p * np.log(p)).sum() / p.size ** 1e999"),
    "infinite factors": _function(result="F.kl_div(p, q) * 1e308 * 1e308 - 1e999 * F.kl_div(p, q)"),
    "no number": _function(result="-(p * np.log(p)).mean() * (1e999 - 1e999)"),
    "a far range": _function(result="-(p * np.log(p)).mean(axis=tuple(range(10**12, p.ndim)))"),
    "a long range": _function("for i in range(10**12): z = p * np.log(p)", result="-z.mean()"),
    "a far shape": _function("n = np.prod(p.shape[10**12:])", result="-(p * np.log(p)).sum() / n"),
    "a long shape": _function("n = np.prod(p.shape[:10**12])", result="-(p * np.log(p)).sum() / n"),
    "a far end": _function("n = np.prod(p.shape[-10**12:])", result="-(p * np.log(p)).sum() / n"),
    "a far axis": _function("z = p.unsqueeze(10**12)", result="-(z * np.log(z)).mean()"),
    "a far axis from the right": _function("z = p.unsqueeze(-10**12)", result="-(z * np.log(z)).mean()"),
    "a far flatten": _function("z = torch.flatten(p, 10**12)", result="-(z * z.log()).mean()"),
    "a far flatten from the right": _function("z = torch.flatten(p, 0, -10**12)", result="-(z * z.log()).mean()"),
    "a far stack": _function("z = torch.stack([p], 10**12)", result="-(z * z.log()).mean()"),
    "a wrong order of axes": _function(
        "z = F.one_hot(labels, logits.permute(1)).permute(0, 3, 1, 2)", result="z.log().mean()"
    ),
    "slices of nothing": _function("t = (p, q)['a':1.5]", "u = p.shape['a':]", result="np.mean(np.log(t))"),
    "a class that is its own base": f"{HEAD}class A(A):\n{_METHOD}\n",
    "bases in a ring": HEAD + _repeated(f"class C#(C0, C1, C2, C3):\n{_METHOD}", 4),
}  # fmt: skip

LARGE: Final = {
    "100,000 lines": HEAD + _repeated("x# = #", 100_000) + "\n" + _function(),
    "33,000 functions": HEAD + _repeated(f"def f#(p):\n    z = np.log(p)\n    return {LOSS}", 33_000) + "\n",
    "100,000 calls": f"{HEAD}def g(p):\n    return {LOSS}\n" + _repeated("y# = g(#)", 100_000) + "\n",
    "a line of 1 MB": HEAD + _repeated("a# = np.log(b).mean()", 40_000, "; ") + "\n" + _function(),
    "losses in a line of 1 MB": f"{HEAD}def f(p):\n    s = 'é'; "
    + _repeated(f"z# = {LOSS}", 30_000, "; ")
    + "\n",
    "a string of 1 MB": _function(f"s = '{'x' * 1_000_000}'"),
    "a ring of 5,000 helpers": ring(5000),
}
