"""From what a language model writes to a plan: a JSON text, whole, fenced or cut short, or a text that is none.

A model that is held to the schema writes a plan that fits it. One that is only told the schema may get it half
right, and any can be cut short: what fits is taken, part by part, and nothing is guessed. A text without a plan in
it is taken as what its writer sees.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from assistant.inspection import Inspection, Seen
from assistant.language.denylist import as_seen
from assistant.language.plan import (
    MOST_CANNOT,
    MOST_FACTS,
    MOST_SEEN,
    Plan,
    PlanError,
    cut_words,
    list_ids,
    read_plan,
)

CHECKED = ("facts", "test", "cannot")
"""The fields of a plan from which code words the checked part; models write them first."""

OPEN, CLOSE = "<think>", "</think>"
"""What some models set around their thoughts; a few leave out the first."""

_FIELDS = (*CHECKED, "seen", "disagrees")
_DEEPEST = 8  # brackets within brackets
_SPACE = re.compile(r"[ \t\r\n]*")
_OPENING = re.compile(r"\{\s*(?:\"|\}|\Z)")
_SENTENCE_END = re.compile(r"[.!?。！？\n]\s*$")


@dataclass(frozen=True)
class Read:
    """What a text held so far: its plan, whether it was one (or plain "text"), and whether the facts are settled.

    Facts are settled once `facts`, `test` and `cannot` are whole: what comes after them changes them no more.
    """

    plan: Plan
    form: Literal["plan", "text"]
    settled: bool


def read_said(text: str, records: Sequence[Inspection], *, ended: bool = True) -> Read:
    """What a model said about these records; with `ended` false it is still writing.

    Of a text without a plan, whole sentences are taken while it grows, and all of it in the end.
    """
    ids, text = list_ids(records), text.rpartition(CLOSE)[2]
    if begin := _OPENING.search(text):
        table, whole = read_table(text[begin.start() :])
        return Read(_fit(table, records), "plan", whole or all(name in table for name in CHECKED))
    if not ended and (text.lstrip()[:1] in ("`", "{", "[", "") or not _SENTENCE_END.search(text)):
        return Read(Plan(), "text", False)
    return Read(Plan(seen=as_seen(text, ids)), "text", False)


def read_table(text: str) -> tuple[dict[str, Any], bool]:
    """The whole fields of a JSON object that may be cut short anywhere, and whether it is whole.

    Of `seen`, the lines that are whole are taken though the list is not.
    """
    value, _, whole = _value(text, 0, 0)
    return (value if isinstance(value, dict) else {}), whole


def without_thinking(pieces: Iterator[str]) -> Iterator[str]:
    """Pieces of text without what stands between <think> and </think>; "" stands for a piece that is held back.

    Where a text ends within its thoughts, nothing of them is told.
    """
    held, mark = "", OPEN
    for piece in pieces:
        held, said = held + piece, ""
        while mark in held:
            before, _, held = held.partition(mark)
            said += before if mark == OPEN else ""
            mark = CLOSE if mark == OPEN else OPEN
        kept = next((n for n in range(len(mark) - 1, 0, -1) if held.endswith(mark[:n])), 0)
        said += held[: len(held) - kept] if mark == OPEN else ""
        held = held[len(held) - kept :]
        yield said
    if held and mark == OPEN:
        yield held


def _fit(table: Mapping[str, Any], records: Sequence[Inspection]) -> Plan:
    """The plan of a table, without the parts that do not fit."""
    known = {name: table[name] for name in _FIELDS if name in table}
    try:
        return read_plan(known, records)
    except PlanError:
        pass
    plans = {name: list(_each(name, known.get(name), records)) for name in CHECKED}
    return Plan(
        tuple(dict.fromkeys(fact for plan in plans["facts"] for fact in plan.facts))[:MOST_FACTS],
        next((plan.test for plan in plans["test"]), None),
        tuple(dict.fromkeys(reason for plan in plans["cannot"] for reason in plan.cannot))[:MOST_CANNOT],
        _fit_seen(known.get("seen"), records)[:MOST_SEEN],
        cut_words(said) if isinstance(said := known.get("disagrees"), str) else "",
    )


def _each(name: str, rows: Any, records: Sequence[Inspection]) -> Iterator[Plan]:
    """A plan for each row of a field that fits by itself."""
    for row in rows if isinstance(rows, list) else [rows]:
        try:
            yield read_plan({name: row if name == "test" else [row]}, records)
        except PlanError:
            continue


def _fit_seen(rows: Any, records: Sequence[Inspection]) -> tuple[Seen, ...]:
    """The lines of what is seen; one at a place that is none is kept, where it cites a region or at the whole."""
    lines: list[Seen] = []
    for row in rows if isinstance(rows, list) else [rows]:
        try:
            lines += read_plan({"seen": [row]}, records).seen
        except PlanError:
            text = row.get("text") if isinstance(row, Mapping) else row
            lines += as_seen(text, list_ids(records)) if isinstance(text, str) else ()
    return tuple(lines)


def _value(text: str, at: int, depth: int) -> tuple[Any, int, bool]:
    """The JSON value at a place, where it ends, and whether it is whole; what is cut is what came before."""
    at = _skip(text, at)
    if depth > _DEEPEST or at >= len(text):
        return None, at, False
    if text[at] in "{[":
        return _container(text, at, depth)
    try:
        value, end = json.JSONDecoder().raw_decode(text, at)
    except (ValueError, RecursionError):
        return None, len(text), False
    return value, end, end < len(text) or isinstance(value, str)


def _container(text: str, at: int, depth: int) -> tuple[Any, int, bool]:
    table: dict[str, Any] = {}
    row: list[Any] = []
    is_table = text[at] == "{"
    keep: Callable[[str, Any], None] = table.__setitem__ if is_table else lambda _, value: row.append(value)
    end, made = ("}" if is_table else "]"), (table if is_table else row)
    at += 1
    while (at := _skip(text, at)) < len(text):
        if text[at] == end:
            return made, at + 1, True
        if text[at] == ",":
            at += 1
            continue
        name = ""
        if is_table:
            named, at, whole = _value(text, at, _DEEPEST)
            at = _skip(text, at)
            if not whole or not isinstance(named, str) or text[at : at + 1] != ":":
                break
            name, at = named, at + 1
        value, at, whole = _value(text, at, depth + 1)
        if whole or (name == "seen" and value):
            keep(name, value)
        if not whole:
            break
    return made, at, False


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at
