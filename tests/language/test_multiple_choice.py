"""Multiple choice: what the rules choose, and what is read out of an answer."""

from dataclasses import replace

import numpy as np
import pytest

from assistant.inspection import DefectType, Inspection, Region
from assistant.language.multiple_choice import choose, decide, read_letter

CRACK = (DefectType("crack", 0.6), DefectType("stain", 0.2))
BAD = Inspection(
    path="x",
    mode="few-shot",
    score=9.0,
    p_value=0.001,
    threshold=5.0,
    review_threshold=4.0,
    verdict="defect",
    regions=(
        Region("R1", (0, 0, 30, 30), 900, 0.01, 9.0, "top left", "severe", CRACK),
        Region("R2", (70, 40, 80, 50), 90, 0.001, 6.0, "right", "slight"),
    ),
    width=90,
    height=90,
    looks_like=("leather", "bottle"),
)
GOOD = replace(BAD, verdict="good", score=3.0, regions=(), coarse_map=np.eye(9, dtype=np.float32)[::-1] * 0 + 1)
YES_NO = {"A": "Yes.", "B": "No."}
PLACES = {
    "A": "At the bottom right",
    "B": "In the middle",
    "C": "On the upper left side",
    "D": "On the right edge",
}


@pytest.mark.parametrize(
    ("question", "options", "bad", "good"),
    [
        ("Is there any defect in the object?", YES_NO, ("A", "presence"), ("B", "presence")),
        ("Is there any defect in the object?", {"A": "No", "B": "Yes"}, ("B", "presence"), ("A", "presence")),
        ("Is the part free of defects?", YES_NO, ("B", "presence"), ("A", "presence")),
        ("Is the object in good condition?", YES_NO, ("B", "presence"), ("A", "presence")),
        ("Is there a defect on the left?", YES_NO, ("A", "presence"), ("B", "presence")),
        ("Is there a defect at the bottom?", YES_NO, ("B", "presence"), ("B", "presence")),
        ("How many defects are there?", {"A": "One", "B": "2", "C": "Five"}, ("B", "count"), ("A", "count")),
        ("Where is the defect located?", PLACES, ("C", "place"), None),
        (
            "What type of defect is there?",
            {"A": "Scratches", "B": "Stained", "C": "Fractures"},
            ("C", "type"),
            ("A", "guess"),
        ),
        (
            "What is the defect?",
            {"A": "No defect", "B": "A hole", "C": "A dent"},
            ("B", "guess"),
            ("A", "presence"),
        ),
        (
            "How severe is the anomaly?",
            {"A": "Minor", "B": "Major", "C": "Moderate"},
            ("B", "severity"),
            ("A", "guess"),
        ),
        (
            "What is the object shown?",
            {"A": "A glass bottle", "B": "A leather sheet"},
            ("B", "object"),
            ("B", "object"),
        ),
        ("What is the cause of the defect?", {"A": "Wear", "B": "Heat"}, ("A", "guess"), ("A", "guess")),
        ("Does it have a cap?", YES_NO, ("A", "guess"), ("A", "guess")),
    ],
)
def test_the_record_chooses_and_guesses_are_called_so(question, options, bad, good):
    for found, expected in ((BAD, bad), (GOOD, good)):
        if expected:
            choice = decide(found, question, options)
            assert (choice.letter, choice.rule) == expected
            assert choose(found, question, options) == expected[0]


def test_a_review_is_not_turned_away():
    held = replace(BAD, verdict="review", score=4.5)
    assert choose(held, "Is there any defect in the object?", YES_NO) == "B"


@pytest.mark.parametrize(("row", "column", "letter"), [(0, 0, "C"), (8, 8, "A"), (4, 4, "B"), (4, 8, "D")])
def test_without_a_region_the_strangest_place_counts(row, column, letter):
    there = np.zeros((9, 9), np.float32)
    there[row, column] = 1
    assert choose(replace(GOOD, coarse_map=there), "Where is the defect?", PLACES) == letter


def test_an_unreadable_picture_is_guessed_about_and_nothing_to_choose_is_a_mistake():
    assert decide(Inspection("x", "error", "Gone."), "Is there any defect?", YES_NO).rule == "guess"
    with pytest.raises(ValueError, match="at least one"):
        choose(BAD, "Is there any defect?", {})


OPTIONS = {"A": "A scratch", "B": "A broken edge", "C": "A deep scratch on the left", "D": "None"}


@pytest.mark.parametrize(
    ("said", "letter"),
    [
        ("B", "B"),
        ("b", "B"),
        (" B. ", "B"),
        ("**C**", "C"),
        ("(d) None", "D"),
        ("B: A scratch", "B"),
        ("C) because of B", "C"),
        ("The answer is C, not B.", "C"),
        ("Answer: A", "A"),
        ("It is not B. The correct option is (D).", "D"),
        ("a broken  edge!", "B"),
        ("I see a deep scratch on the left of [R1].", "C"),
        ("A scratch", "A"),
        ("It must be D", "D"),
        ("<think>Could be A. Or B.</think> C", "C"),
        ("<think>A", ""),
        ("B or C", ""),
        ("A or B", ""),
        ("A dent near the rim", ""),
        ("The answer is a dent", ""),
        ("E", ""),
        ("It's fine", ""),
        ("I cannot tell.", ""),
        ("", ""),
        ("a scratch or a broken edge", ""),
    ],
)
def test_letters_are_read_and_nothing_is_read_into_an_answer(said, letter):
    assert read_letter(said, OPTIONS) == letter
