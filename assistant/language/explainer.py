"""The interface of every language model: a `Prompt` goes in, pieces of text come out.

An explainer says things; it decides nothing. What it says is shown only after `assistant.language.guard` has
compared it with the evidence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from assistant.inspection import Inspection
from assistant.language.evidence_text import state_all
from assistant.products.pairs import Pair

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Subject:
    """One inspection that is asked about, with what there is to see of it.

    `picture` [height, width, 3] uint8 is the displayed picture and `reference` a good part of the product in any
    size; both are None where they are not at hand. `pairs` are its regions beside the same places of good parts.
    """

    inspection: Inspection
    picture: Pixels | None = field(default=None, compare=False, repr=False)
    reference: Pixels | None = field(default=None, compare=False, repr=False)
    pairs: tuple[Pair, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True)
class Prompt:
    """A question about one or several inspections; `history` holds (question, answer) pairs, oldest first."""

    question: str
    subjects: tuple[Subject, ...]
    history: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not self.subjects:
            raise ValueError("a prompt is about at least one inspection")

    @property
    def inspections(self) -> tuple[Inspection, ...]:
        """The inspections that are asked about."""
        return tuple(subject.inspection for subject in self.subjects)

    @property
    def evidence(self) -> str:
        """All that may be said, as text."""
        return state_all(self.inspections)


class Explainer(Protocol):
    """A language model that puts evidence into words.

    `name` says who wrote an answer. `context` is how many tokens fit, pictures, question and answer together.
    """

    @property
    def name(self) -> str: ...

    @property
    def context(self) -> int: ...

    def count(self, text: str) -> int:
        """How many tokens a text takes."""
        ...

    def stream(self, prompt: Prompt) -> Iterator[str]:
        """Pieces of the answer as they come; closing the iterator ends the work.

        ExplainerError in one plain sentence where no answer can be had.
        """
        ...
