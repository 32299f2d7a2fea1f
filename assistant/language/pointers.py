"""What a question points at: regions and pictures by number, order, size or a word such as "it", and places."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from assistant.inspection import Inspection, Region
from assistant.language.plan import Quantity
from assistant.language.question_tables import Table, normalize
from assistant.language.wording import base_name

History = Sequence[tuple[str, str]]

SUPERLATIVES: tuple[tuple[str, Callable[..., Region], Quantity], ...] = (
    ("largest", max, "area"),
    ("smallest", min, "area"),
    ("weakest", min, "peak"),
    ("strongest", max, "peak"),
)


@dataclass(frozen=True)
class Pointed:
    """What a clause points at.

    `ids` are ids of a plan, `missing` says that it points at something that is not there, `explicit` that it names
    it rather than "it"; `words` is the clause without the words that point, `by` the quantity of a superlative.
    """

    ids: tuple[str, ...] = ()
    missing: bool = False
    explicit: bool = False
    words: str = ""
    by: str = ""


def point_at_regions(table: Table, words: str, regions: Sequence[Region], history: History) -> Pointed:
    """The regions of a single picture that a clause points at."""
    known = [region.id for region in regions]
    numbers, rest = _take_numbers(table, words, ("region", "ordinal"))
    if numbers:
        asked = [f"R{n}" for n in numbers]
        found = tuple(id for id in dict.fromkeys(asked) if id in known)
        return Pointed(found, len(found) < len(set(asked)), True, rest)
    last, rest = table.take("pointers", "last", words)
    if last and known:
        return Pointed((known[-1],), False, True, rest)
    for name, choose, attribute in SUPERLATIVES:
        found_, rest = table.take("pointers", name, words)
        if found_ and regions:
            chosen = choose(regions, key=lambda region: float(getattr(region, attribute)))
            return Pointed((chosen.id,), False, True, rest, attribute)
    cited = last_cited(history, known)
    others, rest = table.take("pointers", "others", words)
    if others and cited:
        return Pointed(tuple(id for id in known if id not in cited), False, True, rest)
    follows = table.find("pointers", "it", words) or len(words.split()) <= 3
    if follows and len(cited) == 1 and not table.find("pointers", "all", words):
        return Pointed(tuple(cited), False, False, words)
    return Pointed(words=words)


def point_at_pictures(table: Table, words: str, records: Sequence[Inspection], history: History) -> Pointed:
    """The pictures of several that a clause points at."""
    total = len(records)
    share, rest = table.take("pointers", "share", words)
    if share:
        n = min(table.number(share[2]), total)
        chosen = range(n) if table.find("pointers", "from_first", share[1]) else range(total - n, total)
        return Pointed(tuple(f"P{n + 1}" for n in chosen), False, True, rest)
    named, words = _take_files(table, words, records)
    numbers, rest = _take_numbers(table, words, ("picture", "picture_ordinal"), total)
    numbers = list(dict.fromkeys([*named, *numbers]))
    if numbers:
        found = tuple(f"P{n}" for n in dict.fromkeys(numbers) if 1 <= n <= total)
        return Pointed(found, len(found) < len(set(numbers)), True, rest)
    if history and (table.find("pointers", "it", words) or table.find("pointers", "back", words)):
        cited = _take_numbers(table, history[-1][1].casefold(), ("picture",))[0]
        if len(set(cited)) == 1 and 1 <= cited[0] <= total:
            return Pointed((f"P{cited[0]}",), False, False, words)
    return Pointed(words=words)


def last_cited(history: History, ids: Sequence[str]) -> list[str]:
    """The ids in the latest answer that cites any, in its order."""
    for _, said in reversed(history):
        if cited := [id for id in dict.fromkeys(re.findall(r"\[(R\d+)\]", said)) if id in ids]:
            return cited
    return []


def read_position(table: Table, words: str) -> tuple[str, str]:
    """The place in a clause, "top left" or "", and the clause without its words."""
    placed, rest = table.take("places", "placed", words)
    if not placed:
        return "", words
    sides = []
    for group in (("top", "bottom"), ("left", "right")):
        for side in group:
            if table.find("places", side, placed[0]):
                sides.append(side)
                break
    if not sides and not table.find("places", "center", placed[0]):
        return "", words
    while (again := table.find("places", "placed", rest)) is not None:  # "in the lower right corner"
        for side in ("top", "bottom", "left", "right"):
            if table.find("places", side, again[0]) and side not in sides:
                sides.append(side)
        rest = table.drop(again, rest)
    down = [side for side in sides if side in ("top", "bottom")][:1]
    across = [side for side in sides if side in ("left", "right")][:1]
    return " ".join([*down, *across]) or "center", rest


def _take_files(table: Table, words: str, records: Sequence[Inspection]) -> tuple[list[int], str]:
    """The numbers of pictures that are called by their file's name, in the order of the words, and the rest."""
    found: dict[int, int] = {}
    for n, i in enumerate(records, 1):
        stem = normalize(base_name(i.path).rpartition(".")[0], table.language)
        if len(stem) > 3 and (at := re.search(rf"(?<!\w){re.escape(stem)}(?!\w)", words)):
            found[n] = at.start()
    for n in found:
        words = words.replace(normalize(base_name(records[n - 1].path).rpartition(".")[0], table.language), " ")
    return sorted(found, key=lambda n: found[n]), " ".join(words.split())


def _take_numbers(table: Table, words: str, names: Sequence[str], last: int = 0) -> tuple[list[int], str]:
    """The numbers that pointers of these names give, in their order, and the words without them."""
    numbers: list[int] = []
    for name in names:
        while (found := table.find("pointers", name, words)) is not None:
            said = next((group for group in found.groups() if group), "")
            named = [n for word in (said, *said.split()) if (n := table.number(word))]
            numbers += named or [last]
            words = table.drop(found, words)
    return list(dict.fromkeys(n for n in numbers if n)), words
