"""The demo as one HTML page: no script, nothing fetched, light and dark, wide and narrow."""

from __future__ import annotations

from html import escape
from importlib import resources
from typing import TYPE_CHECKING

from batchmean import __version__
from batchmean.rules import RULES

from batchmean_reference import plots
from batchmean_reference.claims import Claim, short, source
from batchmean_reference.examine import fraction
from batchmean_reference.exhibits import Exhibit, Exhibition
from batchmean_reference.laboratory import VOCABULARIES

if TYPE_CHECKING:
    from batchmean_reference.demo import Results

CLASSES = {"holds": "holds", "holds when": "when", "does not hold": "not"}


def page(results: Results) -> str:
    """The whole page. Texts from files (paths, sources, messages) are escaped."""
    parts = [_opening(), _charts(results), _claims(results.claims), _samples(results)]
    parts.append(_exhibition(results.exhibition))
    body = "\n".join(parts)
    style = resources.files("batchmean_reference").joinpath("data/page.css").read_text(encoding="utf-8")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>batchmean: what the wrong denominator does</title>
<style>
{style}</style>
</head>
<body>
{body}
<footer>batchmean {escape(__version__)}. Every number on this page was measured by the run that wrote it
({len(results.lab.kept)} trainings); <a href="results.json">results.json</a> has them all.
Text: <i>Alice's Adventures in Wonderland</i>, Lewis Carroll, 1865, public domain.</footer>
</body>
</html>
"""


def _opening() -> str:
    return f"""<h1>A loss divided by the wrong count</h1>
<p>A cross-entropy is <b>summed</b> over its classes and <b>averaged</b> over its examples. Divide by the
product of the whole shape instead, <span class="wrong">B &times; T &times; V</span> where
<span class="right">B &times; T</span> is meant, and the loss is V times too small. It still falls, and the
model may still learn; that is why nobody notices.</p>
<p>One sentence explains everything below. The gradient keeps its direction and is V times shorter, so <b>a
wrong run is a right run in which everything that is not the loss has been turned up V-fold</b>: penalties,
clipping limits, other loss terms, Adam's epsilon, and one over the learning rate of SGD. All of it is
measured here on a small transformer in NumPy that reads <i>Alice in Wonderland</i>, with a vocabulary of
{", ".join(map(str, VOCABULARIES))} tokens.</p>"""


def _charts(results: Results) -> str:
    lab, settings = results.lab, results.settings
    figures = [
        (
            plots.loss_against_step(lab, settings),
            "What people see during training with SGD. Divided by the whole shape, the loss starts at "
            "log(V)/V and hardly moves. Gray: log V, what guessing costs.",
        ),
        (
            plots.loss_at_initialisation(),
            "The untrained model knows nothing and should say so with log V. Lines: the formulas. Points: "
            "the model.",
        ),
        (
            plots.sgd_trajectories(lab, settings),
            "SGD in nats per token. With its rate multiplied by V, the wrong run is the right one.",
        ),
        (
            plots.adam_trajectories(lab, settings),
            "Adam divides by the gradient's own size, and with it by the factor.",
        ),
    ]
    for claim in results.claims:
        if claim.topic == "Adam":
            epsilons, learned = (
                claim.figures["epsilon"],
                (claim.figures["drop_right"], claim.figures["drop_wrong"]),
            )
            figures.append(
                (
                    plots.adam_epsilon(epsilons, *learned, settings.study),
                    "... until epsilon shows: the wrong curve is the right one, V times further to the left.",
                )
            )
        if claim.topic == "Micro-batches":
            figures.append(
                (
                    plots.parts_of_a_batch(claim.figures["nats"]),
                    "The same texts, of unequal length, in whole batches and in micro-batches of one text. Means over "
                    "the tokens of each, averaged again, go another way; sums over the count of all do not.",
                )
            )
    if results.exhibition is not None and results.exhibition.exhibits:
        figures.append(
            (
                plots.measured_against_predicted(results.exhibition),
                "Every wrong fixture below whose factor is a product of sizes, run beside its right twin: the "
                "ratio of the two losses is the factor that the linter read off the code.",
            )
        )
    drawn = "\n".join(
        f"<figure>{svg}<figcaption>{escape(text)}</figcaption></figure>" for svg, text in figures
    )
    return f'<h2>What it looks like</h2>\n<div class="grid">\n{drawn}\n</div>'


def _claims(claims: list[Claim]) -> str:
    rows = "\n".join(
        f"<tr><td>{escape(claim.statement)}<small>{escape(source(claim))}</small></td><td>{escape(claim.measured)}</td>"
        f'<td><span class="verdict {CLASSES[claim.verdict]}">{claim.verdict}</span>'
        f"{' ' + escape(claim.when) if claim.verdict == 'holds when' else ''}</td></tr>"
        for claim in claims
    )
    return f"""<h2>What has been said about it</h2>
<p>By the write-up in which the mistake was first described, and in the discussions that it started.</p>
<table class="claims"><thead><tr><th>claim</th><th>measured</th><th>verdict</th></tr></thead>
<tbody>
{rows}
</tbody></table>"""


def _samples(results: Results) -> str:
    if not results.samples:
        return ""
    quotes = "\n".join(
        f'<blockquote><b class="{"wrong" if name.endswith("V") else "right"}">{escape(name)}</b>'
        f"{escape(text)}</blockquote>"
        for name, text in results.samples.items()
    )
    return f"""<h2>What the models write</h2>
<p>After {results.settings.main_steps} steps each, with V = {results.settings.shown}.</p>
<div class="grid">
{quotes}
</div>"""


def _exhibition(exhibition: Exhibition | None) -> str:
    head = "<h2>What the linter finds</h2>\n"
    if exhibition is None:
        return head + "<p>The fixtures come with the source of batchmean; this run did not have them.</p>"
    parts = [head, f"<p>{escape(exhibition.summary)}</p>"]
    for label, names in (("Missed", exhibition.missed), ("False alarm", exhibition.alarms)):
        parts += [f'<p class="not">{label}: {escape(name)}</p>' for name in names]
    if exhibition.left_out:
        parts.append(f'<p class="muted">{escape(exhibition.left_out)}</p>')
    for code, rule in RULES.items():
        found = [exhibit for exhibit in exhibition.exhibits if exhibit.finding.code == code]
        if found:
            parts.append(f'<h3>{code} {escape(rule.name)} <span class="muted">({len(found)})</span></h3>')
            parts.append(f"<p>{escape(rule.summary[0].upper())}{escape(rule.summary[1:])}.</p>")
            parts += map(_exhibit, found)
    return "\n".join(parts)


def _predicted(exhibit: Exhibit) -> str:
    return "" if exhibit.factor is None else f", predicted {fraction(exhibit.factor)}"


def _exhibit(exhibit: Exhibit) -> str:
    finding, points = exhibit.finding, exhibit.measured
    lines = []
    for number, text in enumerate(exhibit.source, start=exhibit.first_line):
        line = f'<span class="muted">{number:4}</span>  {escape(text.split("  # expect:")[0])}'
        inside = finding.span.line <= number <= finding.span.end_line
        lines.append(f"<mark>{line}</mark>" if inside else line)
    sizes = [f"{exhibit.axis} = {point.sizes[exhibit.axis]}" if exhibit.axis else "" for point in points]
    rows = [
        ("", sizes, "th"),
        ("as written", [short(point.written) for point in points], "td"),
        ("as it should be", [short(point.right) for point in points], "td"),
        (f"ratio{_predicted(exhibit)}", [short(point.ratio) for point in points], "td"),
    ]
    table = "".join(
        f"<tr><{tag}>{escape(name)}</{tag}>" + "".join(f"<{tag}>{escape(c)}</{tag}>" for c in cells) + "</tr>"
        for name, cells, tag in rows
    )
    because = "".join(f"<li>line {reason.line}: {escape(reason.text)}</li>" for reason in finding.because)
    return f"""<details><summary><b class="wrong">{escape(fraction(exhibit.factor))}</b>
<code>{escape(exhibit.line)}</code></summary>
<p class="muted">{escape(exhibit.module)}, {escape(exhibit.function)}</p>
<p>{escape(finding.code)} {escape(finding.message)} <span class="muted">({finding.confidence})</span></p>
<pre>{chr(10).join(lines)}</pre>
<ul class="because">{because}</ul>
<table class="numbers">{table}</table>
<p class="muted">As it should be:</p>
<pre>{escape(chr(10).join(exhibit.right_source))}</pre></details>"""
