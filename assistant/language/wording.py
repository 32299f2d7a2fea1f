"""How every answer writes numbers, shares, names from outside, and lists."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from assistant.inspection import Inspection, Region

Sentences = list[str]

LISTED = 3  # names or regions spelled out at once; the rest are only counted


def number(value: float) -> str:
    """A number as every answer writes it: three significant digits, an exponent only far from 1."""
    digits = f"{value:.3g}"
    if "e" in digits and 1e-6 <= abs(value) < 1e9:
        return np.format_float_positional(float(digits), trim="-")
    return digits


def percent(share: float) -> str:
    """A share in [0, 1] as "1.23 %"."""
    return f"{number(100 * share)} %"


def plain(text: str, longest: int = 600) -> str:
    """Text from the record without control or markup characters, on one line, cut to `longest` characters."""
    folded = unicodedata.normalize("NFKC", text).replace("://", " ")
    kept = (c if unicodedata.category(c)[0] in "LMN" or c in " .,:;()%+-_'/=" else " " for c in folded)
    line = " ".join("".join(kept).split())
    return line if len(line) <= longest else line[: longest - 3].rstrip() + "..."


def quote(name: str) -> str:
    """A name from outside in quotation marks, cut short, so that it cannot pose as the assistant."""
    return f'"{plain(name, 40) or "unnamed"}"'


def base_name(path: str) -> str:
    """The last part of a path of any system."""
    return re.split(r"[/\\]", path)[-1]


def count(n: int, noun: str) -> str:
    """A number with its noun, as in "1 part" and "2 parts"."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def refer(r: Region) -> str:
    """A region's id in brackets, as in "[R1]", the one way in which answers cite."""
    return f"[{plain(r.id, 8)}]"


def cited_regions(text: str, inspections: Sequence[Inspection]) -> tuple[str, ...]:
    """The ids of regions that a text cites, as in "[R1]", each once, of those that the inspections have."""
    known = {r.id for i in inspections for r in i.regions}
    return tuple(id for id in dict.fromkeys(re.findall(r"\[(R\d+)\]", text)) if id in known)


def list_names(names: Sequence[str]) -> str:
    """Names as "a, b and c", at most `LISTED` of them and "N more"."""
    shown = list(names[:LISTED]) + ([f"{len(names) - LISTED} more"] if len(names) > LISTED else [])
    return ", ".join(shown[:-1]) + " and " + shown[-1] if len(shown) > 1 else shown[0]
