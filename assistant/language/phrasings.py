"""How people ask, by the plan that answers them: `asked/en.toml` and its like, for the rules and for training.

A heading is a plan in short: keys with ids ("size {r}"), "!" before a reason why something cannot be told, "?"
before a test. Under it stands one question a line, "(a|b)" for words to choose from.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files
from typing import Literal

Section = Literal["one", "several"]
"""Questions about one picture, or about several."""


@lru_cache(maxsize=8)
def read_phrasings(language: str) -> dict[str, dict[str, tuple[str, ...]]]:
    """The phrasings of a language, by section and heading."""
    text = (files(__package__) / "asked" / f"{language}.toml").read_text(encoding="utf-8")
    return {
        section: {plan: tuple(line.strip() for line in said.strip().splitlines()) for plan, said in plans.items()}
        for section, plans in tomllib.loads(text).items()
    }


def spell_out(phrasing: str) -> Iterator[str]:
    """Every question that a phrasing stands for."""
    pieces = re.split(r"\(([^()]*)\)", phrasing)
    choices = [piece.split("|") if n % 2 else [piece] for n, piece in enumerate(pieces)]
    return (tidy("".join(words)) for words in itertools.product(*choices))


def tidy(question: str) -> str:
    """A question with single spaces, and none before a comma."""
    return re.sub(r"\s+([,?])", r"\1", " ".join(question.split()))


def mark(question: str) -> str:
    """A name for a question that is the same however it is spaced, written large or small, and ended."""
    words = "".join(re.findall(r"[^\W_]", question.casefold()))
    return hashlib.blake2b(words.encode(), digest_size=6).hexdigest()


@lru_cache(maxsize=1)
def kept_apart() -> frozenset[str]:
    """The marks of questions that answers are measured with: no model is trained on them."""
    return frozenset((files(__package__) / "asked" / "apart.txt").read_text(encoding="utf-8").split())
