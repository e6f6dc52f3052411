"""What `--show-settings` prints: the settings that hold for a path, as TOML that could be pasted back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from batchmean.config import Config
from batchmean.output import is_shown, printable
from batchmean.rules import EVERY
from batchmean.source import legible


def page(path: str, config: Config) -> str:
    """The settings for one path, where they are from, and what they come to there."""
    return "\n".join(_lines(path, config)) + "\n"


def _lines(path: str, config: Config) -> Iterator[str]:
    source = (
        config.file and legible(config.file)
    ) or "the defaults: no pyproject.toml has a [tool.batchmean]"
    yield printable(f"# {legible(path)}: settings from {source}")
    yield "[tool.batchmean]"
    yield "# select: every rule" if config.select is None else f"select = {_list(config.select)}"
    yield f"ignore = {_list(config.ignore)}"
    yield f"exclude = {_list(glob.text for glob in config.exclude)}"
    yield f"extend-include = {_list(glob.text for glob in config.extend_include)}"
    ignores = ", ".join(f"{_string(glob.text)} = {_list(codes)}" for glob, codes in config.per_file_ignores)
    yield f"per-file-ignores = {{ {ignores} }}" if ignores else "per-file-ignores = {}"
    yield f"min-confidence = {_string(config.min_confidence)}"
    yield f"preview = {_bool(config.preview)}"
    yield f"respect-gitignore = {_bool(config.respect_gitignore)}"
    yield f"follow-imports = {_bool(config.follow_imports)}"
    yield (
        f"baseline = {_string(legible(config.baseline))}"
        if config.baseline
        else "# baseline: every finding is reported"
    )
    yield f"python-cell-magics = {_list(config.python_cell_magics)}"
    yield f"frameworks = {_list(config.frameworks)}"
    yield from _functions(config)
    rules = [
        code
        for code, rule in EVERY.items()
        if config.selects(code, path) and (config.preview or not rule.preview)
    ]
    yield f"# reported here: {', '.join(rules) or 'nothing'}"
    for glob in config.exclude:
        if glob.matches(path):
            yield printable(f"# left out of folders by {glob.text}")


def _functions(config: Config) -> Iterator[str]:
    """What is told of functions, those of installed tables among it: a table in one line, so that more may follow."""
    own = ", ".join(f"{_string(f.name)} = {_string(f.said)}" for f in config.functions)
    yield f"functions = {{ {own} }}" if own else "functions = {}"


def _list(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(_string, texts))}]"


def _bool(value: bool) -> str:
    return "true" if value else "false"


def _string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(char if is_shown(char) else f"\\U{ord(char):08x}" for char in escaped) + '"'
