"""Where patches and text are aligned by construction, what was learned of some kinds finds defects of others."""

import numpy as np
import pytest
import torch

from assistant.eval.research.aligned import compare, draw_texture, to_markdown
from assistant.eval.research.aligned_tower import TILT, load_aligned
from assistant.prompts.ensemble import state_vectors


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return list(compare(0, tmp_path_factory.mktemp("aligned"), kinds=12, unseen=4, epochs=6))


def test_what_was_learned_carries_over_to_kinds_and_defects_that_nobody_showed(rows):
    untrained, sentences, layers = rows
    by_prompts = untrained["prompt ensemble alone"]
    for found in (sentences["sentences, alone"], layers["layers, alone"]):
        assert found[1] > 2 * by_prompts[1], "its map"
    assert sentences["sentences, alone"][0] > by_prompts[0]
    nothing = untrained["prompt ensemble and rarity, mean (nothing trained)"]
    for found in (
        sentences["sentences, harmonic with rarity and the whole (as trained)"],
        layers["layers, harmonic with rarity and the whole (as trained)"],
    ):
        assert found[0] > nothing[0] + 3 and found[1] > nothing[1] + 5


def test_a_table_has_a_line_for_every_way(rows):
    table = to_markdown([rows[0] | rows[1], rows[0] | rows[1]])
    assert table.count("\n") == 1 + len(rows[0]) + len(rows[1]) and "±" in table


def test_the_tower_points_where_its_sentences_point_only_roughly():
    backbone = load_aligned(0)
    abnormal = backbone.runtime.tower.abnormal
    states = state_vectors(backbone.encode_text)
    told = torch.nn.functional.normalize(states[1] - states[0], dim=0)
    assert float(abnormal @ told) == pytest.approx(TILT, abs=1e-3)
    assert float(abnormal.norm()) == pytest.approx(1, abs=1e-4)


def test_textures_of_a_kind_are_alike_and_never_the_same():
    one, again, brother, other = (draw_texture(*which) for which in ((1, 0), (1, 0), (1, 1), (2, 0)))
    assert np.array_equal(one, again) and not np.array_equal(one, brother)
    mean = [pixels.mean(axis=(0, 1)) for pixels in (one, brother, other)]
    assert np.abs(mean[0] - mean[1]).max() < 12 < np.abs(mean[0] - mean[2]).max()
