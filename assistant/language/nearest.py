"""The phrasing that is nearest to a question: what is asked where no pattern of the rules fits.

Words and parts of words are weighed by how few plans they speak for (tf-idf, Salton and Buckley 1988), and the
nearest phrasing by the cosine is taken where it is near enough. It chooses facts and reasons, never a yes or no:
what is near to a question may differ from it in the one word that turns the answer.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import get_args

from assistant.language.phrasings import Section, read_phrasings, spell_out
from assistant.language.plan import Reason
from assistant.language.question_tables import normalize

NEAR = 0.45
"""The cosine from which a phrasing is taken for what was asked."""

SURE, SURE_WIDE = 0.7, 0.85
"""The cosine from which it is taken although a pattern fits, where it asks how the product is used; in a script
without spaces two letters make a word, and words are more alike."""

SPELLED = 24  # questions of a phrasing that are compared at most
STEM = 5  # letters of a word that count as the word
PARTS = 0.4  # of the weight of a word that three letters in a row have


@dataclass(frozen=True)
class Near:
    """The heading of the nearest phrasing, and how near it is, in [0, 1]."""

    plan: str = ""
    likeness: float = 0.0

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the heading; none of a test."""
        return () if self.plan.startswith("?") else tuple(w for w in self.plan.split() if w[0] not in "{!")

    @property
    def is_about_use(self) -> bool:
        """Whether it asks how the product is used; a limit at another rate needs the number read, too."""
        return any(key.startswith("how_") and key != "how_limit_at" for key in self.keys)

    def overrules(self, language: str) -> bool:
        """Whether it is taken although a pattern fits."""
        return self.is_about_use and self.likeness >= (SURE_WIDE if language == "zh" else SURE)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """The reasons of the heading."""
        return tuple(reason for reason in get_args(Reason) if f"!{reason}" in self.plan.split())


def find_nearest(words: str, language: str, section: Section) -> Near:
    """The nearest of a language's phrasings to normalised words without what they point at."""
    index = _index(language, section)
    asked = index.weigh(_features(words, language))
    length = math.sqrt(sum(weight * weight for weight in asked.values()))
    if not length:
        return Near()
    scores: dict[int, float] = defaultdict(float)
    for feature, weight in asked.items():
        for number, other in index.places.get(feature, ()):
            scores[number] += weight * other
    if not scores:
        return Near()
    best = max(scores, key=lambda number: (scores[number], -number))
    return Near(index.plans[best], min(1.0, scores[best] / length))


@dataclass(frozen=True)
class _Index:
    """Where each feature stands: the numbers of questions, and its share of each; `plans` by number."""

    plans: tuple[str, ...]
    rarity: Mapping[str, float]
    unknown: float
    places: Mapping[str, list[tuple[int, float]]]

    def weigh(self, features: Mapping[str, float]) -> dict[str, float]:
        return {name: count * self.rarity.get(name, self.unknown) for name, count in features.items()}


@lru_cache(maxsize=8)
def _index(language: str, section: Section) -> _Index:
    plans: list[str] = []
    rows: list[dict[str, float]] = []
    speaks: dict[str, set[str]] = defaultdict(set)
    seen: set[str] = set()
    for plan, lines in read_phrasings(language).get(section, {}).items():
        for question in (said for line in lines for said in islice(spell_out(line), SPELLED)):
            words = normalize(_without_slots(question), language)
            if f"{plan} {words}" in seen:
                continue
            seen.add(f"{plan} {words}")
            features = _features(words, language)
            for name in features:
                speaks[name].add(plan)
            plans.append(plan)
            rows.append(features)
    total = len(set(plans)) + 1
    rarity = {name: math.log(total / len(found)) for name, found in speaks.items()}
    index = _Index(tuple(plans), rarity, math.log(total), defaultdict(list))
    for number, features in enumerate(rows):
        weights = index.weigh(features)
        length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
        for name, weight in weights.items():
            index.places[name].append((number, weight / length))
    return index


def _features(words: str, language: str) -> dict[str, float]:
    """Words, pairs of them, and parts of words, with how much each counts."""
    if language == "zh":
        found = Counter({letter: 0.5 for letter in words})
        found.update({words[at : at + 2]: 1 for at in range(len(words) - 1)})
        return dict(found)
    counted: dict[str, float] = {}
    for word in words.split():
        counted[word[:STEM]] = 1.0
        padded = f"_{word}_"
        counted |= {f"~{padded[at : at + 3]}": PARTS for at in range(len(padded) - 2)}
    return counted


def _without_slots(question: str) -> str:
    return "".join(part if n % 2 == 0 else "" for n, part in enumerate(question.replace("}", "{").split("{")))
