"""What a scan has found, by rule, family and repository, and a sample of places: DuckDB reads the parts.

Everything that comes from what was scanned (names, source, messages) is escaped for where it is shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import duckdb

from batchmean.output import printable
from batchmean.rules import EVERY
from batchmean.scan import parts
from batchmean.scan.sources import shown

_VIEWS = """
-- The newest row of each place; a verdict is on a content, wherever that stands.
CREATE TEMP TABLE places AS
    SELECT source, repository, path, sha256, size, linted, errors FROM rows
    QUALIFY row_number() OVER (PARTITION BY source, repository, path ORDER BY scanned_at DESC, filename) = 1;
CREATE TEMP TABLE verdicts AS
    SELECT sha256, findings, errors FROM rows WHERE linted
    QUALIFY row_number() OVER (PARTITION BY sha256 ORDER BY scanned_at, filename, path) = 1;
CREATE TEMP TABLE found AS
    SELECT sha256, unnest(findings) AS finding FROM verdicts;
CREATE TEMP TABLE found_at AS
    SELECT places.repository, places.path, found.sha256, found.finding FROM found JOIN places USING (sha256);
"""
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
table { border-collapse: collapse; margin-bottom: 1.5rem; }
th, td { border-bottom: 1px solid #ccc; padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top; }
td.number { text-align: right; }
pre { background: #f4f4f4; overflow-x: auto; padding: .6rem; }
@media (prefers-color-scheme: dark) { body { background: #111; color: #ddd; } pre { background: #222; } }
"""
_FAMILIES = {
    "BMN1": "the support is in the divisor",
    "BMN2": "masks",
    "BMN3": "other wrong counts",
    "BMN4": "what is made of a loss",
    "BMN5": "what training loops add up",
    "BMN9": "comments",
}

Table = tuple[str, list[str], list[tuple[Any, ...]]]


class NothingThere(Exception):
    """A folder without a scan; the message is one line."""


class Report:
    """The figures of one scan. A finding is counted once for its content, and `places` says in how many files."""

    def __init__(self, out: str, *, sample: int, seed: int, top: int) -> None:
        files = list(parts.files(out))
        if not files:
            raise NothingThere(f"{shown(out)}: there is no scan to report on")
        try:
            with duckdb.connect() as database:
                database.read_parquet(files, filename=True).create_view("rows")
                database.execute(_VIEWS)
                self.tables = list(self._tables(database, top))
                self.sample = self._sample(database, sample, seed)
        except duckdb.Error as error:
            raise NothingThere(f"{shown(out)}: cannot be read: {' '.join(str(error).split())}") from None

    def _tables(self, database: Any, top: int) -> Iterator[Table]:
        def rows(query: str, *values: object) -> list[tuple[Any, ...]]:
            found: list[tuple[Any, ...]] = database.execute(query, list(values)).fetchall()
            return found

        totals = rows("""
            SELECT count(*) FILTER (path != ''), count(DISTINCT sha256), count(DISTINCT (source, repository)),
                (SELECT count(*) FROM found), (SELECT count(*) FROM found_at)
            FROM places
        """)[0]
        names = ("files", "different contents", "repositories", "findings", "findings, counted in every copy")
        yield "Totals", ["what", "count"], list(zip(names, totals, strict=True))
        by_rule = rows("""
            SELECT code, any_value(name), any_value(n), count(*), count(DISTINCT repository) FROM (
                SELECT finding.code AS code, finding.name AS name, repository,
                    count(DISTINCT (sha256, finding.line, finding.column, finding.cell))
                        OVER (PARTITION BY finding.code) AS n
                FROM found_at
            ) GROUP BY code ORDER BY code
        """)
        yield "By rule", ["code", "rule", "findings", "places", "repositories"], by_rule
        families: dict[str, list[int]] = {}
        for code, _, findings, places, _ in by_rule:
            both = families.setdefault(code[:4], [0, 0])
            both[0] += findings
            both[1] += places
        yield (
            "By family",
            ["family", "what", "findings", "places"],
            [(f"{code}xx", _FAMILIES.get(code, ""), *both) for code, both in families.items()],
        )
        yield (
            "By repository",
            ["repository", "findings", "in files", "codes"],
            rows(
                """
                SELECT repository, count(*) AS n, count(DISTINCT path),
                    string_agg(DISTINCT finding.code, ' ' ORDER BY finding.code)
                FROM found_at GROUP BY repository ORDER BY n DESC, repository LIMIT ?
                """,
                top,
            ),
        )
        yield (
            "Without a verdict, or without one on all of it",
            ["why", "files", "for example"],
            rows(
                """
                SELECT regexp_replace(why, '[0-9]+', 'N', 'g') AS kind, count(*) AS n,
                    min(repository || CASE WHEN path = '' THEN '' ELSE '/' || path END)
                FROM (
                    SELECT repository, path, unnest(if(places.linted OR places.sha256 IS NULL OR len(places.errors) > 0,
                        places.errors, verdicts.errors)) AS why
                    FROM places LEFT JOIN verdicts USING (sha256)
                ) GROUP BY kind ORDER BY n DESC, kind LIMIT ?
                """,
                top,
            ),
        )

    def _sample(self, database: Any, size: int, seed: int) -> list[dict[str, Any]]:
        """Findings by chance, the same for the same seed; each with one of its places."""
        found = database.execute(
            """
            SELECT any_value(finding), min(repository || '/' || path) FROM found_at
            GROUP BY sha256, finding.line, finding.column, finding.cell, finding.code
            ORDER BY md5(concat_ws(' ', ?::VARCHAR, sha256, finding.line, finding.column, finding.cell, finding.code))
            LIMIT ?
            """,
            [seed, size],
        ).fetchall()
        return [{**finding, "place": place} for finding, place in found]

    def text(self) -> str:
        """For a terminal."""
        lines: list[str] = []
        for title, names, rows in self.tables:
            if not rows:
                continue
            lines += [
                title,
                *_aligned([names, *([printable(str(cell)) for cell in row] for row in rows)]),
                "",
            ]
        for finding in self.sample:
            lines.append(printable(_place(finding)))
            lines.append(printable(f"{finding['code']} {finding['message']} ({finding['confidence']})"))
            lines += [f"  {number:>5} | {printable(text)}" for number, text in _source(finding)]
            lines += [printable(f"  = {because}") for because in finding["because"] or ()] + [""]
        return "\n".join(lines)

    def html(self) -> str:
        """A page that needs nothing else and runs nothing."""
        body: list[str] = []
        for title, names, rows in self.tables:
            if rows:
                head = "".join(f"<th>{escape(name)}</th>" for name in names)
                lines = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in rows)
                body.append(f"<h2>{escape(title)}</h2>\n<table><tr>{head}</tr>\n{lines}</table>")
        if self.sample:
            body.append("<h2>A sample</h2>")
        for finding in self.sample:
            rule = EVERY.get(finding["code"])
            summary = f" <small>{escape(rule.summary)}</small>" if rule else ""
            code = "\n".join(f"{number:>5} | {printable(text)}" for number, text in _source(finding))
            body.append(
                f"<h3>{escape(printable(_place(finding)))}</h3>\n"
                f"<p><b>{escape(finding['code'])}</b> {escape(printable(finding['message']))}"
                f" ({escape(finding['confidence'])}){summary}</p>\n<pre>{escape(code)}</pre>"
            )
        page = (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
            f"<title>batchmean scan</title><style>{_STYLE}</style></head>\n<body><h1>batchmean scan</h1>\n"
            + "\n".join(body)
            + "\n</body></html>\n"
        )
        return page.encode("ascii", "xmlcharrefreplace").decode("ascii")


def _place(finding: dict[str, Any]) -> str:
    cell = "" if finding["cell"] is None else f":cell {finding['cell']}"
    return f"{finding['place']}{cell}:{finding['line']}:{finding['column']}"


def _source(finding: dict[str, Any]) -> Iterator[tuple[int, str]]:
    return enumerate((finding["excerpt"] or "").split("\n"), finding["excerpt_line"] or 1)


def _aligned(rows: list[list[str]]) -> Iterator[str]:
    """Rows as lines, the first one the head; columns of numbers end alike."""
    columns = []
    for column in zip(*rows, strict=True):
        width = max(map(len, column))
        is_number = all(map(str.isdigit, column[1:]))
        columns.append([text.rjust(width) if is_number else text.ljust(width) for text in column])
    for row in zip(*columns, strict=True):
        yield "  ".join(row).rstrip()


def _cell(value: Any) -> str:
    if isinstance(value, int):
        return f'<td class="number">{value}</td>'
    return f"<td>{escape(printable(str(value)))}</td>"
