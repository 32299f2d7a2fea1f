"""Sentences that are kept in English, told in another language: notices, origins of limits, errors.

The catalogues list the very templates that make them (see `assistant.language.messages`), so a sentence is known
by the template that it fits, and what fills its gaps is carried over: numbers, names and ids as they are, and what
is a sentence of the catalogue itself in words of the language. A sentence that no template fits stays English.
"""

from __future__ import annotations

import re
from functools import lru_cache

from assistant.language.catalogue import ENGLISH, Wording, read_messages

DEEPEST = 3
"""Sentences that are told inside of one another, at most."""

FEWEST_LETTERS = 6
"""A template with gaps and fewer letters of its own would fit sentences that it does not make."""

WORDS = ("kind", "why", "layout", "numbers")
"""Gaps that only the program or its system fill, never a name of somebody's: even one word of them is retold."""

FEWEST_FIRST = 6
"""A template that opens with as many letters of its own is tried before those that open with a gap."""

_GAP = re.compile(r"\{(\w+)\}")


def retell(w: Wording, sentence: str, depth: int = DEEPEST) -> str:
    """A sentence in the language of `w`; a full stop at its end stays, and so does what nothing fits."""
    said = sentence.strip()
    if w.language == ENGLISH or not said or not depth:
        return sentence
    stopless = said.removesuffix(".")
    for message, pattern, letters in _templates():
        text = said if message.endswith(".") else stopless
        if letters in text and (found := pattern.fullmatch(text)):
            gaps = {name: _fill(w, name, part or "", depth) for name, part in found.groupdict().items()}
            return w(message, **gaps) + ("" if text == said else w("."))
    return sentence


def _fill(w: Wording, name: str, part: str, depth: int) -> str:
    """What fills a gap: retold where it is a sentence, else as it is: a name may be a word of the catalogue."""
    if name in WORDS:
        said = retell(w, part, depth - 1)
        return said if said != part else retell(w, part.lower(), depth - 1) if part.lower() in _plain() else part
    return retell(w, part, depth - 1) if len(part.split()) > 2 else part


@lru_cache(maxsize=1)
def _templates() -> list[tuple[str, re.Pattern[str], str]]:
    """Every message as a pattern with its longest own text, those that are told apart most surely first.

    They are those without gaps, those that open with words of their own, and of each kind those with most letters.
    """
    messages = [one for one, many in read_messages(ENGLISH) if one and not many]
    own = {message: re.split(_GAP, message)[::2] for message in messages}
    known = [one for one in messages if len(own[one]) == 1 or _letters(own[one]) >= FEWEST_LETTERS]
    known.sort(key=lambda one: (len(own[one]) > 1, _letters(own[one][:1]) < FEWEST_FIRST, -_letters(own[one])))
    return [(one, _pattern(one), max(own[one], key=len)) for one in known]


@lru_cache(maxsize=1)
def _plain() -> frozenset[str]:
    """The messages without gaps."""
    return frozenset(message for message, pattern, _ in _templates() if not pattern.groups)


def _letters(parts: list[str]) -> int:
    return sum(letter.isalpha() for part in parts for letter in part)


def _pattern(message: str) -> re.Pattern[str]:
    parts = re.split(_GAP, message)
    drawn = [f"(?P<{part}>.*?)" if i % 2 else re.escape(part) for i, part in enumerate(parts)]
    for i in range(3, len(parts), 2):
        if parts[i] in parts[1:i:2]:  # the same gap once more is filled by the same
            drawn[i] = f"(?P={parts[i]})"
    return re.compile("".join(drawn), re.DOTALL)
