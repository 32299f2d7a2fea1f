"""The catalogues: no message is missing in any language, and numbers and names survive in each."""

import re

import pytest

from assistant.errors import LooktwiceError
from assistant.language.catalogue import ENGLISH, LANGUAGES, Wording, pick_language, read_messages
from assistant.language.messages import find_messages
from assistant.language.question_tables import _rule, load_table

OTHERS = [language for language in LANGUAGES if language != ENGLISH]


def gaps(text):
    """The gaps of a message, without those that only choose between the forms of a word."""
    return set(re.findall(r"\{(?!form\d*\}|s\})\w+\}", text))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_file_lists_every_message_of_the_code_and_no_other(language):
    assert set(read_messages(language)) - {("", "")} == set(find_messages())


@pytest.mark.parametrize("language", OTHERS)
def test_every_message_is_translated_with_its_gaps_commands_and_ids(language):
    for (one, many), forms in read_messages(language).items():
        if not one:
            continue
        assert all(forms), (language, one)
        for said in forms:
            assert gaps(said) <= gaps(one + many), (language, one)
            for kept in re.findall(r"`[^`]+`|\[R\d\]", one):
                assert kept in said, (language, one)
        assert gaps(forms[-1]) == gaps(many or one), (language, one)
        numbers = set(re.findall(r"\d+", re.sub(r"\{\w+\}", "", one)))
        assert numbers <= {"1", *re.findall(r"\d+", "".join(forms))}, (language, one)


def test_numbers_have_the_forms_of_their_language():
    for language, one, two in (("en", "1 notice.", "2 notices."), ("de", "1 Hinweis.", "2 Hinweise.")):
        words = Wording(language)
        said = [words.count("The record holds {n} notice.", "The record holds {n} notices.", n) for n in (1, 2)]
        assert said[0].endswith(one) and said[1].endswith(two)


def test_what_is_not_translated_is_told_in_english():
    for language in OTHERS:
        assert Wording(language)("Nobody has translated {what}.", what="this") == "Nobody has translated this."


def test_a_language_is_picked_by_its_code_or_name():
    assert [pick_language(word) for word in ("de-AT", "Español", "zh_CN", None)] == ["de", "es", "zh", "en"]
    with pytest.raises(LooktwiceError, match="en, de, es, zh"):
        pick_language("Klingon")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_table_of_questions_has_what_the_english_one_has(language):
    table, english = load_table(language), load_table(ENGLISH)
    for section in ("words", "yes_no", "compare", "quantities", "places", "forms", "command", "chatter", "cannot"):
        for name in set(table.rows[section]) & set(english.rows[section]):
            assert _rule(language, section, name) is not None, (section, name)
    for section in table.rows:
        if section not in ("language", "mend", "clauses"):
            assert all(_rule(language, section, name) for name in table.rows[section] if table.rows[section][name])
    assert set(table.rows["cannot"]) == set(english.rows["cannot"])
    assert {"verdict", "place", "size", "count", "type", "advice"} <= set(table.rows["facts"])
