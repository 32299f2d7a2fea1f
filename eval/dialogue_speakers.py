"""Who answers, and what was answered: plans as they were written, kept as JSON lines.

An answer belongs to the speaker and its weights, the evidence, the picture and the question: where one of them
changes, the question is asked again. It judges nothing.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from assistant.errors import ExplainerError, LooktwiceError
from assistant.files import write_atomically
from assistant.language.conversation import fit
from assistant.language.explainer import Explainer, Prompt
from assistant.language.loading import POCKET, TEMPLATE, load_explainer
from assistant.language.planned_answer import rules_know
from assistant.models.backbone import Backbone

ALONE = "pocket alone"
"""The pocket model where it is asked everything, and not only what the rules do not know."""

SPEAKERS = (TEMPLATE, POCKET, ALONE)

FAILURES = 5  # answers in a row that an explainer fails to give, after which it is taken for gone


@dataclass(frozen=True)
class Speaker:
    """One who answers: an explainer, or the template where that is None; `made` tells its weights from others."""

    name: str
    explainer: Explainer | None = None
    made: str = ""

    @property
    def looks(self) -> bool:
        """Whether it may be shown pictures."""
        return self.plans and bool(getattr(self.explainer, "looks", True))

    @property
    def plans(self) -> bool:
        """Whether it makes plans of its own; the rules do for any other."""
        return self.explainer is not None and bool(getattr(self.explainer, "plans", True))


@dataclass(frozen=True)
class Said:
    """What was written to one question, and how long that took.

    `first_ms` is the time to the first piece, `seconds` from there to the end, `tokens` how many came in all.
    `fresh`: the question before was about other evidence, so that nothing read could be used again. `error` is why
    there is no answer.
    """

    text: str
    first_ms: float | None = None
    seconds: float = 0.0
    tokens: int = 0
    fresh: bool = True
    error: str = ""


@dataclass
class Answers:
    """What was said, by key; written to `path` as soon as it is, where there is one."""

    path: Path | None = None
    kept: dict[str, Said] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path | None) -> Answers:
        """The answers of a file, or a new file; a last line that was cut off is dropped.

        LooktwiceError where the file holds something else, or cannot be read or written.
        """
        answers = cls(path)
        if path is None:
            return answers
        try:
            lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
            rows = _read(lines, path.name)
            answers.kept = {str(row["key"]): _said(row, path.name) for row in rows}
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, "".join(f"{_line(row)}\n" for row in rows).encode())
        except OSError as error:
            raise LooktwiceError(f"{path.name} cannot be read or written: {error.strerror}.") from error
        return answers

    def add(self, key: str, said: Said, **about: str) -> None:
        """Keep an answer, on disk too, with what it is `about` for a person who reads the file."""
        self.kept[key] = said
        if self.path is None or said.error:
            return
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(f"{_line({'key': key, **about, **asdict(said)})}\n")
        except OSError as error:
            raise LooktwiceError(f"{self.path.name} cannot be written: {error.strerror}.") from error


class Asking:
    """Puts prompts to one speaker, unless there is an answer; after `FAILURES` in a row its error is raised."""

    def __init__(self, speaker: Speaker, answers: Answers) -> None:
        self.speaker, self.answers = speaker, answers
        self._evidence, self._failures = "", 0

    def key(self, prompt: Prompt, picture: str = "") -> str:
        """What an answer belongs to."""
        named = (self.speaker.name, self.speaker.made, picture, prompt.evidence, prompt.question, prompt.history)
        return hashlib.blake2b(json.dumps(named).encode(), digest_size=12).hexdigest()

    def ask(self, prompt: Prompt, picture: str = "", **about: str) -> Said:
        """The answer to a prompt, kept or new; `picture` names what is shown."""
        key = self.key(prompt, picture)
        if (said := self.answers.kept.get(key)) is None or said.error:
            said = self._hear(prompt)
            self.answers.add(key, said, speaker=self.speaker.name, **about, question=prompt.question)
        return said

    def _hear(self, prompt: Prompt) -> Said:
        explainer = self.speaker.explainer
        if explainer is None or not self.speaker.plans:
            return Said("")
        if getattr(explainer, "after_rules", False) and rules_know(prompt):
            return Said("")
        fresh, self._evidence = prompt.evidence != self._evidence, prompt.evidence
        start, first, text = time.perf_counter(), None, ""
        try:
            for piece in explainer.stream(fit(prompt, explainer)):
                first = first or time.perf_counter()
                text += piece
        except ExplainerError as error:
            self._failures += 1
            if self._failures == FAILURES:
                raise
            return Said("", error=str(error), fresh=fresh)
        self._failures = 0
        if first is None:
            return Said(text, fresh=fresh)
        seconds = time.perf_counter() - first
        return Said(text, 1000 * (first - start), seconds, explainer.count(text), fresh)


def load_speaker(name: str, backbone: Backbone, tuned: Path | None = None) -> Speaker:
    """The speaker of this name, as `load_explainer` knows it, or "pocket alone"; `tuned`: a folder of a training.

    ExplainerError where there is none.
    """
    if name not in (POCKET, ALONE):
        return Speaker(name, load_explainer(name, backbone))
    from assistant.language.pocket import PocketExplainer
    from assistant.language.trained_language import LORA, find_trained

    folder = tuned or find_trained(backbone.card.name)
    if folder is None:
        raise ExplainerError(
            f"Nothing was trained for {backbone.card.name!r} yet: run `looktwice train planner`, or give --tuned."
        )
    content = (folder / LORA).read_bytes() if (folder / LORA).is_file() else b""
    made = hashlib.blake2b(content, digest_size=8).hexdigest()
    return Speaker(name, PocketExplainer.load(backbone, tuned=folder, alone=name == ALONE), made)


def _line(row: dict[str, object]) -> str:
    return json.dumps(row, ensure_ascii=False)


def _read(lines: list[str], name: str) -> list[dict[str, object]]:
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            if not isinstance(row, dict) or "key" not in row:
                raise ValueError("no answer")
        except ValueError as error:
            if number == len(lines) > 1:
                break
            raise LooktwiceError(f"{name} holds no answers; name another file.") from error
        rows.append(row)
    return rows


def _said(row: dict[str, object], name: str) -> Said:
    try:
        return Said(**{part: row[part] for part in Said.__dataclass_fields__})  # type: ignore[arg-type]
    except KeyError as error:
        raise LooktwiceError(f"{name} holds answers of another version; name another file.") from error
