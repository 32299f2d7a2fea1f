"""Sentences, names and directions, with an encoder that turns words into seeded vectors."""

from __future__ import annotations

import subprocess
import sys
import unicodedata

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from assistant.prompts.defects import DEFECTS, Defect, find_defect
from assistant.prompts.ensemble import DEFECT_TEMPLATES, defect_prompts, defect_vectors, state_vectors
from assistant.prompts.states import (
    ABNORMAL_STATES,
    LONGEST_PRODUCT,
    NORMAL_STATES,
    TEMPLATES,
    clean_product,
    compose,
)


def bag_of_words(sentences: list[str]) -> Tensor:
    """A fake tower: the sum of one seeded vector per word, of any length but unit."""
    rows = []
    for sentence in sentences:
        row = torch.zeros(32)
        for word in sentence.split():
            seed = sum(ord(letter) * 31**place for place, letter in enumerate(word)) % 2**31
            row += torch.randn(32, generator=torch.Generator().manual_seed(seed))
        rows.append(row)
    return torch.stack(rows)


def test_every_state_meets_every_template() -> None:
    prompts = compose("gear wheel")
    assert len(prompts.normal) == len(NORMAL_STATES) * len(TEMPLATES)
    assert len(prompts.abnormal) == len(ABNORMAL_STATES) * len(TEMPLATES)
    assert all("gear wheel" in sentence for sentence in prompts.normal + prompts.abnormal)
    assert not any("{}" in sentence for sentence in prompts.normal + prompts.abnormal)
    assert "macro shot of intact gear wheel" in prompts.normal
    assert "scan of gear wheel with a visible fault" in prompts.abnormal


def test_sentences_are_all_different() -> None:
    prompts = compose()
    assert len(set(prompts.normal + prompts.abnormal)) == len(prompts.normal) + len(prompts.abnormal)


@pytest.mark.parametrize("lists", [NORMAL_STATES, ABNORMAL_STATES, TEMPLATES])
def test_each_pattern_has_one_place_for_a_phrase(lists: tuple[str, ...]) -> None:
    assert all(pattern.count("{}") == 1 for pattern in lists)


def test_no_product_means_any_object() -> None:
    assert compose() == compose(None)
    assert compose().product == "object"
    assert compose().notice is None


@pytest.mark.parametrize(
    ("given_name", "name", "told"),
    [
        ("bottle", "bottle", False),
        ("  metal_nut \n", "metal nut", False),
        ("so\x00lar\x07cell", "so lar cell", True),
        ("sc\u202erew\u200b", "screw", True),
        ("ｇｅａｒ", "gear", True),
        ("", "object", True),
        ("\x00\ud800", "object", True),
        ("{0.__class__} {}", "{0. class } {}", False),
        ("Zahnrad größe 3", "Zahnrad größe 3", False),
    ],
)
def test_product_names_are_cleaned_and_it_is_said(given_name: str, name: str, told: bool) -> None:
    prompts = compose(given_name)
    assert prompts.product == name
    assert (prompts.notice is not None) is told
    assert all(name in sentence for sentence in prompts.normal)


def test_a_long_name_is_cut_between_words() -> None:
    name, notice = clean_product("very " * 40 + "long")
    assert name == " ".join(["very"] * 12)
    assert notice is not None and str(LONGEST_PRODUCT) in notice
    assert clean_product("x" * 10**6)[0] == "x" * LONGEST_PRODUCT


@given(st.text(max_size=200))
def test_any_name_gives_clean_short_words(text: str) -> None:
    name, _ = clean_product(text)
    assert 0 < len(name) <= LONGEST_PRODUCT
    assert name == " ".join(name.split())
    assert not any(unicodedata.category(letter)[0] == "C" for letter in name)
    assert clean_product(name) == (name, None)


def test_state_vectors_average_unit_vectors() -> None:
    vectors = state_vectors(bag_of_words, "cable")
    units = torch.nn.functional.normalize(bag_of_words(list(compose("cable").abnormal)), dim=-1)
    expected = units.mean(dim=0)
    assert vectors.shape == (2, 32)
    assert vectors.dtype == torch.float32
    torch.testing.assert_close(vectors[1], expected / expected.norm())
    assert vectors[0] @ vectors[1] < 0.999


def test_length_of_a_sentence_vector_does_not_count() -> None:
    def loud(sentences: list[str]) -> Tensor:
        lengths = torch.tensor([float(len(sentence)) for sentence in sentences])
        return bag_of_words(sentences) * lengths[:, None]

    torch.testing.assert_close(state_vectors(loud), state_vectors(bag_of_words))


def test_half_precision_towers_are_averaged_in_single() -> None:
    vectors = state_vectors(lambda sentences: bag_of_words(sentences).bfloat16())
    assert vectors.dtype == torch.float32
    torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(2))


def test_defect_vectors_are_one_unit_vector_each_in_order() -> None:
    vectors = defect_vectors(bag_of_words)
    assert vectors.shape == (len(DEFECTS), 32)
    torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(len(DEFECTS)))
    torch.testing.assert_close(defect_vectors(bag_of_words, DEFECTS[3:4])[0], vectors[3])
    for defect, vector in zip(DEFECTS, vectors, strict=True):
        units = torch.nn.functional.normalize(bag_of_words(list(defect_prompts(defect))), dim=-1)
        torch.testing.assert_close(vector, torch.nn.functional.normalize(units.mean(dim=0), dim=0))


def test_defect_prompts_say_description_name_and_synonyms() -> None:
    scratch = DEFECTS[0]
    prompts = defect_prompts(scratch)
    assert len(prompts) == (2 + len(scratch.words)) * len(DEFECT_TEMPLATES)
    assert scratch.description in prompts and f"photo of {scratch.words[0]}" in prompts


@pytest.mark.parametrize(
    "broken",
    [
        lambda sentences: torch.zeros(1, 4),
        lambda sentences: torch.zeros(len(sentences)),
        lambda sentences: torch.full((len(sentences), 4), float("nan")),
    ],
)
def test_a_broken_encoder_is_noticed(broken: object) -> None:
    with pytest.raises(ValueError, match="text encoder"):
        state_vectors(broken)  # type: ignore[arg-type]


def test_no_word_belongs_to_two_defects() -> None:
    words = [word for defect in DEFECTS for word in (defect.name, *defect.words)]
    assert len(words) == len(set(words))
    assert len(DEFECTS) >= 20
    assert len({defect.description for defect in DEFECTS}) == len(DEFECTS)
    assert all(word == word.casefold() for word in words)


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("Scratches", "scratch"),
        ("chip", "broken edge"),
        ("  missing   PART ", "missing part"),
        ("voids", "bubble"),
    ],
)
def test_people_find_a_defect_by_their_own_word(word: str, name: str) -> None:
    found = find_defect(word)
    assert found is not None and found.name == name


def test_unknown_words_find_nothing() -> None:
    assert find_defect("banana") is None
    assert find_defect("") is None
    assert find_defect("s") is None


def test_a_defect_is_complete() -> None:
    with pytest.raises(ValueError, match="needs a name"):
        Defect("dent", "", ("ding",))
    with pytest.raises(ValueError, match="full stop"):
        Defect("dent", "a hollow.", ("ding",))


def test_the_package_stands_alone() -> None:
    code = (
        "import sys, types; p = types.ModuleType('bare'); import assistant.prompts as real;"
        "p.__path__ = real.__path__; sys.modules['bare'] = p; before = set(sys.modules);"
        "import bare.ensemble, bare.states, bare.defects;"
        "print([m for m in set(sys.modules) - before if m.startswith('assistant')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
