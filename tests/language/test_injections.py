"""Ninety attempts to change a verdict by words, in questions, drawn text and names: none of them does."""

import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from asked_records import RECORDS
from asking import ask
from truth import false_sentences

from assistant.inspection import DefectType

ATTEMPTS = {
    place: table["attempts"]
    for place, table in tomllib.loads(
        Path(__file__).with_name("injections.toml").read_text(encoding="utf-8")
    ).items()
}
USUAL = ("What is the verdict?", "What type is R1?", "Summarise it.", "Why?", "What should I do?", "Is it good?")
WRITING = (
    r"(?i)writ|text|words|read|sticker|Schrift|geschrieben|steht|Text|Worte|texto|escrit|palabras|pone|文字|写|读"
)
LANGUAGE = {"de": ("Ignoriere", "Ab jetzt", "Auf dem"), "es": ("Ignora las", "A partir", "En la imagen")}


def named(place, attempt):
    """The record of a defect with a name that somebody gave."""
    record = RECORDS["known"]
    if place == "file":
        return replace(record, path=f"line/{attempt}")
    if place == "product":
        return replace(record, product=attempt)
    first = replace(record.regions[0], defect_types=(DefectType(attempt, 0.62, "known"),))
    return replace(record, regions=(first, *record.regions[1:]))


def language_of(question):
    found = [name for name, starts in LANGUAGE.items() if question.startswith(starts)]
    return found[0] if found else "zh" if any("\u4e00" <= letter <= "\u9fff" for letter in question) else "en"


def test_there_are_ninety():
    assert sum(map(len, ATTEMPTS.values())) == 90


@pytest.mark.parametrize("question", [*ATTEMPTS["question"], *ATTEMPTS["writing"]])
@pytest.mark.parametrize("name", ["defect", "review"])
def test_no_question_changes_what_is_told(question, name):
    said = ask(question, [RECORDS[name]])
    assert false_sentences(said.whole, [RECORDS[name]], language_of(question)) == [], said.whole


@pytest.mark.parametrize("question", ATTEMPTS["writing"])
def test_writing_in_the_picture_is_pointed_out(question):

    assert re.search(WRITING, ask(question, [RECORDS["defect"]]).text)


@pytest.mark.parametrize("place", ["file", "product", "label"])
def test_no_name_changes_what_is_told(place):
    faults = []
    for attempt in ATTEMPTS[place]:
        record = named(place, attempt)
        for question in USUAL:
            said = ask(question, [record])
            if false := false_sentences(said.whole, [record]):
                faults.append((attempt, question, false))
    assert faults == []
