"""How people ask about an inspection, by topic, and what they call a region.

The phrasings stand in `phrasings.toml`. A share of each topic's is held out, so that a model can be tested with
words that it was not trained on; `drills.toml` holds more for training alone.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Literal

import numpy as np

from assistant.inspection import Inspection, Region

Split = Literal["train", "test"]

HELD_OUT = 5
"""Of so many phrasings, one is held out for testing."""

_COUNTED = ("first", "second", "third", "fourth")
_NOUNS = ("one", "region", "spot")
_THINGS = ("the defect", "the damage", "the flaw", "the anomaly", "the marked spot", "the region", "the fault")


@cache
def phrasings(split: Split = "train") -> dict[str, tuple[str, ...]]:
    """The phrasings of each topic, for training or the ones held out for testing; no phrasing is in both.

    Some topics have none that are held out.
    """
    topics = _read("phrasings.toml")
    kept = {line for lines in topics.values() for n, line in enumerate(lines) if n % HELD_OUT != HELD_OUT - 2}
    by_topic = {
        topic: tuple(line for line in lines if (line in kept) == (split == "train"))
        for topic, lines in topics.items()
    }
    if split == "train":
        for topic, lines in _read("drills.toml").items():
            by_topic[topic] = (*by_topic.get(topic, ()), *lines)
    return by_topic


def _read(name: str) -> dict[str, list[str]]:
    text = resources.files("assistant.training").joinpath(name).read_text(encoding="utf-8")
    return {topic: lines.split("\n")[:-1] for topic, lines in tomllib.loads(text).items()}


def ask(topic: str, rng: np.random.Generator, split: Split = "train", **slots: str) -> str:
    """A question on a topic in random words, its slots filled, typed as people type."""
    lines = phrasings(split)[topic]
    return type_carelessly(lines[int(rng.integers(len(lines)))].format(**slots), rng)


def type_carelessly(question: str, rng: np.random.Generator) -> str:
    """The same question, at times after "please" or "so", in lower case or without its full stop."""
    draw = rng.random()
    if draw < 0.1:
        opening = str(rng.choice(["Please: ", "So, ", "Ok, ", "Hello. ", "One question: ", "Tell me: "]))
        if opening.endswith(", ") and not question.startswith(("I ", "R")):
            question = question[0].lower() + question[1:]
        return opening + question
    if draw < 0.2:
        return question.lower().rstrip("?.")
    return question


def refer_to(i: Inspection, r: Region, rng: np.random.Generator, *, cited: tuple[str, ...] = ()) -> str:
    """What a person calls a region: its id, its rank, a loose name where it is the only one, or "it".

    `cited` are the regions that the last answer spoke of.
    """
    names = [r.id, r.id, f"region {r.id}", f"[{r.id}]"]
    rank = int(r.id[1:]) - 1
    if len(i.regions) > 1 and rank < len(_COUNTED):
        names += [f"the {_COUNTED[rank]} {rng.choice(_NOUNS)}"] * 2
    if len(i.regions) == 1:
        names += [str(rng.choice(_THINGS))] * 3 + ["it"]
    if cited == (r.id,):
        names += ["it"] * 5
    return str(names[int(rng.integers(len(names)))])


def refer_to_missing(i: Inspection, rng: np.random.Generator) -> str:
    """What a person calls a region that the record does not have: an id or a rank beyond the last."""
    number = len(i.regions) + int(rng.integers(1, 4))
    if 1 < number <= len(_COUNTED) and rng.random() < 0.4:
        return f"the {_COUNTED[number - 1]} {rng.choice(_NOUNS)}"
    return f"R{number}" if rng.random() < 0.8 else f"region R{number}"


def refer_to_nothing(rng: np.random.Generator) -> str:
    """What a person calls a defect that is not there."""
    return str(rng.choice([*_THINGS, "it", "the defect"]))
