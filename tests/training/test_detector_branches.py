"""The two branches: each learns all of its own, nothing of the other's, and the towers stay as they are."""

import pytest
import torch

from assistant.adapters.directions import LayerDirections
from assistant.models.backbone import Features
from assistant.models.trained_adapter import TrainedAdapter, TypeScale
from assistant.prompts.learnable import LearnableContext, LearnedDirections
from assistant.training.detector_branches import build_branches, compare, thin
from assistant.training.picture_features import ViewConfig, gather_views


@pytest.fixture(params=["tiny-cnn", "tiny-vit"])
def backbone(request, backbones):
    return backbones[request.param]


@pytest.fixture
def views(backbone, sample, tmp_path):
    return gather_views(backbone, sample("masks"), ViewConfig(simulated=1), tmp_path / "work", lambda *_: None)


@pytest.fixture
def branches(backbone, views):
    made = build_branches(backbone, views, width=8, dropout=0.0, seed=0)
    with torch.no_grad():
        for bottleneck in (made.visual.patches, made.visual.whole):
            bottleneck.up.weight.normal_(std=0.1)  # it may start at zero, and lets no gradient through then
    return made.eval()  # or another quarter of the patches were seen in each call


def reached(branches, loss):
    branches.zero_grad()
    loss.backward()
    return {n for n, p in branches.named_parameters() if p.grad is not None and bool(p.grad.any())}


def test_the_gradient_reaches_every_learnable_part_of_its_own_branch_alone(branches, views):
    names = {name for name, _ in branches.named_parameters()}
    visual = {name for name in names if name.startswith("visual.")}
    assert visual and names - visual
    assert reached(branches, branches(views, 0.2)["visual"]) == visual
    assert reached(branches, branches(views, 0.2)["textual"]) == names - visual


def test_no_frozen_part_learns(backbone, branches, views):
    towers = [backbone.runtime.tower, backbone.text_tower[0]]
    taken = {id(p) for p in branches.parameters()}
    assert not taken & {id(p) for tower in towers for p in tower.parameters()}
    sum(branches(views, 0.2).values()).backward()
    assert all(p.grad is None for tower in towers for p in tower.parameters())
    assert branches.visual.states.grad is None and not branches.visual.states.requires_grad


def test_a_clip_tower_learns_a_context_and_a_sentence_tower_a_shift(backbone, branches):
    kind = LearnableContext if backbone.card.name == "tiny-vit" else LearnedDirections
    assert isinstance(branches.textual, kind)
    assert branches.textual().shape == (2, 24)


def test_directions_for_layers_learn_from_each_layer_alone_and_need_no_text(backbone, sample, tmp_path):
    data, config = sample("masks"), ViewConfig(simulated=1)
    views = gather_views(backbone, data, config, tmp_path / "deep", lambda *_: None, beside=True)
    branches = build_branches(backbone, views, width=8, dropout=0.0, seed=0, words="layers").eval()
    assert isinstance(branches.textual, LayerDirections)
    assert [pair.shape[-1] for pair in branches.textual.pairs] == [layer.shape[-1] for layer in views.deep]
    turns = {name for name, _ in branches.named_parameters() if name.startswith("textual.turns")}
    assert reached(branches, branches(views, 0.2)["textual"]) == turns and len(turns) == len(views.deep) + 1
    learner = torch.optim.Adam(branches.textual.parameters(), lr=3e-3)
    losses = []
    for _ in range(40):
        learner.zero_grad()
        losses.append(branches(views, 0.2)["textual"])
        losses[-1].backward()
        learner.step()
    assert losses[-1] < 0.9 * losses[0]


def test_what_is_judged_is_what_a_zero_shot_score_reads(backbone, branches, views):
    said = branches.say(views)
    if not backbone.aligns_text:
        assert said is None
        return
    learned = TrainedAdapter(
        branches.visual, branches.textual().detach(), TypeScale(), bundle="tiny-vit", weights=backbone.digest
    )
    features = Features((), views.vector.float(), views.inputs(()))
    assert torch.allclose(learned.say(features)[0], said, atol=1e-5)


def test_labels_alone_teach_nothing_about_places(branches, views):
    views.outlined[:] = 0
    one = branches(views, 0.2)
    views.masks[:] = 1 - views.masks
    other = branches(views, 0.2)
    assert all(torch.equal(one[name], other[name]) for name in ("visual", "textual"))


def test_types_count_as_much_as_is_asked(branches, views):
    low, middle, high = (branches(views, naming)["visual"].item() for naming in (0.0, 1.0, 2.0))
    assert middle > low and high - middle == pytest.approx(middle - low, rel=1e-3)


def test_directions_are_compared_as_clip_does():
    directions = torch.eye(3)[:2]
    assert compare(torch.tensor([[0.6, 0.8, 0.0]]), directions).item() == pytest.approx(0.2 / 0.05)


def test_a_step_sees_a_quarter_of_a_large_grid_with_the_masks_that_belong_to_it():
    torch.manual_seed(0)
    masks = torch.arange(2 * 16 * 18.0).reshape(2, 16, 18)
    starts = set()
    for _ in range(30):
        tokens, kept = thin(masks[..., None].expand(-1, -1, -1, 3), masks)
        assert kept.shape == (2, 8, 9) and torch.equal(tokens[..., 0], kept)
        starts.add(float(kept[0, 0, 0]))
    assert starts == {0.0, 1.0, 18.0, 19.0}
    small = torch.rand(2, 15, 40)
    assert thin(small[..., None], small)[1] is small
