"""Conversations made ready to learn from: tokens, the picture's vectors, and batches of about one length."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from assistant.adapters.projector import Projector
from assistant.language.evidence_text import state_evidence
from assistant.language.token_sequence import TokenSequence, tokenize
from assistant.language.visual_tokens import VisualTokens
from assistant.prompts.chat import converse
from assistant.training.conversations import Conversation

POOL = 16  # batches that are sorted by length together


@dataclass(frozen=True, eq=False)
class Lesson:
    """One conversation as tokens, with what is seen of its picture, or None."""

    sequence: TokenSequence
    visual: VisualTokens | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.sequence) + (len(self.visual) if self.visual else 0)

    @property
    def key(self) -> str:
        """A name for what is seen."""
        said = hashlib.sha256()
        for row in self.visual.rows if self.visual else ():
            said.update(row.numpy().tobytes())
        return said.hexdigest()


@dataclass(frozen=True, eq=False)
class Batch:
    """Embeddings [B, T, hidden], padded at the end, and the token [B, T] that each place is to say next, or -100.

    No attention mask is needed: what pads comes last, and nothing looks ahead.
    """

    embeddings: Tensor
    targets: Tensor


def make_lessons(
    tokenizer: Any, conversations: Sequence[Conversation], visuals: Sequence[VisualTokens | None], longest: int
) -> list[Lesson]:
    """A lesson for each conversation, without turns beyond `longest` tokens; none where the first is too long."""
    lessons = []
    for conversation, visual in zip(conversations, visuals, strict=True):
        evidence = state_evidence(conversation.inspection)
        for turns in range(len(conversation.turns), 0, -1):
            messages = converse(evidence, conversation.turns[:turns], sees=visual is not None)
            lesson = Lesson(tokenize(tokenizer, messages), visual)
            if len(lesson) <= longest:
                lessons.append(lesson)
                break
    return lessons


def in_batches(
    lessons: Sequence[Lesson], size: int, generator: torch.Generator | None = None
) -> Iterator[list[Lesson]]:
    """All lessons once, in batches of about one length each; with a generator, in random order."""
    order = list(range(len(lessons)))
    if generator:
        order = torch.randperm(len(lessons), generator=generator).tolist()
    batches = []
    for start in range(0, len(order), size * POOL):
        pool = sorted(order[start : start + size * POOL], key=lambda i: len(lessons[i]))
        batches += [pool[i : i + size] for i in range(0, len(pool), size)]
    if generator:
        batches = [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]
    for batch in batches:
        yield [lessons[i] for i in batch]


def lay_batch(
    lessons: Sequence[Lesson], table: Callable[[Tensor], Tensor], projector: Projector, blind: Sequence[bool]
) -> Batch:
    """A batch, with the pictures' tokens where they belong; where `blind`, the picture is withheld."""
    device = projector.places.device
    rows, targets = [], []
    for lesson, hidden in zip(lessons, blind, strict=True):
        said = lesson.sequence
        ids = torch.tensor(said.ids, device=device)
        row = table(ids).detach()
        next_one = torch.where(torch.tensor(said.answers, device=device), ids, -100)
        if lesson.visual and not hidden and said.eye is not None:
            seen = projector([r.float().to(device) for r in lesson.visual.rows]).to(row.dtype)
            row = torch.cat([row[: said.eye], seen, row[said.eye :]])
            nothing = torch.full((len(seen),), -100, device=device)
            next_one = torch.cat([next_one[: said.eye], nothing, next_one[said.eye :]])
        rows.append(row)
        targets.append(torch.cat([next_one[1:], next_one.new_tensor([-100])]))
    return Batch(pad_sequence(rows, batch_first=True), pad_sequence(targets, batch_first=True, padding_value=-100))
