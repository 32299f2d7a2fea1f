"""The words that facts share, in every language: verdicts, severities, places, and how a region is named."""

from __future__ import annotations

from collections.abc import Sequence

from assistant.inspection import Inspection, Region
from assistant.language.catalogue import Wording
from assistant.language.wording import LISTED, plain

VERDICTS = {"good": "good", "review": "review", "defect": "defect", "unrated": "unrated"}
SEVERITIES = {"slight": "slight", "moderate": "moderate", "severe": "severe"}
PLACES = {
    "top left": "in the top left",
    "top": "at the top",
    "top right": "in the top right",
    "left": "on the left",
    "center": "in the center",
    "right": "on the right",
    "bottom left": "in the bottom left",
    "bottom": "at the bottom",
    "bottom right": "in the bottom right",
}
SPANNING = {
    "all": "all over the picture",
    "across": "across the whole width",
    "down": "over the whole height",
}

SPANS = 0.75
"""A box over this share of the picture's width or height lies at no side of it."""


def terms() -> list[str]:
    """All messages of this module, for catalogues."""
    return [word for words in (VERDICTS, SEVERITIES, PLACES, SPANNING) for word in words.values()]


def verdict_word(w: Wording, verdict: str | None) -> str:
    """A verdict as a word."""
    return w(VERDICTS.get(verdict or "", verdict or ""))


def severity_word(w: Wording, severity: str) -> str:
    """A severity as a word."""
    return w(SEVERITIES.get(severity, severity))


def place_word(w: Wording, position: str) -> str:
    """A position with its preposition, "in the top left"."""
    return w(PLACES[position])


def spans(region: Region, i: Inspection) -> str:
    """Whether a region's box reaches over most of the picture: "across", "down", "all", or "" for neither."""
    x0, y0, x1, y1 = region.box
    across = i.width > 0 and x1 - x0 >= SPANS * i.width
    down = i.height > 0 and y1 - y0 >= SPANS * i.height
    return "all" if across and down else "across" if across else "down" if down else ""


def where(w: Wording, region: Region, i: Inspection) -> str:
    """Where a region lies, in words; a box that spans the picture lies at none of its sides."""
    over = spans(region, i)
    return w(SPANNING[over]) if over else place_word(w, region.position)


def refer(region: Region, picture: int | None = None, w: Wording | None = None) -> str:
    """A region's id in brackets, "[R1]", the one way in which answers cite; of several, "picture 2 [R1]"."""
    id = f"[{plain(region.id, 8)}]"
    w = w or Wording()
    return w("picture {n} {region}", n=picture, region=id) if picture else id


def name_some(w: Wording, names: Sequence[str]) -> str:
    """Names as "a, b and c", at most `LISTED` of them and how many more."""
    shown = list(names[:LISTED])
    if len(names) > LISTED:
        shown.append(w("{n} more", n=len(names) - LISTED))
    return w.join(shown)
