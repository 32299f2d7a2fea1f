"""MMAD on a small set in its format: questions are asked as its protocol says, and scored as its authors do."""

import json
import sys
from dataclasses import replace

import pytest
from PIL import Image

from assistant.commands import main as cli
from assistant.errors import ExplainerError, LooktwiceError
from assistant.eval.datasets import DatasetError
from assistant.eval.mmad import FAILURES, Contest, read_mmad, run_mmad
from assistant.eval.mmad_answers import Answered, Answers
from assistant.eval.mmad_scores import print_scores, score_answers
from assistant.prompts.instruct import CHOICE

PLACES = {"A": "Bottom left", "B": "Bottom right", "C": "Top left", "D": "Top right"}


def question(text, kind, answer, **options):
    return {"Question": text, "type": kind, "Answer": answer, "Options": options, "annotation": True}


def row(defective, templates):
    asked = [
        question(
            "Is there any defect in the object?", "Anomaly Detection", "A" if defective else "B", A="Yes.", B="No."
        )
    ]
    if defective:
        asked.append(question("Where is the defect located?", "Defect Localization", "C", **PLACES))
    asked.append(question("How fine is the weave?", "Object Structure", "B", A="Coarse", B="Fine"))
    asked.append(question("What colour is it?", "Object Details", "A", A="Grey", B="Green"))
    return {
        "image_path": "unused",
        "conversation": asked,
        "mask_path": "",
        "similar_templates": templates,
        "random_templates": templates[::-1],
    }


@pytest.fixture
def folder(tmp_path, good, planted):
    """Two sources with two good and two defective pictures each, and their templates."""
    root, rows = tmp_path / "mmad", {}
    for n, source in enumerate(("DS-MVTec", "VisA")):
        templates = [f"{source}/cloth/train/good/{name}.png" for name in ("a", "b")]
        for k, name in enumerate(templates):
            save(root / name, good(100 + 10 * n + k))
        for k in range(2):
            fine, spoiled = (f"{source}/cloth/image/{kind}/{k}.png" for kind in ("good", "blot"))
            save(root / fine, good(20 * n + k))
            save(root / spoiled, planted(good(200 + 20 * n + k), 0.2, 0.2)[0])
            rows[fine], rows[spoiled] = row(False, templates), row(True, templates)
    (root / "mmad.json").write_text(json.dumps(rows))
    return root


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


class Talker:
    """Says what it is told to, and keeps the prompts."""

    name, context = "talker", 1000

    def __init__(self, say=lambda prompt: "B"):
        self.say, self.prompts = say, []

    def count(self, text):
        return len(text)

    def stream(self, prompt):
        self.prompts.append(prompt)
        yield from self.say(prompt)


def rewrite(folder, change):
    rows = json.loads((folder / "mmad.json").read_text())
    change(rows)
    (folder / "mmad.json").write_text(json.dumps(rows))


def test_questions_are_read_with_the_first_template_and_subtasks_merged(folder):
    tasks = read_mmad(folder)
    assert len(tasks) == 8
    task = tasks[1]
    assert task.image == "DS-MVTec/cloth/image/blot/0.png" and task.template.endswith("train/good/a.png")
    assert [q.subtask for q in task.questions][1:] == ["Defect Localization", "Object Analysis", "Object Analysis"]
    assert task.questions[1].options == PLACES and task.questions[1].answer == "C"
    assert read_mmad(folder, "random")[1].template.endswith("train/good/b.png")


@pytest.mark.parametrize(("verdict", "said"), [("good", 0), ("review", 0), ("defect", 1)])
def test_the_rules_of_the_template_answer_from_the_record(inspector, folder, monkeypatch, verdict, said):
    inspect = inspector.inspect
    monkeypatch.setattr(
        inspector, "inspect", lambda *given: [replace(row, verdict=verdict) for row in inspect(*given)]
    )
    scores = run_mmad(Contest(inspector, folder))
    assert [row.source for row in scores.rows] == ["DS-MVTec", "VisA"]
    mean = scores.mean
    assert (mean.recall, mean.overkill, mean.accuracies["Anomaly Detection"]) == (said, said, 0.5)
    assert mean.accuracies["Defect Localization"] == 1  # the blots are plain to see
    assert mean.accuracies["Object Analysis"] == 0.5  # guessed: the first option, right every other time
    assert scores.rules == {"presence": 8, "place": 4, "guess": 16} and mean.questions == 28


@pytest.mark.parametrize("say", ["B", '{"letter": "B"}', "<think>A?</think>The answer is B."])
def test_an_explainer_gets_what_the_record_cannot_answer_and_no_file_name(inspector, folder, say):
    talker = Talker(lambda prompt: say)
    scores = run_mmad(Contest(inspector, folder, talker))
    assert len(talker.prompts) == 16 and scores.rules == {"presence": 8, "place": 4, "said": 16}
    by_rules = run_mmad(Contest(inspector, folder)).mean
    for kind in ("Anomaly Detection", "Defect Localization"):
        assert scores.mean.accuracies[kind] == by_rules.accuracies[kind], "that is the detector's to answer"
    asked = talker.prompts[4]
    (subject,) = asked.subjects
    assert asked.question.splitlines()[1:] == ["A: Coarse", "B: Fine", CHOICE] and asked.options == ("A", "B")
    assert asked.history == () and subject.picture.shape == subject.reference.shape == (160, 160, 3)
    assert subject.inspection.mode == "few-shot" and subject.inspection.references == 1
    told = subject.inspection.to_json() + asked.evidence
    assert "blot" not in told and "cloth" not in told and "MVTec" not in told


def test_answers_without_a_letter_are_wrong_and_counted(inspector, folder, capsys):
    scores = run_mmad(Contest(inspector, folder, Talker(lambda _: "I would rather not say.")))
    assert scores.rules == {"presence": 8, "place": 4, "unparseable": 16}
    assert scores.mean.accuracies["Object Analysis"] == 0
    print_scores(scores, "A title")
    out = capsys.readouterr().out
    assert "16 of 28 questions got an answer without a letter" in out
    assert "DS-MVTec" in out and "VisA" in out and "mean" in out and "A title" in out


def test_a_run_that_stopped_goes_on(inspector, folder, tmp_path):
    out = tmp_path / "new" / "answers.jsonl"
    first = Talker()

    def stop(prompt):
        if len(first.prompts) > 5:
            raise KeyboardInterrupt
        return "B"

    first.say = stop
    with pytest.raises(KeyboardInterrupt):
        run_mmad(Contest(inspector, folder, first), out=out)
    kept = len(out.read_text().splitlines()) - 1
    assert 5 < kept < 28
    with out.open("a") as file:
        file.write('{"image": "DS-MV')  # as a power failure leaves it
    second = Talker()
    scores = run_mmad(Contest(inspector, folder, second), out=out)
    assert len(second.prompts) == 16 - 5 and scores.mean.questions == 28
    third = Talker()
    assert run_mmad(Contest(inspector, folder, third), out=out) == scores and third.prompts == []
    assert all(json.loads(line) for line in out.read_text().splitlines())


def test_answers_of_another_run_are_not_mixed_in(inspector, folder, tmp_path):
    out = tmp_path / "answers.jsonl"
    run_mmad(Contest(inspector, folder, Talker()), limit=1, out=out)
    before = out.read_text()
    with pytest.raises(LooktwiceError, match=r"differs in: explainer"):
        run_mmad(Contest(inspector, folder), out=out)
    with pytest.raises(LooktwiceError, match=r"differs in: template"):
        run_mmad(Contest(inspector, folder, Talker(), "random"), out=out)
    assert out.read_text() == before
    out.write_text("something else\n")
    with pytest.raises(LooktwiceError, match="holds no answers"):
        run_mmad(Contest(inspector, folder), out=out)
    with pytest.raises(LooktwiceError, match="cannot be written"):
        Answers.open(folder, {})


def test_an_explainer_that_fails_now_and_then_is_asked_again_and_one_that_is_gone_ends_the_run(
    inspector, folder, tmp_path
):
    out = tmp_path / "answers.jsonl"
    flaky = Talker()

    def sometimes(prompt):
        if len(flaky.prompts) % FAILURES:
            raise ExplainerError("It is not there.")
        return "B"

    flaky.say = sometimes
    scores = run_mmad(Contest(inspector, folder, flaky), out=out)
    assert scores.rules == {"presence": 8, "place": 4, "said": 3, "failed": 13}
    again = Talker()
    assert run_mmad(Contest(inspector, folder, again), out=out).rules["said"] == 16 and len(again.prompts) == 13

    gone = Talker()

    def never(prompt):
        raise ExplainerError("It is not there.")

    gone.say = never
    with pytest.raises(ExplainerError, match="not there"):
        run_mmad(Contest(inspector, folder, gone))
    assert len(gone.prompts) == FAILURES


def test_a_limit_spreads_over_the_data_set(inspector, folder):
    talker = Talker()
    scores = run_mmad(Contest(inspector, folder, talker), limit=4)
    assert [row.source for row in scores.rows] == ["DS-MVTec", "VisA"] and len(talker.prompts) < 28
    with pytest.raises(LooktwiceError, match="limit"):
        run_mmad(Contest(inspector, folder, talker), limit=0)


def test_pictures_that_cannot_be_read_are_left_out_and_told(inspector, folder, capsys):
    (folder / "VisA/cloth/image/good/0.png").unlink()
    (folder / "VisA/cloth/image/good/1.png").write_text("no picture")
    scores = run_mmad(Contest(inspector, folder))
    assert len(scores.unreadable) == 2 and scores.mean.questions == 22
    print_scores(scores, "MMAD")
    assert "2 pictures could not be read" in capsys.readouterr().out


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.update({"../../secret.png": next(iter(rows.values()))}),
        lambda rows: next(iter(rows.values())).update(similar_templates=["/etc/passwd"]),
        lambda rows: next(iter(rows.values())).update(similar_templates=[]),
        lambda rows: next(iter(rows.values()))["conversation"][0].pop("Options"),
        lambda rows: rows.update({"a.png": 3}),
        lambda rows: rows.clear(),
    ],
)
def test_a_damaged_or_wicked_data_set_is_one_sentence(folder, change):
    rewrite(folder, change)
    with pytest.raises(DatasetError, match=r"mmad\.json"):
        read_mmad(folder)


def test_no_data_set_is_one_sentence(tmp_path):
    with pytest.raises(DatasetError, match=r"no mmad\.json"):
        read_mmad(tmp_path)
    (tmp_path / "mmad.json").write_text("[")
    with pytest.raises(DatasetError, match="not JSON"):
        read_mmad(tmp_path)


def test_a_question_without_a_right_answer_is_left_out(folder):
    rewrite(folder, lambda rows: next(iter(rows.values()))["conversation"][0].update(Answer="E"))
    assert [q.index for q in read_mmad(folder)[0].questions] == [1, 2]


def test_detection_is_the_mean_of_both_classes_and_sources_count_the_same():
    one = Answered("S/x/good/1.png", 0, "Anomaly Detection", "B", "B", "B", "said")
    bad = replace(one, image="S/x/cut/1.png", answer="A")
    rows = [one] * 8 + [replace(one, letter="A")] * 2 + [replace(bad, letter="A")] + [bad]
    analysis = replace(one, subtask="Object Analysis")
    scores = score_answers([*rows, analysis, *[replace(analysis, image="T/x/good/1.png", letter="C")] * 50])
    first, second = scores.rows
    assert first.accuracies["Anomaly Detection"] == pytest.approx((0.8 + 0.5) / 2)
    assert (first.recall, first.overkill) == (0.5, pytest.approx(0.2))
    assert first.average == pytest.approx((0.65 + 1) / 2) and second.average == 0
    assert scores.mean.accuracies == pytest.approx({"Anomaly Detection": 0.65, "Object Analysis": 0.5})
    assert scores.mean.average == pytest.approx(0.575) and scores.mean.questions == 63


def test_the_command_runs_the_protocol(tiny_home, folder, tmp_path, monkeypatch, capfd):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["looktwice", "eval", *map(str, arguments), "--bundle", "tiny-cnn"])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        out, err = capfd.readouterr()
        return stopped.value.code or 0, out, " ".join(err.split())

    out = tmp_path / "answers.jsonl"
    status, shown, _ = call("mmad", folder, "--limit", 2, "--out", out, "--device", "cpu")
    assert status == 0 and "Localization" in shown and "answered by template" in shown
    assert json.loads(out.read_text().splitlines()[0])["settings"]["bundle"] == "tiny-cnn"
    for arguments, words in (
        (["mmad"], "Say where"),
        (["mmad", folder, "--shots", 1], "one reference"),
        (["mmad", folder, "--template", "best"], "no template 'best'"),
        (["mmad", folder, "--explainer", "gpt"], "no explainer 'gpt'"),
        (["mmad", tmp_path], "no mmad.json"),
        ([folder, "--explainer", "pocket"], "belong to"),
    ):
        status, _, err = call(*arguments)
        assert status == 2 and words in err, (arguments, err)
