"""Python's own functions."""

from __future__ import annotations

from batchmean.operations.table import Framework

FRAMEWORK = Framework(
    precedence=0,
    functions={
        "builtins.len": "length(x)",
        "builtins.sum": "builtin_sum(x)",
        "builtins.range": "range(start, stop)",
        "builtins.list": "sequence(x)",
        "builtins.tuple": "sequence(x)",
        "builtins.dict": "dictionary(x; keywords=all)",
        "types.SimpleNamespace": "namespace(x; keywords=all)",
        "argparse.Namespace": "namespace(x; keywords=all)",
        "builtins.reversed": "reversed(x)",
        "builtins.zip": "zip(*rows)",
        "builtins.enumerate": "enumerate(x)",
        "builtins.map": "map_call(function, *rows)",
        "builtins.float": "number(x)",
        "builtins.int": "number(x)",
        "builtins.bool": "truth(x)",
        "builtins.max": "at_least(x, y)",
        "builtins.min": "smallest(x, y)",
        "builtins.abs": "map(x)",
        "builtins.getattr": "attribute(x, name, default)",
        **dict.fromkeys(("builtins.staticmethod", "builtins.classmethod"), "same_function(x)"),
        "math.prod": "prod(x)",
        "math.log": "log(x)",
        "math.exp": "exp(x)",
        "math.sqrt": "sqrt(x)",
        "operator.mul": "multiply(x, y)",
        "operator.truediv": "divide(x, y)",
        "functools.reduce": "fold(function, x, initial)",
        "functools.partial": "partial(function, *args; keywords=all)",
        "functools.wraps": "same_function",
        "functools.lru_cache": "same_function",
        "functools.cache": "same_function(x)",
    },
)
