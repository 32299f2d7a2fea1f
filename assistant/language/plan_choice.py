"""A plan written by a small language model that can only choose: at every step among words that fit the schema.

`choose` walks the tokens of the words that may come next, a trie, and takes the likeliest branch at each. So
whatever the model is, its plan fits the schema and names only keys, ids and reasons that are there: it cannot
misstate a fact. The plan is written as a short line, "place R1 R2 ; test area R1 > 5 ; cannot cause ;", which
`write_line` and `to_line` share; `seen` and `disagrees` are left to models that look better.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from assistant.images.geometry import Position
from assistant.inspection import Inspection, Verdict
from assistant.language.plan import (
    ALL,
    ANY,
    Fact,
    Key,
    Operator,
    Plan,
    Quantity,
    Reason,
    Test,
    list_ids,
)

Scores = Sequence[float] | NDArray[np.float32]
"""How likely each token is to come next, in any unit."""

Choose = Callable[[Sequence[str]], str]
"""From the words that may come next to the one that comes."""

END = " ;"
"""Ends a part of the line, and the line where nothing was begun."""

MOST_PARTS = 3  # facts, and reasons, that are chosen at most
MOST_IDS = 3
LONGEST_NUMBER = 6  # digits

OF_IDS: frozenset[str] = frozenset(
    (
        "place",
        "box",
        "size",
        "total_area",
        "severity",
        "type",
        "comparison",
        "reference",
        "verdict",
        "score",
        "list",
    )
)
"""Keys that ids may follow."""

_NUMBERED = ("score", "threshold", "p_value", "count", "area", "pixels", "peak", "references", "notices")
_COMPARED = ("area", "pixels", "peak", "severity")
_WORDS: dict[str, tuple[str, ...]] = {
    "verdict": get_args(Verdict),
    "severity": ("slight", "moderate", "severe"),
    "place": tuple(word.replace(" ", "-") for word in get_args(Position)),
    "score": ("threshold", "review_threshold"),
}


def write_line(records: Sequence[Inspection], choose: Choose) -> Plan:
    """The plan that the choices make: facts first, then a test or none, then reasons."""
    ids = list_ids(records)
    facts: list[Fact] = []
    while len(facts) < MOST_PARTS and (
        key := _pick(choose, [k for k in _KEYS if k not in {f.key for f in facts}])
    ):
        facts.append(_write_fact(key, ids, choose))
    test = _write_test(ids, choose) if _pick(choose, ["test"]) else None
    reasons: list[Reason] = []
    while len(reasons) < MOST_PARTS and (reason := _pick(choose, [r for r in _REASONS if r not in reasons])):
        reasons.append(reason)  # type: ignore[arg-type]
    return Plan(tuple(facts), test, tuple(reasons))


def to_line(plan: Plan) -> str:
    """A plan as the line that `write_line` would choose; what it cannot write is left out."""
    said = []
    for fact in [fact for fact in plan.facts if fact.key in _KEYS][:MOST_PARTS]:
        share = [*f"{100 * fact.value:.3g}"] if fact.value is not None else []
        ids = fact.ids[:MOST_IDS] if fact.key in OF_IDS else ()
        said.append(
            "".join(f" {word}" for word in (fact.key, *ids, *share)) + (END if share or fact.key in OF_IDS else "")
        )
    said += [END] if len(plan.facts) < MOST_PARTS else []
    if plan.test:
        value = plan.test.value
        words = [*f"{value:g}", ";"] if isinstance(value, float) else [str(value).replace(" ", "-")]
        test = (plan.test.quantity, plan.test.subject, plan.test.operator, *words)
        said.append(" test" + "".join(f" {word}" for word in test))
    else:
        said.append(END)
    reasons = plan.cannot[:MOST_PARTS]
    said += [f" {reason}" for reason in reasons]
    return "".join(said) + (END if len(reasons) < MOST_PARTS else "")


def read_line(line: str, records: Sequence[Inspection]) -> Plan:
    """The plan of a line, as `to_line` writes it; ValueError where it is none."""
    rest = line

    def choose(words: Sequence[str]) -> str:
        nonlocal rest
        for word in sorted(words, key=len, reverse=True):
            if rest.startswith(word) and rest[len(word) :][:1] in ("", " "):
                rest = rest[len(word) :]
                return word
        raise ValueError(f"{rest[:20]!r} does not go on with a plan")

    return write_line(records, choose)


class TokenTrie:
    """Chooses a word by its tokens: of those that may come next, the one that a model finds likeliest.

    `encode` gives the tokens of a word, `read` takes tokens in and gives the scores of the next, one for each.
    """

    def __init__(self, encode: Callable[[str], Sequence[int]], read: Callable[[Sequence[int]], Scores]) -> None:
        self._encode, self._read = encode, read
        self._scores: Scores = ()
        self._known: dict[str, tuple[int, ...]] = {}

    def begin(self, scores: Scores) -> None:
        """Start from the scores that follow the question."""
        self._scores = scores

    def choose(self, words: Sequence[str]) -> str:
        """The word whose tokens are the likeliest at each branch; what has no branch is not scored."""
        left = {word: self._tokens(word) for word in words}
        depth = 0
        while len(left) > 1:
            ended = [word for word, tokens in left.items() if len(tokens) == depth]
            branches = {tokens[depth] for tokens in left.values() if len(tokens) > depth}
            best = max(branches, key=lambda token: self._scores[token])
            if ended and self._scores[best] < self._boundary(ended):
                return ended[0]
            left = {word: t for word, t in left.items() if len(t) > depth and t[depth] == best}
            self._scores = self._read([best])
            depth += 1
        word, tokens = next(iter(left.items()))
        if depth < len(tokens):
            self._scores = self._read(tokens[depth:])
        return word

    def _boundary(self, ended: Sequence[str]) -> float:
        """How likely it is that a word which is the beginning of another ends here: that of what follows any."""
        return float(self._scores[self._tokens(END)[0]])

    def _tokens(self, word: str) -> tuple[int, ...]:
        if word not in self._known:
            self._known[word] = tuple(self._encode(word))
        return self._known[word]


def _write_fact(key: str, ids: Sequence[str], choose: Choose) -> Fact:
    if key == "how_limit_at":
        percent = _write_number(choose) or 1.0
        return Fact("how_limit_at", (), min(max(percent / 100, 1e-4), 0.99))
    chosen: list[str] = []
    while key in OF_IDS and len(chosen) < MOST_IDS and (id := _pick(choose, [i for i in ids if i not in chosen])):
        chosen.append(id)
    if key in OF_IDS and len(chosen) == MOST_IDS:
        choose([END])
    return Fact(key, tuple(chosen))  # type: ignore[arg-type]


def _write_test(ids: Sequence[str], choose: Choose) -> Test:
    pictures = [id for id in ids if "." not in id and id.startswith("P")]
    quantities = [q for q in get_args(Quantity) if q != "enough_references" and (q != "rank" or len(pictures) > 1)]
    quantity: Quantity = choose([f" {q}" for q in quantities]).strip()  # type: ignore[assignment]
    subject = choose([f" {word}" for word in (pictures if quantity == "rank" else (*ids, ALL, ANY))]).strip()
    operator: Operator = choose([f" {word}" for word in get_args(Operator)]).strip()  # type: ignore[assignment]
    others = pictures if quantity == "rank" else ids if quantity in _COMPARED else ()
    words = [f" {word}" for word in (*_WORDS.get(quantity, ()), *others)]
    digits = [f" {digit}" for digit in "0123456789"] if quantity in _NUMBERED else []
    first = choose([*words, *digits])
    if first not in digits:
        return Test(quantity, subject, operator, first.strip().replace("-", " "))
    return Test(quantity, subject, operator, _write_number(choose, first.strip()) or 0.0)


def _write_number(choose: Choose, said: str = "") -> float | None:
    """A number, digit by digit."""
    while len(said) < LONGEST_NUMBER:
        after = [f" {digit}" for digit in "0123456789"] + ([" ."] if said and "." not in said else [])
        word = choose([*after, *([END] if said and not said.endswith(".") else [])])
        if word == END:
            return float(said)
        said += word.strip()
    choose([END])
    return float(said.rstrip("."))


def _pick(choose: Choose, words: Sequence[str]) -> str:
    """One of some words, "" where the part ends instead."""
    said = choose([*(f" {word}" for word in words), END])
    return "" if said == END else said.strip()


_KEYS: tuple[Key, ...] = get_args(Key)
_REASONS: tuple[Reason, ...] = get_args(Reason)
