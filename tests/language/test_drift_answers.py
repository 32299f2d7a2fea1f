"""Once a product has drifted no answer sends a part on by a limit that no longer holds, whoever answers."""

from dataclasses import replace

import pytest

from assistant.detection.drift import CHANGED, has_drifted
from assistant.inspection import Evidence, Inspection, Region
from assistant.language import answer, explain

DRIFTED = "The product has drifted, so its limit no longer holds."
CHECK_CHANGE = "Check the camera, the light and the lot before you go by single verdicts."

SPOT = Region("R1", (40, 8, 70, 30), 420, 0.012, 0.31, "top right", "slight")
GOOD = Inspection(
    "bolt.png",
    mode="few-shot",
    score=0.21,
    p_value=0.3,
    threshold=0.28,
    review_threshold=0.25,
    verdict="good",
    width=200,
    height=180,
    evidence=Evidence("conformal", "counted from 60 good pictures", 60, 0.05, 1 / 61),
    product="bolt",
    references=60,
    bundle="pocket",
)
REVIEW = replace(GOOD, score=0.26, p_value=0.06, verdict="review", regions=(SPOT,))
DEFECT = replace(GOOD, score=0.4, p_value=0.016, verdict="defect", regions=(SPOT,))
SENTENCES = (
    f"the last 44 parts of 'bolt' score higher than its good parts did: unless most of them are bad, {CHANGED}",
    f"the last 1,204 parts of 'bolt' in group 'night' score lower than its earlier parts did: {CHANGED}",
)
ADVICE = (
    "What should I do?",
    "Can we ship this one?",
    "What now?",
    "May I use it?",
    "Any advice?",
    "So it passes, right?",
    "Is it fine?",
    "Is this part ok?",
    "How sure are you?",
    "Can I rely on the limit?",
    "What must be done with it?",
    "Hm, and now with that bolt?",
    "Why?",
    "Tell me the score.",
)


def drifted(inspection, sentence=SENTENCES[0]):
    return replace(inspection, notices=("it is darker than the references", sentence))


@pytest.mark.parametrize("sentence", SENTENCES)
@pytest.mark.parametrize("row", [GOOD, REVIEW, DEFECT, replace(GOOD, regions=(SPOT,))])
def test_advice_says_that_the_limit_no_longer_holds_and_sends_nothing_on(row, sentence):
    now = drifted(row, sentence)
    for question in ADVICE:
        said = answer(now, question).text
        assert DRIFTED in said and "asks for a closer look" not in said, question
        assert DRIFTED not in answer(row, question).whole
    told = explain(now).text
    assert DRIFTED in told and ("look at" in told) and "asks for a closer look" not in told
    assert DRIFTED not in explain(row).text


def test_the_steps_are_named_and_a_person_is_asked():
    said = answer(drifted(GOOD), "What should I do?").whole
    assert CHECK_CHANGE in said and "Have a person look at the whole picture before it goes on" in said
    assert answer(GOOD, "What should I do?").text.startswith("Nothing in this picture asks")


def test_of_several_pictures_it_is_said_once():
    rows = [drifted(GOOD), drifted(DEFECT), GOOD]
    for question in ("How many are defective?", "What should I do with them?"):
        assert answer(rows, question).whole.count(DRIFTED) == 1
    assert DRIFTED not in answer([GOOD, DEFECT], "How many are defective?").text
    assert DRIFTED in answer(rows, "What should I do with picture 1?").text


def test_only_a_notice_of_drift_is_one():
    assert has_drifted(drifted(GOOD).notices) and not has_drifted(("the lot has changed", *GOOD.notices))


@pytest.mark.parametrize("sentence", SENTENCES)
def test_what_a_notice_says_is_said_to_its_end(sentence):
    long = sentence.replace("'bolt'", "'a bolt of the long kind that no name is short enough for, third line'")
    for question in ("Any warnings?", "Give me a summary."):
        assert f"{CHANGED}." in answer(drifted(GOOD, long), question).whole
