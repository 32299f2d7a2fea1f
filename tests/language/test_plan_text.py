"""Whatever a model writes, whole, fenced, half right or cut short, is read as far as it goes."""

import json

import pytest

from assistant.inspection import Inspection, Region, Seen
from assistant.language.plan import Fact, Plan
from assistant.language.plan_text import read_said, read_table, without_thinking

WHOLE = {
    "facts": [{"key": "verdict", "ids": [], "value": None}, {"key": "place", "ids": ["R1"], "value": None}],
    "test": {"quantity": "score", "subject": "any", "operator": ">", "value": "threshold"},
    "cannot": ["cause"],
    "seen": [
        {"where": "R1", "text": 'A dark {groove}, "open" to the rim.', "sure": "clear"},
        {"where": "whole", "text": "The rest is even.", "sure": "maybe"},
    ],
    "disagrees": None,
}
TEXT = json.dumps(WHOLE)


@pytest.fixture
def records():
    box = Region("R1", (10, 10, 60, 40), 900, 0.03, 9.0, "top left", "severe")
    return (
        Inspection(
            path="a.png", mode="zero-shot", score=9.0, p_value=0.001, threshold=5.0, review_threshold=4.0,
            verdict="defect", regions=(box,), width=160, height=120,
        ),
    )  # fmt: skip


def test_a_whole_plan_is_read_bare_fenced_or_among_words(records):
    plain = read_said(TEXT, records)
    assert plain.form == "plan" and plain.settled and len(plain.plan.facts) == 2 and len(plain.plan.seen) == 2
    for text in (
        f"```json\n{TEXT}\n```",
        f"Here it is:\n\n{TEXT}\n\nI hope that helps!",
        json.dumps(WHOLE, indent=2),
    ):
        assert read_said(text, records) == plain


def test_a_plan_cut_anywhere_keeps_what_was_whole(records):
    last = -1
    for end in range(len(TEXT) + 1):
        read = read_said(TEXT[:end], records, ended=False)
        count = len(read.plan.facts) + len(read.plan.seen)
        assert read.settled == (end > TEXT.index('["cause"]') + len('["cause"]') - 1)
        assert count >= last, "what was read stays read"
        last = count
    assert last == 4
    half = TEXT[: TEXT.index("The rest")]
    assert [one.text for one in read_said(half, records).plan.seen] == ['A dark {groove}, "open" to the rim.']


def test_parts_that_do_not_fit_are_left_out_and_the_others_kept(records):
    odd = {
        "facts": [
            "verdict",
            {"key": "colour of the sky"},
            {"key": "place", "ids": ["R9"]},
            {"key": "size", "ids": ["R1"]},
        ],
        "test": {"quantity": "beauty", "subject": "any", "operator": ">", "value": 1},
        "cannot": ["cause", "love"],
        "seen": ["A groove at R1.", {"where": "R1 and R2", "text": "A stain near R1."}, {"where": "R1"}, 7],
        "disagrees": "The rim is open.",
        "verdict": "good",
    }
    plan = read_said(json.dumps(odd), records).plan
    assert (
        plan.facts == (Fact("verdict"), Fact("size", ("R1",))) and plan.test is None and plan.cannot == ("cause",)
    )
    assert [(one.where, one.text) for one in plan.seen] == [("R1", "A groove at R1."), ("R1", "A stain near R1.")]
    assert plan.disagrees == "The rim is open."


def test_a_text_without_a_plan_is_what_its_writer_sees(records):
    text = "I see a groove at R1. It may be a shadow."
    read = read_said(text, records)
    assert read.form == "text" and not read.settled
    assert read.plan == Plan(
        seen=(Seen("R1", "I see a groove at R1."), Seen("whole", "It may be a shadow.", "maybe"))
    )
    assert read_said("I see a gro", records, ended=False).plan == Plan()
    assert len(read_said("I see a groove at R1. ", records, ended=False).plan.seen) == 1


@pytest.mark.parametrize(
    "text", ["", " \n", "```json", "{", "}", "[]", "null", "{}", "[" * 5000, '{"a":' * 5000, "{{{", '{"facts": 3}']
)
def test_garbage_is_an_empty_plan_and_no_error(text, records):
    for ended in (True, False):
        plan = read_said(text, records, ended=ended).plan
        assert not plan.facts and plan.test is None


def test_trailing_commas_and_a_bad_end_lose_nothing_before_them():
    assert read_table('{"facts": ["verdict",], "cannot": [],}') == ({"facts": ["verdict"], "cannot": []}, True)
    assert read_table('{"facts": ["verdict"], "test": nul') == ({"facts": ["verdict"]}, False)
    assert read_table('{"value": 12') == ({}, False), "a number may go on"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<think>Hm, is it good?</think>\n\n{}", "\n\n{}"),
        ("  <think>Hm.</think>{}", "  {}"),
        ("<think>never ends", ""),
        ("{} and 1 < 2", "{} and 1 < 2"),
        ("a<think>b</think>c<think>d</think>e", "ace"),
        ("no thoughts", "no thoughts"),
        ("<thin", "<thin"),
    ],
)
def test_thoughts_are_not_told_however_they_are_cut_into_pieces(text, told):
    for size in (1, 2, 3, 7, 1000):
        pieces = (text[at : at + size] for at in range(0, len(text), size))
        assert "".join(without_thinking(pieces)) == told


def test_thoughts_that_were_not_opened_are_not_told_either(records):
    read = read_said("So is it good? I guess so.</think>I see a groove at R1.", records)
    assert [one.text for one in read.plan.seen] == ["I see a groove at R1."]
