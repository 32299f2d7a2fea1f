"""How good answers to MMAD's questions are: accuracy by source data set and subtask, as its authors score it.

Detection counts as the mean of the accuracies on normal and on abnormal pictures; subtasks are averaged, then data
sets. An answer that could not be read is wrong, and is counted.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from assistant.eval.mmad_answers import Answered
from assistant.language.multiple_choice import GUESS

DETECTION = "Anomaly Detection"
SUBTASKS = (
    DETECTION,
    "Defect Classification",
    "Defect Localization",
    "Defect Description",
    "Defect Analysis",
    "Object Classification",
    "Object Analysis",
)
MEAN = "mean"


@dataclass(frozen=True)
class Score:
    """One source data set, or the mean over them: accuracies in [0, 1], NaN where nothing was asked.

    `recall` is the share of abnormal pictures that detection called so, `overkill` the share of normal ones.
    """

    source: str
    accuracies: dict[str, float]
    recall: float
    overkill: float
    questions: int

    @property
    def average(self) -> float:
        """The mean over the subtasks that were asked."""
        return _mean(self.accuracies.values())


@dataclass(frozen=True)
class Scores:
    """A row for each source data set, by name, and how the answers came about.

    `rules` counts the answers by their rule ("guess", "unparseable", "failed", ...). `unreadable` names pictures
    that were left out because they, or their template, could not be read.
    """

    rows: tuple[Score, ...]
    rules: dict[str, int]
    unreadable: tuple[str, ...] = ()

    @property
    def mean(self) -> Score:
        """The mean over the data sets, each counting the same."""
        kinds = list(dict.fromkeys(kind for row in self.rows for kind in row.accuracies))
        return Score(
            MEAN,
            {kind: _mean(row.accuracies.get(kind, math.nan) for row in self.rows) for kind in kinds},
            _mean(row.recall for row in self.rows),
            _mean(row.overkill for row in self.rows),
            sum(row.questions for row in self.rows),
        )


def score_answers(answers: Sequence[Answered], unreadable: Sequence[str] = ()) -> Scores:
    """Score answers; the source data set is the first folder of a picture, and a normal one lies in "good"."""
    sources: dict[str, list[Answered]] = {}
    for row in answers:
        sources.setdefault(row.image.split("/")[0], []).append(row)
    rows = tuple(_score(source, sources[source]) for source in sorted(sources))
    return Scores(rows, dict(Counter(row.rule for row in answers)), tuple(unreadable))


def print_scores(scores: Scores, title: str) -> None:
    """Print the table in percent, as wide as it needs to be, and what has to be known to read it right."""
    out = Console()
    rows = [*scores.rows, *([scores.mean] if len(scores.rows) > 1 else [])]
    asked = {kind for row in rows for kind in row.accuracies}
    kinds = [*SUBTASKS, *sorted(asked - set(SUBTASKS))]
    table = Table(
        "data set", *(kind.replace(" ", "\n") for kind in kinds), "average", "recall", "overkill", "questions"
    )
    table.title = title
    for number, column in enumerate(table.columns):
        column.no_wrap = True
        column.justify = "right" if number else "left"
    for row in rows:
        accuracies = [row.accuracies.get(kind, math.nan) for kind in kinds]
        figures = map(_percent, (*accuracies, row.average, row.recall, row.overkill))
        table.add_row(escape(row.source), *figures, str(row.questions))
    out.width = max(out.width, Measurement.get(out, out.options.update(max_width=1000), table).maximum)
    out.print(table)
    for note in _notes(scores):
        out.print(note, highlight=False, markup=False)


def _notes(scores: Scores) -> list[str]:
    total = sum(scores.rules.values())
    told = {
        GUESS: "were guessed, as the record says nothing about them.",
        "unparseable": "got an answer without a letter, which counts as wrong.",
        "failed": "got no answer at all, which counts as wrong; run again to ask them once more.",
    }
    notes = [f"{n} of {total} questions {text}" for rule, text in told.items() if (n := scores.rules.get(rule))]
    if scores.unreadable:
        notes.append(f"{len(scores.unreadable)} pictures could not be read, or their templates, and are left out.")
    return notes


def _score(source: str, answers: Sequence[Answered]) -> Score:
    by_subtask: dict[str, list[Answered]] = {}
    for row in answers:
        by_subtask.setdefault(row.subtask, []).append(row)
    accuracies = {kind: _accuracy(rows) for kind, rows in by_subtask.items()}
    detection = by_subtask.get(DETECTION, [])
    normal = _accuracy([row for row in detection if _is_normal(row.image)])
    abnormal = _accuracy([row for row in detection if not _is_normal(row.image)])
    if detection:
        accuracies[DETECTION] = _mean((normal, abnormal))
    return Score(source, accuracies, abnormal, 1 - normal, len(answers))


def _is_normal(image: str) -> bool:
    return "good" in PurePosixPath(image).parts


def _accuracy(rows: Sequence[Answered]) -> float:
    return sum(row.letter == row.answer for row in rows) / len(rows) if rows else math.nan


def _mean(values: Iterable[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{100 * share:.1f}"
