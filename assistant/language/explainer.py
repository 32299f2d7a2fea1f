"""The interface of every language model: a `Prompt` goes in, pieces of a plan come out.

An explainer chooses and looks; it words and decides nothing. `assistant.language.planned_answer` reads its plan,
and code words the facts of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from assistant.inspection import Inspection
from assistant.language.evidence_text import state_all
from assistant.language.question_tables import read_language
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
    """A question about one or several inspections; `history` holds (question, answer) pairs, oldest first.

    `language` is that of the answer, "en", "de", "es" or "zh", by default that of the question. `options` are the
    letters of a multiple-choice question, which is answered with one of them in place of a plan.
    """

    question: str
    subjects: tuple[Subject, ...]
    history: tuple[tuple[str, str], ...] = ()
    language: str | None = None
    options: tuple[str, ...] = ()

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

    @property
    def words(self) -> str:
        """The language that the answer is worded in."""
        return self.language or read_language(self.question)


class Explainer(Protocol):
    """A language model that plans answers, as `assistant.language.plan.plan_schema` has it.

    `name` says who planned an answer. `context` is how many tokens fit, pictures, question and answer together.
    One that is not trained to plan says so by an attribute `plans` that is false: the rules plan in its place.
    """

    @property
    def name(self) -> str: ...

    @property
    def context(self) -> int: ...

    def count(self, text: str) -> int:
        """How many tokens a text takes."""
        ...

    def stream(self, prompt: Prompt) -> Iterator[str]:
        """Pieces of the plan, which is JSON, as they come; closing the iterator ends the work.

        ExplainerError in one plain sentence where no answer can be had.
        """
        ...
