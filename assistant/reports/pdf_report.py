"""A report as a PDF: a summary, the worst pictures with their words, and all others as rows of a table.

Nothing in the file runs, links or loads.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from assistant.inspection import Inspection, Region
from assistant.language.shown_answer import head_look, list_look, warn_of
from assistant.language.template import explain
from assistant.reports.content import Entry, Histogram, Report
from assistant.reports.pdf_pages import COLOURS, INK, LINE, MARGIN, SOFT, WIDTH, Sheet, draw_table
from assistant.reports.pictures import THUMBNAIL_SIDE, as_jpeg
from assistant.reports.tables import Table, tabulate_limits, tabulate_rest, tabulate_unread
from assistant.reports.words import (
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

SIDE = 1000

_BESIDE = 3  # regions that stand beside the picture, the others below
_SIGNED = 34  # millimetres of the column of what people decided, which the names of pictures make room for
_MISSING = (
    "Letters that the fonts of this file do not have are shown by their Unicode numbers, such as [U+4E2D]; "
    "the HTML report shows them as they are."
)


def to_pdf(report: Report) -> bytes:
    """The report as the bytes of a PDF file."""
    with TemporaryDirectory() as folder:
        sheet = Sheet(report, Path(folder))
        _draw_head(sheet, report)
        if not report.single:
            _draw_summary(sheet, report)
        for entry in report.full:
            _draw_entry(sheet, entry, report)
        _draw_pictures(sheet, tabulate_rest(report), (70, 30, 16, 17, 18, 15, 14))
        _draw_pictures(sheet, tabulate_unread(report), (80, 100))
        if sheet.letters.missing:
            sheet.ln(4)
            sheet.say(_MISSING, 8, colour=SOFT)
        logging.getLogger("fontTools.subset").setLevel(logging.ERROR)  # it tells of tables that nobody misses
        return bytes(sheet.output())


def _draw_head(sheet: Sheet, report: Report) -> None:
    sheet.say(as_name(report.title), 17, bold=True)
    sheet.ln(2)
    if not report.single:
        _draw_counts(sheet, report)
    for remark in report.remarks:
        sheet.say(visible(remark))
        sheet.ln(1)
    for name, value in report.facts:
        sheet.pair(name, visible(value))
    sheet.ln(3)


def _draw_counts(sheet: Sheet, report: Report) -> None:
    x, y = MARGIN, sheet.get_y()
    for kind, n in report.counts:
        x = sheet.put(f"{n:,}", sheet.badge(kind, x, y) + 1.5, y) + 5.5
    sheet.put(f"of {report.total:,} {'picture' if report.total == 1 else 'pictures'}", x, y)
    sheet.set_y(y + 8)


def _draw_summary(sheet: Sheet, report: Report) -> None:
    draw_table(sheet, tabulate_limits(report), (36, 20, 20, 16, 88))
    if report.histogram:
        _draw_histogram(sheet, report.histogram)


def _draw_pictures(sheet: Sheet, table: Table, widths: tuple[float, ...]) -> None:
    """A table of pictures; `widths` are those of its columns where nobody signed anything off."""
    if len(table.names) > len(widths):
        widths = (widths[0] - _SIGNED, *widths[1:], _SIGNED)
    draw_table(sheet, table, widths)


def _draw_histogram(sheet: Sheet, histogram: Histogram) -> None:
    tall, base = 32.0, 44.0
    sheet.need(base + 10)
    sheet.say("Scores", 12, bold=True)
    low, high = histogram.edges[0], histogram.edges[-1]
    floor = sheet.get_y() + tall + 4
    most = max(sum(bar.values()) for bar in histogram.bars)
    wide = WIDTH / len(histogram.bars)
    for number, bar in enumerate(histogram.bars):
        top = floor
        for kind in ("unrated", "good", "review", "defect"):
            if n := bar.get(kind, 0):
                top -= tall * n / most
                sheet.set_fill_color(*COLOURS[kind])
                sheet.rect(MARGIN + number * wide + 0.3, top, wide - 0.6, tall * n / most, style="F")
    sheet.set_draw_color(*INK)
    sheet.set_line_width(0.4)
    for value in histogram.limits:
        x = MARGIN + WIDTH * (value - low) / (high - low)
        sheet.line(x, floor - tall - 2, x, floor + 1)
    sheet.set_y(floor)
    sheet.rule()
    sheet.put(amount(low), MARGIN, floor + 0.5, 8, SOFT)
    sheet.put(amount(high), MARGIN + WIDTH - sheet.get_string_width(amount(high)), floor + 0.5, 8, SOFT)
    if len(histogram.limits) == 1:
        word = f"threshold {amount(value)}"
        half = sheet.get_string_width(word) / 2
        sheet.put(word, min(max(x - half, MARGIN + 15), MARGIN + WIDTH - 2 * half - 15), floor + 0.5, 8, SOFT)
    sheet.set_xy(MARGIN, floor + 5)
    sheet.say(f"The highest bar stands for {most:,} picture{'s' if most != 1 else ''}.", 8, colour=SOFT)
    sheet.ln(4)


def _draw_entry(sheet: Sheet, entry: Entry, report: Report) -> None:
    one = entry.inspection
    if report.single:
        _draw_name(sheet, one, 30)
        _draw_large(sheet, entry)
        _draw_columns(sheet, one, report.span, 62.0)
    else:
        _draw_beside(sheet, one, as_jpeg(entry.picture, THUMBNAIL_SIDE), report.span)
    _draw_regions(sheet, one.regions[_BESIDE:], MARGIN, WIDTH)
    _draw_pairs(sheet, entry)
    _draw_words(sheet, entry)


def _draw_name(sheet: Sheet, one: Inspection, below: float) -> None:
    """The verdict and the name, kept together with as many millimetres below."""
    sheet.need(min(below + 14, 230))
    sheet.rule()
    sheet.ln(2.5)
    y = sheet.get_y()
    x = sheet.badge(kind_of(one), MARGIN, y) + 2.5
    sheet.set_y(y + 0.3)
    sheet.say(as_name(one.path), 9.5, bold=True, x=x, width=MARGIN + WIDTH - x)
    sheet.set_y(max(sheet.get_y(), y + 5) + 2)


def _draw_beside(sheet: Sheet, one: Inspection, small: bytes | None, span: tuple[float, float]) -> None:
    """A thumbnail with numbers and regions at its right."""
    wide, tall = _fit(small, 62.0, 47.0)
    _draw_name(sheet, one, max(tall, 32.0 + 10 * len(one.regions[:_BESIDE])))
    top, page = sheet.get_y(), sheet.page
    if small:
        sheet.image(io.BytesIO(small), MARGIN, top, wide, tall)
    x = MARGIN + wide + 6 if small else MARGIN
    width = MARGIN + WIDTH - x
    _draw_numbers(sheet, one, span, x, width)
    _draw_regions(sheet, one.regions[:_BESIDE], x, width)
    bottom = top + tall if sheet.page == page else 0.0
    sheet.set_y(max(sheet.get_y(), bottom) + 2)


def _draw_columns(sheet: Sheet, one: Inspection, span: tuple[float, float], wide: float) -> None:
    """Numbers at the left, regions at the right."""
    sheet.need(32.0 + 10 * len(one.regions[:_BESIDE]))
    top, page = sheet.get_y(), sheet.page
    _draw_numbers(sheet, one, span, MARGIN, wide)
    bottom = sheet.get_y()
    sheet.set_y(top)
    _draw_regions(sheet, one.regions[:_BESIDE], MARGIN + wide + 8, WIDTH - wide - 8)
    sheet.set_y(max(sheet.get_y(), bottom if sheet.page == page else 0.0) + 2)


def _draw_large(sheet: Sheet, entry: Entry) -> None:
    """The overlay in full width, or beside the original."""
    pictures = [jpeg for one in (entry.original, entry.picture) if (jpeg := as_jpeg(one, SIDE))]
    if not pictures:
        return
    room = (WIDTH - 6 * (len(pictures) - 1)) / len(pictures)
    sizes = [_fit(jpeg, room, 120.0) for jpeg in pictures]
    sheet.need(max(tall for _, tall in sizes))
    x, top = MARGIN, sheet.get_y()
    for jpeg, (wide, tall) in zip(pictures, sizes, strict=True):
        sheet.image(io.BytesIO(jpeg), x, top, wide, tall)
        x += wide + 6
    sheet.set_y(top + max(tall for _, tall in sizes) + 3)


def _draw_pairs(sheet: Sheet, entry: Entry) -> None:
    """Regions beside the same places on good parts."""
    for picture in entry.beside.values():
        if jpeg := as_jpeg(picture, SIDE):
            wide, tall = _fit(jpeg, 120.0, 60.0)
            sheet.need(tall + 3)
            top = sheet.get_y()
            sheet.image(io.BytesIO(jpeg), MARGIN, top, wide, tall)
            sheet.set_y(top + tall + 3)


def _fit(jpeg: bytes | None, wide: float, tall: float) -> tuple[float, float]:
    """Width and height of a picture within a frame; of none, nothing."""
    if jpeg is None:
        return 0.0, 0.0
    from PIL import Image

    with Image.open(io.BytesIO(jpeg)) as opened:
        scale = min(wide / opened.width, tall / opened.height)
        return opened.width * scale, opened.height * scale


def _draw_numbers(sheet: Sheet, one: Inspection, span: tuple[float, float], x: float, width: float) -> None:
    _draw_bar(sheet, one, span, x)
    for name, value in say_numbers(one):
        sheet.pair(name, value, x, width, 26)
    if doubt := say_doubt(one):
        sheet.say(doubt, 8, colour=SOFT, x=x, width=width)
        sheet.ln(1)


def _draw_bar(sheet: Sheet, one: Inspection, span: tuple[float, float], x: float) -> None:
    """The score as a dot, the threshold as a line, on the scale that all bars of the report share."""
    low, high = span
    wide, y = 52.0, sheet.get_y() + 2.5
    near, limit, score = (
        x + wide * (value - low) / (high - low) for value in (one.review_threshold, one.threshold, one.score)
    )
    lines = [(LINE, 1.0, (x, y, x + wide, y))]
    if one.verdict != "unrated":
        lines.append((SOFT, 0.3, (near, y - 1.8, near, y + 1.8)))
        lines.append((INK, 0.5, (limit, y - 2.2, limit, y + 2.2)))
    for colour, thick, where in lines:
        sheet.set_draw_color(*colour)
        sheet.set_line_width(thick)
        sheet.line(*where)
    sheet.set_fill_color(*COLOURS[kind_of(one)])
    sheet.circle(score, y, 1.3, style="F")
    sheet.set_y(y + 4)


def _draw_regions(sheet: Sheet, regions: Sequence[Region], x: float, width: float) -> None:
    for region in regions:
        sheet.pair(as_name(region.id), visible(name_region(region)), x, width, 10)
        sheet.say(measure_region(region), 8, colour=SOFT, x=x + 10, width=width - 10)
        sheet.ln(1)


def _draw_words(sheet: Sheet, entry: Entry) -> None:
    sheet.say(visible(explain(entry.inspection).text))
    for one in entry.sign_offs:
        sheet.say(visible(say_sign_off(one)))
    sheet.ln(3)
    turns = entry.conversation
    if turns:
        sheet.need(14)
        sheet.say("Conversation", 10, colour=SOFT)
    for turn in turns:
        sheet.ln(1)
        sheet.say(visible(turn.question), bold=True)
        if turn.answer.disagrees:
            sheet.say(visible(warn_of(turn.answer)), bold=True)
        sheet.say(visible(turn.answer.whole))
        for line in [f"{head_look(turn.answer)}:", *list_look(turn.answer)] if turn.answer.seen else []:
            sheet.say(f"~ {visible(line)}", 9, colour=SOFT)
        for notice in turn.answer.notices:
            sheet.say(visible(notice), 8, colour=SOFT)
        sheet.say(f"Answered by: {as_name(turn.answer.source)}", 8, colour=SOFT)
    sheet.ln(3)
