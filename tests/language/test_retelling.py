"""Sentences made in English are told in each language: by the right template, with all that they name."""

import re
import time

import pytest

from assistant.errors import FAULTS, MOST_NAMED, unknown_name
from assistant.language.catalogue import ENGLISH, LANGUAGES, Wording, read_messages
from assistant.language.messages import FORM, find_sentences
from assistant.language.retelling import WORDS, retell

OTHERS = [language for language in LANGUAGES if language != ENGLISH]
SENTENCES = find_sentences()
NAMES = {
    "one word": lambda i: f"Zq{i}-7.png",
    "several words": lambda i: f"my {i} new part.png",
    "a number": lambda i: f"{i}73.25",
}
"""What may fill the gaps of a sentence; each is another for each gap."""


def gaps_of(sentence, name):
    """Something for each gap of a sentence; one word where the program itself fills it."""
    gaps = dict.fromkeys(re.findall(r"\{(\w+)\}", sentence))
    counts = any(is_form(gap) for gap in gaps)
    return {gap: NAMES["one word" if counts or is_word(gap) else name](i) for i, gap in enumerate(gaps, 1)}


def is_form(gap):
    """Whether a gap chooses between forms of an English word, as no other language has to."""
    return gap == "s" or re.fullmatch(rf"{FORM}\d*", gap) is not None


def is_word(gap):
    """Whether a gap is filled with one word of the program."""
    return is_form(gap) or gap in WORDS


@pytest.mark.parametrize("sentence", SENTENCES)
def test_each_sentence_is_retold_by_its_own_template_with_what_fills_its_gaps(sentence):
    for language in OTHERS:
        w = Wording(language)
        [said] = read_messages(language)[sentence, ""]
        assert said, (language, sentence)
        for name in NAMES:
            gaps = gaps_of(sentence, name)
            told = retell(w, sentence.format(**gaps) + ("" if sentence.endswith("?") else "."))
            assert told == said.format(**gaps) + ("" if sentence.endswith("?") else w(".")), (language, sentence)
            assert all(value in told for gap, value in gaps.items() if not is_form(gap)), (language, told)


def pairs():
    """A sentence with a gap, the gap, and each sentence that comes to stand in it."""
    for outer in SENTENCES:
        if "{why}" in outer:
            yield from ((outer, "why", one) for one in FAULTS)
    logged = [one for one in SENTENCES if "audit log" in one]
    yield from (("The product {name} cannot be kept or removed: {error}", "error", one) for one in logged)
    read = [one for one in SENTENCES if one.startswith("{name} ") and "scores" not in one]
    yield from (("A reference of {name} cannot be used: {error}", "error", one) for one in read)
    for count in (one for one in SENTENCES if one.startswith("zone ")):
        yield "A good part has the expected number, and {name} has not: {count}", "count", count
    layouts = [one for one in SENTENCES if re.search(r"-bit|JPEG|TIFF|BMP|channels of", one) and "name" not in one]
    yield from (("{name} holds {layout}, a layout that is not read", "layout", one) for one in layouts)


def test_a_sentence_inside_of_another_is_retold_in_its_place():
    known = list(pairs())
    assert len(known) > 200 and all(outer in SENTENCES for outer, _, _ in known)
    for outer, gap, inner in known:
        inside = {name: f"a{value}" for name, value in gaps_of(inner, "one word").items()}
        for end in ("", "."):
            gaps = gaps_of(outer, "one word") | {gap: inner.format(**inside)}
            for language in OTHERS:
                w = Wording(language)
                said = w(outer, **{**gaps, gap: w(inner, **inside)}) + (w(".") if end else "")
                assert retell(w, outer.format(**gaps) + end) == said, (language, outer, inner)


@pytest.mark.parametrize("language", OTHERS)
def test_an_unknown_name_is_told_with_the_names_that_are_near_or_listed(language):
    w = Wording(language)
    many = [f"p{i}" for i in range(MOST_NAMED + 5)]
    for known in (["flange"], ["flange-a", "flange-b"], ["flange a", "flange b", "flange c"], [], ["zz"], many):
        told = retell(w, unknown_name("product", "flang", known))
        assert w("product") in told and "'flang'" in told and all(name in told for name in known[:MOST_NAMED])
        assert not re.search(r"\b(There|product|Did|or|and|more|none)\b", told), told
        assert len(known) <= MOST_NAMED or " 5 " in re.sub(r"[^\x00-\x7f]", " ", told)


def test_words_of_a_system_are_told_however_it_spells_them_and_others_stay():
    w = Wording("de")
    for why in ("Permission denied", "permission denied"):
        assert retell(w, f"The export cannot be written: {why}.").endswith(
            "geschrieben werden: keine Berechtigung."
        )
    assert retell(w, "The export cannot be written: Level 2 halted.").endswith(
        "geschrieben werden: Level 2 halted."
    )
    assert "why" in WORDS and "name" not in WORDS


def test_names_that_read_as_a_sentence_are_kept():
    w = Wording("de")
    told = retell(w, "There is a product 'which is empty' already, with 2 references and 1 known defect.")
    assert told == "Es gibt schon ein Produkt 'which is empty', mit 2 Referenzen und 1 bekanntem Defekt."


def test_retelling_takes_no_time_that_anybody_notices():
    w = Wording("de")
    spoken = [one.format(**gaps_of(one, "one word")) for one in SENTENCES] + ["Nobody made this sentence: 3 of 4."]
    for one in spoken:
        retell(w, one)
    start = time.process_time()
    for one in spoken:
        retell(w, one)
    assert (time.process_time() - start) / len(spoken) < 0.002
