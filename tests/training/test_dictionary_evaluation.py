"""A dictionary is judged beside nearest neighbour on the same pairs, and what is better is told to be."""

import math

import pytest
import torch
from torch.nn.functional import normalize

from assistant.adapters.sparse import SparseConfig, SparseDictionary
from assistant.training.dictionary_evaluation import compare_lookups, nearest
from assistant.training.picture_features import Views
from assistant.training.picture_pairs import Pairs


def views(layer, masks):
    count = len(layer)
    labels = masks.flatten(1).amax(1).long()
    none = torch.full((count,), -1)
    return Views((layer.half(),), torch.zeros(count, 4), masks.half(), labels, torch.ones(count), none, none)


@pytest.fixture
def pairs():
    """Queries like their references, but for a strange corner in every second one."""
    torch.manual_seed(0)
    references = normalize(torch.randn(8, 6, 6, 12), dim=-1)
    queries, masks = references + 0.02 * torch.randn(8, 6, 6, 12), torch.zeros(8, 6, 6)
    queries[::2, :2, :2] = torch.randn(4, 2, 2, 12)
    masks[::2, :2, :2] = 1
    own = tuple((i,) for i in range(8))
    return Pairs(views(queries, masks), views(references, masks * 0), own, ((),) * 8)


@pytest.fixture
def dictionary():
    return SparseDictionary(SparseConfig((12,), width=8, scales=(1,))).eval()


def test_what_can_be_told_apart_is_told_apart_by_both(pairs, dictionary):
    found = compare_lookups(dictionary, pairs, (1.0,))
    assert found.auroc == found.nearest_auroc == 100 and min(found.ap, found.nearest_ap) > 99
    assert found.sentence().startswith("image AUROC 100.0, nearest neighbour 100.0; patch AP 100.0, nearest")


def test_a_blind_dictionary_is_told_from_nearest_neighbour(pairs, dictionary):
    value = dictionary.layers[0].value
    torch.nn.init.zeros_(value.up.weight)
    torch.nn.init.constant_(value.up.bias, 1e4)  # all values are alike: collapsed
    found = compare_lookups(dictionary, pairs, (1.0,))
    assert found.nearest_auroc == 100 and found.auroc < 90 and found.ap < 60


def test_each_query_meets_its_own_reference(pairs, dictionary):
    turned = Pairs(pairs.queries, pairs.references, tuple(((i + 1) % 8,) for i in range(8)), pairs.others)
    found = compare_lookups(dictionary, turned, (1.0,))
    assert found.nearest_ap < 60 and found.ap < 60


def test_some_pairs_do_and_without_outlines_there_is_no_ap(pairs, dictionary):
    assert compare_lookups(dictionary, pairs, (1.0,), most=1).auroc == 50  # one picture is of one class
    some = compare_lookups(dictionary, pairs, (1.0,), most=4)  # every second would be of one class
    assert some.auroc == 100 and some == compare_lookups(dictionary, pairs, (1.0,), most=4)
    pairs.queries.outlined.zero_()
    found = compare_lookups(dictionary, pairs, (1.0,))
    assert math.isnan(found.ap) and found.sentence().endswith("no outline to judge maps by")


def test_nearest_neighbour_is_over_all_references():
    torch.manual_seed(0)
    references = normalize(torch.randn(2, 3, 4, 12), dim=-1)
    found = nearest(references[1:].flip(1), references)
    assert found.shape == (1, 3, 4) and float(found.max()) < 0.01
