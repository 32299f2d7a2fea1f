"""A memory looked up through generators: untrained it is the nearest; each reference is a picture of its own."""

import pytest
import torch
from scipy.stats import spearmanr
from torch.nn.functional import normalize

from assistant.adapters.dictionary import Dictionary
from assistant.adapters.recall import Recall
from assistant.adapters.sparse import SparseConfig, SparseDictionary


def pictures(count, h=6, w=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(count, h, w, 24, generator=generator), dim=-1)


def generators(*, trained=False, scales=(1, 3)):
    torch.manual_seed(0)
    made = SparseDictionary(SparseConfig((24,), width=8, heads=2, nearest=16, scales=scales))
    if trained:
        for parameter in made.parameters():
            if parameter.ndim:
                torch.nn.init.normal_(parameter, std=0.3)
    return made.eval().requires_grad_(False)


def memory_of(*groups):
    return Dictionary.build(dict(enumerate(groups)))


def near(patches, seed=9):
    generator = torch.Generator().manual_seed(seed)
    far = torch.rand(*patches.shape[:3], 1, generator=generator)
    return normalize(patches + 0.3 * far * torch.randn(patches.shape, generator=generator), dim=-1)


def test_untrained_it_ranks_as_the_nearest_does():
    references = pictures(3)
    memory, queries = memory_of(*references), near(references)
    found = Recall(generators(scales=(1,)), memory).lookup(queries)
    assert found.shape == queries.shape[:3] and found.dtype == torch.float32
    assert spearmanr(found.flatten(), memory.lookup(queries).flatten())[0] > 0.98


def test_it_is_what_the_generators_find_in_whole_pictures():
    references, trained = pictures(3), generators(trained=True)
    queries = near(references)
    wanted = trained.look_up(queries, trained.remember(references))
    found = Recall(trained, memory_of(*references)).lookup(queries)
    assert (found - wanted).abs().mean() < 0.01 and (found - wanted).abs().max() < 0.06
    shuffled = references.flatten(1, 2)[:, torch.randperm(30)].view(references.shape)
    other = trained.look_up(queries, trained.remember(shuffled))
    assert (other - wanted).abs().mean() > 0.02, "places in a picture count"


@pytest.mark.parametrize("left_out", [0, 1, 2])
def test_one_reference_left_out_is_as_if_it_had_never_been_there(left_out):
    references, trained = pictures(3), generators(trained=True)
    queries = near(references)
    others = Dictionary.build({i: one for i, one in enumerate(references) if i != left_out})
    found = Recall(trained, memory_of(*references)).lookup(queries, without=left_out)
    assert (found - Recall(trained, others).lookup(queries)).abs().max() < 0.05


def test_pictures_of_several_shapes_are_read_each_in_its_own():
    trained, wide, high = generators(trained=True), pictures(1, 4, 7)[0], pictures(1, 7, 4, seed=1)[0]
    recall = Recall(trained, memory_of(wide, high))
    for mine, without in ((wide, 1), (high, 0)):
        wanted = trained.look_up(near(mine[None]), trained.remember(mine[None]))
        assert (recall.lookup(near(mine[None]), without) - wanted).abs().mean() < 0.01


def test_keys_that_all_lie_close_together_are_told_apart():
    trained = generators(scales=(1,))
    common = pictures(1)[0, 0, 0]
    references = normalize(30 * common + pictures(3), dim=-1)
    queries = near(pictures(3), seed=2)
    wanted = trained.look_up(queries, trained.remember(references))
    found = Recall(trained, memory_of(*references)).lookup(queries)
    assert (found - wanted).abs().max() < 2e-3


def test_it_knows_what_it_was_made_of():
    memory = memory_of(*pictures(2))
    recall = Recall(generators(), memory)
    assert recall.is_of(memory) and not recall.is_of(memory_of(*pictures(2)))
    memory.add(7, pictures(1, seed=4)[0])
    assert not recall.is_of(memory)
    assert recall.nbytes == 2 * 2 * memory_of(*pictures(2)).entries.numel() * 2


def test_a_memory_that_does_not_hold_whole_pictures_is_refused():
    thinned = memory_of(*pictures(2))
    thinned.keep(torch.arange(len(thinned)) != 3)
    table = memory_of(pictures(2).flatten(0, 2))
    turned = memory_of(pictures(1)[0].flatten(0, 1).repeat(2, 1))
    for memory in (thinned, table, turned):
        with pytest.raises(ValueError, match="whole picture of reference 0"):
            Recall(generators(), memory)
    with pytest.raises(ValueError, match="24 channels"):
        Recall(generators(), Dictionary.build({0: torch.ones(2, 2, 5)}))
    with pytest.raises(ValueError, match="no entry"):
        Recall(generators(), memory_of(*pictures(1))).lookup(pictures(1), without=0)
