"""Questions with the plans that answer them, drawn at random to train the pocket model on, in four languages.

How people ask is read by `language.phrasings`; here that is filled in about made records, asked twice in one
sentence, after an earlier question, politely, and with typing errors. Questions that answers are measured with are
never drawn: `asked/apart.txt` holds their marks.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from assistant.images.geometry import Position, position_of
from assistant.inspection import Inspection, Region
from assistant.language.phrasings import kept_apart, mark, read_phrasings, tidy
from assistant.language.plan import Fact, Plan, Quantity, Reason, Test
from assistant.language.plan_choice import MOST_PARTS, to_line
from assistant.language.plan_prompt import state_question
from assistant.language.pointers import History
from assistant.prompts.defects import DEFECTS
from assistant.training.question_words import WORDS, Words

Split = Literal["train", "test"]

SHARES = {"en": 0.48, "de": 0.2, "es": 0.17, "zh": 0.15}
SEVERAL = 0.14  # of the questions are about several pictures
JOINED, AFTER, AGAIN, TYPO, POLITE = 0.12, 0.2, 0.04, 0.14, 0.12
HELD_OUT = 12  # one in so many phrasings is kept for judging, where a plan has enough

_PER_REGION = ("place", "size", "severity", "type", "box")
_NUMBERS: dict[str, Sequence[float]] = {
    "score": (0.3, 0.4, 0.5, 0.6, 0.75, 0.8, 1.0, 1.5),
    "p_value": (0.001, 0.01, 0.02, 0.05, 0.1),
    "count": tuple(range(1, 10)),
    "references": (1, 2, 3, 5, 8, 10, 20, 50),
    "pixels": (50, 100, 250, 500, 1000, 2500, 9000),
    "area": (0.5, 1, 2, 3, 5, 8, 10, 15, 20, 25, 30, 40, 50, 60, 75),
    "how_limit_at": (0.5, 1, 2, 3, 4, 5, 8, 10, 20),
    "": (1, 2, 3, 5, 12, 17),
}


@dataclass(frozen=True)
class Asked:
    """A question about records, after earlier ones, and the plan that answers it."""

    records: tuple[Inspection, ...] = field(repr=False)
    question: str
    plan: Plan
    language: str
    history: History = ()

    @property
    def prompt(self) -> str:
        """The question as the model reads it."""
        return state_question(self.records, self.question, self.history, self.language)

    @property
    def line(self) -> str:
        """The plan as the model writes it."""
        return to_line(self.plan)


def draw_questions(count: int, seed: int = 0, split: Split = "train") -> list[Asked]:
    """So many questions with their plans; the same for the same seed."""
    rng = np.random.default_rng([seed, split == "test"])
    drawn: list[Asked] = []
    while len(drawn) < count:
        drawn += [asked] if (asked := _draw(rng, split)) else []
    return drawn


def phrasings(language: str, section: str, split: Split) -> dict[str, tuple[str, ...]]:
    """The phrasings of a language and section, by plan, of a split; plans without any are left out."""
    kept = {}
    for plan, lines in read_phrasings(language)[section].items():
        apart = [line for line in lines if _is_held_out(line)] if len(lines) > 2 else []
        chosen = apart if split == "test" else [line for line in lines if line not in apart]
        if chosen:
            kept[plan] = tuple(chosen)
    return kept


def expand(phrasing: str, rng: np.random.Generator) -> str:
    """A phrasing with one word chosen of each "(a|b)"."""
    while found := re.search(r"\(([^()]*)\)", phrasing):
        chosen = str(rng.choice(found[1].split("|")))
        phrasing = phrasing[: found.start()] + chosen + phrasing[found.end() :]
    return tidy(phrasing)


def _draw(rng: np.random.Generator, split: Split) -> Asked | None:
    language = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    words = WORDS[language]
    section = "several" if rng.random() < SEVERAL else "one"
    number = int(rng.integers(2, 6)) if section == "several" else 1
    records = tuple(_draw_record(n, rng) for n in range(1, number + 1))
    lines = phrasings(language, section, split)
    if section == "one" and records[0].regions and rng.random() < AGAIN:
        return _ask_again(records, words, rng)
    before = _draw_history(records, language, section, rng) if rng.random() < AFTER else ()
    filled = _fill(records, lines, words, rng, before)
    if filled is None:
        return None
    question, plan = filled
    if rng.random() < JOINED and not plan.test and (more := _fill(records, lines, words, rng, ())):
        joined = Plan(tuple(dict.fromkeys(plan.facts + more[1].facts)), None, plan.cannot + more[1].cannot)
        keys = [fact.key for fact in joined.facts] + list(joined.cannot)
        if not more[1].test and len(keys) == len(set(keys)) and len(joined.facts) <= MOST_PARTS:
            question, plan = f"{question}{rng.choice(words.joins)}{more[0]}", joined
    if rng.random() < POLITE:
        opening, closing = str(rng.choice(words.openings)), str(rng.choice(words.closings))
        question = f"{opening}{question}" if rng.random() < 0.5 else f"{question}{closing}"
    if rng.random() < TYPO:
        question = _mistype(question, rng)
    return Asked(records, question + ("?" if rng.random() < 0.6 else ""), plan, language, before)


def _ask_again(records: tuple[Inspection, ...], words: Words, rng: np.random.Generator) -> Asked:
    """ "And R2?" after a question about another region."""
    key = str(rng.choice(_PER_REGION))
    lines = phrasings(words.language, "one", "train")[f"{key} {{r}}"]
    one, other = (_draw_region(records[0], rng) for _ in range(2))
    earlier = expand(str(rng.choice(lines)), rng).replace("{r}", words.region(int(one.id[1:]), rng))
    question = expand(str(rng.choice(words.again)), rng).replace("{r}", words.region(int(other.id[1:]), rng))
    plan = Plan((Fact(key, (other.id,)),))  # type: ignore[arg-type]
    return Asked(records, question, plan, words.language, ((earlier, f"[{one.id}]"),))


def _draw_history(
    records: tuple[Inspection, ...], language: str, section: str, rng: np.random.Generator
) -> tuple[tuple[str, str], ...]:
    filled = _fill(records, phrasings(language, section, "train"), WORDS[language], rng, ())
    if filled is None:
        return ()
    cited = [id for fact in filled[1].facts for id in fact.ids if id.startswith("R")]
    regions = records[0].regions
    if not cited and regions and rng.random() < 0.5:
        cited = [_draw_region(records[0], rng).id]
    return ((filled[0], " ".join(f"[{id}]" for id in cited)),)


def _fill(
    records: Sequence[Inspection],
    lines: dict[str, tuple[str, ...]],
    words: Words,
    rng: np.random.Generator,
    history: History,
) -> tuple[str, Plan] | None:
    """A question and its plan, about these records; None where there is none, or what is drawn does not fit."""
    if not lines:
        return None
    odds = np.array([len(options) ** 0.5 for options in lines.values()])
    label = str(rng.choice(list(lines), p=odds / odds.sum()))
    question = expand(str(rng.choice(lines[label])), rng)
    regions = len(records[0].regions) if len(records) == 1 else 0
    if "{r}" in question and "{r}" not in label:
        question = question.replace("{r}", words.it)
    named: dict[str, str] = {}
    for slot in ("r", "s"):
        if f"{{{slot}}}" in label:
            open_ = [n for n in range(1, regions + 1) if f"R{n}" not in named.values()]
            if not open_:
                return None
            number = int(rng.choice(open_))
            cited = re.findall(r"\[(R\d+)\]", history[-1][1]) if history else []
            as_it = slot == "r" and "{s}" not in label and cited == [f"R{number}"] and rng.random() < 0.6
            named[slot] = f"R{number}"
            question = question.replace(f"{{{slot}}}", words.it if as_it else words.region(number, rng))
    for slot in ("p", "q"):
        if f"{{{slot}}}" in label:
            open_ = [n for n in range(1, len(records) + 1) if f"P{n}" not in named.values()]
            number = int(rng.choice(open_))
            named[slot] = f"P{number}"
            question = question.replace(f"{{{slot}}}", words.picture(number, rng))
    question = question.replace("{missing}", words.region(regions + int(rng.integers(1, 4)), rng))
    question = question.replace("{lost}", words.picture(len(records) + int(rng.integers(1, 4)), rng))
    if "{kind}" in question:
        question = question.replace("{kind}", str(rng.choice([defect.name for defect in DEFECTS])))
    if "{place}" in label:
        place = str(rng.choice(get_args(Position)))
        named["place"] = place
        question = question.replace("{place}", words.places[place])
    if "{n}" in question:
        first = label.split()[0].lstrip("?")
        value = float(rng.choice(_NUMBERS.get(first, _NUMBERS[""])))
        named["n"] = f"{value:g}"
        question = question.replace("{n}", f"{value:g}".replace(".", words.point))
    if mark(question) in kept_apart():
        return None
    return question, read_label(label, named)


def read_label(label: str, named: dict[str, str]) -> Plan:
    """The plan that a heading of the phrasings stands for, with its slots named."""
    facts: list[Fact] = []
    reasons: list[Reason] = []
    words = label.split(" ")
    if label.startswith("?"):
        quantity: Quantity = words[0][1:]  # type: ignore[assignment]
        subject, operator, said = (named.get(word.strip("{}"), word) for word in words[1:4])
        value = float(said) if re.fullmatch(r"[\d.]+", said) else said
        return Plan((), Test(quantity, subject, operator, value))  # type: ignore[arg-type]
    for word in words:
        if word.startswith("!"):
            reasons.append(word[1:])  # type: ignore[arg-type]
        elif word == "{n}":
            facts[-1] = Fact(facts[-1].key, (), float(named["n"]) / 100)
        elif word.startswith("{"):
            facts[-1] = Fact(facts[-1].key, (*facts[-1].ids, named[word.strip("{}")]))
        else:
            facts.append(Fact(word))  # type: ignore[arg-type]
    return Plan(tuple(facts), None, tuple(reasons))


def _draw_record(number: int, rng: np.random.Generator) -> Inspection:
    """A record that questions can point into: regions at random places, the strongest first."""
    found = []
    for n in range(1, int(rng.choice(7, p=(0.14, 0.2, 0.22, 0.2, 0.12, 0.07, 0.05))) + 1):
        x, y = int(rng.integers(0, 560)), int(rng.integers(0, 400))
        box = (x, y, x + int(rng.integers(10, 80)), y + int(rng.integers(10, 80)))
        area = (box[2] - box[0]) * (box[3] - box[1])
        place = position_of(box, 640, 480)
        found.append(Region(f"R{n}", box, area, area / 307_200, 1.6 - 0.1 * n, place, "moderate"))
    return Inspection(
        f"part-{number}.png",
        mode="zero-shot",
        score=0.5,
        verdict="unrated",
        width=640,
        height=480,
        regions=tuple(found),
    )


def _draw_region(record: Inspection, rng: np.random.Generator) -> Region:
    return record.regions[int(rng.integers(len(record.regions)))]


def _mistype(text: str, rng: np.random.Generator) -> str:
    """One typing error in a word of four letters or more: two letters swapped, one left out or doubled."""
    spots = [found.span() for found in re.finditer(r"[a-zäöüñáéíóúß]{4,}", text, re.IGNORECASE)]
    if not spots:
        return text
    start, end = spots[int(rng.integers(len(spots)))]
    at = int(rng.integers(start, end - 1))
    kind = int(rng.integers(3))
    pair = (text[at + 1] + text[at], text[at + 1], text[at] * 2 + text[at + 1])[kind]
    return text[:at] + pair + text[at + 2 :]


def _is_held_out(line: str) -> bool:
    return hashlib.sha256(line.encode()).digest()[0] % HELD_OUT == 0
