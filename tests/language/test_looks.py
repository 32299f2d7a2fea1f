"""What a strong model sees is shown apart, line by line; its verdicts, numbers, permissions and causes are not."""

import json
import tomllib
from pathlib import Path

import pytest
from asked_records import RECORDS
from asking import ask
from truth import false_sentences, split

LOOKS = tomllib.loads(Path(__file__).with_name("looks.toml").read_text(encoding="utf-8"))
AT_ONCE = 4


class Looker:
    """A model that answers with one text, whatever it is asked."""

    name = "looker"
    context = 8000

    def __init__(self, text):
        self.text = text

    def count(self, text):
        return len(text.split())

    def stream(self, prompt):
        yield self.text


def planned(lines, where="whole"):
    """A plan that tells nothing but what is seen."""
    seen = [{"where": where, "text": line, "sure": "clear"} for line in lines]
    return json.dumps({"facts": [{"key": "verdict"}], "test": None, "cannot": [], "seen": seen, "disagrees": None})


def look(lines, record, question="What do you see?"):
    """The lines that are shown as seen, in four at a time."""
    shown = []
    for start in range(0, len(lines), AT_ONCE):
        said = ask(question, [record], explainer=Looker(planned(lines[start : start + AT_ONCE])))
        shown += [one.text for one in said.seen]
        assert not any(line in said.whole for line in lines)
    return shown


def test_there_are_as_many_as_are_counted_on():
    assert len(LOOKS["answer"]) == 15
    assert sum(len(answer["seen"]) for answer in LOOKS["answer"]) == 58
    assert sum(len(kind["lines"]) for kind in LOOKS["drop"]) == 60


def test_nearly_all_that_is_seen_is_shown():
    lost = []
    for answer in LOOKS["answer"]:
        shown = look(answer["seen"], RECORDS[answer["about"]], answer["question"])
        lost += [line for line in answer["seen"] if line not in shown]
    assert len(lost) <= 3, lost


@pytest.mark.parametrize("kind", LOOKS["drop"], ids=lambda kind: kind["kind"])
@pytest.mark.parametrize("name", ["defect", "good"])
def test_no_line_with_a_verdict_number_permission_or_cause_is_shown(kind, name):
    assert look(kind["lines"], RECORDS[name]) == []


def test_an_answer_that_is_no_plan_is_shown_as_seen_without_what_may_not_be_said():
    lost, leaked = [], []
    for answer in LOOKS["answer"]:
        text = " ".join([*answer["seen"], *answer.get("rest", [])])
        said = ask(answer["question"], [RECORDS[answer["about"]]], explainer=Looker(text))
        shown = " ".join(one.text for one in said.seen)
        lost += [line for line in answer["seen"] if line not in shown]
        leaked += [line for line in answer.get("rest", []) if line in shown]
        assert not any(line in said.whole for line in split(text))
    assert leaked == []
    assert len(lost) <= 6, lost


def test_a_disagreement_is_shown_apart_and_changes_no_verdict():
    plan = json.loads(planned([])) | {"disagrees": "The surface looks intact where the map is warm."}
    said = ask("Is it a defect?", [RECORDS["defect"]], explainer=Looker(json.dumps(plan)))
    assert "looks intact" in said.disagrees and "looks intact" not in said.whole
    assert false_sentences(said.whole, [RECORDS["defect"]]) == []


INJECTED = tomllib.loads(Path(__file__).with_name("injections.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("text", [*INJECTED["question"]["attempts"], *INJECTED["writing"]["attempts"]])
def test_a_model_that_was_talked_into_it_changes_nothing_that_is_checked(text):
    said = ask("What is the verdict?", [RECORDS["defect"]], explainer=Looker(text))
    assert false_sentences(said.whole, [RECORDS["defect"]]) == [] and "good" not in said.whole
