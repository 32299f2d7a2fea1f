"""The order of a run and its learning rate depend on the seed and the step alone."""

from dataclasses import dataclass

import pytest
import torch

from assistant.training.schedule import digest_of, draw_batches, rate_at


def test_each_view_comes_once_an_epoch_in_another_order():
    batches = list(draw_batches(10, 2, 4, seed=3))
    assert [len(b) for b in batches] == [4, 4, 2] * 2
    one, two = torch.cat(batches[:3]), torch.cat(batches[3:])
    assert sorted(one.tolist()) == sorted(two.tolist()) == list(range(10))
    assert not torch.equal(one, two)
    assert torch.equal(one, torch.cat(list(draw_batches(10, 1, 4, seed=3))))
    assert not torch.equal(one, torch.cat(list(draw_batches(10, 1, 4, seed=4))))


def test_the_rate_rises_for_a_tenth_and_falls_to_nearly_nothing():
    rates = [rate_at(step, 100) for step in range(100)]
    assert rates[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert all(a >= b for a, b in zip(rates[9:], rates[10:], strict=False))
    assert 0 < rates[-1] < 0.02 and rate_at(0, 1) == 1


def test_a_digest_tells_configurations_and_views_apart():
    @dataclass(frozen=True)
    class Shape:
        width: int

    names = {digest_of(Shape(w), keys) for w in (1, 2) for keys in (["a"], ["b"])}
    assert len(names) == 4 and digest_of(Shape(1), ["a"]) in names
