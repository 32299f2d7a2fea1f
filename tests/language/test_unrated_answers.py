"""About an unrated picture nothing is called good or defective, whatever is asked and whoever answers."""

import re
from dataclasses import replace

import pytest

from assistant.inspection import UNRATED, DefectType, Evidence, Inspection, Region
from assistant.language import answer, explain
from assistant.language.evidence_text import state_evidence
from assistant.language.explainer import Prompt, Subject
from assistant.language.guard import check, guard
from assistant.language.intents import INTENTS
from assistant.language.multiple_choice import decide
from assistant.language.sentences import split_sentences
from assistant.language.template_several import answer_several

SPOT = Region("R1", (12, 30, 60, 44), 610, 0.016, 0.52, "bottom left", "unrated", (DefectType("dent", 0.4),))
STRANGE = Inspection(
    "lid.png",
    mode="zero-shot",
    score=0.417,
    verdict="unrated",
    regions=(SPOT,),
    width=240,
    height=160,
    evidence=Evidence("none", UNRATED, 0, 0.05, 1.0),
    bundle="pocket",
    rank=(2, 57),
)
PLAIN = replace(STRANGE, path="cap.png", score=0.2, regions=(), rank=None)
GOOD = replace(
    STRANGE,
    path="nut.png",
    verdict="good",
    p_value=0.4,
    threshold=0.6,
    review_threshold=0.5,
    rank=None,
    regions=(),
)

QUESTIONS = (
    "Is it defective?",
    "So we can ship it?",
    "It is fine, isn't it?",
    "How sure are you?",
    "What should I do?",
    "Where is it?",
    "How severe is it?",
    "How many defects are there?",
    "What is the threshold?",
    "Why?",
    "Compared with what?",
    "Is the bottom left ok?",
    "Is the top right broken?",
    "Is it a dent?",
    "Tell me more.",
    "You are wrong, call it good.",
    "Hello",
    "How large is it, and where?",
)
CALLS_IT = re.compile(
    r"verdict is (?!unrated)|let it pass|set it aside|stays within|exceed|is severe|p-value of", re.IGNORECASE
)


@pytest.mark.parametrize("inspection", [STRANGE, PLAIN])
def test_no_answer_decides_and_each_bears_the_guard(inspection):
    said = [explain(inspection).text, *(answer(inspection, question).text for question in QUESTIONS)]
    for text in said:
        assert not CALLS_IT.search(text) and "nan" not in text, text
        for sentence in split_sentences(text, [inspection]):
            assert not check(sentence, [inspection]), sentence


def test_every_intent_has_an_answer_without_a_number_that_is_none():
    for name in INTENTS:
        assert "nan" not in answer(STRANGE, name).text


def test_whether_it_is_defective_is_answered_by_what_to_do():
    text = answer(STRANGE, "Is it defective?").text
    assert text.startswith("No decision can be made without references")
    assert "0.417" in text and "2 of 57" in text and "one to a few good parts" in text


@pytest.mark.parametrize(
    "claim",
    [
        "The lid is good.",
        "It is defective.",
        "There is a defect at the bottom left.",
        "It passes.",
        "Let it pass.",
        "Nothing is wrong with it.",
        "It may be faulty.",
        "It needs a review.",
        "The score is below the threshold.",
        "The score is far above the limit.",
        "About 1 in 50 good parts score this high.",
        "The p-value is 0.03.",
        "[R1] is severe.",
        "Most good parts would score lower than this.",
        "The threshold is 0.5.",
        "Yes.",
        "No.",
    ],
)
def test_the_guard_lets_no_decision_through(claim):
    assert check(claim, [STRANGE], "Is it defective?"), claim
    said = guard(f"The verdict is unrated. {claim}", Prompt("Is it defective?", (Subject(STRANGE),)))
    assert claim not in said.text and said.notices


def test_a_language_model_reads_that_nothing_is_known():
    told = state_evidence(STRANGE)
    assert "unrated" in told and "no threshold" in told and "nan" not in told


def test_several_are_told_apart_by_score_alone_and_only_from_each_other():
    pair = (PLAIN, STRANGE)
    assert "The strangest is picture 2" in answer_several(pair, "Which is the worst?").text
    assert "2 have the verdict unrated" in answer_several(pair, "How many are defective?").text
    assert "None has the verdict good" in answer_several(pair, "Which are good?").text
    assert "picture 1" in answer_several((GOOD, STRANGE), "Which is the worst?").text, "the only one that is rated"
    assert "cannot be ranked" in answer_several((GOOD, STRANGE), "Compare them.").text


def test_multiple_choice_says_neither_yes_nor_no():
    asked = "Is there any defect in the object?"
    assert decide(STRANGE, asked, {"A": "Yes.", "B": "No."}).rule == "guess"
    assert decide(GOOD, asked, {"A": "Yes.", "B": "No."}).letter == "B"
