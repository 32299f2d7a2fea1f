"""Pairs: a query is compared with a copy of its own picture, or with another good picture of its kind."""

import numpy as np
import pytest
import torch

from assistant.errors import TrainingError
from assistant.training.dataset import TrainingData
from assistant.training.picture_features import ViewConfig, draw_views, gather_views, views_key
from assistant.training.picture_pairs import Pairs, ReferenceConfig, draw_references, pair_views


def quiet(message, fraction):
    """Hear nothing."""


@pytest.fixture
def paired(backbones, tmp_path):
    """paired(data) -> Pairs"""

    def make(data, simulated=1):
        backbone = backbones["tiny-cnn"]
        queries = gather_views(backbone, data, ViewConfig(simulated=simulated), tmp_path, quiet)
        references = gather_views(backbone, data, ReferenceConfig(0, copies=2), tmp_path, quiet, draw_references)
        return pair_views(data, queries, references)

    return make


def test_references_show_the_part_that_the_views_show_but_moved(sample):
    data = sample()
    for number in range(len(data.examples)):
        calm = ViewConfig(simulated=0, disturbed=False)
        (query,) = draw_views(data, number, calm)
        one, two = draw_references(data, number, ReferenceConfig(0, disturbed=False, copies=2))
        for view in (one, two):
            assert view.pixels.shape == query.pixels.shape and not view.label and not view.mask.any()
            assert not np.array_equal(view.pixels, query.pixels)
            own = np.abs(view.pixels.astype(float).mean((0, 1)) - query.pixels.mean((0, 1))).max()
            assert own < 12
        assert not np.array_equal(one.pixels, two.pixels)
        again, _ = draw_references(data, number, ReferenceConfig(0, disturbed=False, copies=2))
        assert np.array_equal(one.pixels, again.pixels)


def test_a_defect_is_never_a_reference(sample, backbones):
    data = sample("masks")
    for number, example in enumerate(data.examples):
        assert len(list(draw_references(data, number, ReferenceConfig(0)))) == (0 if example.label else 1)
    keys = {views_key(backbones["tiny-cnn"], data, c) for c in (ViewConfig(0), ReferenceConfig(0))}
    assert len(keys) == 2


def test_every_reference_is_of_the_querys_kind_and_its_own_come_first(sample, paired):
    data = sample("masks")
    pairs = paired(data)
    number = pairs.queries.examples.tolist()
    other = pairs.references.examples.tolist()
    for i in range(len(pairs)):
        here = data.examples[number[i]]
        assert {other[row] for row in pairs.own[i]} == (set() if here.label else {number[i]})
        assert pairs.others[i] and not set(pairs.own[i]) & set(pairs.others[i])
        assert {data.examples[other[row]].kind for row in pairs.others[i]} == {here.kind}
    index = torch.arange(len(pairs))
    first = pairs.first(index).tolist()
    assert all(row in (pairs.own[i] or pairs.others[i]) for i, row in enumerate(first))


def test_draws_repeat_and_take_some_from_others(sample, paired):
    pairs = paired(sample())
    index = torch.zeros(300, dtype=torch.long)
    rows = pairs.draw(index, seed=1)
    assert torch.equal(rows, pairs.draw(index, seed=1)) and not torch.equal(rows, pairs.draw(index, seed=2))
    apart = sum(row in pairs.others[0] for row in rows.tolist())
    assert 50 < apart < 130 and set(rows.tolist()) == set(pairs.own[0]) | set(pairs.others[0])
    lonely = Pairs(pairs.queries, pairs.references, pairs.own, ((),) * len(pairs))
    assert set(lonely.draw(index, seed=1).tolist()) == set(pairs.own[0])


def test_a_query_without_anything_to_compare_with_is_left_out(sample, paired):
    data = sample("masks")
    some = TrainingData(tuple(e for e in data.examples if e.kind != "k/0" or e.label))
    pairs = paired(some)
    kinds = {some.examples[i].kind for i in pairs.queries.examples.tolist()}
    assert kinds == {"k/1", "k/2"}
    nobody = pairs.queries[(pairs.queries.labels > 5).nonzero()[:, 0]]
    with pytest.raises(TrainingError, match="no good picture to compare"):
        pair_views(some, nobody, pairs.references)


def test_no_copies_make_no_sense():
    with pytest.raises(TrainingError, match="at least one copy"):
        ReferenceConfig(copies=0)
