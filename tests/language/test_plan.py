"""A plan: its schema holds the ids of the records and no others; what does not fit is refused in a sentence."""

import json

import pytest
from asked_records import RECORDS

from assistant.inspection import Seen
from assistant.language.plan import (
    LONGEST_PLAN,
    MOST_WORDS,
    Fact,
    Plan,
    PlanError,
    Test,
    cut_words,
    list_ids,
    plan_schema,
    read_plan,
    to_dict,
)

ONE = [next(i for i in RECORDS.values() if len(i.regions) == 2)]
TWO = [*ONE, *ONE]
FULL = Plan(
    (Fact("place", ("R2",)), Fact("how_limit_at", (), 0.01)),
    Test("area", "R1", ">", 5.0),
    ("cause",),
    (Seen("R1", "A dark groove."), Seen("whole", "Evenly lit.", "maybe")),
    "The groove looks deep.",
)


def test_a_plan_survives_its_json():
    assert read_plan(json.dumps(to_dict(FULL)), ONE) == FULL


def test_only_ids_of_the_records_can_be_named():
    assert list_ids(ONE) == ("R1", "R2")
    assert list_ids(TWO) == ("P1", "P2", "P1.R1", "P1.R2", "P2.R1", "P2.R2")
    facts = plan_schema(TWO)["properties"]["facts"]["items"]["properties"]
    assert facts["ids"]["items"]["enum"] == list(list_ids(TWO))
    with pytest.raises(PlanError, match="R7"):
        read_plan({"facts": [{"key": "place", "ids": ["R7"]}]}, ONE)


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        ("verdict: good", "not JSON"),
        ("[1]", "not a JSON object"),
        ("x" * (LONGEST_PLAN + 1), "at most"),
        ({"verdict": "good"}, "no field 'verdict'"),
        ({"facts": [{"key": "score", "value": 0.9}]}, "how_limit_at"),
        ({"facts": [{"key": "how_limit_at"}]}, "share between 0 and 1"),
        ({"facts": [{"key": "cheerful"}]}, "cheerful"),
        ({"facts": "verdict"}, "not a list"),
        ({"cannot": ["laziness"]}, "laziness"),
        ({"test": {"quantity": "beauty", "subject": "all", "operator": ">", "value": 1}}, "beauty"),
        ({"test": {"quantity": "verdict", "subject": "all", "operator": "=", "value": 1}}, "no number"),
        ({"test": {"quantity": "verdict", "subject": "all", "operator": "=", "value": "splendid"}}, "splendid"),
        ({"seen": [{"where": "R9", "text": "a line"}]}, "R9"),
        ({"seen": [{"where": "R1", "text": 4}]}, "not a text"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(plan, says):
    with pytest.raises(PlanError, match=says) as refused:
        read_plan(plan, ONE)
    assert str(refused.value).endswith(".") and str(refused.value).count(". ") == 0


def test_every_object_of_the_schema_is_closed_as_endpoints_ask_for():
    def walk(node):
        if isinstance(node, dict):
            if node.get("type") == "object":
                assert node["additionalProperties"] is False and node["required"] == list(node["properties"])
            for part in node.values():
                walk(part)
        elif isinstance(node, list):
            for part in node:
                walk(part)

    walk(plan_schema(ONE))


def test_what_is_seen_is_cut_to_its_words():
    long = read_plan({"seen": [{"where": "R1", "text": "a " * 60}], "disagrees": "b " * 60}, ONE)
    assert len(long.seen[0].text.split()) == MOST_WORDS + 1 and long.seen[0].text.endswith("...")
    assert len(cut_words("划" * 200)) <= 2 * MOST_WORDS + 3
    assert not read_plan({"seen": [{"where": "R1", "text": "  "}]}, ONE).seen
