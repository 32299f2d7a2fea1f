"""Consecutive references: what is seen where parts change along a folder, and where they do not."""

import numpy as np
import pytest
import torch

from assistant.eval.research.bursts import Burst, Pairs, correlate, draw_bursts


@pytest.fixture
def scored():
    """scored(positions): log-scores of pictures that lie on a line, farther from what lies farther along it."""

    def make(positions):
        return lambda i, references: float(np.log(min(abs(positions[i] - positions[j]) for j in references) + 0.1))

    return make


def test_drift_is_seen_where_parts_change_along_the_folder_and_not_in_a_shuffled_one(scored):
    along = np.arange(48) / 10
    shuffled = np.random.default_rng(1).permutation(along)
    drifts = {}
    for name, positions in (("along", along), ("shuffled", shuffled)):
        everything = np.append(positions, [4.9, 5.0])
        found = [*draw_bursts("p", scored(everything), 48, [48, 49], np.random.default_rng(0))]
        assert {burst.references for burst in found} == {10, 20}
        drifts[name] = np.mean([burst.drift for burst in found])
    assert drifts["along"] > 0.2 > abs(drifts["shuffled"])


def test_few_pictures_give_few_draws(scored):
    assert not [*draw_bursts("p", scored(np.arange(12.0)), 11, [11], np.random.default_rng(0))]
    found = [*draw_bursts("p", scored(np.arange(14.0)), 12, [12, 13], np.random.default_rng(0))]
    assert {burst.references for burst in found} == {10}


def test_any_draw_is_scored_from_the_distances_to_single_references(inspector):
    generator = torch.Generator().manual_seed(0)
    tokens = [torch.nn.functional.normalize(torch.randn(6, 6, 8, generator=generator), dim=-1) for _ in range(4)]
    pairs = Pairs(inspector.detector, tokens, 3)
    alone = [pairs.log_score(3, [j]) for j in range(3)]
    together = pairs.log_score(3, [0, 1, 2])
    assert together <= min(alone)
    assert pairs.log_score(0, [0]) < pairs.log_score(0, [1])


def test_correlations_are_those_of_the_columns():
    bursts = [Burst("p", 10, drift, excess, -excess) for drift, excess in ((0.0, 1.0), (1.0, 0.0), (0.5, 0.5))]
    assert correlate(bursts) == pytest.approx((-1.0, -1.0))
