"""The router that needs no model: from a question to a `Plan`, by the patterns of a language.

It reads each part of a question: what it points at, whether it asks for a yes or no, what cannot be told, and
which facts it is about. A yes or no that it does not understand to the last word becomes "cannot", never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from assistant.inspection import WHOLE_DIFFERS, Inspection
from assistant.language.forms import Form
from assistant.language.nearest import NEAR, Near, find_nearest
from assistant.language.plan import MOST_CANNOT, MOST_FACTS, Fact, Key, Plan, Reason, Test
from assistant.language.plan_support import AFTER, AFTER_TEST, PER_REGION, complete
from assistant.language.pointers import (
    History,
    Pointed,
    point_at_pictures,
    point_at_regions,
    read_position,
)
from assistant.language.question_tables import (
    LONGEST,
    Table,
    is_foreign,
    load_table,
    normalize,
    read_language,
)
from assistant.language.question_tests import Clause, leftover, read_test
from assistant.language.region_facts import at_position

TURNS = 20  # turns of the conversation that are read
CLAUSES = 8  # parts of a question that are read
ANSWERED = 3  # of which this many are answered

FIRST = ("origin", "file", "reference")
"""Facts whose words come before those of what cannot be told: "where does the threshold come from?"."""

ASKED_ABOUT = ("permission",)
"""Reasons that a question with "what" or "why" is never about: "what should I do?" asks for advice."""

LOOSE = (
    "person",
    "function",
    "standard",
    "safety",
    "chance",
    "cause",
    "material",
    "maker",
    "off_topic",
    "future",
    "other_side",
    "time",
)
"""Reasons whose words stand for something else in questions about the record: "who set this threshold?"."""


@dataclass(frozen=True)
class _Part:
    """What one clause comes to; `known` is false where nothing in it was understood.

    `goes_on`: it asks nothing by itself and so goes on with the clause before: "is it good, *safe*?".
    """

    facts: tuple[Fact, ...] = ()
    test: Test | None = None
    cannot: tuple[Reason, ...] = ()
    known: bool = True
    chatter: bool = False
    goes_on: bool = False


def plan_answer(
    records: Sequence[Inspection], question: str, history: History = (), language: str | None = None
) -> Plan:
    """The plan of an answer to a question about one or several records; never empty.

    `history` holds (question, answer text) pairs, oldest first; "it" and "the second one" refer to the regions and
    pictures cited there. Each part of a question is planned, up to three.
    """
    if is_foreign(question):
        return Plan((_fact("verdict"), _fact("how_to_ask")), cannot=("language",))
    table = load_table(language or read_language(question))
    asked, form = take_form(table, question)
    turns = list(history)[-TURNS:]
    if form != "short" and not table.strip(normalize(asked, table.language), "alone", "filler"):
        asked = take_form(table, turns[-1][0])[0] if turns else ""  # "shorter, please"
    parts: list[_Part] = []
    for clause in split_clauses(table, asked)[:CLAUSES]:
        part = _read(table, clause, records, turns)
        words = normalize(clause, table.language)
        asks = table.find("yes_no", "question_words", words) or table.find("yes_no", "open", words)
        parts.append(replace(part, goes_on=bool(parts) and not asks))
        turns = [*turns, (clause, " ".join(f"[{i.rpartition('.')[2]}]" for f in parts[-1].facts for i in f.ids))]
    return _join(parts)


def is_understood(plan: Plan) -> bool:
    """Whether the rules knew what was asked."""
    return "unknown" not in plan.cannot


def read_form(question: str, language: str | None = None) -> Form:
    """The form that a question asks for, "short" where it asks for none."""
    return take_form(load_table(language or read_language(question)), question)[1]


def asks_yes_no(question: str, language: str | None = None) -> bool:
    """Whether any part of a question wants a yes or a no."""
    table = load_table(language or read_language(question))
    return any(_asks_yes_no(table, normalize(part, table.language)) for part in split_clauses(table, question))


def take_form(table: Table, question: str) -> tuple[str, Form]:
    """A question without the words that ask for a form, and that form."""
    forms: tuple[Form, ...] = ("json", "table", "bullets", "word", "plain", "sentence", "long")
    words = question[:LONGEST]
    lowered = words.casefold()
    for form in forms:
        if len(lowered) == len(words) and (found := table.find("forms", form, lowered)):
            while found:
                words = f"{words[: found.start()]} {words[found.end() :]}".strip()
                found = table.find("forms", form, words.casefold())
            return (words if re.search(r"\w", words) else "", form)
    return words, "short"


def split_clauses(table: Table, question: str) -> list[str]:
    """The parts of a question that can each be asked alone, without filler; never empty."""
    cut = table.rows["clauses"]["cut"]
    parts = [part.strip() for part in re.split(cut, question[:LONGEST], flags=re.IGNORECASE) if part]
    clauses = [part for part in parts if table.strip(normalize(part, table.language), "alone")]
    return clauses or [question[:LONGEST].strip()]


def _read(table: Table, clause: str, records: Sequence[Inspection], history: History) -> _Part:
    words = normalize(clause, table.language)
    if not words:
        return _Part(_summarise(records[0]) if len(records) == 1 else (_fact("tally"),))
    if table.first("command", words):
        return _Part((_fact("verdict"),), cannot=("command",))
    if name := table.first("chatter", words):
        key: Key = "thanks" if name == "thanks" else "greeting"
        return _Part((_fact(key), _fact("verdict")), chatter=True)
    if len(records) > 1:
        return _read_several(table, words, records, history)
    return _read_single(table, words, records, history)


def _read_single(table: Table, words: str, records: Sequence[Inspection], history: History) -> _Part:
    """What a clause about one record comes to: by patterns, else by the nearest phrasing."""
    part = _match_single(table, words, records, history)
    if part.test or (part.known and part.cannot):
        return part
    pointed = point_at_regions(table, words, records[0].regions, history)
    near = find_nearest(words if pointed.by else pointed.words, table.language, "one")
    if part.known and (pointed.explicit or pointed.by or not near.overrules(table.language)):
        return part
    return _from_near(near, pointed, part) if near.likeness >= NEAR else part


def _from_near(near: Near, pointed: Pointed, part: _Part) -> _Part:
    """The part that the nearest phrasing stands for; of a test, what it would be computed from."""
    if not near.keys and not near.reasons or "unknown" in near.reasons:
        return part
    pictures = any(id.startswith("P") for id in pointed.ids)
    facts = tuple(_fact(key, pointed.ids if pictures or key in PER_REGION else ()) for key in near.keys)
    made = complete(Plan(facts, None, near.reasons))
    return _Part(made.facts, None, made.cannot)


def _match_single(table: Table, words: str, records: Sequence[Inspection], history: History) -> _Part:
    i = records[0]
    pointed = point_at_regions(table, words, i.regions, history)
    position, rest = read_position(table, pointed.words)
    clause = Clause(table, rest, pointed, position, records)
    asks = _asks_yes_no(table, words)
    if not table.find("yes_no", "question_words", words) and (test := read_test(clause)):
        return _Part(_support(test, pointed), test)
    if how := _read_how(table, words):
        return _Part((how,))
    if pointed.missing:
        return _Part((_fact("count"),), cannot=("no_region",))
    first = next((key for key in FIRST if table.find("facts", key, words)), "")
    if not first and (reason := _untold(table, words)):
        return _Part(tuple(_fact(key, pointed.ids) for key in AFTER.get(reason, ("verdict",))), cannot=(reason,))
    key = first or table.first("facts", words)
    if position and key in ("", "place", "verdict", "count", "identity", "summary", "type", "comparison"):
        return _read_position(i, position, bool(table.find("words", "good", rest)))
    if asks and key in ("", "verdict"):
        if leftover(clause, rest, "good", "bad", "loose", "review", "unrated", "region", "negation", "any_word"):
            return _Part((_fact("verdict"),), cannot=("unknown",), known=False)
        if any("R" in id for id in pointed.ids) and pointed.explicit:
            return _Part((_fact("severity", pointed.ids), _fact("verdict")))
        return _Part((_fact("verdict"),))
    if asks and key == "type":
        return _Part((_fact("type", pointed.ids),), cannot=("type",))
    return _with_regions(table, key, i, pointed, position, history)


def _with_regions(
    table: Table, key: str, i: Inspection, pointed: Pointed, position: str, history: History
) -> _Part:
    """The facts of a key, of the regions that are pointed at."""
    ids = pointed.ids
    if position and not ids:
        ids = tuple(region.id for region in at_position(i, position))
    if key == "why" and ids and pointed.explicit:
        return _Part((_fact("severity", ids), _fact("how_severity")))
    if key == "identity" and ids and pointed.explicit:
        return _Part((_fact("type", ids), _fact("place", ids)))
    if key in ("", "summary", "count", "verdict") and ids and pointed.explicit:
        earlier = _earlier(table, i, history) if key == "" else ()
        kind = ("type",) if any(r.kind != "strange" and r.id in ids for r in i.regions) else ()
        return _Part(tuple(_fact(one, ids) for one in earlier or (*kind, "place", "size", "severity")))
    if not key and ids:
        earlier = _earlier(table, i, history)
        return _Part(tuple(_fact(one, ids) for one in earlier)) if earlier else _unknown()
    if not key:
        return _unknown()
    if key in ("comparison", "identity", "place") and pointed.by and len(ids) == 1:
        return _Part((_fact("size" if pointed.by == "area" else "severity", ids), _fact("place", ids)))
    key = {"bounding": "box", "near": "place", "sized": "size"}.get(key, key)
    if key == "why":
        whole = [_fact("notices")] if WHOLE_DIFFERS in i.notices else []
        return _Part((_fact("verdict"), *whole, _fact("count"), _fact("rarity"), _fact("references")))
    if key == "summary":
        return _Part(_summarise(i))
    if (
        key == "identity"
        and ids
        and not i.product
        and pointed.words
        and not table.find("words", "thing", pointed.words)
    ):
        key = "type"
    if key == "severity" and pointed.explicit and len(ids) == 1:
        return _Part((_fact("severity", ids), _fact("place", ids)))
    return _Part((_fact(key, ids if key in PER_REGION else ()),))


def _read_position(i: Inspection, position: str, asks_good: bool) -> _Part:
    """What lies at a place; whether that place is "ok" nobody can say in one word."""
    there = tuple(region.id for region in at_position(i, position))
    if there and not asks_good:
        return _Part((_fact("place", there), _fact("severity", there)))
    if asks_good:
        return _Part((_fact("verdict"), _fact("place")))
    return _Part((_fact("count"),), Test("place", "any", "=", position))


def _read_several(table: Table, words: str, records: Sequence[Inspection], history: History) -> _Part:
    """What a clause about several records comes to: by patterns, else by the nearest phrasing."""
    part = _match_several(table, words, records, history)
    if part.test or (part.known and part.cannot):
        return part
    pointed = point_at_pictures(table, words, records, history)
    use = find_nearest(words, table.language, "one")
    if use.overrules(table.language) and not pointed.explicit:
        return _from_near(use, Pointed(), part)
    near = find_nearest(pointed.words, table.language, "several")
    return part if part.known or near.likeness < NEAR else _from_near(near, pointed, part)


def _match_several(table: Table, words: str, records: Sequence[Inspection], history: History) -> _Part:
    pointed = point_at_pictures(table, words, records, history)
    clause = Clause(table, pointed.words, pointed, "", records)
    if not table.find("yes_no", "question_words", words) and (test := read_test(clause)):
        return _Part((), test)
    if how := _read_how(table, words):
        return _Part((how,))
    if pointed.missing:
        return _Part((_fact("tally"),), cannot=("no_picture",))
    if len(pointed.ids) == 1:
        return _read_one_of(table, pointed, records, history)
    several = next((key for key in table.names("several") if table.find("several", key, words)), "")
    if several in ("worst", "best") and len(pointed.ids) == 2:
        several = "comparison"
    if several == "which":
        return _read_which(table, words, records)
    if several == "tally":
        return _Part((_fact("tally", pointed.ids),))
    reason = _untold(table, words)
    if several and reason in (None, "other_picture", "permission"):
        return _Part((_fact(several, pointed.ids),))
    if reason:
        return _Part((_fact("tally"),), cannot=(reason,))
    if len(pointed.ids) == 2:
        return _Part((_fact("comparison", pointed.ids),))
    key = table.first("facts", words)
    if key in ("", "verdict") and _asks_yes_no(table, words):
        return _Part((_fact("tally"),), cannot=("unknown",), known=False)
    if key in ("verdict", "summary", "count", "why", "severity", "identity"):
        return _Part((_fact("tally", pointed.ids),))
    return _Part((_fact(key, pointed.ids),)) if key else _Part((_fact("tally"),), cannot=("unknown",), known=False)


def _read_one_of(table: Table, pointed: Pointed, records: Sequence[Inspection], history: History) -> _Part:
    """A question about one of several pictures, read as one about it alone, its ids put back."""
    picture = pointed.ids[0]
    inside = _read_single(table, pointed.words or "verdict", [records[int(picture[1:]) - 1]], history)
    facts = tuple(
        Fact(fact.key, tuple(f"{picture}.{id}" for id in fact.ids) or (picture,), fact.value)
        for fact in inside.facts
    )
    test = inside.test
    if test:
        subject = picture if test.subject in ("all", "any") else f"{picture}.{test.subject}"
        value = f"{picture}.{test.value}" if re.fullmatch(r"R\d+", str(test.value)) else test.value
        test = Test(test.quantity, subject, test.operator, value)
    return _Part(facts, test, inside.cannot, inside.known)


def _read_which(table: Table, words: str, records: Sequence[Inspection]) -> _Part:
    """The pictures of the verdict that is asked for."""
    if table.find("pointers", "unread", words):
        unread = tuple(f"P{n}" for n, i in enumerate(records, 1) if i.status == "error")
        return _Part((_fact("list", unread), _fact("tally")) if unread else (_fact("tally"),))
    asked = [name for name in ("review", "unrated", "good", "bad") if table.find("words", name, words)]
    asked += ["review"] * bool(table.find("pointers", "person", words))
    verdict = asked[0] if asked else "bad"
    if verdict in ("good", "bad") and table.find("yes_no", "negated", words):
        verdict = {"good": "bad", "bad": "good"}[verdict]
    wanted = {"bad": "defect"}.get(verdict, verdict)
    found = tuple(f"P{n}" for n, i in enumerate(records, 1) if i.verdict == wanted)
    return _Part((_fact("list", found), _fact("tally")) if found else (_fact("tally"),))


def _read_how(table: Table, words: str) -> Fact | None:
    """A fact about the product itself."""
    for key in table.names("how"):
        if found := table.find("how", key, words):
            if key != "how_limit_at":
                return _fact(key)
            numbers = re.findall(r"\d+(?:\.\d+)?", found[0])
            share = float(numbers[-1]) / 100 if numbers else 0.0
            if 0 < share < 1:
                return Fact("how_limit_at", (), share)
    return None


def _asks_yes_no(table: Table, words: str) -> bool:
    """Whether a clause does not ask for anything but a yes or no."""
    return not table.find("yes_no", "question_words", words) and bool(table.find("yes_no", "open", words))


def _untold(table: Table, words: str) -> Reason | None:
    """Why what a clause asks cannot be told, None where it may be; "what should I do?" asks for no permission."""
    what = table.find("yes_no", "question_words", words)
    of_record = what and table.find("nouns", "record", words)
    for reason in table.names("cannot"):
        if table.find("cannot", reason, words) and not (
            what and reason in ASKED_ABOUT or of_record and reason in LOOSE
        ):
            return cast(Reason, reason)
    return None


def _support(test: Test, pointed: Pointed) -> tuple[Fact, ...]:
    """What is told after a yes or no."""
    key = AFTER_TEST.get(test.quantity, "verdict")
    return (_fact(key, pointed.ids if key in PER_REGION else ()),)


def _earlier(table: Table, i: Inspection, history: History) -> tuple[Key, ...]:
    """The keys that "and the second one?" goes on with."""
    for question, _ in reversed(history):
        clause = normalize(split_clauses(table, question)[-1], table.language)
        part = _read_single(table, clause, [i], ())
        if part.known:
            return tuple(dict.fromkeys(f.key for f in part.facts if f.key in PER_REGION))
    return ()


def _summarise(i: Inspection) -> tuple[Fact, ...]:
    keys: list[Key] = ["verdict", "place" if i.regions else "count", "advice", "rarity", "references"]
    if i.notices:
        keys.append("notices")
    elif any(region.has_type for region in i.regions):
        keys.append("type")
    return tuple(map(_fact, keys))


def _unknown() -> _Part:
    return _Part((_fact("verdict"), _fact("how_to_ask")), cannot=("unknown",), known=False)


def _fact(key: str, ids: Sequence[str] = ()) -> Fact:
    return Fact(key, tuple(ids)[:6])  # type: ignore[arg-type]


def _join(parts: Sequence[_Part]) -> Plan:
    """The parts of a question as one plan; what was not understood is left out where something was."""
    if commands := [part for part in parts if "command" in part.cannot]:
        parts = commands[:1]
    if asked := [part for part in parts if not part.chatter]:
        parts = asked
    doubted = any(not part.known or (part.goes_on and part.cannot) for part in parts)
    if understood := [part for part in parts if part.known]:
        parts = understood
    parts = parts[:ANSWERED]
    test = next((part.test for part in parts if part.test), None)
    cannot = tuple(dict.fromkeys(reason for part in parts for reason in part.cannot))
    asked_facts = [part.facts for part in parts]
    if test and doubted:  # a word in the rest of the question might turn what a yes means
        test, cannot = None, cannot or ("unknown",)
    leading = [fact for facts in asked_facts for fact in facts[:1]]
    facts = tuple(dict.fromkeys([*leading, *(fact for facts in asked_facts for fact in facts)]))
    return Plan(facts[:MOST_FACTS], test, cannot[:MOST_CANNOT])
