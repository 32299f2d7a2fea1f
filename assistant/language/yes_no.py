"""Yes and no, computed from a record: the one place that decides how an answer may open.

A test is true, false or open. Open ones, such as "is it good?" of a part in review, get neither word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assistant.detection.counting import parts_missing
from assistant.inspection import Inspection, Region
from assistant.language.catalogue import Wording
from assistant.language.picture_facts import (
    numbers,
    tell_limits,
    tell_notices,
    tell_promise,
    tell_references,
    tell_verdict,
)
from assistant.language.plan import ALL, ANY, SEVERITIES, Test
from assistant.language.region_facts import at_position, tell_count, tell_none
from assistant.language.several_facts import comparable, rank, tell_pair, tell_tally
from assistant.language.terms import name_some, place_word, refer, severity_word, spans, where
from assistant.language.wording import Sentences, number, percent

COMPARE: dict[str, Callable[[float, float], bool]] = {
    "=": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}

Numbered = Sequence[tuple[int, Inspection]]


@dataclass(frozen=True)
class Outcome:
    """Whether a test holds, None where that is open, and sentences that tell what it rests on."""

    holds: bool | None
    said: Sentences


def run_test(w: Wording, test: Test, rows: Numbered) -> Outcome:
    """What a test comes to, over the numbered pictures that it is about."""
    several = len(rows) > 1
    across = str(test.value).partition(".")[0] in {f"P{n}" for n, _ in rows}
    if several and (test.quantity in ("rank", "verdict") or (test.subject in (ALL, ANY) and not across)):
        return _test_several(w, test, rows)
    if several and across:
        return _test_across(w, test, rows)
    number_, i = _picture_of(test, rows)
    if i.status == "error":
        return Outcome(None, tell_verdict(w, i))
    told = _QUANTITIES[test.quantity](w, test, i)
    if several:
        said = [w("Picture {n}: {said}", n=number_, said=line) for line in told.said[:1]]
        return Outcome(told.holds, [*said, *told.said[1:]])
    return told


def open_with(w: Wording, outcome: Outcome) -> Sentences:
    """The sentences of an outcome, the first of which opens with yes or no where it may."""
    if outcome.holds is None:
        return outcome.said
    first, *rest = outcome.said
    return [w.put_together([f"{one_word(w, outcome)}{w('.')}", first]), *rest]


def one_word(w: Wording, outcome: Outcome) -> str:
    """Yes or no alone; "" where it is open."""
    return "" if outcome.holds is None else w("Yes") if outcome.holds else w("No")


def _picture_of(test: Test, rows: Numbered) -> tuple[int, Inspection]:
    """The picture that a subject names, by default the first."""
    named = test.subject.partition(".")[0]
    return next(((n, i) for n, i in rows if f"P{n}" == named), rows[0])


def _test_several(w: Wording, test: Test, rows: Numbered) -> Outcome:
    if test.quantity == "rank":
        return _test_rank(w, test, rows)
    chosen = [(n, i) for n, i in rows if f"P{n}" == test.subject] or list(rows)
    if len(chosen) == 1:
        n, i = chosen[0]
        told = run_test(w, Test(test.quantity, ALL, test.operator, test.value), [(n, i)])
        return Outcome(told.holds, [w("Picture {n}: {said}", n=n, said=line) for line in told.said[:1]])
    inside = ANY if test.subject == ANY else ALL
    each = [run_test(w, Test(test.quantity, inside, test.operator, test.value), [row]).holds for row in chosen]
    if test.subject == ANY:
        holds = True if True in each else None if None in each else False
    else:
        holds = False if False in each else None if None in each else True
    return Outcome(holds, tell_tally(w, chosen))


def _test_across(w: Wording, test: Test, rows: Numbered) -> Outcome:
    """A number of one picture, or of a region of it, beside that of another, which may be of another picture."""
    if test.subject in (ALL, ANY):
        return Outcome(None, tell_tally(w, rows))
    values, told = [], []
    for name in (test.subject, str(test.value)):
        n, i = next(((n, i) for n, i in rows if f"P{n}" == name.partition(".")[0]), rows[0])
        chosen = [r for r in i.regions if r.id == name.partition(".")[2]]
        if test.quantity in _MEASURES and chosen:
            values.append(_MEASURES[test.quantity](chosen[0]))
            said = w("{region} has {amount}.", region=refer(chosen[0]), amount=_amount(w, test, chosen))
        elif test.quantity == "score" and i.status == "ok" and "." not in name:
            values.append(i.score)
            said = w("The score is {score}.", score=number(i.score))
        else:
            return Outcome(None, tell_tally(w, rows))
        told.append(w("Picture {n}: {said}", n=n, said=said))
    return Outcome(COMPARE[test.operator](*values), told)


def _test_rank(w: Wording, test: Test, rows: Numbered) -> Outcome:
    pair = [row for name in (test.subject, str(test.value)) for row in rows if f"P{row[0]}" == name]
    if len(pair) < 2:
        return Outcome(None, tell_tally(w, rows))
    if len(comparable(pair)) < 2:
        return Outcome(None, tell_pair(w, pair))
    first, second = rank(pair[0][1]), rank(pair[1][1])
    holds = {"=": first == second, ">": first > second, "<": first < second, ">=": first >= second}.get(
        test.operator, first <= second
    )
    return Outcome(holds, tell_pair(w, pair))


def _test_verdict(w: Wording, test: Test, i: Inspection) -> Outcome:
    asked, is_ = str(test.value), i.verdict or ""
    said = tell_verdict(w, i)
    if test.operator != "=" or (is_ == "unrated" and asked in ("good", "defect")):
        return Outcome(None, said)
    if asked == is_:
        return Outcome(True, said)
    return Outcome(None if is_ == "review" and asked in ("good", "defect") else False, said)


def _test_score(w: Wording, test: Test, i: Inspection) -> Outcome:
    score, _, threshold, review = numbers(i)
    named = {"threshold": (w("threshold"), threshold), "review_threshold": (w("review limit"), review)}
    name, limit = named.get(str(test.value), (w("value"), test.value))
    if not isinstance(limit, float) and i.verdict != "unrated":
        return Outcome(None, tell_verdict(w, i))
    if not isinstance(limit, float) or (i.verdict == "unrated" and str(test.value) in named):
        said = w("The score is {score}; without references there is no threshold.", score=number(score))
        return Outcome(None, [said])
    told = w("The score is {score}.", score=number(score))
    if str(test.value) in named:
        told = w("The score is {score}, the {name} {limit}.", score=number(score), name=name, limit=number(limit))
    return Outcome(COMPARE[test.operator](score, limit), [told, *tell_verdict(w, i)[:1]])


def _test_threshold(w: Wording, test: Test, i: Inspection) -> Outcome:
    threshold = numbers(i)[2]
    if i.verdict == "unrated" or not isinstance(test.value, float):
        return Outcome(None, tell_limits(w, i))
    return Outcome(COMPARE[test.operator](threshold, test.value), tell_limits(w, i))


def _test_p_value(w: Wording, test: Test, i: Inspection) -> Outcome:
    p = numbers(i)[1]
    if i.verdict == "unrated":
        return Outcome(None, [w("Which share of good parts would score this high is not known.")])
    told = w("The p-value is {p}.", p=number(p))
    if not isinstance(test.value, float):
        return Outcome(None, [told])
    return Outcome(COMPARE[test.operator](p, test.value), [told])


def _test_count(w: Wording, test: Test, i: Inspection) -> Outcome:
    if i.verdict == "unrated" or not isinstance(test.value, float):
        return Outcome(None, tell_count(w, i))
    n, said = len(i.regions), tell_count(w, i)
    if i.verdict == "good" and n:
        said = [
            w.count(
                "The record lists {n} region, and the verdict is good.",
                "The record lists {n} regions, and the verdict is good.",
                n,
            )
        ]
    return Outcome(COMPARE[test.operator](n, test.value), said)


def _test_region_number(w: Wording, test: Test, i: Inspection) -> Outcome:
    """An area in percent or pixels, or a peak, of one region, of the largest, or of all together."""
    if not i.regions:
        return Outcome(None, tell_none(w, i))
    measure = _MEASURES[test.quantity]
    chosen = _regions_of(test.subject, i)
    if isinstance(test.value, str):
        other = _regions_of(test.value, i)
        if test.value in (ALL, ANY) or len(other) != 1 or len(chosen) != 1:
            return Outcome(None, [w("Which two are meant cannot be told."), *tell_count(w, i)])
        holds = COMPARE[test.operator](measure(chosen[0]), measure(other[0]))
        told = w(
            "{one} has {first}, {other} {second}.",
            one=refer(chosen[0]),
            other=refer(other[0]),
            first=_amount(w, test, [chosen[0]]),
            second=_amount(w, test, other),
        )
        return Outcome(holds, [told])
    if test.subject == ANY or test.quantity == "peak":
        return _test_each(w, test, chosen, test.value)
    total = sum(map(measure, chosen))
    told = _told_of_one(w, test, chosen[0])
    if len(chosen) > 1:
        names = name_some(w, [refer(r) for r in chosen])
        told = w("{regions} together have {amount}.", regions=names, amount=_amount(w, test, chosen))
    return Outcome(COMPARE[test.operator](total, test.value), [told])


def _test_each(w: Wording, test: Test, chosen: Sequence[Region], value: float) -> Outcome:
    """Whether any of some regions has a number, or each of them; told by the region that decides it."""
    measure = _MEASURES[test.quantity]
    held = [r for r in chosen if COMPARE[test.operator](measure(r), value)]
    holds = bool(held) if test.subject == ANY else len(held) == len(chosen)
    deciding = held if holds else [r for r in chosen if r not in held]
    most = max if (test.operator in (">", ">=")) == (test.subject == ANY) else min
    return Outcome(holds, [_told_of_one(w, test, most(deciding, key=measure))])


def _told_of_one(w: Wording, test: Test, region: Region) -> str:
    return w("{region} has {amount}.", region=refer(region), amount=_amount(w, test, [region]))


def _test_severity(w: Wording, test: Test, i: Inspection) -> Outcome:
    chosen = _regions_of(test.subject, i)
    if not chosen:
        return Outcome(None, tell_none(w, i))
    if any(r.severity not in SEVERITIES for r in chosen) or i.verdict in ("good", "unrated"):
        return Outcome(None, tell_count(w, i))
    grades = [SEVERITIES.index(r.severity) for r in chosen]
    named = [w("{region} {severity}", region=refer(r), severity=severity_word(w, r.severity)) for r in chosen]
    said = [w("Strongest first: {names}.", names=name_some(w, named))]
    if len(chosen) == 1:
        word = severity_word(w, chosen[0].severity)
        said = [
            w(
                "{region} is {severity}, with a peak of {peak}.",
                region=refer(chosen[0]),
                severity=word,
                peak=number(chosen[0].peak),
            )
        ]
    other = _regions_of(str(test.value), i) if str(test.value) not in SEVERITIES else []
    limit = SEVERITIES.index(str(test.value)) if not other else SEVERITIES.index(other[0].severity)
    held = [COMPARE[test.operator](grade, limit) for grade in grades]
    if other:
        said = [
            w(
                "Strongest first: {names}.",
                names=name_some(
                    w,
                    [
                        w("{region} {severity}", region=refer(r), severity=severity_word(w, r.severity))
                        for r in sorted([*chosen, *other], key=lambda r: -SEVERITIES.index(r.severity))
                    ],
                ),
            )
        ]
    return Outcome(any(held) if test.subject == ANY else all(held), said)


def _test_place(w: Wording, test: Test, i: Inspection) -> Outcome:
    """Whether a region lies at a position; what lies there without standing out is told, without yes or no."""
    position = str(test.value)
    gaps = {"place": place_word(w, position)}
    if i.verdict == "unrated":
        return Outcome(None, tell_count(w, i))
    if i.verdict == "good" and test.subject in (ALL, ANY):
        if there := [r for r in i.regions if spans(r, i) or r in at_position(i, position)]:
            told = [w("{region} lies {place}.", region=refer(r), place=where(w, r, i)) for r in there]
            return Outcome(None, [*tell_count(w, i), *told])
        return Outcome(
            False, [w("Nothing stands out {place}; the verdict is good.", **gaps), *tell_count(w, i)[1:]]
        )
    if not i.regions:
        return Outcome(None, tell_none(w, i))
    if test.subject in (ALL, ANY):
        there = at_position(i, position)
        if wide := [r for r in i.regions if spans(r, i)]:
            spots = [w("{region} {place}", region=refer(r), place=where(w, r, i)) for r in wide]
            return Outcome(None, [w("That is not so simple: {spots}.", spots=name_some(w, spots))])
        if not there:
            spots = [w("{region} {place}", region=refer(r), place=where(w, r, i)) for r in i.regions]
            return Outcome(False, [w("Nothing stands out {place}; {spots}.", spots=name_some(w, spots), **gaps)])
        if test.subject == ANY or len(there) == len(i.regions):
            names = name_some(w, [refer(r) for r in there])
            return Outcome(True, [w("Standing out {place}: {names}.", names=names, **gaps)])
        spots = [w("{region} {place}", region=refer(r), place=where(w, r, i)) for r in i.regions]
        return Outcome(False, [w("Places: {spots}.", spots=name_some(w, spots))])
    chosen = _regions_of(test.subject, i)
    if not chosen:
        return Outcome(None, tell_count(w, i))
    told = [w("{region} lies {place}.", region=refer(chosen[0]), place=where(w, chosen[0], i))]
    return Outcome(None if spans(chosen[0], i) else chosen[0] in at_position(i, position), told)


def _test_references(w: Wording, test: Test, i: Inspection) -> Outcome:
    if not isinstance(test.value, float) or (i.mode == "few-shot" and not i.references):
        return Outcome(None, tell_references(w, i))
    n = i.references if i.mode == "few-shot" else 0
    return Outcome(COMPARE[test.operator](n, test.value), tell_references(w, i))


def _test_notices(w: Wording, test: Test, i: Inspection) -> Outcome:
    if not isinstance(test.value, float):
        return Outcome(None, [])
    n = len(i.notices)
    told = w.count("The record holds {n} notice.", "The record holds {n} notices.", n)
    return Outcome(COMPARE[test.operator](n, test.value), [told, *(tell_notices(w, i) if n else [])])


def _test_enough(w: Wording, test: Test, i: Inspection) -> Outcome:
    """Whether counting promises the target with the references that there are."""
    if i.evidence is None or i.verdict == "unrated" or i.evidence.method == "none":
        return Outcome(None, tell_promise(w, i))
    e = i.evidence
    missing = parts_missing(e)
    if not missing and e.upper_rate > e.target_false_alarm:
        return Outcome(None, tell_promise(w, i))
    return Outcome(not missing, tell_promise(w, i))


def _regions_of(subject: str, i: Inspection) -> list[Region]:
    """The regions of a subject: one by its id, or all."""
    id = subject.rpartition(".")[2]
    if subject in (ALL, ANY) or (id.startswith("P") and id[1:].isdigit()):
        return list(i.regions)
    return [r for r in i.regions if r.id == id]


def _amount(w: Wording, test: Test, chosen: Sequence[Region]) -> str:
    total = sum(map(_MEASURES[test.quantity], chosen))
    if test.quantity == "area":
        return w("{share} of the picture", share=percent(total / 100))
    if test.quantity == "pixels":
        return w("{area} px", area=int(total))
    return w("a peak of {peak}", peak=number(total))


_MEASURES: dict[str, Callable[[Region], float]] = {
    "area": lambda r: 100 * r.area_fraction,
    "pixels": lambda r: float(r.area),
    "peak": lambda r: r.peak,
}
_QUANTITIES: dict[str, Callable[[Wording, Test, Inspection], Outcome]] = {
    "verdict": _test_verdict,
    "score": _test_score,
    "threshold": _test_threshold,
    "p_value": _test_p_value,
    "count": _test_count,
    "area": _test_region_number,
    "pixels": _test_region_number,
    "peak": _test_region_number,
    "severity": _test_severity,
    "place": _test_place,
    "rank": lambda w, test, i: Outcome(None, tell_verdict(w, i)),
    "references": _test_references,
    "notices": _test_notices,
    "enough_references": _test_enough,
}
