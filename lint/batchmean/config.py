"""`[tool.batchmean]` in a pyproject.toml: which findings are wanted, file by file.

Nothing is remembered beyond a `Settings` object, which lives for one run: an editor's long-lived process sees
every change at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from batchmean import functions, source
from batchmean.functions import FunctionError, Functions
from batchmean.globs import Glob, Globs, PerFileIgnores
from batchmean.source import legible, reason
from batchmean.suggestions import hint
from batchmean.walk import leads_out, real_folders

if TYPE_CHECKING:
    from batchmean.findings import Confidence, Finding

CONFIDENCES = ("likely", "proved")
MAX_BYTES = 1 << 18
MAX_DOTS = 500
LOOPS = ("BMN501", "BMN502", "BMN503", "BMN504", "BMN505", "BMN506")
"""The rules about what training loops add up; all are in preview."""
"""The parser of Python's library takes the square of the parts of a dotted key in time."""


class ConfigError(Exception):
    """A setting that means nothing. One line, with a suggestion where there is a near one."""

    file: str | None = None
    """Where it stands; None on the command line."""


class Config(NamedTuple):
    """What is wanted of a file. Codes are prefixes, as in flake8: `BMN1` is BMN101, BMN102, ..."""

    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    exclude: Globs = Globs()
    per_file_ignores: PerFileIgnores = PerFileIgnores()
    min_confidence: Confidence = "likely"
    preview: bool = False
    respect_gitignore: bool = True
    follow_imports: bool = True
    extend_include: Globs = Globs()
    baseline: str | None = None
    """The file whose findings are reported no more."""
    frameworks: tuple[str, ...] = ()
    """The installed tables of functions that hold, by the names of their entry points."""
    functions: Functions = functions.NONE
    """What is told of functions: in those tables, and here."""
    python_cell_magics: tuple[str, ...] = ()
    """Further cell magics of IPython whose cell is Python, without their `%%`."""
    file: str | None = None
    """Where this was read; None for the defaults."""

    def includes(self, path: str) -> bool:
        """Whether a file that is no Python file is to be found in folders all the same."""
        return self.extend_include.matches(path)

    def excludes(self, path: str) -> bool:
        """Whether a file, or a whole folder, is left out."""
        return self.exclude.matches(path)

    def wants(self, finding: Finding) -> bool:
        """Whether the finding is to be reported, as far as settings decide it."""
        return self.asks_for(finding.code, finding.confidence, finding.path)

    def asks_for(self, code: str, confidence: str, path: str) -> bool:
        """Whether a finding with this code, and so sure, is to be reported in a file."""
        return self.is_confident(confidence) and self.is_released(code) and self.selects(code, path)

    def selects(self, code: str, path: str) -> bool:
        """Whether a rule is asked for in a file."""
        return _is_selected(code, self.select, self.ignore) and not self.per_file_ignores.ignores(code, path)

    def wants_loops(self, path: str) -> bool:
        """Whether one of the rules about training loops is asked for: walking these takes long."""
        return self.preview and any(self.selects(code, path) for code in LOOPS)

    def is_confident(self, confidence: str) -> bool:
        """Whether that is as sure as `min-confidence` asks."""
        return CONFIDENCES.index(confidence) >= CONFIDENCES.index(self.min_confidence)

    def is_released(self, code: str) -> bool:
        """Whether the rule is stable, or preview rules are asked for."""
        from batchmean.rules import EVERY

        return self.preview or not EVERY[code].preview


class Settings:
    """The configuration of every file of one run: the nearest `[tool.batchmean]`, then the command line's.

    Settings that mean nothing end the run, unless `on_problem` takes them: then they count as absent.
    """

    def __init__(
        self,
        overrides: Mapping[str, Any] | None = None,
        *,
        file: str | None = None,
        isolated: bool = False,
        on_problem: Callable[[ConfigError], None] | None = None,
    ) -> None:
        self._overrides = dict(overrides or {})
        self._on_problem = on_problem
        self._by_folder: dict[str, Config] = {}
        self._everywhere: Config | None = None
        if file is not None:
            self._everywhere = self._override(_read(file, required=True) or Config())
        elif isolated:
            self._everywhere = self._override(Config())

    def of(self, path: str) -> Config:
        """The configuration that holds for the file or folder at `path`."""
        return self._everywhere or self.inside(os.path.dirname(os.path.abspath(path)))

    def inside(self, folder: str) -> Config:
        """The configuration that holds for what is in a folder."""
        return self._everywhere or self._of_folder(os.path.abspath(folder))

    def _of_folder(self, folder: str) -> Config:
        silent: list[
            str
        ] = []  # folders without a word about batchmean; there may be more than Python's stack holds
        while (config := self._by_folder.get(folder)) is None:
            own = self._read(os.path.join(folder, "pyproject.toml"))
            parent = os.path.dirname(folder)
            silent.append(folder)
            if own is not None or parent == folder:
                config = self._override(own or Config())
                break
            folder = parent
        self._by_folder.update(dict.fromkeys(silent, config))
        return config

    def _read(self, path: str) -> Config | None:
        try:
            return _read(path)
        except ConfigError as problem:
            if self._on_problem is None:
                raise
            problem.file = path
            self._on_problem(problem)
            return Config()

    def _override(self, config: Config) -> Config:
        """The command line wins: its `--select` starts anew, its `--ignore` takes away more."""
        given = dict(self._overrides)
        if "select" not in given and "ignore" in given:
            given["ignore"] = (*config.ignore, *given["ignore"])
        if "select" in given:
            given.setdefault("ignore", ())
        return config._replace(**given)


def codes_from(texts: Iterable[str], where: str) -> tuple[str, ...]:
    """Codes and beginnings of codes, with commas or without. One that no rule starts with is an error."""
    codes = tuple(code.upper() for text in texts for code in text.replace(",", " ").split())
    if codes:
        from batchmean.rules import EVERY

        for code in codes:
            if not any(known.startswith(code) for known in EVERY):
                raise ConfigError(f"{where}: unknown code {code!r}{hint(code, rule_names())}")
    return codes


def rule_names() -> dict[str, str]:
    """The codes of the rules by everything they may be asked for: the code and the name."""
    from batchmean.rules import EVERY

    return {code: code for code in EVERY} | {rule.name: code for code, rule in EVERY.items()}


def _read(path: str, *, required: bool = False) -> Config | None:
    """The configuration in one file; `None` where the file is not there, or is silent about batchmean."""
    where = legible(path)
    try:
        data = source.read_regular(path, source.MAX_BYTES)
    except (FileNotFoundError, NotADirectoryError) as error:
        if required:
            raise ConfigError(f"{where}: {reason(error)}") from None
        return None
    except PermissionError as error:
        folder = os.path.dirname(os.path.abspath(path))
        if not required and not os.access(folder, os.X_OK):
            return None  # nothing in that folder can be read, which is said where its files are
        raise ConfigError(f"{where}: {reason(error)}") from None
    except OSError as error:
        raise ConfigError(f"{where}: {reason(error)}") from None
    if b"batchmean" not in data and len(data) <= source.MAX_BYTES:  # spares most projects the TOML parser
        return None
    return _config_in(data, path, os.path.dirname(os.path.abspath(path)))


@lru_cache(maxsize=64)
def _config_in(data: bytes, path: str, root: str) -> Config | None:
    """The configuration that a file of the folder `root` holds. flake8 asks for it once per file that it checks."""
    where = legible(path)
    if len(data) > MAX_BYTES or max(line.count(b".") for line in data.split(b"\n")) > MAX_DOTS:
        raise ConfigError(f"{where}: has more than {MAX_BYTES} bytes, or {MAX_DOTS} dots in one line")
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        document = tomllib.loads(
            data.decode("utf-8-sig")
        )  # editors on Windows begin a file with a byte order mark
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError
        raise ConfigError(f"{where}: {error}") from None
    except RecursionError:
        raise ConfigError(f"{where}: nested too deeply") from None
    tool = document.get("tool", {})
    table = tool.get("batchmean") if isinstance(tool, dict) else None
    if table is None:
        return None
    return _from_table(table, root, f"{where}: [tool.batchmean]")._replace(file=path)


def _from_table(table: object, root: str, where: str) -> Config:
    if not isinstance(table, dict):
        raise ConfigError(f"{where} must be a table")
    values: dict[str, Any] = {}
    told: dict[str, Functions] = {}
    for key, value in table.items():
        place = f"{where} {key}"
        if key in ("select", "ignore"):
            values[key] = codes_from(_strings(value, place), place)
        elif key in ("exclude", "extend-include"):
            values[key.replace("-", "_")] = Globs(
                glob_from(text, root, place, is_setting=True) for text in _strings(value, place)
            )
        elif key == "per-file-ignores":
            if not isinstance(value, dict):
                raise ConfigError(f"{place} must be a table of patterns and codes")
            values["per_file_ignores"] = PerFileIgnores(
                (glob_from(text, root, place, is_setting=True), codes_from(_strings(codes, place), place))
                for text, codes in value.items()
            )
        elif key == "baseline":
            values["baseline"] = _inside(value, root, place)
        elif key == "python-cell-magics":
            values["python_cell_magics"] = _magics(value, place)
        elif key == "frameworks":
            values["frameworks"] = _strings(value, place)
            from batchmean import function_tables

            told |= {
                key: Functions(
                    f for name in values["frameworks"] for f in _told(function_tables.installed, name, place)
                )
            }
        elif key == "functions":
            from batchmean import function_tables

            told |= {key: _told(function_tables.from_table, value, place)}
        elif key == "min-confidence":
            if value not in CONFIDENCES:
                raise ConfigError(f'{place} must be "likely" or "proved"')
            values["min_confidence"] = value
        elif key in ("preview", "respect-gitignore", "follow-imports"):
            if not isinstance(value, bool):
                raise ConfigError(f"{place} must be true or false")
            values[key.replace("-", "_")] = value
        else:
            raise ConfigError(f"{where} has no setting {key!r}{hint(key, KEYS)}")
    own = Functions(f for key in ("frameworks", "functions") for f in told.get(key, ()))
    return Config(**values, functions=own)


def _magics(value: object, place: str) -> tuple[str, ...]:
    names = _strings(value, place)
    for name in names:
        if not name.isidentifier():
            raise ConfigError(f"{place}: {name!r} is no name of a magic; it stands there without %%")
    return names


def _told(read: Callable[[Any], Functions], what: object, place: str) -> Functions:
    try:
        return read(what)
    except FunctionError as error:
        raise ConfigError(f"{place}: {error}") from None


KEYS = (
    "select",
    "ignore",
    "exclude",
    "extend-include",
    "per-file-ignores",
    "min-confidence",
    "preview",
    "respect-gitignore",
    "follow-imports",
    "baseline",
    "python-cell-magics",
    "frameworks",
    "functions",
)


def globs_from(texts: Iterable[str], root: str, place: str) -> Globs:
    """Patterns from the command line, several in a text with commas between them."""
    texts = [legible(text) for text in texts]
    for text in texts:
        _refuse_braces(text, place)
    return Globs(glob_from(part.strip(), root, place) for text in texts for part in text.split(","))


def glob_from(text: str, root: str, place: str, *, is_setting: bool = False) -> Glob:
    """A pattern; one that can name no file is an error. Settings hold below their own folder, so theirs stay there."""
    import re

    _refuse_braces(text, place)
    text = text.replace(os.sep, "/")
    if not text.strip("./ "):
        problem = "names no file"
    elif text.startswith("!"):
        problem = "begins with !, but patterns leave out and take nothing back"
    elif text.startswith("~"):
        problem = "begins with ~, which is no home folder here"
    elif os.sep == "/" and re.search(r"[\w*]\\[\w*]", text):
        problem = "has a backslash; / is what parts folders"
    elif re.search(r"\[(?!!?\]?[^\]]*\])", text):
        problem = "has a [ without its ]"
    elif "//" in text or "/./" in text or re.search(r"[^./][^/]*/\.\.(/|$)", text):
        problem = "has a part that no path has (//, /./ or /../)"
    elif is_setting and text.startswith("../"):
        problem = "leads out of the folder that the settings are for"
    else:
        return Glob(text, root)
    raise ConfigError(f"{place}: the pattern {text!r} {problem}")


def _refuse_braces(text: str, place: str) -> None:
    import re

    if re.search(r"\{[^{}]*,[^{}]*\}", text):
        raise ConfigError(
            f"{place}: the pattern {text!r} has braces; write a pattern for each of what they part"
        )


def _inside(value: object, root: str, place: str) -> str:
    """A file below the folder that the settings are for."""
    if not isinstance(value, str) or not value.strip("./ ") or "\0" in value:
        raise ConfigError(f"{place} must be the name of a file")
    file = os.path.join(root, value)
    if leads_out(file, real_folders([root])):
        raise ConfigError(f"{place} leads out of the folder that the settings are for")
    return file


def _strings(value: object, place: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ConfigError(f"{place} must be a list of strings")
    return tuple(value)


def _is_selected(code: str, select: tuple[str, ...] | None, ignore: tuple[str, ...]) -> bool:
    """As in flake8: the longest prefix decides, and `ignore` where they are equally long."""
    chosen = 0 if select is None else max((len(p) for p in select if code.startswith(p)), default=-1)
    dropped = max((len(p) for p in ignore if code.startswith(p)), default=-1)
    return chosen > dropped
