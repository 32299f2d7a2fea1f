"""The fonts of a PDF report, and the number that stands for a letter which none of them has.

FiraGO writes Latin, Greek, Cyrillic, Arabic, Hebrew, Thai, Georgian and Devanagari; two Noto fonts add symbols.
Other fonts, such as one for Chinese, are named in $LOOKTWICE_FONTS. A letter that is in none becomes its number,
such as [U+4E2D]: visible, and never lost.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.errors import LooktwiceError

if TYPE_CHECKING:
    from fpdf import FPDF

BODY = "body"
_SHIPPED = {(BODY, ""): "figo", (BODY, "B"): "figbo", ("text", ""): "notos", ("symbols", ""): "symbol2"}


def check_extra() -> None:
    """LooktwiceError where looktwice[report] is not installed."""
    try:
        import fpdf  # noqa: F401
        import pymupdf_fonts  # noqa: F401
        import uharfbuzz  # noqa: F401
    except ImportError as error:
        raise LooktwiceError("A PDF report needs more: install looktwice[report].") from error


class Letters:
    """The letters that a document can show, once `folder` (a temporary one, until it is written) holds its fonts.

    `missing` says whether a letter was shown by its number.
    """

    def __init__(self, document: FPDF, folder: Path) -> None:
        import pymupdf_fonts

        for (family, style), code in _SHIPPED.items():
            file = folder / f"{code}.ttf"
            file.write_bytes(pymupdf_fonts.myfont(code))
            document.add_font(family, style, file)
        others = [_add(document, number, file) for number, file in enumerate(_named())]
        document.set_fallback_fonts(["text", "symbols", *others], exact_match=False)
        self._known: set[int] = set().union(*(font.cmap for font in document.fonts.values()))  # type: ignore[union-attr]
        self._document = document
        self.missing = False

    def fit(self, text: str) -> str:
        """The text with a number for every letter that no font has, the document set to write its script."""
        if text.isascii() and (not text or text.isprintable()):
            self._document.set_text_shaping(False)
            return text
        self._document.set_text_shaping(not text.isascii() and any(map(_is_shaped, text)))
        known = self._known
        return "".join(c if c == "\n" or ord(c) in known else self._number(c) for c in text)

    def _number(self, letter: str) -> str:
        self.missing = True
        return f"[U+{ord(letter):04X}]"


def _is_shaped(letter: str) -> bool:
    """Whether a letter is of a script whose letters join, move or run from the right."""
    return "\u0590" <= letter < "\u2000" or "\ufb1d" <= letter < "\uff00" or letter >= "\U00010800"


def _named() -> list[str]:
    return [file for file in os.environ.get("LOOKTWICE_FONTS", "").split(os.pathsep) if file]


def _add(document: Any, number: int, file: str) -> str:
    try:
        document.add_font(f"other{number}", "", Path(file).expanduser().absolute())
    except Exception as error:  # a font file may be broken in any way, and then it is the user's to mend
        raise LooktwiceError(f"The font {Path(file).name!r} in $LOOKTWICE_FONTS cannot be used.") from error
    return f"other{number}"
