"""Whatever plan fits the schema, over whatever records, in four languages: what is worded is true."""

import pytest
from asked_records import RECORDS
from computed_truth import holds
from generated_records import lots, plans, records
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from truth import false_sentences, false_values, opens
from truth_words import LANGUAGES

from assistant.detection.counting import parts_needed
from assistant.language.facts import render
from assistant.language.plan import Fact, Plan, Test, check_plan

FORMS = ("short", "short", "sentence", "long", "plain", "word", "table", "json")
CALM = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    "phases": [Phase.generate],  # a plan that is told wrongly says so as it is; making it small takes minutes
}


def echoed(plan):
    """Numbers of the question, which an answer may repeat, and how many parts a share that was asked for takes."""
    shares = [fact.value for fact in plan.facts if fact.value]
    asked = [str(plan.test.value)] if plan.test and not isinstance(plan.test.value, str) else []
    return " ".join([*asked, *(f"{100 * share:g} {parts_needed(share)}" for share in shares)])


def check(data, language):
    """Draws a plan and looks at how it is told."""
    lot = data.draw(lots())
    plan = check_plan(data.draw(plans(lot)), lot)
    form = data.draw(st.sampled_from(FORMS))
    answer = render(plan, lot, language, form)
    if form == "json":
        assert false_values(answer.text, lot, echoed(plan)) == [], (plan, answer.text)
        return
    assert false_sentences(answer.whole, lot, language, echoed(plan)) == [], (plan, answer.whole)
    opening = opens(answer.whole, language)
    if plan.test is None:
        assert opening == "", answer.whole
    elif opening:
        test = plan.test
        truth = holds([test.quantity, test.subject, test.operator, test.value], lot)
        assert truth is None or opening == ("yes" if truth else "no"), (test, answer.whole)
        if test.quantity == "verdict" and test.subject not in ("all", "any"):
            assert truth is not None, (test, answer.whole)


@pytest.mark.parametrize("language", LANGUAGES)
@settings(max_examples=15, **CALM, derandomize=True)
@given(data=st.data())
def test_any_plan_is_told_truly(language, data):
    check(data, language)


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
@settings(max_examples=200, **CALM, derandomize=True)
@given(data=st.data())
def test_any_of_many_plans_is_told_truly(language, data):
    check(data, language)


@pytest.mark.parametrize("language", LANGUAGES)
@settings(max_examples=10, **CALM, derandomize=True)
@given(one=records(), other=records())
def test_what_is_true_of_one_picture_is_found_false_of_another(language, one, other):
    assume(one.status == other.status == "ok" and abs(one.score - other.score) > 0.1)
    assume(one.verdict != other.verdict)
    said = render(Plan((Fact("summary"), Fact("score"))), [one], language, "long").whole
    assert false_sentences(said, [one], language) == []
    assert false_sentences(said, [other], language)


SOME = ("comparison", "total_area", "size", "severity", "place")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", SOME)
@pytest.mark.parametrize("name", ["many", "unrated", "paired"])
def test_some_of_the_regions_are_not_told_as_all_of_them(language, key, name):
    record = RECORDS[name]
    ids = tuple(region.id for region in record.regions[1:3])
    said = render(Plan((Fact(key, ids),)), [record], language)
    assert false_sentences(said.whole, [record], language) == [], said.whole


def test_a_region_is_compared_with_the_one_of_the_other_picture():
    lot = [RECORDS["single"], RECORDS["defect"]]
    test = Test("area", "P1.R1", ">", "P2.R1")
    assert render(Plan(test=test), lot).text.startswith("Yes") and holds(list(vars(test).values()), lot)
    test = Test("score", "P1", ">", "P2")
    assert render(Plan(test=test), lot).text.startswith("No") and not holds(list(vars(test).values()), lot)
