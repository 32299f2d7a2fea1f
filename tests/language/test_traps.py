"""Two hundred questions for a yes or no without support get none; sixty that have support get the right one."""

import tomllib
from pathlib import Path

import pytest
from asked_records import RECORDS
from asking import ask
from computed_truth import holds
from truth import false_sentences, opens

HERE = Path(__file__).parent
TRAPS = tomllib.loads((HERE / "traps.toml").read_text(encoding="utf-8"))["group"]
COMPUTABLE = tomllib.loads((HERE / "computable.toml").read_text(encoding="utf-8"))["ask"]


def test_there_are_two_hundred_in_four_languages():
    assert sum(len(group["ask"]) for group in TRAPS) == 200
    assert {group["lang"] for group in TRAPS} == {"en", "de", "es", "zh"}


@pytest.mark.parametrize("group", TRAPS, ids=lambda group: f"{group['lang']}-{group['kind']}")
def test_no_answer_opens_with_a_yes_or_no_that_has_no_support(group):
    faults = []
    for question in group["ask"]:
        for name in group["about"]:
            said = ask(question, [RECORDS[name]])
            opening = opens(said.whole, group["lang"]) or opens(said.whole, "en")
            if opening and not (opening == "no" and group.get("no")):
                faults.append((question, name, said.whole))
            if false := false_sentences(said.whole, [RECORDS[name]], group["lang"], question):
                faults.append((question, name, false))
    assert faults == []


@pytest.fixture(scope="module")
def computed():
    """(question, its truth, the answer, how that opens) of each question that the record answers."""
    rows = []
    for row in COMPUTABLE:
        names = [row["about"]] if isinstance(row["about"], str) else row["about"]
        records, language = [RECORDS[name] for name in names], row.get("lang", "en")
        said = ask(row["q"], records)
        assert false_sentences(said.whole, records, language, row["q"]) == []
        truth = "yes" if holds(row["test"], records) else "no"
        rows.append((row["q"], truth, said.text, opens(said.text, language)))
    return rows


def test_no_question_that_the_record_answers_gets_the_wrong_yes_or_no(computed):
    assert [row for row in computed if row[3] not in ("", row[1])] == []


def test_nine_in_ten_get_the_right_one(computed):
    missed = [row for row in computed if row[3] != row[1]]
    assert len(missed) <= 0.1 * len(computed), missed
