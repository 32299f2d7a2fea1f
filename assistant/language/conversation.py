"""A conversation with a language model: an answer that grows sentence by sentence, each one checked first.

It fits the history into the model's context, listens to the explainer, and asks the guard what may be said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, cast

from assistant.errors import ExplainerError, LooktwiceError
from assistant.images.load import Source
from assistant.inspection import Answer, Inspection
from assistant.language.answer_faults import LONGEST, find_fault
from assistant.language.explainer import Explainer, Pixels, Prompt, Subject
from assistant.language.guard import Draft, fall_back, guard
from assistant.language.question_reading import History
from assistant.language.sentences import clean, mask, split_sentences
from assistant.products.pairs import SHOWN, pairs_of
from assistant.products.product import Product

LONGEST_QUESTION = 2000  # characters, wherever a question is asked
MOST_TURNS = 50  # earlier questions with their answers, wherever a conversation is kept or sent
CUT = "The question was too long and was cut."
ROOM = 256
"""Tokens kept free for an answer, or a quarter of the context where that is less."""

_END = re.compile(r"[.!?][\"')\]]*\s|\n")


def converse(explainer: Explainer | None, prompt: Prompt) -> Iterator[Answer]:
    """Snapshots of a growing answer, the last of them final; a sentence appears once it is checked.

    Without an explainer, or where one fails, the answer is the template's; a failure is told in a notice. The
    last snapshot differs from the ones before only in what it adds, unless the answer as a whole turns out to
    be unusable. Closing the iterator ends the explainer's work.
    """
    if explainer is None:
        yield fall_back(prompt)
        return
    fitted = fit(prompt, explainer)
    notices = (CUT,) if fitted.question != prompt.question else ()
    text = ""
    try:
        # an iterator of a generator can be closed; one that cannot has nothing to end
        with closing(cast(Any, _Closable(explainer.stream(fitted)))) as pieces:
            for so_far, snapshot in _grow(pieces, prompt):
                text = so_far
                if snapshot:
                    yield replace(snapshot, source=explainer.name, notices=snapshot.notices + notices)
    except ExplainerError as error:
        yield fall_back(prompt, f"{str(error).rstrip('.')}. This answer comes from the record alone.", *notices)
        return
    final = guard(text, prompt, explainer.name)
    yield replace(final, notices=final.notices + notices)


def prompt_for(
    explainer: Explainer | None,
    inspections: Sequence[Inspection],
    question: str,
    history: History = (),
    picture: Source | None = None,
    product_of: Callable[[Inspection], Product | None] | None = None,
) -> Prompt:
    """The prompt of a question; pictures are read only for an explainer that looks, and may be missing.

    An explainer says that it does not look by an attribute `looks` that is false. `picture` belongs to a single
    inspection; without it, and for several, pictures are read from where they lay. `product_of` finds the product
    that a single one was judged with, so that its regions are shown beside good parts.
    """
    looks = explainer is not None and getattr(explainer, "looks", True)
    sources = [picture] if picture is not None and len(inspections) == 1 else [i.path for i in inspections]
    subjects = (
        Subject(i, _look_at(source, i) if looks else None) for i, source in zip(inspections, sources, strict=True)
    )
    told = tuple((str(asked), str(said)) for asked, said in history)
    if len(sources) > 1 or product_of is None:
        return Prompt(question, tuple(subjects), told)
    return Prompt(question, tuple(_beside(subject, product_of) for subject in subjects), told)


def fit(prompt: Prompt, explainer: Explainer) -> Prompt:
    """The prompt within the explainer's context: evidence and question stay, the oldest turns go first.

    A question over `LONGEST_QUESTION` characters, or over half of what the evidence leaves, is cut at its end.
    What pictures take is the explainer's to know: it counts in `context`.
    """
    room = explainer.context - explainer.count(prompt.evidence) - min(ROOM, explainer.context // 4)
    question = prompt.question[:LONGEST_QUESTION]
    while len(question) > 32 and explainer.count(question) > max(16, room // 2):
        question = question[: len(question) * 3 // 4]
    left = room - explainer.count(question)
    kept: list[tuple[str, str]] = []
    for asked, said in reversed(prompt.history):
        left -= explainer.count(asked) + explainer.count(said)
        if left < 0:
            break
        kept.insert(0, (asked, said))
    return replace(prompt, question=question, history=tuple(kept))


def _beside(subject: Subject, product_of: Callable[[Inspection], Product | None]) -> Subject:
    """The subject with its regions beside good parts, where it is looked at and they have references."""
    one, picture = subject.inspection, subject.picture
    if picture is None or not any(region.reference for region in one.regions):
        return subject
    return replace(subject, pairs=tuple(pairs_of(one, product_of(one), picture, SHOWN)))


def _look_at(source: Source, inspection: Inspection) -> Pixels | None:
    """The displayed picture; None where it is gone, cannot be read, or has not the inspected size."""
    try:
        seen = inspection.picture(source)
    except LooktwiceError:
        return None
    return seen.pixels if (seen.width, seen.height) == (inspection.width, inspection.height) else None


class _Closable:
    """An iterator whose `close` ends what it iterates over, where that can be ended."""

    def __init__(self, pieces: Iterator[str]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[str]:
        return iter(self._pieces)

    def close(self) -> None:
        """End the work."""
        if close := getattr(self._pieces, "close", None):
            close()


def _grow(pieces: Iterator[str], prompt: Prompt) -> Iterator[tuple[str, Answer | None]]:
    """(text so far, a snapshot where a sentence was released); ends early where the text has gone wrong."""
    draft, text, ends, released = Draft(prompt), "", 0, 0
    for piece in pieces:
        text += piece
        if (whole_sentences := len(_END.findall(text))) == ends:
            yield text, None
            if len(text) > LONGEST:
                return
            continue
        ends = whole_sentences
        if find_fault(mask(clean(text), prompt.inspections)):
            yield text, None
            return
        whole = split_sentences(clean(text), prompt.inspections)
        whole = whole if text[-1].isspace() else whole[:-1]
        for sentence in whole[released:]:
            draft.add(sentence)
        grown, released = len(whole) > released, max(released, len(whole))
        # what only replaces is held back: where nothing else comes, the template answers as a whole
        yield text, draft.answer("") if grown and draft.kept else None
