"""Facts in words: one short sentence first, the rest folded, in the form that was asked for."""

import json
from typing import get_args

import pytest
from asked_records import RECORDS

from assistant.detection.drift import has_drifted
from assistant.language.facts import SHOWN_WORDS, count_words, describe, render
from assistant.language.forms import Form
from assistant.language.plan import Fact, Key, Plan, Reason, Test

SINGLE = {name: i for name, i in RECORDS.items()}
DEFECT = next(i for i in RECORDS.values() if i.verdict == "defect" and len(i.regions) > 1)
GOOD = next(i for i in RECORDS.values() if i.verdict == "good" and not i.regions)
REVIEW = next(i for i in RECORDS.values() if i.verdict == "review" and i.regions)
FIRST = 20  # words of the first sentence


def fact(key):
    return Fact(key, (), 0.01 if key == "how_limit_at" else None)


@pytest.mark.parametrize("key", get_args(Key))
def test_every_key_is_worded_for_every_record_and_begins_with_one_short_sentence(key):
    for name, record in SINGLE.items():
        if has_drifted(record.notices):  # a warning stands beside the first sentence
            continue
        said = render(Plan((fact(key),)), [record])
        assert said.text and "nan" not in said.text.split() and "{" not in said.whole, (name, said)
        if key not in ("box", "notices", "drift"):
            assert count_words(said.text) <= FIRST + 2, (name, said.text)


@pytest.mark.parametrize("reason", get_args(Reason))
def test_every_reason_is_one_sentence_that_opens_with_neither_yes_nor_no(reason):
    said = render(Plan(cannot=(reason,)), [DEFECT]).text
    assert said.endswith(".") and count_words(said) <= FIRST and not said.startswith(("Yes", "No"))


def test_several_facts_are_shown_as_far_as_the_words_go_and_the_rest_is_folded():
    keys = ("verdict", "place", "advice", "rarity", "references", "origin")
    said = render(Plan(tuple(map(fact, keys))), [DEFECT])
    assert count_words(said.text) <= SHOWN_WORDS and said.more
    assert "false alarms" in said.more


@pytest.mark.parametrize(
    ("record", "asked", "opens"),
    [(GOOD, "good", "Yes"), (GOOD, "defect", "No"), (DEFECT, "good", "No"), (DEFECT, "defect", "Yes")],
)
def test_yes_and_no_come_from_the_record(record, asked, opens):
    said = render(Plan((fact("advice"),), Test("verdict", "all", "=", asked)), [record])
    assert said.text.startswith(f"{opens}. The verdict is {record.verdict}")


def test_what_is_open_gets_neither_word():
    for asked in ("good", "defect"):
        said = render(Plan(test=Test("verdict", "all", "=", asked)), [REVIEW])
        assert said.text.startswith("The verdict is review")


def test_without_a_test_no_answer_opens_with_yes_or_no():
    for key in get_args(Key):
        for record in SINGLE.values():
            assert not render(Plan((fact(key),)), [record]).text.startswith(("Yes", "No,", "No."))


def test_the_form_is_kept():
    plan = Plan((fact("verdict"), fact("score")))
    assert render(plan, [DEFECT], form="word").text == "Defect."
    assert json.loads(render(plan, [DEFECT], form="json").text)["verdict"] == "defect"
    assert render(plan, [DEFECT], form="table").text.startswith("| verdict | score | threshold |")
    assert render(plan, [DEFECT], form="bullets").text.count("\n- ") == 1
    assert not any(letter.isdigit() for letter in render(plan, [DEFECT], form="plain").text)
    short, long = (render(plan, [DEFECT], form=form) for form in ("sentence", "long"))
    assert not short.more and not long.more and long.text.startswith(short.text)
    regions = render(Plan((fact("size"),)), [DEFECT], form="table").text
    assert regions.count("\n") == len(DEFECT.regions) + 1
    assert all(render(plan, [DEFECT, GOOD], form=form).text for form in get_args(Form))


def test_a_box_that_spans_the_picture_lies_at_no_side_of_it():
    from dataclasses import replace

    first, *rest = DEFECT.regions
    wide = replace(first, box=(0, 0, DEFECT.width, DEFECT.height), position="bottom")
    record = replace(DEFECT, regions=(wide, *rest))
    assert "all over the picture" in render(Plan((Fact("place", ("R1",)),)), [record]).text
    asked = render(Plan(test=Test("place", "any", "=", "bottom")), [record]).text
    assert not asked.startswith(("Yes", "No"))


def test_rarity_is_told_no_rarer_than_counting_shows():
    from dataclasses import replace

    evidence = replace(DEFECT.evidence, method="conformal", n=20, smallest_p=1 / 21)
    record = replace(DEFECT, evidence=evidence, p_value=1 / 21)
    said = render(Plan((fact("rarity"),)), [record]).whole
    assert said.startswith("Fewer than 1 in 21") and "bout 1 in 21" not in said


def test_a_description_is_one_paragraph_with_nothing_folded():
    said = describe(DEFECT)
    assert "verdict is defect" in said.text and "Set it aside" in said.text and not said.more
