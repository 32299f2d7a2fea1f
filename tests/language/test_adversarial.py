"""Hand-written sentences against the guard: no false one is shown, and hardly any true one is stopped."""

import tomllib
from pathlib import Path

import pytest

from assistant.inspection import Inspection
from assistant.language.explainer import Prompt, Subject
from assistant.language.guard import UNTOLD, Draft, guard
from assistant.language.unanswerable_questions import NO_PICTURE

ROWS = tomllib.loads(Path(__file__).with_name("adversarial.toml").read_text(encoding="utf-8"))
MADE = {name: Inspection.from_dict({"schema": 1, **row}) for name, row in ROWS["inspection"].items()}
STOPPED = 0.03
"""The share of true sentences that may be stopped; an assistant that holds back more is of no use."""


def sentences(truth):
    return [
        (about, kind, said)
        for about, kinds in ROWS[truth].items()
        for kind, lines in kinds.items()
        for said in lines
    ]


def passes(about, said):
    answer = guard(said, Prompt("What did you find?", (Subject(MADE[about]),)), "m")
    return answer.source == "m" and not answer.notices


def test_there_are_many_of_both_over_all_inspections():
    for truth in ("false", "true"):
        found = sentences(truth)
        assert len(found) >= 150 and len({(about, said) for about, _, said in found}) == len(found)
        assert {about for about, _, _ in found} == set(MADE)


@pytest.mark.parametrize("about", MADE)
def test_no_false_sentence_is_shown(about):
    shown = [(kind, said) for of, kind, said in sentences("false") if of == about and passes(about, said)]
    assert not shown


def test_hardly_any_true_sentence_is_stopped():
    true = sentences("true")
    stopped = [(about, said) for about, _, said in true if not passes(about, said)]
    assert len(stopped) <= STOPPED * len(true), stopped


@pytest.mark.parametrize("false", ["The part is good.", "It lies in the center.", "R2 is larger than R3."])
def test_a_false_sentence_between_true_ones_is_replaced_alone(false):
    true = ["[R1] lies in the top left.", "R3 is the largest region."]
    answer = guard(f"{true[0]} {false} {true[1]}", Prompt("Tell me more.", (Subject(MADE["three"]),)), "m")
    assert false not in answer.text and answer.notices and answer.source == "m"
    assert all(said in answer.text for said in true)


@pytest.mark.parametrize(
    ("about", "before", "said", "passes"),
    [
        ("three", "Is it good?", "Yes.", False),
        ("three", "Is it good?", "No.", True),
        ("plain", "Is it defective?", "Yes, it is.", False),
        ("three", "[R1] lies in the top left.", "It is slight.", False),
        ("three", "[R1] lies in the top left.", "It is severe.", True),
        ("three", "[R2] is slight.", "This region lies in the bottom right.", False),
        ("one", "[R1] looks like a scratch.", "It lies in the top left.", True),
    ],
)
def test_a_sentence_is_read_after_the_one_before_it(about, before, said, passes):
    draft = Draft(Prompt("Tell me more.", (Subject(MADE[about]),)))
    draft.add(before)
    draft.add(said)
    assert draft.replaced is not passes


def replies(truth):
    batches = (ROWS["asked"], ROWS["replied"])
    return [(about, *row) for batch in batches for about, rows in batch[truth].items() for row in rows]


def stands(about, asked, said):
    answer = guard(said, Prompt(asked, (Subject(MADE[about]),)), "m")
    return answer.source == "m" and not answer.notices


def test_no_false_reply_to_a_question_is_shown():
    false = replies("false")
    assert len(false) >= 90 and not [row for row in false if stands(*row)]


def test_hardly_any_true_reply_to_a_question_is_stopped():
    true = replies("true")
    assert len(true) >= 70
    assert len([row for row in true if not stands(*row)]) <= STOPPED * len(true)


@pytest.mark.parametrize("about", ["plain", "review", "one"])
@pytest.mark.parametrize("word", ["Yes", "No", "Correct", "Right", "Exactly", "Of course", "Sure", "Not at all"])
@pytest.mark.parametrize(("asked", "premise"), [("Is it good?", "good"), ("Is it defective?", "defect")])
def test_a_reply_stands_where_question_and_record_bear_it_out(about, word, asked, premise):
    meant = {"good": "defect", "defect": "good"}[premise] if word in ("No", "Not at all") else premise
    verdict = MADE[about].verdict
    assert stands(about, asked, f"{word}, the verdict is {verdict}.") is (meant == verdict)


def test_a_reply_that_comes_later_replies_to_the_question_all_the_same():
    assert not stands("one", "Is it good?", "The verdict is defect. Yes.")
    assert stands("one", "Is it good?", "The verdict is defect. No.")


def test_what_no_picture_can_tell_is_said_in_front_of_what_the_record_tells():
    said = guard("The verdict is defect.", Prompt("What does it cost?", (Subject(MADE["one"]),)), "m")
    assert said.text == f"{NO_PICTURE} The verdict is defect."
    assert (said.source, said.notices) == ("m", (UNTOLD,))


def test_what_no_picture_can_tell_is_said_once():
    true = "The verdict is defect. What it costs cannot be seen in a picture."
    assert guard(true, Prompt("What does it cost?", (Subject(MADE["one"]),)), "m").text == true


@pytest.mark.parametrize("hidden", ["\u200b", "\u2060", "\ufeff", "\u00ad"])
def test_invisible_signs_hide_nothing(hidden):
    said = [guard(f"The part is g{hidden}ood.", Prompt("?", (Subject(MADE[n]),)), "m") for n in ("three", "plain")]
    assert said[0].notices and said[1].text == "The part is good."
