"""The yes or no that a clause asks for, as a `Test`, where every word of it is understood; else none.

A word that nothing accounts for might change what "yes" means ("is this good *leather*?", "is the damage deeper
than 50 %?"), so a single one is enough that no test is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assistant.inspection import Inspection
from assistant.language.plan import ALL, ANY, Operator, Quantity, Test
from assistant.language.pointers import SUPERLATIVES, Pointed
from assistant.language.question_tables import NUMBER, Table, normalize
from assistant.language.wording import base_name

_LIMITS = ("review_threshold", "threshold")
_NUMBER = r"(?<![a-z\d.])" + NUMBER + r"(?![a-z\d.])"  # a letter of a wide script may touch it


@dataclass(frozen=True)
class Clause:
    """A clause without the words that point at something, and with what they point at."""

    table: Table
    words: str
    pointed: Pointed
    position: str
    records: Sequence[Inspection]

    @property
    def subject(self) -> str:
        """The one region or picture that is pointed at, else all."""
        return self.pointed.ids[0] if len(self.pointed.ids) == 1 else ALL


def read_test(clause: Clause) -> Test | None:
    """The test of a clause, None where there is none or a word is left over."""
    if clause.pointed.missing:
        return None
    for read in _READERS:
        if (found := read(clause)) and not leftover(clause, found[1]):
            return found[0]
    return None


def leftover(clause: Clause, words: str, *more: str) -> str:
    """The words that nothing accounts for; `more` are lists of the table that may stand there, too."""
    table = clause.table
    own = {word for i in clause.records for word in normalize(" ".join(_names(i)), table.language).split()}
    rest = table.strip(words, *more, "thing", "it", "filler")
    rest = table.strip(rest, "filler") if rest else rest
    return "" if table.wide and not rest else " ".join(word for word in rest.split() if word not in own)


def _names(i: Inspection) -> tuple[str, ...]:
    return (i.product or "", base_name(i.path).rpartition(".")[0], *i.looks_like)


def _read_pair(c: Clause) -> tuple[Test, str] | None:
    """Two regions or two pictures beside each other."""
    if len(c.pointed.ids) != 2:
        return None
    one, other = c.pointed.ids
    names: tuple[Quantity, ...] = ("rank",) if one.startswith("P") else ("severity", "peak", "area")
    for quantity in names:
        found, rest = c.table.take("quantities", quantity, c.words)
        operator, without = _take_operator(c.table, c.words)
        if found and operator:
            if c.table.find("quantities", "better", found[0]):
                operator = "<"
            return Test(quantity, one, operator, other), c.table.strip(_less(rest, without), "region")
    return None


def _read_superlative(c: Clause) -> tuple[Test, str] | None:
    """Whether a region is the strongest, the largest and so on of all."""
    for name, choose, quantity in SUPERLATIVES:
        found, rest = c.table.take("pointers", name, c.words)
        if found and len(c.pointed.ids) == 1 and len(c.records) == 1:
            most = choose(c.records[0].regions, key=lambda r: r.area if quantity == "area" else r.peak)
            return Test(quantity, c.pointed.ids[0], "=", most.id), c.table.strip(rest, "region", "bad")
    return None


def _read_score(c: Clause) -> tuple[Test, str] | None:
    operator, words = _take_operator(c.table, c.words)
    if not operator or c.pointed.ids or len(c.records) > 1:
        return None
    words = c.table.strip(words, "lies")
    for limit in _LIMITS:
        found, rest = c.table.take("quantities", limit, words)
        value, without = _take_number(c.table, rest)
        if found and value is not None and limit == "threshold":
            return Test("threshold", ALL, operator, value), without
        if found:
            return Test("score", ALL, operator, limit), c.table.take("quantities", "score", rest)[1]
    value, rest = _take_number(c.table, words)
    found, rest = c.table.take("quantities", "score_word", rest)
    return (Test("score", ALL, operator, value), rest) if found and value is not None else None


def _read_p_value(c: Clause) -> tuple[Test, str] | None:
    found, rest = c.table.take("quantities", "p_value", c.words)
    operator, rest = _take_operator(c.table, rest)
    value, rest = _take_number(c.table, rest)
    if not found or not operator or value is None:
        return None
    unit, rest = c.table.take("quantities", "percent", rest)
    return Test("p_value", ALL, operator, value / 100 if unit else value), rest


def _read_area(c: Clause) -> tuple[Test, str] | None:
    """An area in percent of the picture, which has to be said, or in pixels."""
    operator, rest = _take_operator(c.table, c.words)
    value, rest = _take_number(c.table, rest)
    if not operator or value is None or len(c.records) > 1:
        return None
    unit, rest = c.table.take("quantities", "percent", rest)
    quantity: Quantity = "area" if unit else "pixels"
    if unit:
        whole, rest = c.table.take("quantities", "of_picture", rest)
        if not whole:
            return _read_damage(c, operator, value, rest)
    else:
        unit, rest = c.table.take("quantities", "pixels", rest)
        if not unit:
            return None
    together, rest = c.table.take("quantities", "together", rest)
    rest = c.table.take("quantities", "area", rest)[1]
    subject = ANY if c.table.find("quantities", "any", rest) and not together else c.subject
    return Test(quantity, subject, operator, value), c.table.strip(rest, "region", "bad", "loose")


def _read_damage(c: Clause, operator: Operator, value: float, words: str) -> tuple[Test, str] | None:
    """How much of the picture is marked, where a share is asked for and not of what: never of the part itself."""
    damage, rest = c.table.take("quantities", "damage", words)
    size, rest = c.table.take("quantities", "area", rest)
    if not (damage or size) or c.table.find("words", "thing", rest):
        return None
    rest = c.table.take("quantities", "together", rest)[1]
    return Test("area", c.subject, operator, value), c.table.strip(rest, "region", "bad")


def _read_count(c: Clause) -> tuple[Test, str] | None:
    if c.pointed.ids or c.position or len(c.records) > 1:
        return None
    several, rest = c.table.take("compare", "many", c.words)
    if several:
        return Test("count", ALL, ">", 1.0), c.table.strip(rest, "region", "bad", "loose")
    operator, rest = _take_operator(c.table, c.words)
    value, rest = _take_number(c.table, rest)
    only, rest = c.table.take("compare", "only", rest)
    noun, bad = c.table.find("words", "region", rest), c.table.find("words", "bad", rest)
    if bad and not noun and c.records[0].verdict == "good":
        return None  # what it lists are no defects
    if value is None and noun and c.table.find("quantities", "any", rest) and not operator:
        return Test("count", ALL, ">", 0.0), c.table.strip(rest, "region", "any_word", "lies")
    if value is None or not (noun or bad or only) or c.table.find("quantities", "percent", rest):
        return None
    return Test("count", ALL, operator or "=", value), c.table.strip(rest, "region", "bad", "loose")


def _read_severity(c: Clause) -> tuple[Test, str] | None:
    for name in c.table.names("severities"):
        found, rest = c.table.take("severities", name, c.words)
        if found and not c.position:
            subject = ANY if c.table.find("quantities", "any", rest) else c.subject
            rest = c.table.take("compare", "only", c.table.take("quantities", "all", rest)[1])[1]
            return Test("severity", subject, "=", name), c.table.strip(rest, "region", "bad")
    return None


def _read_place(c: Clause) -> tuple[Test, str] | None:
    if not c.position or len(c.records) > 1 or c.table.find("words", "good", c.words):
        return None
    everyone, words = c.table.take("quantities", "all", c.words)
    subject = c.subject
    if subject == ALL and not everyone:
        subject = ANY if c.table.find("quantities", "any", words) or len(c.records[0].regions) == 1 else ALL
    rest = c.table.strip(words, "region", "bad", "loose", "lies", "kind_word")
    return Test("place", subject, "=", c.position), c.table.strip(rest, "any_word", "place_noun")


def _read_references(c: Clause) -> tuple[Test, str] | None:
    found, rest = c.table.take("quantities", "references", c.words)
    if not found or len(c.records) > 1 or not c.table.find("yes_no", "open", c.words):
        return None
    used, rest = c.table.take("quantities", "compared", rest)
    while (again := c.table.find("quantities", "compared", rest)) is not None:
        rest = c.table.drop(again, rest)
    operator, rest = _take_operator(c.table, rest)
    value, rest = _take_number(c.table, rest)
    rest = c.table.take("compare", "only", rest)[1]
    if not used and value is None:
        return None
    if value is None:
        return Test("references", ALL, ">", 0.0), c.table.strip(rest, "any_word")
    return Test("references", ALL, operator or "=", value), rest


def _read_notices(c: Clause) -> tuple[Test, str] | None:
    found, rest = c.table.take("quantities", "notices", c.words)
    if not found or not c.table.find("yes_no", "open", c.words):
        return None
    return Test("notices", ALL, ">", 0.0), c.table.strip(rest, "any_word")


def _read_verdict(c: Clause) -> tuple[Test, str] | None:
    """Good, bad, for review or unrated: of the picture as a whole, or of all or any of several."""
    if c.position or any("R" in id for id in c.pointed.ids) or c.table.find("yes_no", "negated", c.words):
        return None
    if c.table.find("yes_no", "doubted", c.words):  # that it is wrong is said of the verdict, not of the part
        return None
    table, words = c.table, c.words
    subject = c.subject
    if len(c.records) > 1 and not c.pointed.ids:
        everyone, words = table.take("quantities", "all", words)
        subject = ALL if everyone else ANY
        if not everyone and not table.find("quantities", "any", words):
            return None
    asked = [name for name in ("review", "unrated", "good", "bad") if table.find("words", name, words)]
    none, without = table.take("yes_no", "none", words)
    if asked == ["bad"] and none:
        value, words = "good", without
        subject = ALL if subject == ANY else subject
    elif len(asked) == 1 and not none:
        value = {"bad": "defect"}.get(asked[0], asked[0])
    else:
        return None
    return Test("verdict", subject, "=", value), table.strip(words, asked[0], "any_word")


def _take_operator(table: Table, words: str) -> tuple[Operator | None, str]:
    operators: tuple[Operator, ...] = (">=", "<=", ">", "<", "=")
    for operator in operators:
        found, rest = table.take("compare", operator, words)
        if found:
            return operator, table.take("compare", "than", rest)[1]
    return None, words


def _take_number(table: Table, words: str) -> tuple[float | None, str]:
    if found := re.search(_NUMBER, words):
        return float(found[0]), table.drop(found, words)
    half, rest = table.take("numbers", "half", words)
    if half and table.find("quantities", "of_picture", words):
        return 50.0, f"{rest} %"
    for name in ("single", "counted"):
        spelled, rest = table.take("numbers", name, words)
        if spelled:
            return float(table.number(spelled[0]) or 1), rest
    return None, words


def _less(one: str, other: str) -> str:
    """The words of one text that another has, too."""
    left = other.split()
    return " ".join(word for word in one.split() if word in left)


_READERS: tuple[Callable[[Clause], tuple[Test, str] | None], ...] = (
    _read_pair,
    _read_superlative,
    _read_score,
    _read_p_value,
    _read_area,
    _read_severity,
    _read_place,
    _read_references,
    _read_notices,
    _read_count,
    _read_verdict,
)
