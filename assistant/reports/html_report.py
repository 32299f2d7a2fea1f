"""A report as one HTML page that opens anywhere: it holds everything it needs, runs no script and loads nothing.

Whatever comes from outside (file and product names, questions, answers) is shown as text.
"""

from __future__ import annotations

import base64
import hashlib
import html
import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from assistant.inspection import Answer, Inspection, Region
from assistant.language.shown_answer import head_look, list_look, warn_of
from assistant.language.template import explain
from assistant.reports.content import Entry, Histogram, Report
from assistant.reports.html_style import BAR, BAR_LIMITS, ENTRY, HISTOGRAM, PAGE, STYLE
from assistant.reports.pictures import THUMBNAIL_SIDE, Picture, as_jpeg
from assistant.reports.tables import Table, tabulate_limits, tabulate_rest, tabulate_unread
from assistant.reports.words import (
    LABELS,
    amount,
    as_name,
    kind_of,
    measure_region,
    name_region,
    say_doubt,
    say_numbers,
    say_sign_off,
    visible,
)

SINGLE_SIDE = 1200


def to_html(report: Report, folder: Path) -> str:
    """The page, to lie in `folder`: an overlay file within it is linked from its thumbnail."""
    facts = (f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>" for name, value in report.facts)
    return PAGE.substitute(
        title=_name(report.title),
        style=STYLE,
        style_hash=_hash(STYLE),
        counts="" if report.single else _counts(report),
        notes=_list(map(_text, report.remarks), "notes"),
        facts="".join(facts),
        summary="" if report.single else _summary(report),
        entries="\n".join(_entry(entry, report, folder) for entry in report.full),
        rest=_table(tabulate_rest(report)),
        unread=_table(tabulate_unread(report)),
    )


def _text(value: object) -> str:
    """Any value as harmless HTML text: escaped, control and direction characters made visible."""
    return html.escape(visible(value), quote=True)


def _name(value: object) -> str:
    """A name as one line of harmless HTML text."""
    return html.escape(as_name(value), quote=True)


def _path(value: str) -> str:
    """A path, safe to show, as HTML text that can be broken between folders."""
    return f"<bdi>{html.escape(value, quote=True).replace('/', '/<wbr>')}</bdi>"


def _hash(style: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def _list(items: Iterable[str], kind: str = "") -> str:
    shown = "".join(f"<li>{item}</li>" for item in items)
    return f'<ul class="{kind}">{shown}</ul>' if shown else ""


def _badge(kind: str) -> str:
    return f'<span class="badge {kind}">{LABELS[kind]}</span>'


def _counts(report: Report) -> str:
    parts = [f"<span>{report.total:,} {'picture' if report.total == 1 else 'pictures'}</span>"]
    parts += [f"<span>{_badge(kind)} {n:,}</span>" for kind, n in report.counts]
    return "\n".join(parts)


def _summary(report: Report) -> str:
    drawn = f"<h2>Scores</h2>{_histogram(report.histogram)}" if report.histogram else ""
    return _table(tabulate_limits(report)) + drawn


def _histogram(histogram: Histogram) -> str:
    low, high = histogram.edges[0], histogram.edges[-1]
    most = max(sum(bar.values()) for bar in histogram.bars)
    wide = 640 / len(histogram.bars)
    rects = []
    for number, bar in enumerate(histogram.bars):
        top = 127.0
        for kind in ("unrated", "good", "review", "defect"):
            if n := bar.get(kind, 0):
                tall = 105 * n / most
                top -= tall
                place = f'x="{number * wide + 1:.1f}" y="{top:.1f}" width="{wide - 2:.1f}" height="{tall:.1f}"'
                rects.append(f'<rect class="bar-{kind}" {place}><title>{n} {kind}</title></rect>')
    lines = []
    for value in histogram.limits:
        x = f"{640 * (value - low) / (high - low):.1f}"
        lines.append(f'<line class="limit" x1="{x}" x2="{x}" y1="16" y2="132"/>')
    if len(histogram.limits) == 1:
        lines.append(f'<text x="{x}" y="146" text-anchor="middle">threshold {amount(histogram.limits[0])}</text>')
    return HISTOGRAM.substitute(
        label=f"How many pictures have which score, from {amount(low)} to {amount(high)}",
        bars="".join(rects),
        limits="".join(lines),
        low=amount(low),
        high=amount(high),
        most=f"{most:,} picture{'s' if most != 1 else ''}",
    )


def _entry(entry: Entry, report: Report, folder: Path) -> str:
    one = entry.inspection
    side = SINGLE_SIDE if report.single else THUMBNAIL_SIDE
    figures = _figure(entry.original, side, folder, "The picture") if entry.original is not None else ""
    figures += _figure(entry.picture, side, folder, "The picture with its anomaly map and regions")
    numbers = (f"<dt>{name}</dt><dd>{value}</dd>" for name, value in say_numbers(one))
    doubt = say_doubt(one)
    return ENTRY.substitute(
        kind="single" if report.single else "row",
        verdict=kind_of(one),
        label=LABELS[kind_of(one)],
        name=_path(as_name(one.path)),
        figures=figures,
        bar=_bar(one, report.span),
        numbers="".join(numbers),
        doubt=f'<p class="soft">{doubt}</p>' if doubt else "",
        pairs=_pairs(entry, side),
        regions=_list(map(_region, one.regions)) or '<span class="soft">none</span>',
        words=_words(entry),
    )


def _pairs(entry: Entry, side: int) -> str:
    """Regions beside the same places on good parts; "" for none."""
    words = "Region {}, the same place on a good part, and their difference"
    figures = "".join(
        _figure(picture, side, Path(), words.format(html.escape(region)))
        for region, picture in entry.beside.items()
    )
    return f'<div class="pairs">{figures}</div>' if figures else ""


def _words(entry: Entry) -> str:
    said = f"<p>{_text(explain(entry.inspection).text)}</p>"
    said += "".join(f"<p>{_text(say_sign_off(one))}</p>" for one in entry.sign_offs)
    turns = entry.conversation
    if turns:
        said += "<h4>Conversation</h4>"
    for turn in turns:
        said += f'<p class="asked">{_text(turn.question)}</p>' + _answer(turn.answer)
    return said


def _answer(answer: Answer) -> str:
    notices = _list(map(_text, answer.notices), "soft")
    banner = f"<p><strong>{_text(warn_of(answer))}</strong></p>" if answer.disagrees else ""
    look = ""
    if answer.seen:
        look = f'<div class="look"><p>{_text(head_look(answer))}</p>{_list(map(_text, list_look(answer)))}</div>'
    who = f'<p class="soft">Answered by: {_name(answer.source)}</p>'
    return f"{banner}<p>{_text(answer.whole)}</p>{look}{notices}{who}"


def _bar(one: Inspection, span: tuple[float, float]) -> str:
    score, limit, review = one.score, one.threshold, one.review_threshold
    low, high = span

    def along(value: float) -> str:
        return f"{4 + 168 * (value - low) / (high - low):.1f}"

    label, limits = f"score {amount(score)}", ""
    if one.verdict != "unrated":
        label += f", threshold {amount(limit)}, review from {amount(review)}"
        limits = BAR_LIMITS.substitute(near=along(review), limit=along(limit))
    return BAR.substitute(label=label, limits=limits, score=along(score), verdict=one.verdict)


def _region(region: Region) -> str:
    head = f"<strong>{_name(region.id)}</strong> {_text(name_region(region))}"
    return f'{head}<br><span class="soft">{_text(measure_region(region))}</span>'


def _table(table: Table) -> str:
    rows = ("".join(map(_cell, table.names, row)) for row in table.rows)
    body = "\n".join(f"<tr>{row}</tr>" for row in rows)
    if not body:
        return ""
    head = "".join(f'<th scope="col">{name}</th>' for name in table.names)
    return f"<h2>{table.title}</h2>\n<table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"


def _cell(column: str, value: str) -> str:
    shown = {"Picture": _path, "Verdict": _badge}.get(column, html.escape)(value)
    return f"<td>{shown}</td>"


def _figure(picture: Picture, side: int, folder: Path, words: str) -> str:
    """The thumbnail, linked to a file that lies beside the page; "" for a picture that cannot be read."""
    small = as_jpeg(picture, side)
    if small is None:
        return ""
    source = "data:image/jpeg;base64," + base64.b64encode(small).decode()
    tag = f'<img src="{source}" alt="{words}" loading="lazy">'
    if not isinstance(picture, str | Path):
        return f"<div>{tag}</div>"
    file, root = Path(picture).resolve(), folder.resolve()
    if not file.is_relative_to(root):
        return f"<div>{tag}</div>"
    address = "./" + quote(os.fsencode(file.relative_to(root).as_posix()))
    return f'<a href="{html.escape(address, quote=True)}">{tag}</a>'
