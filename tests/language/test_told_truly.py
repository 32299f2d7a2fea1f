"""Whatever plan fits the schema, over whatever records, in four languages: what is worded is true."""

from dataclasses import replace

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
from assistant.language.plan import Fact, Plan, Test, read_plan, to_dict

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
    plan = read_plan(to_dict(data.draw(plans(lot))), lot)
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


def two_regions(**changes):
    regions = tuple(replace(r, peak=peak) for r, peak in zip(RECORDS["paired"].regions, (0.9, 0.4), strict=False))
    assert len(regions) == 2
    return replace(RECORDS["paired"], regions=regions, **changes)


@pytest.mark.parametrize(
    ("subject", "operator", "value", "opens_with"),
    [("all", ">", 0.5, "No"), ("any", ">", 0.5, "Yes"), ("all", "<", 0.5, "No"), ("any", "<", 0.5, "Yes")],
)
@pytest.mark.parametrize("pictures", [1, 2])
def test_each_region_of_each_picture_is_looked_at(subject, operator, value, opens_with, pictures):
    lot = [two_regions()] * pictures
    test = Test("peak", subject, operator, value)
    assert render(Plan(test=test), lot).text.startswith(opens_with)
    assert holds(list(vars(test).values()), lot) == (opens_with == "Yes")


def test_where_a_region_of_a_good_part_lies_is_told_without_yes_or_no():
    record = two_regions(verdict="good", score=0.0)
    there, other = record.regions[0].position, "bottom right"
    assert other not in {r.position for r in record.regions}
    said = render(Plan(test=Test("place", "any", "=", there)), [record])
    assert opens(said.whole) == "" and "Nothing stands out" in said.whole and "[R1]" in said.whole
    assert render(Plan(test=Test("place", "any", "=", other)), [record]).text.startswith("No")
    assert render(Plan(test=Test("place", "R1", "=", there)), [record]).text.startswith("Yes")
    assert render(Plan(test=Test("place", "R1", "=", other)), [record]).text.startswith("No")


def test_all_pictures_beside_one_of_them_stay_open():
    lot = [RECORDS["single"], RECORDS["defect"]]
    for subject in ("all", "any"):
        assert opens(render(Plan(test=Test("score", subject, "=", "P1")), lot).whole) == ""


def test_a_file_name_that_reads_yes_is_no_answer():
    record = replace(RECORDS["paired"], path="yes.png")
    assert opens(render(Plan((Fact("file"),)), [record]).whole) == ""
