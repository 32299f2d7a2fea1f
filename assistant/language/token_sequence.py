"""A conversation as tokens: text in pieces, the place of the picture, and which tokens are answers.

Training and use both go through here, so that a model meets in use what it was trained on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from assistant.prompts.chat import EYE, Messages

ENDS = ("<|im_end|>", "<|endoftext|>")
"""Tokens that end an answer, where a tokenizer has them, besides its own end."""


@dataclass(frozen=True)
class TokenSequence:
    """Token ids, where among them the picture's tokens go (None: nowhere), and which ids are answered [T] bool."""

    ids: tuple[int, ...]
    eye: int | None
    answers: tuple[bool, ...]

    def __len__(self) -> int:
        return len(self.ids)


def tokenize(tokenizer: Any, messages: Messages) -> TokenSequence:
    """The tokens of messages made by `prompts.chat.converse`.

    Where the last message is a question, the tokens end where the answer is to begin. Every answer ends with the
    token that ends a turn, which is part of it. ValueError for a template that rewrites earlier turns.
    """
    ids: list[int] = []
    answers: list[bool] = []
    eye, said = None, ""
    for number, message in enumerate(messages):
        if message["role"] == "system":  # many templates refuse a system sentence that stands alone
            continue
        is_answer = message["role"] == "assistant"
        # A question is followed by the words that open an answer, and belongs to what is not learned.
        text = _render(tokenizer, messages[: number + 1], opened=not is_answer)
        if not text.startswith(said):
            raise ValueError("the chat template rewrites earlier turns")
        new, said = text[len(said) :], text
        if is_answer:
            end = len(new.rstrip())
            pieces = [(new[:end], True), (new[end:], False)]
        else:
            pieces = [(new, False)]
        for piece, learned in pieces:
            before, mark, after = piece.partition(EYE)
            piece_ids = _encode(tokenizer, before)
            if mark:
                eye = len(ids) + len(piece_ids)
                piece_ids += _encode(tokenizer, after)
            ids += piece_ids
            answers += [learned] * len(piece_ids)
    return TokenSequence(tuple(ids), eye, tuple(answers))


def end_ids(tokenizer: Any) -> frozenset[int]:
    """The tokens that end an answer."""
    vocabulary = tokenizer.get_vocab()
    known = {vocabulary[token] for token in ENDS if token in vocabulary}
    return frozenset(known | ({tokenizer.eos_token_id} - {None}))


def _render(tokenizer: Any, messages: Messages, *, opened: bool) -> str:
    text: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=opened)
    return text


def _encode(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False) if text else []
    return ids
