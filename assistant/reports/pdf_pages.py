"""The pages of a PDF report: its fonts, its title and page numbers, and the few ways to write and draw on them.

Text is drawn letter by letter and never read as markup.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from fpdf import FPDF

from assistant.reports.content import Report
from assistant.reports.pdf_fonts import BODY, Letters
from assistant.reports.tables import Table
from assistant.reports.words import LABELS, as_name

MARGIN, WIDTH = 15.0, 180.0  # millimetres of an A4 page
CELL = 8.0  # points of the letters in a table
INK, SOFT, LINE = (28, 33, 39), (91, 101, 112), (221, 225, 230)
COLOURS = {"good": (0, 114, 92), "review": (240, 180, 20), "defect": (190, 25, 40), "unrated": SOFT, "error": SOFT}

Colour = tuple[int, int, int]
Row = Sequence[str]


class Sheet(FPDF):
    """The pages of a report, with its title above and a number below each, and the few ways to write on them."""

    def __init__(self, report: Report, folder: Path) -> None:
        super().__init__(format="A4")
        self.letters = Letters(self, folder)
        self.heading = as_name(report.title)
        self.set_margins(MARGIN, MARGIN)
        self.set_auto_page_break(True, 18)
        self.set_title(self.heading)
        self.set_creator("looktwice")
        self.set_creation_date(report.written)
        self.c_margin = 0
        self.add_page()

    def header(self) -> None:
        """The title, on every page but the first, which has it in large."""
        if self.page_no() > 1:
            self.set_y(8)
            self._write_heading()
            self.set_y(MARGIN)

    def footer(self) -> None:
        """The number of the page."""
        self.set_y(-12)
        self.letters.fit("")
        self._style(8, False, SOFT)
        self.cell(WIDTH, 4, f"Page {self.page_no()} of {{nb}}")

    def say(
        self, text: str, size: float = 9.5, *, bold: bool = False, colour: Colour = INK, x: float = MARGIN,
        width: float = WIDTH,
    ) -> None:  # fmt: skip
        """Write text in lines of a width, on to the next page where it must, and go below it."""
        shown = self.letters.fit(text)
        self._style(size, bold, colour)
        self.set_x(x)
        if self._is_short(shown, width):
            self.cell(width, size * 0.48, shown, new_x="LMARGIN", new_y="NEXT")
        else:
            self.multi_cell(width, size * 0.48, shown, align="L", new_x="LMARGIN", new_y="NEXT")

    def height_of(self, text: str, size: float, width: float) -> float:
        """How much of a page, in millimetres, `say` would take."""
        shown = self.letters.fit(text)
        self._style(size, False, INK)
        if self._is_short(shown, width):
            return size * 0.48
        return cast(float, self.multi_cell(width, size * 0.48, shown, align="L", dry_run=True, output="HEIGHT"))

    def badge(self, kind: str, x: float, y: float) -> float:
        """Draw a verdict at a place and return where it ends."""
        self.letters.fit("")
        self._style(8.5, True, (0, 0, 0) if kind == "review" else (255, 255, 255))
        wide = self.get_string_width(LABELS[kind]) + 4
        self.set_fill_color(*COLOURS[kind])
        self.rect(x, y, wide, 5, style="F", round_corners=True, corner_radius=1)
        self.set_xy(x, y)
        self.cell(wide, 5, LABELS[kind], align="C")
        return x + wide

    def put(self, words: str, x: float, y: float, size: float = 10, colour: Colour = INK) -> float:
        """Write words of our own at a place and return where they end."""
        self.letters.fit("")
        self._style(size, False, colour)
        self.set_xy(x, y)
        wide = self.get_string_width(words)
        self.cell(wide, 5, words)
        return x + wide

    def need(self, tall: float) -> None:
        """Begin a new page where so many millimetres are not left on this one."""
        if self.will_page_break(tall):
            self.add_page()

    def pair(self, name: str, value: str, x: float = MARGIN, width: float = WIDTH, names: float = 42) -> None:
        """A fact and its name beside it."""
        self.need(5)
        y = self.get_y()
        self.letters.fit("")
        self._style(9, False, SOFT)
        self.set_xy(x, y)
        self.cell(names, 9 * 0.48, name)
        self.set_y(y)
        self.say(value, 9, x=x + names, width=width - names)
        self.ln(0.6)

    def rule(self) -> None:
        """A line across the page."""
        self.set_draw_color(*LINE)
        self.set_line_width(0.2)
        self.line(MARGIN, self.get_y(), MARGIN + WIDTH, self.get_y())

    def _write_heading(self) -> None:
        """What fits of the title in one line."""
        line = self.letters.fit(self.heading)
        self._style(8, False, SOFT)
        if self.get_string_width(line) > WIDTH:
            while line and self.get_string_width(line + "\u2026") > WIDTH:
                line = line[: len(line) * 9 // 10]
            line += "\u2026"
        self.cell(WIDTH, 8 * 0.48, line, new_x="LMARGIN", new_y="NEXT")

    def _is_short(self, text: str, width: float) -> bool:
        """Whether a text surely is one line: breaking lines takes most of the time of a long table."""
        return len(text) * self.font_size < width and "\n" not in text or self._fits(text, width)

    def _fits(self, text: str, width: float) -> bool:
        return text.isascii() and "\n" not in text and self.get_string_width(text) < width - 0.1

    def _style(self, size: float, bold: bool, colour: Colour) -> None:
        self.set_font(BODY, "B" if bold else "", size)
        self.set_text_color(*colour)


def draw_table(sheet: Sheet, table: Table, widths: Sequence[float]) -> None:
    """Draw a table with its title, its head repeated on every page; nothing where there is no row."""
    first = next(table.rows, None)
    if first is None:
        return
    sheet.need(25)
    sheet.say(table.title, 12, bold=True)
    sheet.ln(1)
    with _head_on_each_page(sheet, lambda: _draw_row(sheet, table.names, widths, SOFT)):
        _draw_row(sheet, first, widths, INK)
        for row in table.rows:
            _draw_row(sheet, row, widths, INK)
    sheet.ln(5)


@contextmanager
def _head_on_each_page(sheet: Sheet, draw: Callable[[], None]) -> Iterator[None]:
    draw()
    plain = sheet.header

    def header() -> None:
        plain()
        draw()

    sheet.header = header  # type: ignore[method-assign]
    try:
        yield
    finally:
        sheet.header = plain  # type: ignore[method-assign]


def _draw_row(sheet: Sheet, cells: Row, widths: Sequence[float], colour: Colour) -> None:
    tall = max(sheet.height_of(cell, CELL, wide - 2) for cell, wide in zip(cells, widths, strict=True))
    sheet.need(min(tall + 1.5, 200))
    top, page, x = sheet.get_y(), sheet.page, MARGIN
    for cell, wide in zip(cells, widths, strict=True):
        sheet.set_y(top)
        sheet.say(cell, CELL, colour=colour, x=x, width=wide - 2)
        x += wide
    sheet.set_y(top + tall + 0.7 if sheet.page == page else sheet.get_y())
    sheet.rule()
    sheet.set_y(sheet.get_y() + 0.8)
