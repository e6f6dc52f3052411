"""Programs that are meant to take long, fill the memory or fail, by what they are made of. Each is one file."""

from __future__ import annotations

from collections.abc import Callable
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


def _many(pattern: str, result: str = "-t.mean()", first: str = "t = np.log(p)") -> Callable[[int], str]:
    return lambda count: _function(first, _repeated(pattern, count), result=result)


def _training(pattern: str) -> Callable[[int], str]:
    return lambda count: (
        f"{HEAD}def train(loader, model, c):\n    total = 0\n    for x, y in loader:\n"
        f"        loss = F.cross_entropy(model(x), y)\n{_repeated(pattern, count)}\n    return total / len(loader.dataset)\n"
    )


GROWING: Final[dict[str, Callable[[int], str]]] = {
    "products under an if": _many("if c[#]: t = t * c[#]"),
    "sums under an if": _many("if c[#]: t = t + c[#]"),
    "an if/else ladder": _many("if c[#]: t = t * c[#]\nelse: t = t + c[#]"),
    "a ladder over two names": _many("if c[#]: t, u = t * q, u\nelse: t, u = u, t + q", first="t = u = np.log(p)"),
    "an elif ladder": lambda count: _function(
        "t = np.log(p)", _repeated(f"{'el'}if c[#]: t = t * c[#]", count).replace("elif", "if", 1)
    ),
    "dict stores": _many("d['k#'] = t * #", "-np.mean(d['k1'])", "d = {}; t = np.log(p)"),
    "dict stores by a variable": _many("d[k#] = t * #", "-np.mean(d[k1])", "d = {}; t = np.log(p)"),
    "dict stores under an if": _many("if c[#]: d['k'] = t * #", "-np.mean(d['k'])", "d = {}; t = np.log(p)"),
    "attribute stores": _many("x.a# = t * #", "-np.mean(x.a1)"),
    "list stores": _many("d.append(t * #)", "-np.mean(d[0])", "d = []; t = np.log(p)"),
    "fan-out": lambda count: HEAD
    + _repeated("def g#(x): return np.log(x)", count)
    + f"\ndef f(p):\n    return -(p * ({_repeated('g#(p)', count, ' + ')})).mean()\n",
    "fan-out of statements": lambda count: HEAD
    + _repeated("def g#(x):\n    return -(x * np.log(x)).mean()", count)
    + "\ndef f(p):\n    t = 0\n"
    + _repeated("    t = t + g#(p)", count)
    + "\n    return t\n",
    "fan-in": lambda count: f"{HEAD}def g(x):\n    return -(x * np.log(x)).mean()\n"
    + _repeated("def f#(p):\n    return g(p * #)", count)
    + "\n",
    "a chain of helpers": lambda count: HEAD
    + _repeated("def g#(x):\n    return h#(x) * 2", count).replace("h", "g_")
    + _repeated("\ng_# = g0", count)
    + "\n"
    + _function("t = g0(p)", result="-(p * np.log(t)).mean()"),
    "methods that call each other": lambda count: f"{HEAD}class M:\n"
    + _repeated("    def m#(self, p):\n        return self.n#(p) + -(p * np.log(p)).mean()", count)
    + "\n"
    + _repeated("    def n#(self, p):\n        return self.m0(p)", count)
    + "\n",
    "augmented sums": _many("t += (p * np.log(p)).mean()", "t", "t = 0"),
    "augmented sums under an if": _many("if c[#]: t += (p * np.log(p)).mean()", "t", "t = 0"),
    "swaps": _many("t, u = u, t", first="t, u = np.log(p), q"),
    "unpacked": _many("a#, b# = t, p", "-(a1 * b1).mean()"),
    "comprehensions": _many("z# = [np.mean(x * np.log(x)) for x in p]", "z1"),
    "loops": _many("for i in range(#): t = t * c[i]"),
    "while loops": _many("while c[#]: t = t * c[#]"),
    "try": _many("try: t = t * c[#]\nexcept E#: t = t + c[#]"),
    "with": _many("with c[#]: t = t * c[#]"),
    "asserts": _many("assert c[#] == t.shape[#]"),
    "early returns": _many("if c[#]: return -(t * #).mean()"),
    "closures": _many("def g#(x): return -(t * x).mean()", "g1(p)"),
    "lambdas kept": _many("g# = lambda x: -(t * x).mean()", "g1(p)"),
    "logarithms in one line": lambda count: _function(result="-(" + _repeated("p * np.log(p)", count, " + ") + ").mean()"),
    "differences in one line": lambda count: _function(result="-(" + _repeated("p * np.log(q / #.5)", count, " - ") + ").mean()"),
    "arguments of one call": lambda count: _function(f"z = g({_repeated('np.log(p) * #', count, ', ')})", result="-(p * z).mean()"),
    "losses of one function": _many("z# = -(p * np.log(p)).mean()", "z1"),
    "losses of many functions": lambda count: HEAD + _repeated(f"def f#(p):\n    return {LOSS}", count) + "\n",
    "losses of the module": lambda count: HEAD + _repeated("z# = -(p * np.log(p)).mean()", count) + "\n",
    "losses under an if": _many("if c[#]: z = -(p * np.log(p)).mean()", "z"),
    "masks": _many("m# = p * mask#; z# = (m# * np.log(p)).sum() / mask#.sum()", "z1"),
    "shape asserts": _many("b#, v# = t.shape", "-(p * t).sum() / (b1 * v1)"),
    "names of the module": lambda count: HEAD + _repeated("n# = #", count) + "\n" + _function(
        _repeated("t# = p * n#", count), result=LOSS
    ),
    "global names": lambda count: HEAD + _repeated("def f#(p):\n    global z\n    z = -(p * np.log(p)).mean()", count) + "\n",
    "classes that inherit": lambda count: f"{HEAD}class C0:\n    def h(self, p): return np.log(p)\n"
    + "\n".join(
        f"class C{i}(C{i - 1}):\n    def f(self, p): return -(p * self.h(p)).mean()" for i in range(1, count)
    )
    + "\n",
    "nested comprehensions": _many("z# = [[np.mean(y * np.log(y)) for y in x if y] for x in p if x]", "z1"),
    "attributes of attributes": _many("z# = t * a.b.c.d.e.f.g#.h()", "z1.mean()"),
    "called attributes": lambda count: _function(f"z = x{'.a()' * min(count, 90)}", result=LOSS),
    "cases of one match": lambda count: _function(
        "t = np.log(p)", "match x:", _repeated("  case #: t = t * #", count), result="-t.mean()"
    ),
    "many matches": _many("match x:\n  case [a#, *b#]: t = t * a#\n  case {'k': c#}: t = t + c#\n  case _: pass"),
    "decorated functions": lambda count: HEAD
    + _repeated(f"@deco(#)\n@partial(np.log, #)\ndef f#(p):\n    return {LOSS}", count)
    + "\n",
    "a forward that all inherit": lambda count: f"{HEAD}class B:\n    def forward(self, p): return -(p * self.l(p)).mean()\n"
    + _repeated("class C#(B):\n    def l(self, p): return np.log(p * #)", count)
    + "\n",
    "super of super": lambda count: f"{HEAD}class C0:\n    def f(self, p): return {LOSS}\n"
    + "\n".join(f"class C{i}(C{i - 1}):\n    def f(self, p): return super().f(p) * {i}" for i in range(1, count))
    + "\n",
    "objects": lambda count: f"{HEAD}class M:\n    def __init__(self, n):\n        self.n = n\n"
    f"    def forward(self, p): return {LOSS} / self.n\n" + _repeated("m# = M(#); z# = m#(p)", count) + "\n",
    "walrus in walrus": _many("t = (a# := t * c[#])"),
    "walrus under an if": _many("if (u# := t * #) is not None: t = u#"),
    "a large unpacking": lambda count: _function(
        "t = np.log(p)", f"{_repeated('a#', count, ', ')} = {_repeated('t * #', count, ', ')}", result="-a1.mean()"
    ),
    "tries with all that there is": _many(
        "try: t = t * c[#]\nexcept A#: t = q\nexcept B#: pass\nelse: t = t + 1\nfinally: u = t"
    ),
    "handlers of one try": lambda count: _function(
        "t = np.log(p)", "try: t = t * q", _repeated("except E#: t = t * c[#]", count), result="-t.mean()"
    ),
    "imports that are tried": lambda count: _repeated("try:\n    import a#\nexcept ImportError:\n    a# = None", count)
    + f"\n{_function()}",
    "closures in closures": _many("def g#(x):\n  def h#(y): return -(t * y).mean()\n  return h#(x)", "g1(p)"),
    "closures that are called": _many("def g#(x): return -(t * x).mean()\nz# = g#(p)", "z1"),
    "names that are nonlocal": _many("def g#():\n  nonlocal t\n  t = t * #\ng#()"),
    "aliases of one import": lambda count: _repeated("import numpy as n#", count)
    + f"\n{HEAD}{_repeated('z# = n#.log(p).mean()', count)}\n",
    "imports and transposes": lambda count: f"{HEAD}{_repeated('import m#', count)}\n"
    + _function("t = np.log(p)", _repeated("t = t.transpose(0, 1)", count), result="-t.mean()"),
    "lambdas in lambdas": _many("g = lambda x, h=g: np.log(h(x)) * #", "g(p).mean()", "g = np.log"),
    "tests of two values": _many("if a# and b# or c#: t = t * #"),
    "tests of a kind": _many("if how == 'k#': t = t * #\nelif how is None: t = t + #"),
    "tests of a type": _many("if isinstance(x, list): t = t * #"),
    "one or the other": _many("t = t * # if c[#] else t"),
    "three names under an if": _many("if c[#]: a = a * #; b = b + a; d = np.log(b)", "-(a * d).mean()", "a = b = d = p"),
    "early returns of a kind": _many(f"if how == 'k#': return {LOSS}"),
    "losses that are scaled": _many("z = z * a#", "z", f"z = {LOSS}"),
    "losses that are divided": _many("z = z / len(a#)", "z", "z = -(p * np.log(p)).sum()"),
    "losses that are reduced again": _many("z = z.mean(-1)", "z.mean()", "z = -(p * np.log(p))"),
    "losses in a list": _many(f"d.append({LOSS})", "sum(d)", "d = []"),
    "losses in a dict": _many(f"d['k'] = d['k'] + {LOSS}", "d['k']", "d = {'k': 0}"),
    "losses in one line": lambda count: _function("t = 0; " + _repeated(f"t = t + {LOSS}", count, "; "), result="t"),
    "logarithms in one line, statement by statement": lambda count: _function(
        "t = np.log(p); " + _repeated("t = t * #", count, "; "), result="-t.mean()"
    ),
    "loops in loops": _many("for i in range(#):\n  for j in p: t = t * j"),
    "losses item by item": _many(
        "for i in range(n#):\n  for k in range(9): t -= y[i][k] * np.log(p[i][k])", "t / 9", "t = 0"
    ),
    "names within loops through items": _many(
        "for row in p:\n  for prob in row:\n    log_prob = np.log(prob)\n    t -= prob * log_prob", "t / 9", "t = 0"
    ),
    "sums of items of items": _many("z# = sum(sum(x * np.log(x) for x in r) for r in p)", "z1"),
    "loops over a tuple": _many("for i in (1, 2, 3, 4): t = t * i"),
    "branches of the module over two values": lambda count: HEAD
    + _repeated("if a# == 'x':\n    n = #\nelse:\n    n = -#", count)
    + "\n"
    + _function("z = np.log(p) * n", result="-z.mean()"),
    "perplexities": _many("z# = np.exp(-(p * np.log(p)).mean())", "z1"),
    "tuples in tuples under an if": _many("if c[#]: t = (t, t)", "-np.mean(t)"),
    "helpers under an if": lambda count: f"{HEAD}def g(x, y):\n    return np.log(x) * y\ndef f(p, q, c):\n    t = p\n"
    + _repeated("    if c[#]: t = g(t, q)", count)
    + "\n    return -(p * t).mean()\n",
    "three names that change places under an if": _many("if c[#]: t, u, v = u * 2, v, t", first="t = u = v = np.log(p)"),
    "totals under an if": _training("        if c[#]: total += loss.item()"),
    "totals of many names": _training("        total# = loss.item() + total"),
    "loops that add up": lambda count: f"{HEAD}def train(loaders, model):\n    total = 0\n"
    + _repeated(
        "    for loader in loaders:\n        for x, y in loader:\n            total += F.cross_entropy(model(x), y).item()\n"
        "        total = total / len(loader.dataset)",
        count,
    )
    + "\n    return total\n",
    "totals over the length of another loader": lambda count: f"{HEAD}val_loader = test_loader = None\n"
    + _repeated("val_loader, test_loader = make(val_loader#), make(test_loader#)", count)
    + "\ndef train(model, val_loader, train_loader):\n    total = 0\n"
    "    for x, y in val_loader:\n        total += F.cross_entropy(model(x), y).item()\n"
    + _repeated("    mean# = total / len(train_loader)", count)
    + "\n    return mean0\n",
    "criteria that call the next": lambda count: HEAD
    + "\n".join(f"class C{i}:\n    def m{i}(self, p):\n        return C{i + 1}().m{i + 1}(p)" for i in range(count))
    + f"\nclass C{count}:\n    def m{count}(self, p):\n        return {LOSS}\n",
    "batch losses that call the next": lambda count: HEAD
    + "\n".join(f"def b{i}(m, x, y):\n    return b{i + 1}(m, x, y)" for i in range(count))
    + f"\ndef b{count}(m, x, y):\n    return F.cross_entropy(m(x), y)\n"
    + "def train(loader, m):\n    total = 0\n    for x, y in loader: total += b0(m, x, y).item()\n"
    + "    return total / len(loader.dataset)\n",
    "closures that call the one before": lambda count: _function(
        "def g0(x): return np.log(x)",
        "\n".join(f"def g{i}(x): return g{i - 1}(x)" for i in range(1, count)),
        result=f"-(p * g{count - 1}(p)).mean()",
    ),
    "functions that call the next": lambda count: HEAD
    + "\n".join(f"def f{i}(p):\n    return f{i + 1}(p) + f{i + 1}(p)" for i in range(count))
    + f"\ndef f{count}(p):\n    return {LOSS}\n",
    **{
        name: lambda count, name=name: wide(count)[name]  # type: ignore[misc]
        for name in ("star imports", "branches of the module", "reductions of branches", "alternatives multiplied")
    },
}  # fmt: skip
"""Programs by their length: what is not to grow faster than they do."""
