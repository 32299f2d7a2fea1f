"""Two hundred and fifty questions as people ask them: answers are true, answer what was asked, and are short."""

from collections import Counter
from pathlib import Path

import pytest
from asking import ask
from rubric import mark, read_asked

ASKED = read_asked(Path(__file__).with_name("asked.toml"))
PEOPLE = ("line", "ML engineer", "quality manager", "doctor", "beginner")
ENOUGH = 0.9


@pytest.fixture(scope="module")
def marked():
    """(question, answer, marks) of each."""
    answers = [(one, ask(one.question, one.records, one.before)) for one in ASKED]
    return [(one, said, mark(said.text, one, said.whole)) for one, said in answers]


def test_there_are_a_hundred_of_people_and_a_hundred_and_fifty_of_other_kinds():
    kinds = Counter("people" if one.by in PEOPLE else "kinds" for one in ASKED)
    assert kinds == {"people": 100, "kinds": 150}
    assert all(count >= 10 for count in Counter(one.language for one in ASKED).values())


@pytest.mark.parametrize("people", [True, False], ids=["people", "kinds"])
def test_nine_in_ten_are_right(marked, people):
    judged = [row for row in marked if (row[0].by in PEOPLE) == people]
    wrong = [(one.question, said.text, marks) for one, said, marks in judged if not marks.right]
    assert len(judged) - len(wrong) >= ENOUGH * len(judged), wrong


@pytest.mark.parametrize("language", ["en", "de", "es", "zh"])
def test_each_language_is_answered_in_its_own_words(marked, language):
    judged = [row for row in marked if row[0].language == language]
    assert all(said.language == language for _, said, _ in judged)
    assert sum(marks.right for _, _, marks in judged) >= 0.8 * len(judged)


def test_nothing_false_is_said(marked):
    assert [(one.question, marks.false) for one, _, marks in marked if marks.false] == []


@pytest.mark.parametrize(
    "same",
    ["The verdict is defect: score 0.914 is above the threshold 0.606.", "That cannot be told from this record."],
)
def test_one_answer_to_everything_is_not_enough(same):
    assert sum(mark(same, one).right for one in ASKED) <= 0.2 * len(ASKED)
