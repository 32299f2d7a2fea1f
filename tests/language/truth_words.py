"""Words of four languages by which the independent checker reads an answer, see `truth_words.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

POSITIONS = ("top left", "top right", "bottom left", "bottom right", "top", "bottom", "left", "right", "center")


@dataclass(frozen=True)
class Words:
    """What one language calls verdicts and places, and how it says yes, no, that something is not so or unknown.

    `positions` is in the order of `POSITIONS`. `named` and `at` hold "{words}" where verdicts and positions go;
    `one_in` finds the N of "1 in N"; `forbidden` are words on what no record holds, `nothing` says that there
    is no region and `unlimited` that there is no limit; `severities` are slight, moderate, severe.
    """

    yes: str
    no: str
    verdicts: dict[str, str]
    named: str
    positions: list[str]
    at: str
    denies: str
    cannot: str
    one_in: str
    fewer: str
    curve: str
    numerals: list[str]
    regions: str
    forbidden: str
    severities: list[str]
    nothing: str
    largest: str
    strongest: str
    unlimited: str


LANGUAGES = {
    language: Words(**table)
    for language, table in tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")).items()
}
