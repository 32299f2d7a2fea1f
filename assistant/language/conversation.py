"""A conversation: a question goes to whoever plans, and what comes back is worded by code.

It fits the history into a model's context, listens, reads the plan, and falls back on the rules where there is
none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, cast

from assistant.errors import LooktwiceError
from assistant.images.load import Source
from assistant.inspection import Answer, Inspection
from assistant.language.asked_twice import ask_twice
from assistant.language.catalogue import Wording, pick_language
from assistant.language.explainer import Explainer, Pixels, Prompt, Subject
from assistant.language.good_part import good_part
from assistant.language.listening import TELL_AFTER, Heard, listen
from assistant.language.planned_answer import by_rules, read_answer, rules_know
from assistant.language.pointers import History
from assistant.language.retelling import retell
from assistant.products.pairs import SHOWN, pairs_of
from assistant.products.product import Product

LONGEST_QUESTION = 2000  # characters, wherever a question is asked
MOST_TURNS = 50  # earlier questions with their answers, wherever a conversation is kept or sent
CUT = "The question was too long and was cut."
WAITING = "Waiting for {name}."
SAID_NOTHING = "{name} gave an empty answer."
LONGEST = 8_000  # letters of what a model says: no plan is as long
ROOM = 256
"""Tokens kept free for an answer, or a quarter of the context where that is less."""


def converse(explainer: Explainer | None, prompt: Prompt) -> Iterator[Answer]:
    """Snapshots of a growing answer, the last of them final.

    Without an explainer, or with one that is not trained to plan, rules plan the answer; so they do where they
    know what was asked, for an explainer with `after_rules`. What code words is shown as soon as the model's plan
    of it is whole, and what the model sees line by line after it; within two seconds a notice says that one waits.
    Where a model fails, what was shown stays, or else the rules answer; a notice tells why, and `failed` is true.
    Closing the iterator ends the explainer's work.
    """
    if explainer is None or not getattr(explainer, "plans", True):
        yield by_rules(prompt, explainer)
        return
    if getattr(explainer, "after_rules", False) and rules_know(prompt):
        yield by_rules(prompt)
        return
    fitted, w = fit(prompt, explainer), Wording(prompt.words)
    cut = (w(CUT),) if fitted.question != prompt.question else ()
    shown, heard, told = None, Heard(""), time.monotonic()
    with closing(cast(Any, listen(explainer, fitted))) as all_heard:
        for heard in all_heard:
            if heard.ended or len(heard.text) > LONGEST:
                break
            grown = None if heard.waiting else read_answer(heard.text, prompt, explainer, ended=False)
            if grown and grown != shown:
                shown, told = replace(grown, notices=grown.notices + cut), time.monotonic()
                yield shown
            elif heard.waiting or time.monotonic() - told >= TELL_AFTER:  # what is written may show nothing yet
                told = time.monotonic()
                yield replace(
                    shown or Answer(""), notices=(w(WAITING, name=explainer.name),), source=explainer.name
                )
    final = read_answer(heard.text, prompt, explainer)
    if final is None:
        failure = retell(w, heard.failed) or w(SAID_NOTHING, name=explainer.name)
        yield replace(by_rules(prompt, None, failure), failed=True)
        return
    why = (retell(w, heard.failed),) if heard.failed else ask_twice(explainer, fitted, final)
    yield replace(final, notices=(*final.notices, *why, *cut), failed=bool(heard.failed))


def prompt_for(
    explainer: Explainer | None,
    inspections: Sequence[Inspection],
    question: str,
    history: History = (),
    picture: Source | None = None,
    language: str | None = None,
    product_of: Callable[[Inspection], Product | None] | None = None,
) -> Prompt:
    """The prompt of a question; pictures are read only for an explainer that looks, and may be missing.

    An explainer says that it does not look by an attribute `looks` that is false. `picture` belongs to a single
    inspection; without it, and for several, pictures are read from where they lay. `language` is that of the
    answer, by default that of the question; LooktwiceError for one that is not there. `product_of` finds the
    product that a single one was judged with, so that its regions are shown beside good parts.
    """
    looks = explainer is not None and getattr(explainer, "looks", True)
    sources = [picture] if picture is not None and len(inspections) == 1 else [i.path for i in inspections]
    subjects = [
        Subject(i, _look_at(source, i) if looks else None) for i, source in zip(inspections, sources, strict=True)
    ]
    if len(subjects) == 1 and product_of is not None:
        subjects = [_beside(subject, product_of) for subject in subjects]
    turns = tuple((str(asked), str(said)) for asked, said in history)
    return Prompt(question, tuple(subjects), turns, pick_language(language) if language else None)


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
    """The subject with a good part, and its regions beside good parts, where it is looked at and has a product."""
    one, picture = subject.inspection, subject.picture
    if picture is None or (product := product_of(one)) is None:
        return subject
    pairs = pairs_of(one, product, picture, SHOWN) if any(region.reference for region in one.regions) else ()
    return replace(subject, reference=good_part(product), pairs=tuple(pairs))


def _look_at(source: Source, inspection: Inspection) -> Pixels | None:
    """The displayed picture; None where it is gone, cannot be read, or has not the inspected size."""
    try:
        seen = inspection.picture(source)
    except LooktwiceError:
        return None
    return seen.pixels if (seen.width, seen.height) == (inspection.width, inspection.height) else None
