"""Rivals restated: each finds what it is made to find, on small made-up features."""

import pytest
import torch

from assistant.eval.research import rivals_restated
from assistant.eval.research.rivals_restated import SIDE, Mahalanobis, Rad, SuperAdd, make_rivals


def picture(seed, noise=0.05):
    """Two grids whose every place has a direction of its own, and a little noise."""
    fixed, own = torch.Generator().manual_seed(0), torch.Generator().manual_seed(seed)
    sizes = ((8, 8, 12), (4, 4, 16))
    return [torch.randn(s, generator=fixed) + noise * torch.randn(s, generator=own) for s in sizes]


def spoilt(seed):
    """One place of it is of another kind."""
    layers = picture(seed)
    layers[0][2, 5] = torch.randn(12, generator=torch.Generator().manual_seed(99)) * 2
    return layers


def swapped(seed):
    """Two places have changed theirs; nothing is there that is not elsewhere."""
    layers = picture(seed)
    layers[0][[1, 6]] = layers[0][[6, 1]]
    return layers


@pytest.mark.parametrize("name", make_rivals([picture(1)]))
@pytest.mark.parametrize("count", [1, 4])
def test_a_strange_place_scores_highest_where_it_is(name, count):
    rival = make_rivals([picture(i) for i in range(1, count + 1)])[name]
    good, bad = rival.see(picture(11)), rival.see(spoilt(11))
    assert bad.score > 1.2 * good.score
    row, column = divmod(int(bad.map.argmax()), SIDE)
    assert (row * 8 // SIDE, column * 8 // SIDE) == (2, 5)


def test_rad_knows_where_a_patch_belongs_and_superadd_does_not():
    references = [picture(i) for i in range(1, 5)]
    near, anywhere = Rad(references, 1), SuperAdd(references)
    assert near.see(swapped(11)).score > 3 * near.see(picture(11)).score
    assert anywhere.see(swapped(11)).score < 1.1 * anywhere.see(picture(11)).score


def test_rad_forgives_what_moved_by_its_radius():
    moved = [torch.roll(layer, 2, 1) if layer.shape[0] == 8 else layer for layer in picture(11)]
    middle = slice(SIDE // 3, 2 * SIDE // 3)
    one, two = (Rad([picture(1)], radius).see(moved).map[middle, middle].mean() for radius in (1, 2))
    assert two < 0.1 * one


def test_whitening_makes_a_faint_direction_count():
    torch.manual_seed(0)
    steep = torch.tensor([10.0] * 4 + [0.1] * 8)
    references = [[torch.randn(8, 8, 12) * steep] for _ in range(3)]
    rival = Mahalanobis(references, 1)
    kept = rival.axes.shape[0]
    assert kept == 4, "what is 99 % of the variance"
    white = (rival._patches(references[0]).flatten(0, 1) - rival.mean) @ rival.axes.T @ rival.whiten
    assert torch.cov(white.T).diagonal().std() < 0.3


def test_the_bank_is_thinned_to_points_that_stand_apart(monkeypatch):
    monkeypatch.setattr(rivals_restated, "BANK", 10)
    rival = Mahalanobis([picture(i) for i in range(1, 4)], 2)
    assert len(rival.bank) == 10 and torch.pdist(rival.bank).min() > 0.5


def test_the_limit_of_superadd_is_above_most_good_pixels():
    references = [picture(i) for i in range(1, 5)]
    limit = SuperAdd.limit(references)
    good, bad = SuperAdd(references).see(picture(11)).map, SuperAdd(references).see(spoilt(11)).map
    assert (good > limit).float().mean() < 0.05 and bad.max() > limit
    with pytest.raises(ValueError, match="one reference"):
        SuperAdd.limit(references[:1])
