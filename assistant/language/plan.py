"""A plan of an answer: which facts of the records to state, never how they are worded nor what they say.

Whoever answers, rules or a language model, returns one `Plan`: `assistant.language.facts` words it. It holds no
number, place, verdict or advice, so it can misstate none. What a model adds of its own, `seen` and `disagrees`, is
shown apart.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

from assistant.errors import ExplainerError
from assistant.images.geometry import Position
from assistant.inspection import Inspection, Seen, Severity, Verdict

Key = Literal[
    # of the record
    "duration", "picture_size", "bundle", "rank",
    "verdict", "score", "limits", "rarity", "origin", "references", "reference", "notices", "advice", "file",
    "identity", "drift", "summary",
    # of its regions
    "place", "box", "size", "total_area", "severity", "type", "count", "comparison",
    # of several pictures
    "tally", "list", "worst", "best", "common", "same_place",
    # of the product: how it is used and what its words mean
    "how_many_parts", "how_from_where", "how_sensitive", "how_limits", "how_severity", "how_teach", "how_undo",
    "how_mask", "how_tiles", "how_turns", "how_batch", "how_kept", "how_report", "how_export", "how_private",
    "how_languages", "how_check", "how_sign", "how_limit_at", "how_colours", "how_review", "how_unrated",
    "how_score", "how_rarity", "how_regions", "how_types", "how_correct", "how_scale", "how_it_works",
    "how_to_ask",
    "greeting", "thanks",
]  # fmt: skip
"""What can be stated. `how_limit_at` takes a share in (0, 1) as its value, no other key takes one."""

Reason = Literal[
    "cause", "material", "millimetres", "depth", "price", "time", "future", "function", "medical", "safety",
    "permission", "repair", "maker", "person", "other_side", "inside", "other_picture", "type", "chance",
    "standard", "colour", "text", "command", "language", "no_region", "no_picture", "off_topic", "unknown",
]  # fmt: skip
"""Why something cannot be told: what no record holds, or nobody may be told by words alone."""

Quantity = Literal[
    "verdict", "score", "threshold", "p_value", "count", "area", "pixels", "peak", "severity", "place", "rank",
    "references", "notices", "enough_references",
]  # fmt: skip
"""What a yes or no can be computed from. `area` is in percent of the picture, `rank` how bad a picture is."""

Operator = Literal["=", "<", ">", "<=", ">="]

MOST_FACTS = 6
MOST_CANNOT = 3
MOST_SEEN = 4
MOST_WORDS = 25
"""Words of one thing seen, and of a disagreement; the rest is cut."""

LONGEST_PLAN = 20_000
"""Characters of a plan as JSON at most."""

ALL, ANY, WHOLE, ELSEWHERE = "all", "any", "whole", "elsewhere"
SEVERITIES = ("slight", "moderate", "severe")

_OPERATORS = get_args(Operator)
_LIMITS = ("threshold", "review_threshold")
_Choice = TypeVar("_Choice", bound=str)


class PlanError(ExplainerError):
    """A plan that does not fit its schema, in one sentence that says where."""


@dataclass(frozen=True)
class Fact:
    """One thing to state, of the regions or pictures in `ids` (none: whatever it is true of)."""

    key: Key
    ids: tuple[str, ...] = ()
    value: float | None = None


@dataclass(frozen=True)
class Test:
    """What a yes or no is computed from: is `quantity` of `subject` in this relation to `value`?

    `subject` is an id, "all" or "any". `value` is a number, an id to compare with, a verdict, a severity, a
    position, or for a score "threshold" or "review_threshold".
    """

    __test__ = False  # pytest: this is none of its own

    quantity: Quantity
    subject: str
    operator: Operator
    value: str | float


@dataclass(frozen=True)
class Plan:
    """What an answer states, tests and cannot tell; and what a model saw on its own, unchecked."""

    facts: tuple[Fact, ...] = ()
    test: Test | None = None
    cannot: tuple[Reason, ...] = ()
    seen: tuple[Seen, ...] = ()
    disagrees: str = ""


def list_ids(records: Sequence[Inspection]) -> tuple[str, ...]:
    """The ids that a plan may name: "R1" of a single record; "P1" and "P1.R1" of several."""
    if len(records) == 1:
        return tuple(region.id for region in records[0].regions)
    pictures = tuple(f"P{n}" for n in range(1, len(records) + 1))
    inside = (f"P{n}.{r.id}" for n, record in enumerate(records, 1) for r in record.regions)
    return (*pictures, *inside)


def plan_schema(records: Sequence[Inspection]) -> dict[str, Any]:
    """The JSON schema of a plan about these records: every key, id and reason is one of a list."""
    ids = list_ids(records)
    of = {"type": "array", "items": _one_of(ids) if ids else {"type": "string", "maxLength": 0}, "maxItems": 6}
    fact = _object(key=_one_of(get_args(Key)), ids=of, value={"type": ["number", "null"]})
    words = (*_LIMITS, *get_args(Verdict), *get_args(Severity), *get_args(Position), *ids)
    test = _object(
        quantity=_one_of(get_args(Quantity)),
        subject=_one_of((*ids, ALL, ANY)),
        operator=_one_of(_OPERATORS),
        value={"anyOf": [{"type": "number"}, _one_of(tuple(dict.fromkeys(words)))]},
    )
    seen = _object(
        where=_one_of((*ids, WHOLE, ELSEWHERE)),
        text={"type": "string", "description": f"at most {MOST_WORDS} words"},
        sure=_one_of(("clear", "maybe")),
    )
    return _object(
        facts={"type": "array", "items": fact, "maxItems": MOST_FACTS},
        test={"anyOf": [{"type": "null"}, test]},
        cannot={"type": "array", "items": _one_of(get_args(Reason)), "maxItems": MOST_CANNOT},
        seen={"type": "array", "items": seen, "maxItems": MOST_SEEN},
        disagrees={"type": ["string", "null"], "description": f"at most {MOST_WORDS} words"},
    )


def read_plan(said: str | Mapping[str, Any], records: Sequence[Inspection]) -> Plan:
    """The plan in a JSON text or table; what is too long is cut. PlanError where it does not fit the schema."""
    if isinstance(said, str):
        if len(said) > LONGEST_PLAN:
            raise PlanError(f"A plan has at most {LONGEST_PLAN} characters.")
        try:
            said = json.loads(said)
        except (ValueError, RecursionError) as error:
            raise PlanError("The plan is not JSON.") from error
    if not isinstance(said, Mapping):
        raise PlanError("The plan is not a JSON object.")
    if unknown := sorted(set(map(str, said)) - {"facts", "test", "cannot", "seen", "disagrees"}):
        raise PlanError(f"The plan has no field {unknown[0][:40]!r}.")
    ids = list_ids(records)
    test = said.get("test")
    return Plan(
        tuple(dict.fromkeys(_read_fact(row, ids) for row in _rows(said, "facts")[:MOST_FACTS])),
        None if test is None else _read_test(_table(test, "test"), ids),
        tuple(
            dict.fromkeys(_pick(row, get_args(Reason), "cannot") for row in _rows(said, "cannot")[:MOST_CANNOT])
        ),
        tuple(s for row in _rows(said, "seen")[:MOST_SEEN] if (s := _read_seen(_table(row, "seen"), ids)).text),
        cut_words(_text(said.get("disagrees") or "", "disagrees")),
    )


def to_dict(plan: Plan) -> dict[str, Any]:
    """The plan as its JSON; `read_plan` reverses it."""
    return {
        "facts": [{"key": fact.key, "ids": list(fact.ids), "value": fact.value} for fact in plan.facts],
        "test": dict(vars(plan.test)) if plan.test else None,
        "cannot": list(plan.cannot),
        "seen": [dict(vars(one)) for one in plan.seen],
        "disagrees": plan.disagrees or None,
    }


def cut_words(text: str, most: int = MOST_WORDS) -> str:
    """A text in one line, of at most so many words; a script without spaces counts two letters for a word."""
    words = " ".join(text.split()).split(" ")
    line = " ".join(words) if len(words) <= most else " ".join(words[:most]) + " ..."
    wide = sum(ord(letter) > 0x2E7F for letter in line)
    if wide > 2 * most:
        line = line[: 2 * most] + "..."
    return line if len(line) <= 12 * most else line[: 12 * most] + "..."


def _read_fact(row: Any, ids: Sequence[str]) -> Fact:
    if isinstance(row, str):  # a key alone, as small models write it
        row = {"key": row}
    row = _table(row, "facts")
    key = _pick(row.get("key"), get_args(Key), "facts")
    named = tuple(dict.fromkeys(_pick(one, ids, "ids") for one in _rows(row, "ids")))
    value = row.get("value")
    if value is not None and not (_is_number(value) and key == "how_limit_at" and 0 < value < 1):
        raise PlanError("Only how_limit_at takes a value, a share between 0 and 1.")
    if value is None and key == "how_limit_at":
        raise PlanError("how_limit_at needs a share between 0 and 1 as its value.")
    return Fact(key, named, value)


def _read_test(row: Mapping[str, Any], ids: Sequence[str]) -> Test:
    quantity = _pick(row.get("quantity"), get_args(Quantity), "quantity")
    subject = _pick(row.get("subject"), (*ids, ALL, ANY), "subject")
    operator = _pick(row.get("operator"), _OPERATORS, "operator")
    value = row.get("value")
    if isinstance(value, int | float) and _is_number(value):
        if quantity in ("verdict", "severity", "place", "rank"):
            raise PlanError(f"The test of {quantity} has no number as its value.")
        return Test(quantity, subject, operator, float(value))
    words: dict[str, tuple[str, ...]] = {
        "verdict": get_args(Verdict),
        "severity": (*SEVERITIES, *ids),
        "place": get_args(Position),
        "score": (*_LIMITS, *ids),
        "rank": tuple(ids),
        **dict.fromkeys(("area", "pixels", "peak", "p_value"), tuple(ids)),
    }
    if isinstance(value, bool) and quantity in ("notices", "enough_references"):
        raise PlanError(f"The test of {quantity} has a number as its value.")
    return Test(quantity, subject, operator, _pick(value, words.get(quantity, ()), "value"))


def _read_seen(row: Mapping[str, Any], ids: Sequence[str]) -> Seen:
    where = _pick(row.get("where"), (*ids, WHOLE, ELSEWHERE), "where")
    sure: Literal["clear", "maybe"] = _pick(row.get("sure", "maybe"), ("clear", "maybe"), "sure")  # type: ignore[assignment]
    return Seen(where, cut_words(_text(row.get("text"), "text")), sure)


def _one_of(words: Sequence[str]) -> dict[str, Any]:
    return {"type": "string", "enum": list(words)}


def _object(**fields: Any) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def _pick(word: Any, known: Sequence[_Choice], what: str) -> _Choice:
    for one in known:
        if word == one:
            return one
    raise PlanError(f"{str(word)[:40]!r} is none of the plan's words for {what!r}.")


def _rows(table: Mapping[str, Any], name: str) -> list[Any]:
    rows = table.get(name)
    if rows is None:
        return []
    if not isinstance(rows, list | tuple):
        raise PlanError(f"{name!r} of the plan is not a list.")
    return list(rows)


def _table(row: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(row, Mapping):
        raise PlanError(f"{name!r} of the plan is not an object.")
    return row


def _text(text: Any, name: str) -> str:
    if not isinstance(text, str):
        raise PlanError(f"{name!r} of the plan is not a text.")
    return text


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
