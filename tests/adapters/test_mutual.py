"""Mutual mode: equal to a slow direct reading of the paper's rule, with bounded company."""

import pytest
import torch
from torch.nn.functional import normalize

from assistant.adapters import mutual
from assistant.adapters.mutual import mutual_maps, rescore


def pictures(seed, grids, channels=6):
    generator = torch.Generator().manual_seed(seed)
    return [normalize(torch.randn(h, w, channels, generator=generator), dim=-1) for h, w in grids]


def slow_pool(tokens, size):
    h, w, _ = tokens.shape
    r = size // 2
    rows = [
        tokens[max(0, y - r) : y + r + 1, max(0, x - r) : x + r + 1].mean(dim=(0, 1))
        for y in range(h)
        for x in range(w)
    ]
    return normalize(torch.stack(rows), dim=-1)


def slow_mutual(tokens, sizes, interval):
    maps = [torch.zeros(t.shape[0] * t.shape[1]) for t in tokens]
    for size in sizes:
        pooled = [slow_pool(t, size) for t in tokens]
        for i, own in enumerate(pooled):
            for p, patch in enumerate(own):
                nearest = sorted(float((1 - other @ patch).min()) for j, other in enumerate(pooled) if j != i)
                kept = nearest[: max(1, round(interval * len(nearest)))]
                maps[i][p] += sum(kept) / len(kept) / len(sizes)
    return [m.view(t.shape[:2]) for m, t in zip(maps, tokens, strict=True)]


@pytest.mark.parametrize(("sizes", "interval"), [((1,), 0.3), ((1, 3, 5), 0.3), ((3,), 1.0), ((1, 3), 0.01)])
def test_mutual_maps_equal_a_slow_direct_reading(sizes, interval):
    tokens = pictures(0, [(4, 5), (3, 3), (5, 4), (2, 6), (4, 4), (1, 7)])
    found = mutual_maps(tokens, sizes=sizes, interval=interval)
    for one, expected in zip(found, slow_mutual(tokens, sizes, interval), strict=True):
        assert one.shape == expected.shape and one.dtype == torch.float32
        assert (one - expected).abs().max() < 0.008  # bfloat16


def test_blocks_do_not_show(monkeypatch):
    tokens = pictures(1, [(3, 4)] * 7)
    at_once = mutual_maps(tokens)
    monkeypatch.setattr(mutual, "_BLOCK", 2)
    assert all(torch.equal(a, b) for a, b in zip(mutual_maps(tokens), at_once, strict=True))


def test_a_patch_that_no_other_picture_has_stands_out():
    torch.manual_seed(2)
    tokens = [normalize(torch.tensor([1.0, 0, 0, 0]) + 0.1 * torch.randn(6, 6, 4), dim=-1) for _ in range(8)]
    tokens[5][4, 1] = torch.tensor([0.0, 0.0, 1.0, 0.0])
    maps = mutual_maps(tokens, sizes=(1,))
    assert maps[5].argmax() == 4 * 6 + 1
    assert maps[5].max() > 5 * max(float(m.max()) for i, m in enumerate(maps) if i != 5)


def test_a_picture_is_not_compared_with_itself_and_with_no_more_than_asked(monkeypatch):
    tokens = pictures(3, [(2, 3)] * 12)
    company = []
    nearest = mutual._nearest

    def watch(patches, others):
        company.append((patches, others))
        return nearest(patches, others)

    monkeypatch.setattr(mutual, "_nearest", watch)
    first = mutual_maps(tokens, sizes=(1,), others=5)
    assert [len(others) for _, others in company] == [5] * 12
    assert not any(other is patches for patches, others in company for other in others)
    judges = {id(other) for _, others in company for other in others}
    assert len(judges) <= 6  # the same ones for everybody, so that scores compare
    assert all(torch.equal(a, b) for a, b in zip(mutual_maps(tokens, sizes=(1,), others=5), first, strict=True))


def test_few_others_stand_well_for_all():
    torch.manual_seed(4)
    tokens = [normalize(torch.tensor([1.0, 0, 0, 0]) + 0.2 * torch.randn(5, 5, 4), dim=-1) for _ in range(40)]
    tokens[7][2, 2] = torch.tensor([0.0, -1.0, 0.0, 0.0])
    some = torch.stack([m.max() for m in mutual_maps(tokens, others=10)])
    assert some.argmax() == 7


def test_progress_rises_to_one():
    heard = []
    mutual_maps(pictures(5, [(2, 2)] * 3), sizes=(1, 3), tell=heard.append)
    assert heard == sorted(heard) and len(heard) == 6 and heard[-1] == 1.0


@pytest.mark.parametrize("count", [0, 1])
def test_one_picture_alone_cannot_be_judged(count):
    with pytest.raises(ValueError, match="at least two"):
        mutual_maps(pictures(0, [(2, 2)] * count))


def test_rescore_is_the_weighted_mean_over_the_nearest_pictures():
    vectors = normalize(torch.randn(6, 4, generator=torch.Generator().manual_seed(6)), dim=-1)
    scores = torch.rand(6, generator=torch.Generator().manual_seed(7))
    expected = []
    for vector in vectors:
        alike = sorted(((float(vector @ other), float(s)) for other, s in zip(vectors, scores, strict=True)))[-3:]
        weights = [max(0.0, a) ** 2 for a, _ in alike]
        expected.append(sum(w * s for w, (_, s) in zip(weights, alike, strict=True)) / sum(weights))
    assert rescore(scores, vectors, neighbours=2).tolist() == pytest.approx(expected, abs=1e-6)


def test_rescore_leaves_equal_scores_and_lone_pictures_alone():
    vectors = normalize(torch.randn(9, 4, generator=torch.Generator().manual_seed(8)), dim=-1)
    assert torch.allclose(rescore(torch.full((9,), 0.3), vectors), torch.full((9,), 0.3))
    scores = torch.tensor([0.1, 0.5, 0.9])
    assert torch.allclose(rescore(scores, torch.eye(3)), scores)
    assert rescore(scores.bfloat16(), torch.eye(3)).dtype == torch.bfloat16


def test_near_copies_do_not_vouch_for_each_other():
    """Four copies of one strange picture stay as strange among twelve others as a single one is."""
    usual = pictures(3, [(6, 6)] * 12)
    strange = pictures(9, [(6, 6)])[0].flip(-1)
    single = mutual_maps([*usual, strange])[-1]
    told = mutual_maps([*usual, *[strange] * 4], groups=[*range(12), *[12] * 4])
    untold = mutual_maps([*usual, *[strange] * 4])
    assert all(torch.allclose(one, single, atol=1e-3) for one in told[12:])
    assert untold[-1].mean() < 0.5 * single.mean()
    with pytest.raises(ValueError, match="two"):
        mutual_maps([strange] * 4, groups=[0] * 4)
