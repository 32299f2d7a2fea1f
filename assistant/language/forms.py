"""The forms of an answer other than sentences: one word, a table, JSON, or plain words without numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

from assistant.inspection import Inspection, Region
from assistant.language.catalogue import Wording
from assistant.language.plan import Fact, Plan
from assistant.language.several_facts import comparable, rank
from assistant.language.terms import place_word, severity_word, spans, verdict_word
from assistant.language.wording import Sentences, base_name, number, percent, plain
from assistant.language.yes_no import Numbered, one_word, run_test

Form = Literal["short", "sentence", "long", "word", "plain", "bullets", "table", "json"]
"""How an answer is told."""

OF_REGION = ("place", "box", "size", "total_area", "severity", "type", "comparison")


def as_one_word(w: Wording, plan: Plan, rows: Numbered) -> str:
    """One word or number, where the plan comes down to one; "" where it does not."""
    i = rows[0][1]
    if i.status == "error" and len(rows) == 1:
        return ""
    if plan.test and (word := one_word(w, run_test(w, plan.test, rows))):
        return f"{word}{w('.')}"
    if plan.cannot:
        return w("Unknown.")
    keys = [fact.key for fact in plan.facts] or ["verdict"]
    if len(rows) > 1:
        if keys[0] == "list" and plan.facts[0].ids:
            return ", ".join(_cell(base_name(i.path)) for n, i in rows if f"P{n}" in plan.facts[0].ids)
        ranked = [n for n, _ in sorted(comparable(rows), key=lambda row: rank(row[1]), reverse=True)]
        return f"{ranked[0 if keys[0] == 'worst' else -1]}" if keys[0] in ("worst", "best") and ranked else ""
    chosen = _named(plan.facts, i)
    region = chosen[0] if len(chosen) == 1 else None
    unrated = i.verdict == "unrated"
    words: dict[str, str] = {
        "verdict": _cap(verdict_word(w, i.verdict)),
        "summary": _cap(verdict_word(w, i.verdict)),
        "score": number(i.score),
        "limits": "" if unrated else number(i.threshold),
        "rarity": "" if unrated else number(i.p_value),
        "count": "" if unrated else str(0 if i.verdict == "good" else len(i.regions)),
        "references": str(i.references),
    }
    if 0 < len(chosen) <= 3 and not any(spans(r, i) for r in chosen):
        words["place"] = _cap(", ".join(dict.fromkeys(place_word(w, r.position) for r in chosen)))
    if region:
        words |= {
            "size": f"{region.area} px",
            "severity": _cap(severity_word(w, region.severity)) if region.severity != "unrated" else "",
        }
    said = words.get(keys[0], "")
    return f"{said}{w('.')}" if said else ""


def as_plain(w: Wording, rows: Numbered) -> Sentences:
    """What was found and what to do, for somebody who knows neither scores nor limits."""
    if len(rows) > 1:
        from assistant.language.several_facts import tell_tally

        return tell_tally(w, rows)
    i = rows[0][1]
    if i.status == "error":
        return [w("The picture could not be read, so the part was not judged.")]
    said = {
        "good": w("The part was inspected and looks like good ones."),
        "review": w("The part was inspected and is not clear: a person should look at it."),
        "defect": w("The part was inspected and differs from good ones: it counts as defective."),
        "unrated": w("The part was looked at but not judged, since no good parts were given to compare with."),
    }[i.verdict or "unrated"]
    marked = (
        ""
        if i.verdict in ("good", "unrated") or not i.regions
        else w("The spot is {place}.", place=place_word(w, i.regions[0].position))
    )
    if i.regions and spans(i.regions[0], i):
        marked = ""
    todo = w("It should be set aside until a person has looked.") if i.verdict == "defect" else ""
    return [line for line in (said, marked, todo) if line]


def as_json(w: Wording, plan: Plan, rows: Numbered) -> str:
    """What the plan asks for as JSON, by its keys; of several pictures a list."""
    held = run_test(w, plan.test, rows).holds if plan.test else None
    content: dict[str, Any] = {"answer": held} if plan.test else {}
    if plan.cannot:
        content["cannot_tell"] = list(plan.cannot)
    if len(rows) == 1:
        content |= _values(plan.facts or (Fact("summary"),), rows[0][1])
    else:
        content["pictures"] = [
            {"picture": n, "file": base_name(i.path), **_values((Fact("summary"),), i)} for n, i in rows
        ]
    return json.dumps(content, ensure_ascii=False, allow_nan=False)


def as_table(w: Wording, plan: Plan, rows: Numbered) -> str:
    """A table in Markdown: of a single picture a row for each region, else a row for each picture."""
    if len(rows) > 1:
        head = [w("picture"), w("file"), w("verdict"), w("score"), w("threshold")]
        cells = [[str(n), _cell(base_name(i.path)), *_verdict_cells(w, i)] for n, i in rows]
        return _draw(head, cells)
    i = rows[0][1]
    if (
        i.status == "error"
        or not i.regions
        or not any(fact.key in (*OF_REGION, "count", "summary") for fact in plan.facts)
    ):
        return _draw(
            [w("verdict"), w("score"), w("threshold"), w("regions")],
            [[*_verdict_cells(w, i), str(len(i.regions))]],
        )
    head = [w("region"), w("place"), w("area"), w("share"), w("severity"), w("peak")]
    cells = [
        [
            r.id,
            _place(w, r, i),
            f"{r.area} px",
            percent(r.area_fraction),
            severity_word(w, r.severity),
            number(r.peak),
        ]
        for r in i.regions
    ]
    return _draw(head, cells)


def _values(facts: Sequence[Fact], i: Inspection) -> dict[str, Any]:
    if i.status == "error":
        return {"error": plain(i.error or "", 300)}
    content: dict[str, Any] = {}
    rated = i.verdict != "unrated"
    keys = [fact.key for fact in facts]
    if "summary" in keys:
        keys = ["verdict", "score", "limits", "rarity", "place"]
    for key in keys:
        if key == "verdict":
            content["verdict"] = i.verdict
        elif key == "score":
            content |= {"score": _short(i.score), "threshold": _short(i.threshold) if rated else None}
        elif key == "limits":
            content |= {
                "threshold": _short(i.threshold) if rated else None,
                "review_threshold": _short(i.review_threshold) if rated else None,
            }
        elif key == "rarity":
            content["p_value"] = _short(i.p_value) if rated else None
        elif key == "count":
            content["regions_found"] = len(i.regions)
        elif key in OF_REGION:
            content["regions"] = [_region_value(r, i) for r in _named(facts, i)]
        elif key == "references":
            content |= {"compared": i.mode, "references": i.references, "product": i.product}
        elif key == "notices":
            content["notices"] = list(i.notices)
        elif key == "file":
            content |= {"file": base_name(i.path), "width": i.width, "height": i.height, "bundle": i.bundle}
    return content or {"verdict": i.verdict}


def _region_value(r: Region, i: Inspection) -> dict[str, Any]:
    return {
        "id": r.id,
        "place": spans(r, i) or r.position,
        "box": list(r.box),
        "area_px": r.area,
        "share": _short(r.area_fraction),
        "severity": r.severity,
        "peak": _short(r.peak),
    }


def _named(facts: Sequence[Fact], i: Inspection) -> list[Region]:
    named = {id.rpartition(".")[2] for fact in facts for id in fact.ids}
    return [r for r in i.regions if r.id in named] or list(i.regions)


def _place(w: Wording, r: Region, i: Inspection) -> str:
    from assistant.language.terms import where

    return where(w, r, i)


def _verdict_cells(w: Wording, i: Inspection) -> list[str]:
    if i.status == "error":
        return [w("could not be read"), "", ""]
    limit = "" if i.verdict == "unrated" else number(i.threshold)
    return [verdict_word(w, i.verdict), number(i.score), limit]


def _draw(head: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return plain(text, 60)


def _short(value: float) -> float:
    return float(number(value))


def _cap(text: str) -> str:
    return text[:1].upper() + text[1:]
