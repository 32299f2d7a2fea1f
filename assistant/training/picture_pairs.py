"""Pairs of a picture to look at and a good picture to compare it with, as a dictionary meets them.

A picture is compared with another copy of its own normal picture: moved, turned, zoomed, in other light. Where its
kind has other good pictures, also with those.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from assistant.errors import TrainingError
from assistant.training.dataset import TrainingData
from assistant.training.picture_features import View, ViewConfig, Views, open_example
from assistant.training.synthesis import disturb

OTHERS = 0.3
"""Of the pictures whose kind has other good ones, so many are compared with one of those: each shows a part of its
own choice, so that some of its patches have nothing to be compared with."""


@dataclass(frozen=True)
class ReferenceConfig(ViewConfig):
    """How references are made: so many `copies` of the part that the views of `ViewConfig` show."""

    copies: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.copies < 1:
            raise TrainingError("There is at least one copy of each picture to compare with.")


def draw_references(data: TrainingData, number: int, config: ViewConfig) -> Iterator[View]:
    """Copies of what the views of an example show, seen by a camera that moved and, half of them, otherwise
    disturbed; none of a defect."""
    if data.examples[number].label:
        return
    pixels, _, _ = open_example(data, number, config)
    for copy in range(config.copies if isinstance(config, ReferenceConfig) else 1):
        rng = np.random.default_rng([config.seed, number, 1 + copy])
        moved = disturb(pixels, rng, kind="camera").pixels
        if config.disturbed and rng.random() < 0.5:
            moved = disturb(moved, rng).pixels
        yield View(moved, np.zeros(moved.shape[:2], bool), 0, "", number)


@dataclass(frozen=True)
class Pairs:
    """N queries and the rows of `references` that each can be compared with: `own` ones first, else `others`."""

    queries: Views
    references: Views
    own: tuple[tuple[int, ...], ...]
    others: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.queries)

    def draw(self, index: Tensor, seed: int) -> Tensor:
        """A reference row for each query of `index` [n], drawn by `seed`."""
        rng = random.Random(seed)  # noqa: S311 - a draw to repeat, not a secret
        rows = []
        for i in index.tolist():
            own, others = self.own[i], self.others[i]
            apart = bool(others) and (not own or rng.random() < OTHERS)
            rows.append(rng.choice(others if apart else own))
        return torch.tensor(rows, dtype=torch.long)

    def first(self, index: Tensor) -> Tensor:
        """The same reference row for each query of `index` [n] every time."""
        return torch.tensor([(*self.own[i], *self.others[i])[0] for i in index.tolist()], dtype=torch.long)


def pair_views(data: TrainingData, queries: Views, references: Views) -> Pairs:
    """Pairs of the views of `data`; a query with nothing of its kind to be compared with is left out.

    TrainingError where none is left.
    """
    kinds = [example.kind for example in data.examples]
    by_example: dict[int, list[int]] = {}
    by_kind: dict[str, list[int]] = {}
    for row, number in enumerate(references.examples.tolist()):
        by_example.setdefault(number, []).append(row)
        by_kind.setdefault(kinds[number], []).append(row)
    kept, own, others = [], [], []
    for i, number in enumerate(queries.examples.tolist()):
        mine = by_example.get(number, [])
        rest = [row for row in by_kind.get(kinds[number], []) if row not in mine]
        if mine or rest:
            kept.append(i)
            own.append(tuple(mine))
            others.append(tuple(rest))
    if not kept:
        raise TrainingError("There is no good picture to compare the others of its kind with.")
    return Pairs(queries[torch.tensor(kept)], references, tuple(own), tuple(others))
