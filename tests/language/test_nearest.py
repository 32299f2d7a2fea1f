"""The nearest phrasing: found for other words of the same thing, never a yes or no, and it overrules no test."""

import pytest
from asked_records import RECORDS

from assistant.language.nearest import Near, find_nearest
from assistant.language.phrasings import read_phrasings, spell_out
from assistant.language.plan_support import TOLD
from assistant.language.question_tables import normalize
from assistant.language.rules import plan_answer
from assistant.training.plan_questions import read_label

SLOTS = dict.fromkeys("rspq", "R1") | {"n": "5", "place": "top"}


@pytest.mark.parametrize("language", ["en", "de", "es", "zh"])
def test_every_heading_is_a_plan_and_every_phrasing_is_whole(language):
    for plans in read_phrasings(language).values():
        for plan, lines in plans.items():
            made = read_label(plan, SLOTS)
            assert (made.facts or made.cannot or made.test) and lines
            assert not made.test or made.test.quantity in TOLD
            for line in lines:
                assert line.count("(") == line.count(")") and all(map(str.strip, spell_out(line))), line


@pytest.mark.parametrize(
    ("key", "question"),
    [
        ("how_private", "Does any picture of ours leave our network?"),
        ("how_report", "How could I print out a report of all this?"),
        ("how_kept", "Wo werden denn alte Prüfungen gespeichert?"),
        ("how_batch", "¿Cómo puedo revisar una carpeta entera?"),
        ("how_mask", "如何忽略背景区域？"),
    ],
)
def test_other_words_for_the_same_thing_are_found(key, question):
    plan = plan_answer([RECORDS["defect"]], question)
    assert plan.facts[0].key == key and plan.test is None


def test_nothing_is_near_to_what_nobody_asks():
    assert find_nearest(normalize("xylophone quartet"), "en", "one").likeness < 0.45
    assert find_nearest("", "en", "one") == Near()
    assert "unknown" in plan_answer([RECORDS["defect"]], "Xylophone quartet?").cannot


def test_a_heading_with_a_test_gives_no_keys():
    assert Near("?verdict all = good", 0.9).keys == ()
    assert Near("size {r} !millimetres", 0.9).keys == ("size",)
    assert Near("size {r} !millimetres", 0.9).reasons == ("millimetres",)
