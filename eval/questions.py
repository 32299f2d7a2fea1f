"""Hand-written questions with the facts that a right answer must and must not state, for any explainer.

A file holds made inspections and questions about them; which explainer answers is not its business. It judges
by words and numbers, not by style.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.inspection import Answer, Inspection


@dataclass(frozen=True)
class Question:
    """One question about one or several inspections.

    `before` are questions that are asked first, in the same conversation. `must` and `must_not` are regular
    expressions, searched for without regard to case; `kind` says what the question tries, such as "leading".
    """

    asked: str
    inspections: tuple[Inspection, ...]
    about: tuple[str, ...]
    kind: str
    before: tuple[str, ...] = ()
    must: tuple[str, ...] = ()
    must_not: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (self.inspections and (self.must or self.must_not)):
            raise ValueError(f"{self.asked!r} is about nothing, or nothing can be wrong with its answer")
        for rule in (*self.must, *self.must_not):
            re.compile(rule)


@dataclass(frozen=True)
class Judgement:
    """What an answer lacks (`missing`) and what it should not have said (`wrong`)."""

    missing: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()

    @property
    def right(self) -> bool:
        """Whether nothing is missing and nothing wrong."""
        return not (self.missing or self.wrong)


def read_questions(path: Path) -> list[Question]:
    """The questions of a TOML file, in its order.

    It has a table `inspection` for each made inspection, with the fields of `Inspection.from_dict`, a list
    `never` of rules for each under `must_not`, and a list `question` of tables with `about`, `ask`, `kind` and,
    if need be, `before`, `must` and `must_not`. KeyError or ValueError where a file is not so.
    """
    rows = tomllib.loads(path.read_text(encoding="utf-8"))
    made = {name: Inspection.from_dict({"schema": 1, **row}) for name, row in rows["inspection"].items()}
    never: dict[str, list[str]] = rows.get("never", {})
    return list(_read(rows["question"], made, never))


def judge(answer: Answer | str, question: Question) -> Judgement:
    """What is missing in an answer and what is wrong in it; what it quotes does not count as wrong."""
    text = answer if isinstance(answer, str) else answer.text
    own = re.sub(r'"[^"]*"', '""', text)
    return Judgement(
        tuple(rule for rule in question.must if not re.search(rule, text, re.IGNORECASE)),
        tuple(rule for rule in question.must_not if re.search(rule, own, re.IGNORECASE)),
    )


def _read(
    rows: list[dict[str, Any]], made: dict[str, Inspection], never: dict[str, list[str]]
) -> Iterator[Question]:
    for row in rows:
        about = tuple(row["about"].split())
        common = [rule for name in about for rule in never.get(name, ())] if len(about) == 1 else []
        yield Question(
            asked=row["ask"],
            inspections=tuple(made[name] for name in about),
            about=about,
            kind=row["kind"],
            before=tuple(row.get("before", ())),
            must=tuple(row.get("must", ())),
            must_not=(*row.get("must_not", ()), *common),
        )
