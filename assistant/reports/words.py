"""What a report says of an inspection, in words and numbers, and how foreign text is made safe to show.

Whoever lays the words out, as HTML or PDF, also escapes them.
"""

from __future__ import annotations

import unicodedata

from assistant.detection.counting import parts_missing, percent
from assistant.inspection import UNKNOWN, Evidence, Inspection, Region
from assistant.language.catalogue import ENGLISH_WORDS, Wording
from assistant.language.picture_facts import tell_rarity
from assistant.language.terms import verdict_word
from assistant.records.agreement import SignOff

LONGEST_TEXT = 6000
LONGEST_NAME = 300

LABELS = {"defect": "defect", "review": "review", "unrated": "unrated", "good": "good", "error": "not read"}
"""What the badges of a report say, the worst first."""

_JOINERS = "\u200c\u200d"  # without these some scripts cannot be written
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")


def visible(value: object, longest: int = LONGEST_TEXT) -> str:
    """Any value as text that hides nothing: controls, reversed directions and half characters become U+FFFD.

    Marks that turn the reading direction can make one file name pass for another. Lines stay lines, tabs become
    blanks; what is longer than `longest` characters ends in how many more there were.
    """
    text = str(value).replace("\r\n", "\n").replace("\t", " ")
    more = len(text) - longest
    shown = "".join(map(_plain, text[:longest]))
    return f"{shown}\u2026 [{more:,} more characters]" if more > 0 else shown


def as_name(value: object) -> str:
    """As `visible`, for a name: one line of at most 300 characters."""
    return visible(value, LONGEST_NAME).replace("\n", "\ufffd")


def _plain(letter: str) -> str:
    if letter == "\n" or letter in _JOINERS or letter.isprintable():
        return letter
    unseen = unicodedata.category(letter) in _UNSEEN
    return "\ufffd" if unseen and unicodedata.bidirectional(letter) not in ("AN", "AL") else letter


def kind_of(one: Inspection) -> str:
    """The key of an inspection in `LABELS`: its verdict, or "error"."""
    return one.outcome


def amount(value: float | None) -> str:
    """A score or limit to four digits."""
    return "" if value is None else f"{value:.4g}"


def say_numbers(one: Inspection) -> list[tuple[str, str]]:
    """The numbers behind a verdict, each with its name."""
    if one.verdict == "unrated":
        return [("Score", amount(one.score)), *([("Rank", one.standing)] if one.rank else [])]
    said = [
        ("Score", amount(one.score)),
        ("Threshold", amount(one.threshold)),
        ("Review from", amount(one.review_threshold)),
        ("p-value", "" if one.status == "error" else one.say_p(3)),
    ]
    return [(name, value) for name, value in said if value]


def say_doubt(one: Inspection) -> str:
    """How rare the score is by counting and by the fitted curve, where these differ; else ""."""
    return " ".join(tell_rarity(Wording(), one)[:3]) if one.by_curve else ""


def say_origin(evidence: Evidence) -> str:
    """Where a threshold comes from: its sentence, what is expected of it, and how many good parts are missing."""
    if evidence.method == "none":
        return f"none: {evidence.origin}"
    target = evidence.target_false_alarm
    expected = evidence.expected_rate if evidence.expected_rate < 1 else target
    said = f"{percent(expected)} of good parts expected above it"
    if more := parts_missing(evidence):
        said += f"; {more} more from several days are missing to promise {percent(target)}"
    return f"{evidence.origin} ({said})"


def say_setting(one: Inspection) -> str:
    """The mode, and what was compared with."""
    against = f", {one.references} reference{'s' if one.references != 1 else ''}" if one.references else ""
    return f"{one.mode}{against}" if one.mode else ""


def say_size(one: Inspection) -> str:
    """The size of the displayed picture."""
    return f"{one.width} \u00d7 {one.height} px" if one.width and one.height else ""


def say_time(created: str | None) -> str:
    """A time as people read it, to the second; a time zone as it is."""
    return (created or "").replace("T", " ").replace("+00:00", " UTC")


def say_sign_off(one: SignOff, w: Wording = ENGLISH_WORDS) -> str:
    """What a person decided, who, when and why, and that it was withdrawn, in one sentence."""
    said = w(
        "Signed off as {decision} by {name}, {time} UTC: {reason}",
        decision=verdict_word(w, one.decision),
        name=one.name,
        time=f"{one.created:%Y-%m-%d %H:%M:%S}",
        reason=one.reason,
    )
    if one.withdrawn is None:
        return said
    when = f"{one.withdrawn:%Y-%m-%d %H:%M:%S}"
    return f"{said} ({w('withdrawn by {name}, {time} UTC', name=one.withdrawn_by, time=when)})"


def name_region(region: Region) -> str:
    """A region's place, severity and the defects it resembles, in one line."""
    named = [kind for kind in region.defect_types[:3] if kind.name != UNKNOWN]
    types = ", ".join(f"{as_name(kind.name)} {100 * kind.probability:.0f}\u00a0%" for kind in named)
    graded = "" if region.severity == "unrated" else f", {region.severity}"
    meaning = f"; {region.meaning}" if region.meaning else ""
    return f"{region.position}{graded}{meaning}" + (f"; resembles {types}" if types else "")


def measure_region(region: Region) -> str:
    """A region's box, area and peak, in one line."""
    x0, y0, x1, y1 = region.box
    share = f"{100 * region.area_fraction:.2g}\u00a0% of the picture"
    return f"{x1 - x0} \u00d7 {y1 - y0} px at ({x0}, {y0}); {share}; peak {amount(region.peak)}"
