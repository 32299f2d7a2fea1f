"""Judging a run: figures as scikit-learn's, and types that are named no more surely than held-out kinds allow."""

import dataclasses
import math
from types import SimpleNamespace

import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from assistant.models.trained_adapter import TypeScale
from assistant.training.detector_evaluation import Judgement, auroc, fit_types, patch_ap
from assistant.training.picture_features import Views


def test_auroc_is_scikit_learns_with_ties_and_a_half_for_one_class():
    torch.manual_seed(0)
    labels, scores = torch.randint(2, (60,)), torch.randint(7, (60,)).float()
    assert auroc(labels, scores) == pytest.approx(100 * roc_auc_score(labels, scores))
    assert auroc(torch.ones(3), torch.rand(3)) == 50


def test_patch_ap_is_scikit_learns_over_the_patches_that_are_clear():
    torch.manual_seed(0)
    masks, maps = (torch.rand(4, 6, 6) > 0.8).float(), torch.rand(4, 6, 6)
    expected = 100 * average_precision_score(masks.flatten(), maps.flatten())
    assert patch_ap(masks, maps) == pytest.approx(expected)
    partly = masks.clone()
    partly[0] = 0.08  # neither free nor defective
    assert patch_ap(partly, maps) == pytest.approx(patch_ap(masks[1:], maps[1:]))
    assert math.isnan(patch_ap(torch.zeros(1, 2, 2), torch.rand(1, 2, 2)))


def test_without_an_outline_the_sentence_says_so():
    nan = float("nan")
    assert "nan" not in Judgement(90, 80, 70, nan, nan, nan).sentence()
    said = Judgement(90, 80, 70, 1, 2, 3, 65.4, 4).sentence()
    assert ", words 70.0, zero-shot 65.4; " in said and said.endswith("focused 3.0, zero-shot 4.0")
    assert "zero-shot" not in Judgement(90, 80, 70, 1, 2, 3).sentence()
    assert "patch AP rarity 1.0, map 2.0, focused 3.0" in Judgement(90, 80, 70, 1, 2, 3).sentence()


class Namer(torch.nn.Module):
    """Stands in for trained branches: a patch's own numbers are its type logits."""

    def __init__(self):
        super().__init__()
        self.nothing = torch.nn.Parameter(torch.zeros(1))
        self.shares = (1.0,)
        self.visual = SimpleNamespace(read=lambda tokens: tokens, type_logits=lambda words: 10 * words)


def views(tokens, types):
    count = len(tokens)
    layer = tokens[:, None, None, :].expand(count, 2, 2, -1)
    ones = torch.ones(count, dtype=torch.long)
    return Views((layer,), torch.zeros(count, 4), torch.ones(count, 2, 2), ones, ones, types, ones)


def test_types_are_named_where_at_least_half_of_such_answers_are_right():
    truth = torch.arange(40) % 4
    guess = torch.where(torch.arange(40) < 24, truth, (truth + 1) % 4)
    sure = torch.where(torch.arange(40) < 24, 0.95, 0.55)[:, None]  # the wrong ones are less sure
    tokens = sure * torch.eye(4)[guess] + (1 - sure) * torch.ones(40, 4) / 2
    scale = fit_types(Namer(), views(tokens, truth))
    assert (scale.accuracy, scale.count) == (pytest.approx(0.6), 40)
    logits = 10 * torch.nn.functional.normalize(tokens, dim=-1) / scale.temperature
    best = logits.softmax(-1).max(-1).values
    named = best >= scale.known_from - 1e-6
    right = guess == truth
    assert bool(named[:24].all()) and float(right[named].float().mean()) >= 0.5


def test_types_that_are_always_wrong_are_never_named():
    truth = torch.arange(20) % 4
    scale = fit_types(Namer(), views(torch.eye(4)[(truth + 1) % 4], truth))
    assert scale.accuracy == 0 and scale.known_from == 1.0 and scale.temperature == 8.0


def test_where_no_type_is_known_none_is_ever_named():
    assert fit_types(Namer(), views(torch.eye(4), torch.full((4,), -1))) == TypeScale()


def test_only_real_defects_count_where_there_are_some_and_make_types_trusted():
    truth = torch.arange(40) % 4
    real = torch.arange(40) < 12
    guess = torch.where(real, truth, (truth + 1) % 4)  # the simulated ones are all named wrongly
    seen = views(torch.eye(4)[guess], truth)
    scale = fit_types(Namer(), seen, real)
    assert (scale.accuracy, scale.count, scale.trusted) == (1.0, 12, True)
    assert scale == dataclasses.replace(
        fit_types(Namer(), views(torch.eye(4)[guess[:12]], truth[:12])), trusted=True
    )


def test_simulated_defects_alone_make_no_trusted_types():
    truth = torch.arange(40) % 4
    seen = views(torch.eye(4)[truth], truth)
    alone = fit_types(Namer(), seen)
    assert (alone.count, alone.trusted) == (40, False)
    assert fit_types(Namer(), seen, torch.zeros(40, dtype=torch.bool)) == alone


def test_real_pictures_of_no_known_type_make_no_trusted_types():
    seen = views(torch.eye(4), torch.tensor([-1, -1, 2, 3]))
    assert not fit_types(Namer(), seen, torch.tensor([True, True, False, False])).trusted
