"""Whether two settings find the same in the same pictures: verdicts, scores, maps, regions, answers.

Each is asked in every way there is: few-shot, taught, mutual, and zero-shot where the bundle has limits for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assistant.errors import CalibrationError
from assistant.face.examples import EXAMPLES, draw_part
from assistant.inspection import Inspection
from assistant.inspector import Inspector

QUESTION = "Where is it, how large, and how sure are you?"
REFERENCES = 4


@dataclass(frozen=True)
class Part:
    """Generated pictures of one kind of part: good references, a defect to teach, and pictures to inspect."""

    name: str
    references: list[NDArray[np.uint8]]
    taught: NDArray[np.uint8]
    pictures: list[NDArray[np.uint8]]


@dataclass(frozen=True)
class Found:
    """What one setting found in the pictures of one part, by the way it was asked, and its answers."""

    rows: dict[str, list[Inspection]]
    answers: list[str]


@dataclass(frozen=True)
class Agreement:
    """How far one setting is from the reference, over the pictures of all parts asked in one way.

    `flips` counts other verdicts, `regions` pictures with another number of regions, `answers` other answers, of
    few-shot only. `score` is the largest difference of a score; `map_worst` and `map_mean` are the largest and the
    mean difference of maps, as shares of the largest value of the reference's map.
    """

    bundle: str
    setting: str
    way: str
    pictures: int
    flips: int
    regions: int
    score: float
    map_worst: float
    map_mean: float
    answers: int | None = None


def draw_parts(each: int) -> list[Part]:
    """The three generated parts, with `each` pictures to inspect, every second one defective."""
    return [
        Part(
            name,
            [draw_part(name, 2 + i) for i in range(REFERENCES)],
            draw_part(name, 50, True),
            [draw_part(name, 100 + i, i % 2 == 0) for i in range(each)],
        )
        for name in EXAMPLES
    ]


def find(inspector: Inspector, part: Part) -> Found:
    """Learn, inspect, teach, score mutually and ask about one part."""
    product = inspector.learn(part.name.lower(), part.references)
    rows = {"few-shot": inspector.inspect(part.pictures, product)}
    taught = inspector.teach(product, part.taught, "defect", "planted")
    rows["taught"] = inspector.inspect(part.pictures, taught)
    rows["mutual"] = inspector.inspect(part.references + part.pictures, mode="mutual")
    try:
        rows["zero-shot"] = inspector.inspect(part.pictures, zero_shot_limits=True)
    except CalibrationError:
        pass  # a bundle without limits has no verdicts to compare
    return Found(rows, [inspector.ask(row, QUESTION).text for row in rows["few-shot"]])


def compare(bundle: str, setting: str, found: Sequence[Found], expected: Sequence[Found]) -> list[Agreement]:
    """One row for each way in which both were asked; both hold the same parts in the same order."""
    told = sum(
        a != b for f, e in zip(found, expected, strict=True) for a, b in zip(f.answers, e.answers, strict=True)
    )
    table = []
    for way in expected[0].rows:
        pairs = [
            pair
            for f, e in zip(found, expected, strict=True)
            for pair in zip(f.rows[way], e.rows[way], strict=True)
        ]
        maps = [_difference(mine, other) for mine, other in pairs]
        table.append(
            Agreement(
                bundle,
                setting,
                way,
                len(pairs),
                sum(mine.verdict != other.verdict for mine, other in pairs),
                sum(len(mine.regions) != len(other.regions) for mine, other in pairs),
                max(abs(mine.score - other.score) for mine, other in pairs),
                max(worst for worst, _ in maps),
                float(np.mean([mean for _, mean in maps])),
                told if way == "few-shot" else None,
            )
        )
    return table


def _difference(mine: Inspection, other: Inspection) -> tuple[float, float]:
    if mine.coarse_map is None or other.coarse_map is None:
        raise ValueError("an inspection without a map cannot be compared")
    apart = np.abs(mine.coarse_map - other.coarse_map) / max(1e-9, float(other.coarse_map.max()))
    return float(apart.max()), float(apart.mean())
