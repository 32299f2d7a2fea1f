"""The projector: one token for each row, told apart by place, of the length of the model's own embeddings."""

import pytest
import torch

from assistant.adapters.projector import PLACES, Projector, ProjectorConfig

CONFIG = ProjectorConfig(vector_size=6, patch_size=10, hidden=16, width=8)


def rows(regions=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    sizes = [(1, 6), (16, 10), (1, 10), (regions, 10), (regions, 10)]
    return [torch.randn(size, generator=generator) for size in sizes]


@pytest.fixture
def projector():
    torch.manual_seed(1)
    return Projector(CONFIG, norm=3.5)


def test_every_row_becomes_a_token_of_the_given_length(projector):
    for regions in (0, 1, 3):
        tokens = projector(rows(regions))
        assert tokens.shape == (18 + 2 * regions, 16)
        assert torch.allclose(tokens.norm(dim=1), torch.full((len(tokens),), 3.5), atol=1e-4)


def test_the_same_patch_is_another_token_in_another_place_and_in_another_kind(projector):
    given = rows(2)
    given[1][:] = given[2][0]
    given[3][:] = given[4][:] = given[2][0]
    tokens = projector(given)[1:]
    different = torch.cdist(tokens, tokens) + torch.eye(len(tokens)) * 9
    assert different.min() > 0.05


def test_a_token_depends_on_its_own_row_alone(projector):
    given, changed = rows(), rows()
    changed[3] = changed[3].clone()
    changed[3][1, 0] += 3
    moved = (projector(given) - projector(changed)).norm(dim=1) > 1e-5
    assert moved.nonzero().flatten().tolist() == [19]


def test_too_many_rows_or_a_missing_kind_are_refused(projector):
    too_many = rows()
    too_many[3] = torch.zeros(PLACES[3] + 1, 10)
    for wrong in (too_many, rows()[:4]):
        with pytest.raises(ValueError, match="one tensor for each kind"):
            projector(wrong)
    with pytest.raises(ValueError, match="at least one"):
        ProjectorConfig(0, 10, 16)


def test_the_pocket_projector_is_small():
    size = sum(p.numel() for p in Projector(ProjectorConfig(384, 472, 576)).parameters())
    assert size < 2e6
