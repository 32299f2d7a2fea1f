"""About an unrated picture nothing is called good or defective, whatever is asked and whoever answers."""

import re
from dataclasses import replace
from typing import get_args

import pytest

from assistant.inspection import UNRATED, DefectType, Evidence, Inspection, Region
from assistant.language import answer, explain
from assistant.language.evidence_text import state_evidence
from assistant.language.facts import render
from assistant.language.multiple_choice import decide
from assistant.language.plan import Fact, Key, Plan, Test

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
    r"verdict is (?!unrated)|let it pass|set it aside|stays within|is severe|p-value of|^(?:yes|no)\b",
    re.IGNORECASE,
)


@pytest.mark.parametrize("inspection", [STRANGE, PLAIN])
def test_no_answer_decides(inspection):
    said = [explain(inspection).text, *(answer(inspection, question).whole for question in QUESTIONS)]
    for text in said:
        assert not CALLS_IT.search(text) and "nan" not in text, text


def test_every_fact_is_worded_without_a_number_that_is_none():
    for key in get_args(Key):
        said = render(Plan((Fact(key, (), 0.02 if key == "how_limit_at" else None),)), [STRANGE])
        assert not re.search(r"\bnan\b", said.whole), said


@pytest.mark.parametrize("asked", ["good", "defect"])
def test_whether_it_is_good_is_neither_yes_nor_no(asked):
    text = render(Plan(test=Test("verdict", "all", "=", asked)), [STRANGE]).whole
    assert text.startswith("The verdict is unrated") and "one to a few good parts" in text


def test_a_language_model_reads_that_nothing_is_known():
    told = state_evidence(STRANGE)
    assert "unrated" in told and "no threshold" in told and "nan" not in told


def test_several_are_told_apart_by_score_alone_and_only_from_each_other():
    pair = (PLAIN, STRANGE)
    assert "The strangest is picture 2" in answer(pair, "Which is the worst?").text
    assert "2 unrated" in answer(pair, "How many are defective?").text
    assert "2 unrated" in answer(pair, "Which are good?").text
    assert "picture 1" in answer((GOOD, STRANGE), "Which is the worst?").text, "the only one that is rated"
    assert "cannot be ranked" in answer((GOOD, STRANGE), "Compare them.").text


def test_multiple_choice_says_neither_yes_nor_no():
    asked = "Is there any defect in the object?"
    assert decide(STRANGE, asked, {"A": "Yes.", "B": "No."}).rule == "guess"
    assert decide(GOOD, asked, {"A": "Yes.", "B": "No."}).letter == "B"
