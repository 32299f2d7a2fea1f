"""What explainers say about products that no training saw: `python -m assistant.eval.dialogue DATA ...`.

Pictures with outlined defects are inspected with a few references, and every speaker is asked the same questions.
`--questions FILE` asks hand-written questions instead, or as well. The detector decides: a faithful speaker is as
right about a part as the column "record" is. It trains nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from assistant.commands import console
from assistant.errors import LooktwiceError
from assistant.eval.datasets import Dataset, DatasetError, open_datasets
from assistant.eval.dialogue_questions import Asked, Case, draw_questions, make_case
from assistant.eval.dialogue_scores import (
    Figure,
    Given,
    Heard,
    measure,
    measure_record,
    measure_speaking,
    show,
)
from assistant.eval.dialogue_speakers import SPEAKERS, Answers, Asking, Speaker, load_speaker
from assistant.eval.questions import Question, judge, read_questions
from assistant.images.load import load_image
from assistant.inspector import Inspector
from assistant.language.explainer import Prompt, Subject
from assistant.models.backbone import Backbone

Figures = dict[str, Figure]
"""By measure."""

RECORD = "record"
LOWER = ("error", "sides with", "takes it", "verdict against", "(ms)")
"""Words in the names of measures of which less is better."""


@dataclass(frozen=True)
class Contest:
    """The questions that are asked: drawn ones about pictures, and hand-written ones."""

    asked: tuple[Asked, ...] = ()
    written: tuple[Question, ...] = ()


def inspect_cases(
    inspector: Inspector, datasets: Sequence[Dataset], *, limit: int = 20, references: int = 4, seed: int = 0
) -> list[Case]:
    """`limit` pictures a set, half of them good, every defect type in proportion, inspected against references.

    DatasetError where a set has no outlined defects, no good pictures, or too few references.
    """
    cases = []
    for dataset in datasets:
        samples = _draw(dataset, limit, seed)
        shown = dataset.references(references, seed)
        product = inspector.learn(dataset.name.replace("/", " "), [s.image for s in shown]) if shown else None
        with console.progress(dataset.name, len(samples.test)) as step:
            for sample in samples.test:
                found = inspector.inspect([sample.image], product)[0]
                if found.status == "ok":
                    cases.append(make_case(dataset.name, sample, found))
                step.advance()
    return cases


def run_contest(speaker: Speaker, contest: Contest, answers: Answers) -> Figures:
    """Ask one speaker everything that it was not asked before, and measure what it said.

    ExplainerError where it fails `dialogue_speakers.FAILURES` times in a row.
    """
    asking = Asking(speaker, answers)
    given = []
    with console.progress(speaker.name, len(contest.asked) + len(contest.written)) as step:
        for asked in contest.asked:
            given.append(_ask(asking, asked))
            step.advance()
        passed = []
        for question in contest.written:
            passed.append(_ask_written(asking, question))
            step.advance()
    return {**(_score(given) if given else {}), **(_score_written(contest.written, passed) if passed else {})}


def to_table(results: Mapping[str, Figures]) -> Table:
    """A row for each measure and a column for each speaker."""
    table = Table("measure", "n", *map(escape, results), title="Answers as they are shown at first")
    for number, column in enumerate(table.columns):
        column.justify = "right" if number else "left"
        column.no_wrap = True
    for name in dict.fromkeys(name for figures in results.values() for name in figures):
        cells = [_cell(name, figures.get(name)) for figures in results.values()]
        n = max(figures[name].n for figures in results.values() if name in figures)
        better = "\u2193" if any(word in name for word in LOWER) else "\u2191"
        table.add_row(escape(f"{name} {better}"), str(n), *cells)
    return table


def to_json(results: Mapping[str, Figures], settings: Mapping[str, Any]) -> str:
    """Settings and all figures as JSON: shares from 0 to 1, null where there was nothing to measure."""
    rows = {
        speaker: {name: {"value": _plain(figure), "n": figure.n} for name, figure in figures.items()}
        for speaker, figures in results.items()
    }
    return json.dumps({"settings": dict(settings), "speakers": rows}, indent=1, allow_nan=False)


def main(
    data: Annotated[list[str] | None, typer.Argument(help="Data sets, as for `looktwice eval`.")] = None,
    limit: Annotated[int, typer.Option(min=2, help="Pictures a set, half of them good.")] = 20,
    each: Annotated[int, typer.Option(min=1, help="Questions of each kind about a picture.")] = 1,
    seed: int = 0,
    references: Annotated[int, typer.Option(min=0, help="Good pictures to compare with.")] = 4,
    explainer: Annotated[
        list[str] | None, typer.Option(help=f"{', '.join(SPEAKERS)}, or as for `looktwice ask`.")
    ] = None,
    questions: Annotated[Path | None, typer.Option(help="Hand-written questions, TOML.")] = None,
    tuned: Annotated[Path | None, typer.Option(help="Folder of a training, instead of the one in use.")] = None,
    out: Annotated[Path | None, typer.Option(help="Keep answers here, JSON lines; a run goes on from it.")] = None,
    bundle: str = "pocket",
) -> None:
    """Print a table on standard error and all figures as JSON on standard output."""
    try:
        if not (data or questions):
            raise LooktwiceError("Name a data set, or a file of questions with --questions.")
        answers = Answers.open(out)
        inspector = Inspector.from_pretrained(bundle)
        cases = inspect_cases(inspector, open_datasets(data or []), limit=limit, references=references, seed=seed)
        written = tuple(read_questions(questions)) if questions else ()
        contest = Contest(tuple(draw_questions(cases, each, seed)), written)
        results = _run_all(inspector.backbone, contest, explainer or list(SPEAKERS), tuned, answers)
    except LooktwiceError as error:
        console.complain(str(error))
        raise typer.Exit(1) from error
    table = to_table(results)
    Console(stderr=True, width=max(120, 70 + 16 * len(results))).print(table)
    settings = {"data": data or [], "limit": limit, "each": each, "seed": seed, "references": references}
    typer.echo(to_json(results, {**settings, "bundle": bundle, "weights": inspector.backbone.digest}))


def _run_all(
    backbone: Backbone, contest: Contest, names: Iterable[str], tuned: Path | None, answers: Answers
) -> dict[str, Figures]:
    """Figures by speaker, the record's own last; one language model is in memory at a time."""
    results = {
        name: run_contest(load_speaker(name, backbone, tuned), contest, answers) for name in dict.fromkeys(names)
    }
    if contest.asked:
        results[RECORD] = measure_record(contest.asked)
    return results


def _draw(dataset: Dataset, limit: int, seed: int) -> Dataset:
    good = [s for s in dataset.test if s.label == 0]
    outlined = [s for s in dataset.test if s.label == 1 and s.mask is not None]
    if not good or not outlined:
        raise DatasetError(f"{dataset.name} needs good pictures and outlined defects to ask about.")
    halves = ((good, limit // 2), (outlined, limit - limit // 2))
    kept = [s for group, n in halves for s in replace(dataset, test=tuple(group)).limit(n, seed).test]
    return replace(dataset, test=tuple(kept))


def _ask(asking: Asking, asked: Asked) -> Given:
    picture = _pixels(asked.case.picture) if asking.speaker.looks else None
    prompt = Prompt(asked.question, (Subject(asked.inspection, picture),))
    said = asking.ask(
        prompt,
        f"{asked.case.dataset}/{asked.case.name}" if picture is not None else "",
        kind=asked.kind,
        about=f"{asked.case.dataset}/{asked.case.name}",
    )
    return Given(asked, said, show(prompt, said, asking.speaker.explainer))


@lru_cache(maxsize=1)
def _pixels(path: Path) -> NDArray[np.uint8]:
    return load_image(path).pixels


def _score(given: Sequence[Given]) -> Figures:
    return measure([Heard(g.asked, g.shown.text) for g in given]) | measure_speaking(given)


def _ask_written(asking: Asking, question: Question) -> bool:
    """Whether a question is passed, at the end of its conversation."""
    subjects = tuple(map(Subject, question.inspections))
    history: list[tuple[str, str]] = []
    shown = ""
    for words in (*question.before, question.asked):
        prompt = Prompt(words, subjects, tuple(history))
        said = asking.ask(prompt, kind=question.kind, about="+".join(question.about))
        shown = show(prompt, said, asking.speaker.explainer).whole
        history.append((words, shown))
    return judge(shown, question).right


def _score_written(questions: Sequence[Question], passed: Sequence[bool]) -> Figures:
    def figure(kind: str = "") -> Figure:
        rows = zip(questions, passed, strict=True)
        return Figure.of([right for question, right in rows if kind in ("", question.kind)])

    kinds = dict.fromkeys(question.kind for question in questions)
    by_kind = {f"written questions, {kind}: passed": figure(kind) for kind in kinds}
    return {"written questions: passed": figure(), **by_kind}


def _cell(name: str, figure: Figure | None) -> str:
    return "-" if figure is None else _number(name, figure.value)


def _number(name: str, value: float) -> str:
    if math.isnan(value):
        return "-"
    if name.startswith("speed") or "mean absolute" in name:
        return f"{value:.2f}" if "error" in name else f"{value:.0f}"
    return f"{100 * value:.1f}"


def _plain(figure: Figure) -> float | None:
    return None if math.isnan(figure.value) else round(figure.value, 4)


if __name__ == "__main__":
    typer.run(main)
