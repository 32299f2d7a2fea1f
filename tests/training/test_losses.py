"""Losses: equal to their closed forms, and silent where there is nothing to learn from."""

import math

import pytest
import torch

from assistant.training.losses import (
    FREE,
    FULL,
    dice,
    discrimination,
    focal,
    naming,
    outline,
    picture_logits,
    verdict,
)


def logit(chance):
    return math.log(chance / (1 - chance))


def test_focal_is_its_closed_form_and_counts_only_what_counts():
    logits = torch.tensor([[[logit(0.9), logit(0.3), 50.0]]])
    truth, counts = torch.tensor([[[1.0, 0.0, 0.0]]]), torch.tensor([[[1.0, 1.0, 0.0]]])
    expected = (-(0.1**2) * math.log(0.9) - 0.3**2 * math.log(0.7)) / 2
    assert focal(logits, truth, counts).item() == pytest.approx(expected, rel=1e-4)
    assert focal(logits, truth, torch.zeros(1, 1, 3)).item() == 0


def test_easy_examples_hardly_count_in_focal():
    truth = counts = torch.ones(1, 1, 1)
    easy, hard = (focal(torch.full((1, 1, 1), logit(p)), truth, counts).item() for p in (0.95, 0.05))
    plain = math.log(0.05) / math.log(0.95)
    assert hard / easy == pytest.approx(plain * (0.95 / 0.05) ** 2, rel=1e-3)


def test_dice_is_zero_at_a_perfect_map_and_its_closed_form_elsewhere():
    truth = torch.zeros(1, 4, 4)
    truth[0, :2, :2] = 1
    counts = torch.ones_like(truth)
    assert dice((truth * 2 - 1) * 60, truth, counts).item() == pytest.approx(0, abs=1e-6)
    assert dice((1 - truth * 2) * 60, truth, counts).item() == pytest.approx(1 - 1 / 17, rel=1e-4)
    half = dice(torch.zeros(1, 4, 4), truth, counts).item()
    assert half == pytest.approx(1 - (2 * 2 + 1) / (8 + 4 + 1), rel=1e-4)


def test_dice_without_a_defective_picture_is_zero_and_can_still_be_differentiated():
    logits = torch.randn(2, 3, 3, requires_grad=True)
    loss = dice(logits, torch.zeros(2, 3, 3), torch.ones(2, 3, 3))
    loss.backward()
    assert loss.item() == 0 and not logits.grad.any()


def test_dice_is_averaged_over_the_defective_pictures_alone():
    truth = torch.zeros(3, 2, 2)
    truth[0, 0, 0] = 1
    logits = torch.randn(3, 2, 2)
    ones = torch.ones(3, 2, 2)
    assert torch.isclose(dice(logits, truth, ones), dice(logits[:1], truth[:1], ones[:1]))


def test_patches_that_are_partly_defective_teach_nothing():
    masks = torch.tensor([[[1.0, 0.0, (FULL + FREE) / 2]]])
    one, other = torch.tensor([[[1.0, -2.0, -40.0]]]), torch.tensor([[[1.0, -2.0, 40.0]]])
    assert torch.isclose(outline(one, masks), outline(other, masks))
    truth, counts = torch.tensor([[[1.0, 0.0, 0.0]]]), torch.tensor([[[1.0, 1.0, 0.0]]])
    assert torch.isclose(outline(one, masks), 4 * focal(one, truth, counts) + dice(one, truth, counts))


def test_a_verdict_is_cross_entropy():
    logits, labels = torch.tensor([logit(0.8), logit(0.4)]), torch.tensor([1, 0])
    assert verdict(logits, labels).item() == pytest.approx(-(math.log(0.8) + math.log(0.6)) / 2, rel=1e-4)


def test_a_picture_is_as_strange_as_its_strangest_patches():
    evidence = torch.arange(400.0).reshape(1, 20, 20)
    assert picture_logits(evidence).tolist() == [(399 + 398 + 397 + 396) / 4]


def test_naming_looks_at_defective_patches_of_known_types_only():
    torch.manual_seed(0)
    logits = torch.randn(3, 2, 2, 4)
    masks = torch.zeros(3, 2, 2)
    masks[:, 0, 1] = 1
    types = torch.tensor([2, -1, 0])
    expected = -(logits[0, 0, 1].log_softmax(0)[2] + logits[2, 0, 1].log_softmax(0)[0]) / 2
    assert torch.isclose(naming(logits, masks, types), expected)
    changed = logits.clone()
    changed[1] += 9 * torch.randn(2, 2, 4)
    changed[:, 1] -= 5 * torch.randn(3, 2, 4)
    assert torch.isclose(naming(changed, masks, types), expected)


def test_naming_where_no_type_is_known_is_zero_and_can_still_be_differentiated():
    logits = torch.randn(2, 2, 2, 3, requires_grad=True)
    loss = naming(logits, torch.ones(2, 2, 2), torch.tensor([-1, -1]))
    loss.backward()
    assert loss.item() == 0 and not logits.grad.any()


def test_discrimination_is_the_normal_distance_and_what_lacks_to_a_margin():
    masks = torch.tensor([[[0.0, 0.0, FULL, (FULL + FREE) / 2]], [[0.0, 0.0, 0.0, 0.0]]])
    distances = torch.tensor([[[0.1, 0.3, 0.25, 9.0]], [[0.5, 0.5, 0.5, 0.5]]], requires_grad=True)
    found = discrimination(distances, masks, margin=0.1)
    assert found.item() == pytest.approx(((0.2 + 0.1 + 0.2 - 0.25) + 0.5) / 2, rel=1e-5)
    found.backward()
    assert distances.grad[0, 0, 2] < 0 < distances.grad[0, 0, 0] and distances.grad[0, 0, 3] == 0
    far = torch.tensor([[[0.1, 0.3, 0.9, 9.0]]])
    assert discrimination(far, masks[:1]).item() == pytest.approx(0.2)
