"""Absence: what all references have at a place and a picture has nowhere around, where it shows plain ground."""

import pytest
import torch
from torch.nn.functional import normalize

from assistant.adapters.absence import LEAST, Absence
from assistant.adapters.dictionary import Dictionary

H, W, C = 16, 20, 256
PART = (slice(4, 7), slice(5, 8))


def noise(seed, *shape):
    return torch.randn(*shape, C, generator=torch.Generator().manual_seed(seed))


GROUND, KNOB, OTHER = noise(100), noise(101, 3, 3), noise(102)


def good(seed, part=KNOB, shift=0):
    """Plain ground with a knob on it, never twice quite the same."""
    made = GROUND + 0.15 * noise(seed, H, W)
    if part is not None:
        rows, columns = (slice(s.start + shift, s.stop + shift) for s in PART)
        made[rows, columns] = part + 0.15 * noise(seed + 50, 3, 3)
    return normalize(made, dim=-1)


@pytest.fixture
def memory():
    return Dictionary.build({i: good(i) for i in range(4)})


def test_a_knob_that_is_missing_is_found_at_its_place(memory):
    absence = Absence.of(memory, 2)
    found = absence.find(good(9, None), memory)
    assert found.shape == (H, W) and found[PART].min() >= absence.limit
    found[PART] = 0
    assert found.max() < absence.limit


def test_good_parts_and_such_as_lie_a_little_off_miss_nothing(memory):
    absence = Absence.of(memory, 2)
    assert absence.limit == LEAST
    for picture in (good(9), good(10), good(11, shift=2)):
        assert absence.find(picture, memory) is None


def test_something_strange_in_its_place_is_not_something_missing(memory):
    covered = good(9, OTHER.expand(3, 3, C))
    strange = good(9)
    strange[10:13, 12:15] = normalize(OTHER, dim=-1)  # on plain ground, nothing is hidden
    absence = Absence.of(memory, 2)
    assert absence.find(covered, memory) is None and absence.find(strange, memory) is None


def test_a_knob_that_moved_is_missing_where_it_was(memory):
    found = Absence.of(memory, 2).find(good(9, shift=6), memory)
    assert found[PART].min() >= LEAST > found[10:13, 11:14].max()


def test_what_only_some_references_have_need_not_be_there():
    parts = (KNOB, KNOB, None, None)
    mixed = Dictionary.build({i: good(i, part) for i, part in enumerate(parts)})
    assert Absence.of(mixed, 2).find(good(9, None), mixed) is None


def test_references_that_do_not_find_each_other_raise_the_limit():
    loose = Dictionary.build({i: normalize(noise(i, H, W), dim=-1) for i in range(3)})
    absence = Absence.of(loose, 2)
    assert absence.find(normalize(noise(9, H, W), dim=-1), loose) is None


def test_it_takes_two_whole_references_of_one_shape(memory):
    assert Absence.of(Dictionary.build({0: good(0)}), 2) is None
    assert Absence.of(Dictionary.build({i: good(i).flatten(0, 1) for i in range(3)}), 2) is None
    assert Absence.of(Dictionary.build({i: good(i) for i in range(3)}, capacity=300), 2) is None
    wide = Dictionary.build({0: good(0), 1: good(1), 2: normalize(noise(1, 8, 30), dim=-1)})
    absence = Absence.of(wide, 2)
    assert len(absence.grids) == 2
    assert absence.find(normalize(noise(1, 8, 30), dim=-1), wide) is None


def test_of_many_references_a_few_are_asked():
    many = Dictionary.build({i: good(i) for i in range(30)})
    absence = Absence.of(many, 2)
    assert 4 <= len(absence.grids) <= 8
    assert absence.find(good(40, None), many) is not None and absence.find(good(41), many) is None
