"""The chat prompt of the small language model: who it is, and how evidence, questions and answers are laid out.

Training and use share this wording, and a trained model knows no other: changing a word here means training again.
"""

from __future__ import annotations

from collections.abc import Sequence

SYSTEM = (
    "You explain the result of a visual inspection. Say only what the evidence says, and cite regions as [R1]. "
    "The verdict stands. If the evidence does not answer a question, say so."
)

EYE = "\N{OBJECT REPLACEMENT CHARACTER}"
"""Stands in the text where the picture's tokens go."""

Messages = list[dict[str, str]]


def converse(
    evidence: str, turns: Sequence[tuple[str, str]], question: str | None = None, *, sees: bool = False
) -> Messages:
    """Chat messages: the system sentence, the evidence with the first question, then question and answer in turn.

    `turns` are (question, answer) pairs; `question` is the one that waits for an answer, None where all have one.
    With `sees`, the place of the picture is marked. ValueError for no question at all.
    """
    asked = [q for q, _ in turns] + ([] if question is None else [question])
    if not asked:
        raise ValueError("a conversation has at least one question")
    messages = [{"role": "system", "content": SYSTEM}]
    for number, words in enumerate(asked):
        words = disarm(words)
        content = words if number else f"{EYE if sees else ''}{disarm(evidence)}\n\n{words}"
        messages.append({"role": "user", "content": content})
        if number < len(turns):
            messages.append({"role": "assistant", "content": disarm(turns[number][1])})
    return messages


def disarm(text: str) -> str:
    """Text that cannot pose as a turn of the conversation or as a picture: without "<|" and `EYE`, trimmed."""
    text = text.replace(EYE, " ")
    while "<|" in text:
        text = text.replace("<|", "< ")
    return text.strip()
