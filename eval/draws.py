"""Draws of references: what a limit is made from, and how pictures score that come afterwards.

References are drawn at random, and one after the other as they lie in a folder, which is what a person drags in:
such a run often shows one moment, and the pictures that follow show others. Limits are fitted on draws and judged
by them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from assistant.detection.calibration import Calibration
from assistant.detection.registration import Registration
from assistant.errors import LooktwiceError
from assistant.files import write_atomically
from assistant.images.reading import read_ahead
from assistant.inspector import Inspector
from assistant.models.backbone import Features

PLAN: Mapping[int, int] = {1: 4, 2: 4, 4: 4, 10: 2}
"""How many draws of each number of references, at random and again as many consecutive ones."""

OTHERS = 30
"""Good pictures beside the references that are scored, at most."""


T = TypeVar("T")


@dataclass(frozen=True)
class Draw:
    """References of one product, the calibration that rests on them, and scores against them.

    `consecutive`: they lie one after the other. `registered`: parts are brought to one pose. `good`: scores of
    good pictures that are none of them; `bad`, those of defective ones, none where nothing was asked about them.
    """

    product: str
    references: int
    consecutive: bool
    number: int
    calibration: Calibration
    good: tuple[float, ...]
    bad: tuple[float, ...] = ()
    registered: bool = False

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dict."""
        return asdict(self) | {"calibration": self.calibration.to_dict()}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Draw:
        """Rebuild from `to_dict`."""
        lists = {name: tuple(row[name]) for name in ("good", "bad")}
        return cls(**{**row, **lists, "calibration": Calibration.from_dict(row["calibration"])})


def draw_places(total: int, plan: Mapping[int, int] = PLAN) -> Iterator[tuple[int, bool, int, list[int]]]:
    """Number of references, whether consecutive, number of the draw, and places below `total`.

    At least two pictures stay beside the references. Consecutive draws follow each other from the first picture.
    """
    for n, draws in plan.items():
        if n > total - 2:
            continue
        for number in range(draws):
            generator = np.random.default_rng((n, number))
            yield n, False, number, [int(i) for i in generator.permutation(total)[:n]]
        for number in range(draws):
            if (number + 1) * n <= total:
                yield n, True, number, list(range(number * n, (number + 1) * n))


def measure_draws(
    inspector: Inspector,
    product: str,
    pictures: Sequence[Any],
    good: Sequence[Any] | None = None,
    bad: Sequence[Any] = (),
    plan: Mapping[int, int] = PLAN,
    registered: bool | None = None,
) -> Iterator[Draw]:
    """Draws of references from `pictures`, good ones in the order in which they were taken.

    Each picture is encoded once, and again for every product that brings its parts to a pose of its own. `good`
    are other good pictures to score; by default, those of `pictures` that were not drawn. `registered` as in
    `LearnConfig`. LooktwiceError for a picture that cannot be read.
    """
    known = _encode(inspector, pictures)
    others = None if good is None else _encode(inspector, good[:OTHERS])
    defects = _encode(inspector, bad[:OTHERS])
    for n, consecutive, number, places in draw_places(len(pictures), plan):
        made = inspector.learn("draw", [pictures[i] for i in places], registered=registered)
        beside = evenly([i for i in range(len(pictures)) if i not in places])
        left = [known[i] for i in beside] if others is None else others
        seen = defects
        if made.registration:
            shown = [pictures[i] for i in beside] if good is None else good[:OTHERS]
            left, seen = (_encode(inspector, group, made.registration) for group in (shown, bad[:OTHERS]))

        def score(rows: Iterable[Features], made: Any = made) -> tuple[float, ...]:
            return tuple(inspector.detector.score(features, made).value for features in rows)

        lie = made.registration is not None
        yield Draw(product, n, consecutive, number, made.calibration, score(left), score(seen), lie)


def read_draws(path: Path) -> list[Draw]:
    """Draws from a file; none where there is no file."""
    if not path.is_file():
        return []
    return [Draw.from_dict(row) for row in json.loads(path.read_text("utf-8"))]


def write_draws(path: Path, draws: Sequence[Draw]) -> None:
    """Write draws into a file, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps([draw.to_dict() for draw in draws]).encode())


def evenly(items: Sequence[T], most: int = OTHERS) -> list[T]:
    """At most so many items, evenly over all of them."""
    return [items[i] for i in np.linspace(0, len(items) - 1, min(most, len(items))).astype(int)]


def _encode(
    inspector: Inspector, pictures: Sequence[Any], registration: Registration | None = None
) -> list[Features]:
    found = []
    for entry in read_ahead(pictures):
        if entry.image is None:
            raise LooktwiceError(f"A picture cannot be used: {entry.error}")
        found += inspector.detector.encode_brought([entry.image.pixels], 1, registration)
    return found
