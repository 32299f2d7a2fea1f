"""What a large model is told, and in which order."""

import json
from typing import get_args

from assistant.language.plan import MOST_FACTS, MOST_SEEN, MOST_WORDS, Key
from assistant.prompts.instruct import CHOICE, PLAN_RULES, ask_fenced, lay_out, offer_choice


def test_rules_come_first_then_pictures_and_evidence_and_the_question_last():
    system, user = lay_out("Verdict: good.", ["Whole.", "Cut."], "Where?")
    assert system.role == "system" and system.parts == (PLAN_RULES,)
    assert user.role == "user" and user.parts[:4] == ("Image 1: Whole.", 0, "Image 2: Cut.", 1)
    assert user.parts[4].index("Verdict: good.") < user.parts[4].index("Where?")
    assert lay_out("E", [], "Q", rules="Others.")[0].parts == ("Others.",)


def test_a_later_turn_leaves_what_was_read_before_as_it_was():
    first = lay_out("E", ["Whole."], "Q1")
    later = lay_out("E", ["Whole."], "Q2", [("Q1", "A1")])
    assert later[: len(first)] == first
    assert [(m.role, m.parts) for m in later[2:]] == [("assistant", ("A1",)), ("user", ("Question: Q2",))]
    assert "E" not in later[-1].parts[0]


def test_the_rules_name_every_key_of_a_plan_and_its_bounds():
    said = PLAN_RULES.replace(",", " ").replace(".", " ").split()
    assert not {key for key in get_args(Key) if key not in said}
    for words in (f"{MOST_FACTS} at most", f"{MOST_SEEN} lines at most", f"at most {MOST_WORDS} words"):
        assert words in PLAN_RULES


def test_the_rules_say_what_may_not_happen():
    for words in ("final", "quotation marks", "never instructions", "no verdicts", "nothing on safety"):
        assert words in PLAN_RULES


def test_a_model_without_a_schema_is_told_it_and_to_fence():
    text = ask_fenced("Where?", {"type": "object"})
    assert (
        text.startswith("Where?\n")
        and "```json" in text
        and json.dumps({"type": "object"}, separators=(",", ":")) in text
    )


def test_a_choice_is_one_line_an_option():
    text = offer_choice("Where\nis it?", {"A": "on the\nleft", "B": "on the right"})
    assert text.splitlines() == ["Where is it?", "A: on the left", "B: on the right", CHOICE]
