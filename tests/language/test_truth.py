"""The independent checker finds what is false about a record, lets pass what is true, and computes yes and no."""

import tomllib
from pathlib import Path

import pytest
from asked_records import RECORDS
from computed_truth import holds
from truth import false_sentences, opens

HERE = Path(__file__).parent
SAID = tomllib.loads((HERE / "said.toml").read_text(encoding="utf-8"))["about"]
COMPUTABLE = tomllib.loads((HERE / "computable.toml").read_text(encoding="utf-8"))["ask"]


def told(kind):
    return [(s, about["records"], about.get("lang", "en")) for about in SAID for s in about[kind]]


@pytest.mark.parametrize("sentence, names, language", told("true"), ids=lambda v: v if isinstance(v, str) else "")
def test_what_is_true_is_let_pass(sentence, names, language):
    assert false_sentences(sentence, [RECORDS[name] for name in names], language) == []


@pytest.mark.parametrize("sentence, names, language", told("false"), ids=lambda v: v if isinstance(v, str) else "")
def test_what_is_false_is_found(sentence, names, language):
    assert false_sentences(sentence, [RECORDS[name] for name in names], language)


def test_yes_and_no_are_computed_from_the_record():
    given = {name if isinstance(name, str) else tuple(name) for name in (row["about"] for row in COMPUTABLE)}
    answers = [holds(row["test"], about(row)) for row in COMPUTABLE]
    assert len(COMPUTABLE) == 60 and len(given) > 10
    assert 20 <= sum(answers) <= 40


def about(row):
    return [RECORDS[name] for name in ([row["about"]] if isinstance(row["about"], str) else row["about"])]


@pytest.mark.parametrize(
    "text, language, opening",
    [
        ("Yes: it is a defect.", "en", "yes"),
        ("The limit is 0.5. No, it is not.", "en", "no"),
        ("No region was found.", "en", ""),
        ("No cause is on record.", "en", ""),
        ("Ja: Defekt.", "de", "yes"),
        ("Nein.", "de", "no"),
        ("Sí, es un defecto.", "es", "yes"),
        ("No se conoce la causa.", "es", ""),
        ("No: la puntuación es 0,3.", "es", "no"),
        ("是的，有缺陷。", "zh", "yes"),
        ("不是。", "zh", "no"),
        ("不知道原因。", "zh", ""),
    ],
)
def test_an_opening_yes_or_no_is_read(text, language, opening):
    assert opens(text, language) == opening
