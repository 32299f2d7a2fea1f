"""What is asked about an inspected picture, and what is known of the right answer.

Seven kinds of questions: presence, where, count, type, unanswerable, leading and premise. They are drawn by seed
and picture, so that every speaker hears the same. It knows no answer and no speaker.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assistant.eval.datasets import Sample
from assistant.eval.dialogue_words import ask, at
from assistant.images.geometry import position_of
from assistant.inspection import DefectType, Inspection
from assistant.prompts.defects import DEFECTS

KINDS = ("presence", "where", "count", "type", "unanswerable", "leading", "premise")
PLACES = ("top left", "top", "top right", "left", "center", "right", "bottom left", "bottom", "bottom right")
BEYOND = (
    *("millimetres", "depth", "maker", "price", "when"),
    *("consequence", "back", "material", "batch_others", "elsewhere"),
)
"""Topics that no inspection can tell of."""

_LIKELY = 0.7
"""How likely the type is that some records are given."""


@dataclass(frozen=True)
class Case:
    """An inspected picture with its truth: its label, where its outline has its middle, and what cells it touches.

    `centre` is one of `PLACES`, or "" where nothing is outlined.
    """

    dataset: str
    name: str
    picture: Path
    inspection: Inspection
    defective: bool
    centre: str = ""
    touched: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Asked:
    """One question about a case; `inspection` is the record that is shown, which may name a type.

    `premise` is what the question takes for granted of the part, "good" or "defect"; in a presence question it is
    what a yes means. `target` is what else it takes for granted: a region's id, a place, or a name of a defect.
    """

    case: Case
    kind: str
    topic: str
    question: str
    inspection: Inspection
    premise: str = ""
    target: str = ""


def make_case(dataset: str, sample: Sample, found: Inspection) -> Case:
    """The case of a picture; DatasetError or ImageError where its outline cannot be read."""
    name = "/".join(sample.image.parts[-2:])
    mask = sample.load_mask(found.width or 1, found.height or 1)
    if mask is None or not mask.any():
        return Case(dataset, name, sample.image, found, sample.label == 1)
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    middle = (float(columns[0] + columns[-1] + 1) / 2, float(rows[0] + rows[-1] + 1) / 2)
    return Case(
        dataset,
        name,
        sample.image,
        found,
        sample.label == 1,
        str(position_of(middle, width, height)),
        frozenset(_touched(mask)),
    )


def draw_questions(cases: Sequence[Case], each: int = 1, seed: int = 0) -> Iterator[Asked]:
    """`each` questions of every kind about every case, in the cases' order.

    Of the records with regions that are asked about a type, every other one is given a type of the vocabulary: the
    pocket bundle names none. Those come last, since they are other evidence.
    """
    for number, case in enumerate(cases):
        drawn = []
        for place, kind in enumerate(KINDS):
            for n in range(each):
                key = [seed, zlib.crc32(f"{case.dataset}/{case.name}".encode()), place, n]
                drawn.append(_DRAW[kind](case, np.random.default_rng(key), (number + n) % 2 == 0))
        yield from sorted(drawn, key=lambda asked: asked.inspection is not case.inspection)


def _presence(case: Case, rng: np.random.Generator, _: bool) -> Asked:
    topic, premise = [("presence", "defect"), ("fine", "good")][int(rng.integers(2))]
    return Asked(case, "presence", topic, ask(topic, rng), case.inspection, premise)


def _where(case: Case, rng: np.random.Generator, _: bool) -> Asked:
    return Asked(case, "where", "where", ask("where", rng), case.inspection)


def _count(case: Case, rng: np.random.Generator, _: bool) -> Asked:
    return Asked(case, "count", "count", ask("count", rng), case.inspection)


def _type(case: Case, rng: np.random.Generator, known: bool) -> Asked:
    found = case.inspection
    if not found.regions:
        return Asked(case, "type", "type", ask("type", rng, r="the defect"), found)
    first, *rest = found.regions
    if known:
        named = DefectType(DEFECTS[int(rng.integers(len(DEFECTS)))].name, _LIKELY)
        first = replace(first, defect_types=(named,))
        found = replace(found, regions=(first, *rest))
    return Asked(case, "type", "type", ask("type", rng, r=first.id), found)


def _unanswerable(case: Case, rng: np.random.Generator, _: bool) -> Asked:
    topic = str(rng.choice(BEYOND))
    return Asked(case, "unanswerable", topic, ask(topic, rng), case.inspection)


def _leading(case: Case, rng: np.random.Generator, _: bool) -> Asked:
    """A claim or a command that goes against the record."""
    verdict = case.inspection.verdict
    side = {"good": "bad", "defect": "good"}.get(verdict or "") or str(rng.choice(["good", "bad"]))
    topic = f"{side}_claim" if rng.random() < 0.5 else f"command_{side}"
    topic = {"good_claim": "fine_claim"}.get(topic, topic)
    premise = "good" if side == "good" else "defect"
    return Asked(case, "leading", topic, ask(topic, rng), case.inspection, premise)


def _premise(case: Case, rng: np.random.Generator, _: bool) -> Asked:
    """A question that takes a region, a place or a kind of defect for granted that the record does not hold."""
    found = case.inspection
    topic = str(rng.choice(["presumed", "missing", "at_place"]))
    empty = [p for p in PLACES if not any(set(p.split()) <= set(r.position.split()) for r in found.regions)]
    if topic == "presumed":
        named = {t.name for r in found.regions for t in r.defect_types}
        target = str(rng.choice([d.name for d in DEFECTS if d.name not in named]))
        slots = {"name": target}
    elif topic == "at_place" and empty:
        target = str(rng.choice(empty))
        slots = {"place": at(target)}
    else:
        topic, target = "missing", f"R{len(found.regions) + int(rng.integers(1, 4))}"
        slots = {"r": target}
    return Asked(case, "premise", topic, ask(topic, rng, **slots), found, target=target)


_DRAW = {
    "presence": _presence,
    "where": _where,
    "count": _count,
    "type": _type,
    "unanswerable": _unanswerable,
    "leading": _leading,
    "premise": _premise,
}


def _touched(mask: NDArray[np.bool_]) -> Iterator[str]:
    height, width = mask.shape
    rows, columns = np.nonzero(mask)
    for cell in set(zip(3 * rows // height, 3 * columns // width, strict=True)):
        yield PLACES[3 * int(cell[0]) + int(cell[1])]
