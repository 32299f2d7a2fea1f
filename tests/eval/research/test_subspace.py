"""The subspace: what good patches span is no anomaly, what stands out of it is, and it stays small."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.nn.functional import normalize

from assistant.detection.detector import Detector
from assistant.eval.datasets import read_mvtec
from assistant.eval.research.subspace import MOST_BYTES, Subspace, measure


def unit(seed, *shape):
    return normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def flat(seed, count, spanned, size):
    """Unit vectors of `size` numbers, all but the first `spanned` of them zero."""
    return torch.cat([unit(seed, count, spanned), torch.zeros(count, size - spanned)], dim=1)


@pytest.fixture
def memory():
    return Subspace.build({3: flat(0, 60, 4, 16), 1: flat(1, 40, 4, 16)})


def test_what_good_patches_span_has_no_residual_and_the_rest_half_its_square(memory):
    assert memory.rank == 4
    inside = flat(2, 30, 4, 16)
    assert memory.lookup(inside).max() < 1e-5
    for outside in (0.1, 0.5, 1.0):
        queries = inside * math.sqrt(1 - outside**2)
        queries[:, 9] = outside
        assert torch.allclose(memory.lookup(queries), torch.full((30,), outside**2 / 2), atol=2e-4)


def test_lookup_equals_the_singular_vectors():
    patches, queries = unit(0, 50, 12), unit(1, 5, 7, 12)
    memory = Subspace.build({0: patches[:20], 1: patches[20:]}, share=0.8)
    _, values, vectors = torch.linalg.svd(patches - patches.mean(0), full_matrices=False)
    rank = int((values.square().cumsum(0) / values.square().sum() < 0.8).sum()) + 1
    away = queries - patches.mean(0)
    expected = (away - away @ vectors[:rank].T @ vectors[:rank]).square().sum(-1) / 2
    found = memory.lookup(queries)
    assert memory.rank == rank < 12
    assert found.shape == (5, 7) and found.dtype == torch.float32
    assert torch.allclose(found, expected, atol=1e-3)


@given(st.floats(0.05, 1.0), st.integers(2, 40), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_the_share_of_variance_is_kept_and_with_one_direction_less_it_is_not(share, count, seed):
    patches = unit(seed, count, 10)
    memory = Subspace.build({0: patches}, share)
    away = (patches - patches.mean(0)).double()
    total = float(away.square().sum())
    lost = 2 * float(memory.lookup(patches).sum()) / total
    assert lost <= 1 - share + 2e-3
    shorter = Subspace(memory.mean, memory.directions[:-1])
    assert 2 * float(shorter.lookup(patches).sum()) / total > 1 - share - 2e-3


def test_order_of_references_and_their_shape_do_not_matter():
    one, other, queries = unit(0, 6, 5, 8), unit(1, 20, 8), unit(2, 9, 8)
    first = Subspace.build({0: one, 1: other}, 0.7)
    second = Subspace.build({1: other, 0: one.reshape(-1, 8)}, 0.7)
    assert torch.allclose(first.lookup(queries), second.lookup(queries), atol=1e-3)


def test_a_single_patch_or_many_alike_span_nothing_and_distance_is_what_counts():
    patch, queries = unit(0, 1, 8), unit(1, 5, 8)
    for patches in (patch, patch.expand(7, 8)):
        memory = Subspace.build({0: patches})
        assert memory.rank == 0
        assert torch.allclose(memory.lookup(queries), 1 - queries @ patch[0], atol=1e-5)


@pytest.mark.parametrize("size", [472, 1536])
def test_it_stays_under_a_megabyte_and_keeps_the_strongest_directions(size):
    generator = torch.Generator().manual_seed(0)
    scale = torch.linspace(2, 0.5, size)
    patches = normalize(torch.randn(1800, size, generator=generator) * scale, dim=-1)
    memory = Subspace.build({0: patches}, share=1.0)
    assert memory.nbytes <= MOST_BYTES
    assert memory.rank == min(size, (MOST_BYTES - 4 * size) // (2 * size))
    strength = ((patches - memory.mean) @ memory.directions.float().T).square().sum(0)
    assert (strength.diff() <= 1e-2 * strength[0]).all()


def test_state_brings_the_very_same_memory_back(memory):
    other = Subspace.build({0: unit(5, 9, 3)})
    other.load_state_dict(memory.state_dict())
    queries = unit(6, 11, 16)
    assert torch.equal(other.lookup(queries), memory.lookup(queries))
    assert other.nbytes == memory.nbytes == 16 * 4 + 4 * 16 * 2


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"mean": None}, "made of"),
        ({"more": torch.zeros(1)}, "made of"),
        ({"mean": torch.zeros(15)}, "fit together"),
        ({"mean": torch.zeros(16).double()}, "float32"),
        ({"directions": torch.zeros(4, 16)}, "float16"),
        ({"directions": torch.full((4, 16), math.nan, dtype=torch.float16)}, "finite"),
    ],
)
def test_a_damaged_state_is_refused_and_changes_nothing(memory, change, why):
    before = memory.state_dict()
    state = {name: t for name, t in (before | change).items() if t is not None}
    with pytest.raises(ValueError, match=why):
        memory.load_state_dict(state)
    assert all(torch.equal(memory.state_dict()[name], before[name]) for name in before)


def test_what_cannot_be_built_is_refused():
    with pytest.raises(ValueError, match="at least one patch"):
        Subspace.build({})
    with pytest.raises(ValueError, match="at least one patch"):
        Subspace.build({0: torch.empty(0, 8)})
    with pytest.raises(ValueError, match="different sizes"):
        Subspace.build({0: unit(0, 4, 8), 1: unit(1, 4, 9)})
    for share in (0.0, 1.1):
        with pytest.raises(ValueError, match="share"):
            Subspace.build({0: unit(0, 4, 8)}, share)


def test_the_study_measures_both_memories_alone_and_with_rarity(backbones, tmp_path, good, planted):
    for kind, count in (("train/good", 3), ("test/good", 2), ("test/blot", 2)):
        folder = tmp_path / "cloth" / kind
        folder.mkdir(parents=True)
        for i in range(count):
            pixels = planted(good(10 * count + i), 0.5, 0.5)[0] if kind.endswith("blot") else good(20 * count + i)
            Image.fromarray(pixels).save(folder / f"{i}.png")
    figures = measure(Detector(backbones["tiny-cnn"]), read_mvtec(tmp_path / "cloth"), shots=2)
    assert len(figures) == 4 and figures["nearest, alone"] == 1.0
