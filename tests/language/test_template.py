"""The answers that need no model: of one record and of several, in the language that is asked for."""

import pytest
from asked_records import RECORDS

from assistant.errors import LooktwiceError
from assistant.language import answer, explain

DEFECT = next(i for i in RECORDS.values() if i.verdict == "defect" and len(i.regions) > 1)
GOOD = next(i for i in RECORDS.values() if i.verdict == "good" and not i.regions)


def test_a_record_is_explained_in_every_language():
    said = [explain(DEFECT, language).text for language in ("en", "de", "es", "zh")]
    assert len(set(said)) == 4 and all("[R1]" in text and "0.914" in text for text in said)
    assert explain(DEFECT).text == said[0]


def test_an_answer_follows_the_language_of_its_question_unless_another_is_asked_for():
    assert answer(DEFECT, "Ist es gut?").text.startswith("Nein.")
    asked = answer(DEFECT, "Ist es gut?", language="es")
    assert asked.text.startswith("No. El veredicto") and asked.language == "es"
    with pytest.raises(LooktwiceError, match="no language"):
        answer(DEFECT, "Is it good?", language="tlh")


def test_regions_are_cited_and_several_pictures_are_numbered():
    said = answer(DEFECT, "Where is it?")
    assert said.regions == ("R1", "R2") and said.source == "template" and said.language == "en"
    assert "picture 1" in answer([DEFECT, GOOD], "Which is the worst?").text
    with pytest.raises(ValueError, match="at least one"):
        answer([], "Is it good?")


def test_a_question_in_a_script_that_is_not_read_is_told_what_is():
    assert answer(DEFECT, "Где дефект?").text.startswith("I understand English, German, Spanish and Chinese.")
