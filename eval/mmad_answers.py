"""The answers to MMAD's questions, kept as JSON lines so that a run that stops goes on where it was.

The first line holds the settings of the run. It knows nothing of who answers, nor of what is right.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from assistant.errors import LooktwiceError
from assistant.files import write_atomically

SCHEMA = 1

Key = tuple[str, int]
"""A picture's path in the data set, and the number of the question."""


@dataclass(frozen=True)
class Answered:
    """One question with the right letter and the `letter` that was given, "" where none could be read.

    `rule` says how it came about: "said" by a model, "unparseable", "failed", or the rule of
    `assistant.language.multiple_choice`. `said` is what was said, cut short.
    """

    image: str
    index: int
    subtask: str
    answer: str
    letter: str
    said: str
    rule: str


@dataclass
class Answers:
    """Answers by picture and question; those added are written to `path` at once, where there is one."""

    path: Path | None = None
    kept: dict[Key, Answered] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path | None, settings: Mapping[str, Any]) -> Answers:
        """The answers of a file made under these very settings; a new file where there is none.

        A last line that was cut off by a power failure is dropped. LooktwiceError where the file is something
        else, was made under other settings, or cannot be written.
        """
        answers = cls(path)
        if path is None:
            return answers
        head = json.dumps({"schema": SCHEMA, "settings": dict(settings)}, sort_keys=True)
        try:
            if path.exists():
                answers.kept = _read(path, json.loads(head)["settings"])
            lines = [head, *(json.dumps(asdict(row), ensure_ascii=False) for row in answers.kept.values())]
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, "".join(f"{line}\n" for line in lines).encode())
        except OSError as error:
            raise LooktwiceError(f"{path.name} cannot be written: {error.strerror}.") from error
        return answers

    def add(self, row: Answered) -> None:
        """Keep an answer, on disk too; LooktwiceError where that fails."""
        self.kept[row.image, row.index] = row
        if self.path is None:
            return
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(row), ensure_ascii=False) + "\n")
        except OSError as error:
            raise LooktwiceError(f"{self.path.name} cannot be written: {error.strerror}.") from error

    def miss(self, row: Answered) -> None:
        """Keep for this run alone that there was no answer, so that the next one asks again."""
        self.kept[row.image, row.index] = row

    def __contains__(self, key: Key) -> bool:
        return key in self.kept

    def __getitem__(self, key: Key) -> Answered:
        return self.kept[key]


def _read(path: Path, settings: Mapping[str, Any]) -> dict[Key, Answered]:
    try:
        head, *lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        first = json.loads(head)
        if first["schema"] != SCHEMA:
            raise ValueError("another schema")
        made_with = first["settings"]
        whole = lines[:-1] if lines and not _is_row(lines[-1]) else lines
        rows = [Answered(**json.loads(line)) for line in whole]
    except (ValueError, TypeError, KeyError) as error:
        raise LooktwiceError(f"{path.name} holds no answers of this version; name another file.") from error
    if differing := sorted(k for k in {*made_with, *settings} if made_with.get(k) != settings.get(k)):
        raise LooktwiceError(
            f"{path.name} holds answers of another run (it differs in: {', '.join(differing)}); name another file."
        )
    return {(row.image, row.index): row for row in rows}


def _is_row(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
