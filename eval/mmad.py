"""The MMAD protocol: multiple-choice questions about industrial pictures (Jiang et al., ICLR 2025).

`looktwice eval mmad DIR` takes a copy of the data set with its `mmad.json`. Every picture is compared with one
good part, and each of its questions is asked on its own, for any bundle and any explainer. Whether there is a
defect and where is the detector's to answer. No file name reaches whoever answers, since folders give the truth
away. It knows nothing of scores (`assistant.eval.mmad_scores`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from assistant.commands import console
from assistant.errors import ExplainerError, ImageError, LooktwiceError
from assistant.eval.datasets import DatasetError
from assistant.eval.mmad_answers import Answered, Answers
from assistant.eval.mmad_scores import Scores, score_answers
from assistant.images.load import LoadedImage, load_image
from assistant.language.explainer import Explainer, Prompt, Subject
from assistant.language.multiple_choice import decide, read_letter
from assistant.language.replies import read_letter_reply
from assistant.models.sources import stays_inside
from assistant.prompts.instruct import offer_choice

if TYPE_CHECKING:
    from assistant.inspector import Inspector
    from assistant.products.product import Product

Template = Literal["similar", "random"]
"""Which good part: the one most like the picture, or any. The numbers published for MMAD mostly use any."""

FILE = "mmad.json"
MERGED = {"Object Structure": "Object Analysis", "Object Details": "Object Analysis"}
FAILURES = 5  # questions in a row to which an explainer gives no answer, after which it is taken for gone
OF_RECORD = ("presence", "place")
"""What the detector answers, whoever else speaks: whether there is a defect, and where."""

LONGEST = 2000  # letters of an answer that are kept

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Question:
    """One multiple-choice question: `options` by letter, of which `answer` is the right one."""

    index: int
    text: str
    options: Mapping[str, str]
    answer: str
    subtask: str


@dataclass(frozen=True)
class Task:
    """A picture with its questions and the good part it is compared with; both by their paths in the data set."""

    image: str
    template: str
    questions: tuple[Question, ...]


@dataclass(frozen=True)
class Contest:
    """Who answers over which copy of the data; without an explainer the rules of the template do."""

    inspector: Inspector
    folder: Path
    explainer: Explainer | None = None
    template: Template = "similar"

    @property
    def settings(self) -> dict[str, Any]:
        """What has to be the same for answers of two runs to stand in one table."""
        return {
            "version": version("looktwice"),
            "bundle": self.inspector.backbone.card.name,
            "weights": self.inspector.backbone.digest,
            "explainer": self.explainer.name if self.explainer else "template",
            "template": self.template,
        }


def as_template(name: str) -> Template:
    """The kind of template of this name; LooktwiceError where there is none."""
    for kind in get_args(Template):
        if name == kind:
            return kind
    raise LooktwiceError(f"There is no template {name!r}; the templates are {', '.join(get_args(Template))}.")


def run_mmad(
    contest: Contest, *, limit: int | None = None, out: Path | None = None, tell: Tell | None = None
) -> Scores:
    """Ask every question of the data set and score the answers.

    `limit` caps the pictures, evenly spaced over the data set. With `out`, answers are kept there as JSON lines,
    one as soon as it is given, and those that are there are not asked again. `tell` hears a sentence at the start.
    An explainer that fails leaves a question unanswered, which counts as wrong and is asked again in the next run;
    after `FAILURES` in a row its error ends this one. DatasetError for a data set that is missing or damaged,
    LooktwiceError where `out` holds answers of another run.
    """
    tasks = read_mmad(contest.folder, contest.template)
    if limit is not None:
        if limit < 1:
            raise LooktwiceError("The limit is at least one picture.")
        tasks = [tasks[n * len(tasks) // limit] for n in range(limit)] if limit < len(tasks) else tasks
    answers = Answers.open(out, contest.settings)
    waiting = [task for task in tasks if any((task.image, q.index) not in answers for q in task.questions)]
    if tell:
        tell(f"MMAD: {len(tasks)} pictures, {len(waiting)} of them with questions to ask.")
    unreadable = []
    with console.progress("MMAD", len(waiting)) as step:
        for task, given in _answer_all(contest, waiting, answers):
            unreadable += [] if given else [task.image]
            step.advance()
    asked = [(task.image, q.index) for task in tasks for q in task.questions]
    return score_answers([answers[key] for key in asked if key in answers], unreadable)


def read_mmad(folder: Path, template: Template = "similar") -> list[Task]:
    """The pictures of an MMAD folder with their questions and the first of their similar or random templates.

    A question whose right answer is none of its options, and a picture without questions, are left out.
    DatasetError where `mmad.json` is missing, damaged, or names a file outside the folder.
    """
    try:
        rows = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except OSError as error:
        raise DatasetError(f"There is no {FILE} in {folder}.") from error
    except ValueError as error:
        raise DatasetError(f"{FILE} is damaged: it is not JSON.") from error
    if not isinstance(rows, dict):
        raise DatasetError(f"{FILE} is damaged: it is not a table of pictures.")
    tasks = [task for image, row in rows.items() if (task := _read_task(image, row, template)).questions]
    if not tasks:
        raise DatasetError(f"{FILE} holds no questions.")
    return tasks


def _read_task(image: str, row: Any, template: Template) -> Task:
    try:
        conversation: list[Any] = next((value for key, value in row.items() if key.startswith("conversation")), [])
        against = str(row[f"{template}_templates"][0])
        if not (stays_inside(image) and stays_inside(against)):
            raise ValueError("a path leads outside the folder")
        questions = [_read_question(n, entry) for n, entry in enumerate(conversation)]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{FILE} is damaged at {image!r}.") from error
    return Task(image, against, tuple(q for q in questions if q.answer in q.options))


def _read_question(index: int, entry: Mapping[str, Any]) -> Question:
    kind = str(entry["type"])
    options = {str(letter): str(text) for letter, text in entry["Options"].items()}
    return Question(index, str(entry["Question"]), options, str(entry["Answer"]), MERGED.get(kind, kind))


def _answer_all(contest: Contest, tasks: list[Task], answers: Answers) -> Iterator[tuple[Task, bool]]:
    """Ask what has no answer yet, picture by picture; each with whether its pictures could be read."""
    failures = 0
    learn = _learner(contest)
    for task in tasks:
        try:
            picture = load_image(contest.folder / task.image)
            reference, product = learn(task.template)
        except ImageError:
            yield task, False
            continue
        found = contest.inspector.inspect([picture.pixels], product)[0]
        subject = Subject(found, picture.pixels, reference.pixels)
        for question in task.questions:
            if (task.image, question.index) in answers:
                continue
            try:
                given = _ask(contest, subject, task.image, question)
                answers.add(given)
                failures = failures if given.rule in OF_RECORD else 0
            except ExplainerError:
                failures += 1
                if failures == FAILURES:
                    raise
                answers.miss(_given(task.image, question, "", "", "failed"))
        yield task, True


def _learner(contest: Contest) -> Callable[[str], tuple[LoadedImage, Product]]:
    @lru_cache(maxsize=16)
    def learn(path: str) -> tuple[LoadedImage, Product]:
        reference = load_image(contest.folder / path)
        return reference, contest.inspector.learn("part", [reference.pixels])

    return learn


def _ask(contest: Contest, subject: Subject, image: str, question: Question) -> Answered:
    choice = decide(subject.inspection, question.text, question.options)
    if contest.explainer is None or choice.rule in OF_RECORD:
        return _given(image, question, choice.letter, choice.letter, choice.rule)
    prompt = Prompt(offer_choice(question.text, question.options), (subject,), options=tuple(question.options))
    said = "".join(contest.explainer.stream(prompt))
    letter = read_letter_reply(said, question.options) or read_letter(said, question.options)
    return _given(image, question, letter, said[:LONGEST], "said" if letter else "unparseable")


def _given(image: str, question: Question, letter: str, said: str, rule: str) -> Answered:
    return Answered(image, question.index, question.subtask, question.answer, letter, said, rule)
