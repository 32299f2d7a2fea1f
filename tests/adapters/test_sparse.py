"""The trained memory: untrained it is nearest neighbour; the order of references never matters."""

from dataclasses import replace

import pytest
import torch
from scipy.stats import spearmanr
from torch.nn.functional import normalize

from assistant.adapters import sparse
from assistant.adapters.patches import neighbourhood
from assistant.adapters.sparse import Generator, SparseConfig, SparseDictionary

CONFIG = SparseConfig((24,), width=8, heads=2, scales=(1,))


def patches(*shape, channels=24, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(*shape, channels, generator=generator), dim=-1)


def near(references, count, seed=5):
    """Queries like patches of the references, some more and some less."""
    torch.manual_seed(seed)
    flat = references.flatten(0, -2)
    chosen = flat[torch.randint(len(flat), (count * 30,))].view(count, 5, 6, -1)
    return normalize(chosen + torch.rand(count, 5, 6, 1) * 0.3 * torch.randn_like(chosen), dim=-1)


def dictionary(config=CONFIG, *, trained=False, seed=0):
    torch.manual_seed(seed)
    made = SparseDictionary(config)
    if trained:
        for parameter in made.parameters():
            if parameter.ndim:
                torch.nn.init.normal_(parameter, std=0.3)
    return made.eval().requires_grad_(False)


def nearest(queries, references):
    return 1 - (queries.flatten(0, -2) @ references.flatten(0, -2).T).amax(1).view(queries.shape[:-1])


@pytest.mark.parametrize("scales", [(1,), (3,), (1, 3)])
def test_untrained_and_sharp_it_is_nearest_neighbour(scales):
    made = dictionary(replace(CONFIG, scales=scales))
    made.layers[0].log_sharpness.fill_(20.0)
    references = patches(3, 5, 6)
    queries = near(references, 4)
    wanted = [nearest(neighbourhood(queries, s), neighbourhood(references, s)) for s in scales]
    found = made.look_up(queries, made.remember(references))
    assert torch.allclose(found, torch.stack(wanted).mean(0), atol=1e-5)


def test_untrained_it_ranks_like_nearest_neighbour():
    made, references = dictionary(), patches(3, 5, 6)
    queries = near(references, 6)
    found = made.look_up(queries, made.remember(references))
    assert spearmanr(found.flatten(), nearest(queries, references).flatten())[0] > 0.98


def test_a_map_is_one_minus_the_cosine_of_value_and_what_is_retrieved():
    made = dictionary(trained=True)
    references, queries = patches(2, 5, 6), patches(3, 4, 7, seed=1)
    lookup = made.layers[0]
    asked, own = lookup.query(queries).flatten(0, 2), lookup.value(queries).flatten(0, 2)
    keys = torch.cat([lookup.key(one[None]).flatten(0, 2) for one in references])
    values = torch.cat([lookup.value(one[None]).flatten(0, 2) for one in references])
    weights = sparse.sparsemax(asked @ keys.T * lookup.log_sharpness.exp())
    wanted = 1 - torch.cosine_similarity(own, weights @ values, dim=-1)
    found = made.look_up(queries, made.remember(references))
    assert torch.allclose(found.flatten(), wanted, atol=1e-5)
    assert found.shape == (3, 4, 7) and float(found.min()) >= 0 and float(found.max()) <= 2


def test_few_candidates_are_exact_as_long_as_fewer_get_a_weight():
    references, queries = patches(4, 8, 8), patches(2, 5, 6, seed=1)
    every = replace(CONFIG, nearest=4 * 8 * 8)
    made = dictionary(every, trained=True)
    scores = made.layers[0].query(queries).flatten(0, 2) @ made.remember(references).keys[0][0][0].T
    support = int((sparse.sparsemax(scores * made.layers[0].log_sharpness.exp()) > 0).sum(1).max())
    assert 1 < support < 64
    wanted = made.look_up(queries, made.remember(references))
    for count, same in ((support, True), (1, False)):
        fewer = dictionary(replace(every, nearest=count), trained=True)
        found = fewer.look_up(queries, fewer.remember(references))
        assert torch.allclose(found, wanted, atol=1e-6) == same


def test_blocks_of_queries_change_nothing(monkeypatch):
    made, references, queries = dictionary(trained=True), patches(2, 5, 6), patches(2, 5, 6, seed=1)
    whole = made.look_up(queries, made.remember(references))
    monkeypatch.setattr(sparse, "_BLOCK", 7)
    assert torch.allclose(made.look_up(queries, made.remember(references)), whole, atol=1e-6)


def test_the_order_of_references_does_not_matter_and_each_attends_to_itself_alone():
    made = dictionary(replace(CONFIG, scales=(1, 3)), trained=True)
    references, queries = patches(3, 5, 6), patches(2, 5, 6, seed=1)
    found = made.look_up(queries, made.remember(references))
    turned = made.look_up(queries, made.remember(references.flip(0)))
    assert torch.allclose(found, turned, atol=1e-6)
    alone, together = made.remember(references[1:2]), made.remember(references)
    for scale in (0, 1):
        assert torch.allclose(alone.keys[scale][0][0], together.keys[scale][0][0, 30:60], atol=1e-6)
        assert torch.allclose(alone.values[scale][0][0], together.values[scale][0][0, 30:60], atol=1e-6)


def test_queries_do_not_see_each_other():
    made, references, queries = dictionary(trained=True), patches(2, 5, 6), patches(3, 5, 6, seed=1)
    memory = made.remember(references)
    one_by_one = torch.cat([made.look_up(query[None], memory) for query in queries])
    assert torch.allclose(made.look_up(queries, memory), one_by_one, atol=1e-6)


def test_each_query_can_have_references_of_its_own():
    made, references, queries = dictionary(trained=True), patches(3, 2, 5, 6), patches(3, 5, 6, seed=1)
    together = made.look_up(queries, made.remember(references))
    apart = [made.look_up(q[None], made.remember(r))[0] for q, r in zip(queries, references, strict=True)]
    assert torch.allclose(together, torch.stack(apart), atol=1e-6)
    with pytest.raises(ValueError, match="references of its own"):
        made.look_up(queries[:2], made.remember(references))


def test_layers_given_apart_are_looked_up_apart():
    both, single = replace(CONFIG, layers=(10, 14)), dictionary(replace(CONFIG, layers=(14,)))
    made = dictionary(both)
    references = patches(2, 5, 6)
    queries = near(references, 2)
    parts = [normalize(t.split((10, 14), -1)[1], dim=-1) for t in (queries, references)]
    second = single.look_up(parts[0], single.remember(parts[1]))
    first = dictionary(replace(CONFIG, layers=(10,)))
    other = [normalize(t[..., :10], dim=-1) for t in (queries, references)]
    wanted = (first.look_up(other[0], first.remember(other[1])) + second) / 2
    assert torch.allclose(made.look_up(queries, made.remember(references)), wanted, atol=1e-5)


def test_a_generator_starts_as_the_identity_and_attends_to_what_is_around():
    tokens = patches(2, 24, 25)
    torch.manual_seed(0)
    fresh = Generator(24, CONFIG).eval()
    with torch.no_grad():
        assert torch.allclose(fresh(tokens), tokens, atol=1e-6)
        torch.nn.init.normal_(fresh.up.weight, std=0.3)
        before = fresh(tokens)
        changed = tokens.clone()
        changed[0, 0, 0] = -changed[0, 0, 0]
        after = fresh(changed)
    assert not torch.allclose(before[0, 20, 20], after[0, 20, 20], atol=1e-6)
    assert torch.equal(before[1], after[1])
    assert torch.allclose(after.norm(dim=-1), torch.ones(2, 24, 25), atol=1e-5)


def test_frozen_values_learn_nothing_while_queries_and_keys_do():
    torch.manual_seed(0)
    made = SparseDictionary(CONFIG)
    made.layers[0].log_sharpness.data.fill_(1.0)  # several entries get a weight, through which queries learn
    references, queries = patches(2, 5, 6), near(patches(2, 5, 6), 2)

    def learned():
        made.zero_grad()
        made.look_up(queries, made.remember(references)).mean().backward()
        parts = (made.layers[0].query, made.layers[0].key, made.layers[0].value)
        return [part.up.weight.grad is not None and bool(part.up.weight.grad.any()) for part in parts]

    made.freeze_values(True)
    assert learned() == [True, True, False]
    made.freeze_values(False)
    assert learned() == [True, True, True]


def test_the_bytes_of_a_memory_are_counted():
    memory = dictionary(replace(CONFIG, scales=(1, 3))).remember(patches(2, 5, 6))
    assert memory.nbytes == 2 * 2 * 60 * 24 * 4


def test_it_is_small_enough_to_ship_for_the_pocket_tower():
    made = SparseDictionary(SparseConfig((472,)))
    assert sum(p.numel() * p.element_size() for p in made.parameters()) <= 8e6


@pytest.mark.parametrize(
    "wrong",
    [
        {"layers": ()},
        {"layers": (0,)},
        {"width": 9},
        {"heads": 0},
        {"nearest": 0},
        {"scales": ()},
        {"scales": (2,)},
        {"scales": (-1,)},
        {"dropout": 1.0},
    ],
    ids=str,
)
def test_a_shape_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError):
        replace(CONFIG, **wrong)


@pytest.mark.parametrize("shape", [(2, 5, 6, 23), (5, 6, 24), (60, 24)])
def test_patches_of_another_shape_are_refused(shape):
    made = dictionary()
    with pytest.raises(ValueError, match="do not have 24 channels on a grid"):
        made.remember(torch.zeros(shape))
    with pytest.raises(ValueError, match="do not have 24 channels on a grid"):
        made.look_up(torch.zeros(shape), made.remember(patches(1, 2, 2)))


@pytest.mark.parametrize(("entries", "count"), [(5, 5), (64, 64), (100, 3), (999, 16), (1024, 64), (517, 64)])
def test_the_largest_are_those_of_topk(entries, count):
    scores = torch.randn(20, entries, generator=torch.Generator().manual_seed(0))
    best, which = sparse.largest(scores, count)
    assert torch.equal(best.sort(descending=True).values, scores.topk(count).values)
    assert torch.equal(scores.gather(1, which), best)
    assert all(len(set(row)) == count for row in which.tolist())
