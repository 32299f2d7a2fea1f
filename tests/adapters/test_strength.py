"""How strongly patches respond: norms as logarithms, and how far they exceed what is usual in good pictures."""

import math

import pytest
import torch

from assistant.adapters.strength import Strengths, strength, usual_strength

RIM = 3  # cells, by default


def layers(seed, batch=1, height=12, width=10):
    generator = torch.Generator().manual_seed(seed)
    sizes = [(height, width, 4), (height // 2, width // 2, 7)]
    return [torch.randn(batch, *size, generator=generator).abs() + 0.1 for size in sizes]


def usual(*seeds):
    return Strengths.of({i: usual_strength(strength(layers(seed))[0]) for i, seed in enumerate(seeds)})


def test_strength_is_the_logarithm_of_each_layers_norm_on_the_finest_grid():
    fine, coarse = layers(0, batch=2)
    found = strength([fine, coarse])
    assert found.shape == (2, 2, 12, 10) and found.dtype == torch.float32
    assert found[1, 0, 5, 7] == pytest.approx(math.log(math.sqrt(float((fine[1, 5, 7] ** 2).sum()))), abs=1e-5)
    level = torch.full_like(coarse, 2.0)
    assert found.isfinite().all() and strength([fine, level])[:, 1].unique().numel() == 1
    assert strength([torch.zeros(1, 8, 8, 3), torch.zeros(1, 4, 4, 3)]).isfinite().all()


def test_usual_is_the_high_quantile_of_what_is_looked_at_away_from_the_rim():
    found = strength(layers(1))[0]
    inner = found[:, RIM:-RIM, RIM:-RIM].flatten(1)
    assert torch.allclose(usual_strength(found), inner.quantile(0.99, dim=1))
    loud = found.clone()
    loud[:, :RIM], loud[:, :, -RIM:] = 50.0, 50.0
    assert torch.equal(usual_strength(loud), usual_strength(found))
    shown = torch.ones(12, 10)
    loud[:, 6, 5], shown[6, 5] = 60.0, 0
    assert bool((usual_strength(loud, shown) < 10).all()) and bool((usual_strength(loud) > 10).all())
    assert torch.equal(usual_strength(found, rim=4), found[:, 4:-4, 4:-4].flatten(1).quantile(0.99, dim=1))
    assert torch.equal(usual_strength(found, quantile=0.5), inner.quantile(0.5, dim=1))
    assert torch.equal(
        usual_strength(loud, shown, 0), loud.flatten(1)[:, shown.flatten() > 0].quantile(0.99, dim=1)
    )
    assert usual_strength(found, torch.zeros(12, 10)) is None
    assert usual_strength(found[:, :6, :6]) is None


def test_excess_is_how_many_times_stronger_a_patch_is_than_usual_in_every_good_picture():
    known, found = usual(1, 2, 3), strength(layers(1))
    assert bool((known.excess(found) >= 0).all())
    limit = known.rows.amax(dim=0)
    loud = found.clone()
    loud[0, :, 6, 5] = limit + math.log(3)
    assert float(known.excess(loud)[0, 6, 5]) == pytest.approx(math.log(3), abs=1e-5)
    loud[0, :, 6, 5] = torch.tensor([float(limit[0]) + 1, float(limit[1]) - 1])
    assert float(known.excess(loud, (0.75, 0.25))[0, 6, 5]) == pytest.approx(0.5, abs=1e-5)
    assert float(known.excess(loud, (0.25, 0.75))[0, 6, 5]) == 0
    loud[0, :, 0], loud[0, :, :, -RIM] = 90.0, 90.0
    assert not known.excess(loud)[0, 0].any() and not known.excess(loud)[0, :, -RIM:].any()
    assert not known.excess(loud)[0, 1].any() and known.excess(loud, rim=0)[0, 0].all()
    assert known.excess(loud, rim=2)[0, 2:-2, -RIM].all() and not known.excess(loud, rim=2)[0, :, -2:].any()


def test_one_of_them_can_be_left_out_and_the_order_does_not_matter():
    known, loud = usual(1, 2), strength(layers(9)) + 1
    without = known.excess(loud, without=0)
    alone = Strengths(known.rows[[1, 1]], (1, 2))
    assert torch.equal(without, alone.excess(loud)) and bool((without >= known.excess(loud)).all())
    back = Strengths(known.rows.flip(0), (1, 0))
    assert torch.equal(back.excess(loud), known.excess(loud))


def test_they_survive_their_tensors_and_what_does_not_fit_is_refused():
    known = usual(1, 2, 3)
    again = Strengths.from_state_dict(known.state_dict())
    assert torch.equal(again.rows, known.rows) and again.owners == (0, 1, 2)
    rows = known.rows
    for limits, owners in [
        (rows[0], (0,)),
        (rows.half(), (0, 1, 2)),
        (rows, (0, 1)),
        (rows, (0, 1, 1)),
        (rows[:1], (0,)),
        (rows * math.inf, (0, 1, 2)),
    ]:
        with pytest.raises(ValueError, match="limits"):
            Strengths(limits, owners)
    with pytest.raises(ValueError, match="kept as limits and owners"):
        Strengths.from_state_dict({"limits": rows})
