"""Sparsemax is the projection onto the simplex, and its gradient is that of the projection."""

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from assistant.adapters.sparsemax import sparsemax


def project(scores):
    """The closest point of the simplex, by finding the threshold at which the weights add up to one."""
    z = np.asarray(scores, dtype=np.float64)
    threshold = brentq(lambda t: np.maximum(z - t, 0).sum() - 1, z.max() - 1 - 1e-6, z.max(), xtol=1e-14)
    return np.maximum(z - threshold, 0)


@pytest.mark.parametrize("spread", [0.01, 0.5, 3.0, 100.0])
@pytest.mark.parametrize("count", [1, 2, 7, 200])
def test_it_is_the_projection_onto_the_simplex(spread, count):
    torch.manual_seed(count)
    scores = torch.randn(6, count, dtype=torch.float64) * spread
    found = sparsemax(scores)
    wanted = np.stack([project(row) for row in scores.numpy()])
    assert np.allclose(found.numpy(), wanted, atol=1e-9)


def test_known_cases():
    assert torch.equal(sparsemax(torch.tensor([0.0, 0.0])), torch.tensor([0.5, 0.5]))
    assert torch.allclose(sparsemax(torch.tensor([0.5, 0.0])), torch.tensor([0.75, 0.25]))
    assert torch.equal(sparsemax(torch.tensor([1.0, 0.0, -7.0])), torch.tensor([1.0, 0.0, 0.0]))
    assert torch.equal(sparsemax(torch.tensor([2.0, -torch.inf])), torch.tensor([1.0, 0.0]))


def test_the_last_dimension_counts_whatever_comes_before():
    torch.manual_seed(0)
    scores = torch.randn(2, 3, 4, 5)
    found = sparsemax(scores)
    assert torch.allclose(found.sum(-1), torch.ones(2, 3, 4), atol=1e-6) and bool((found >= 0).all())
    assert torch.equal(found[1, 2, 3], sparsemax(scores[1, 2, 3]))


def test_moving_all_scores_changes_nothing_even_far():
    torch.manual_seed(0)
    scores = torch.randint(-8, 8, (5, 300)).float() / 8
    assert torch.equal(sparsemax(scores), sparsemax(scores + 4096))


def test_many_scores_lose_no_digits():
    scores = torch.full((1, 60_000), -1e4)
    scores[0, 7], scores[0, 9] = 3.0, 2.5
    found = sparsemax(scores)
    assert torch.allclose(found[0, [7, 9]], torch.tensor([0.75, 0.25])) and int((found > 0).sum()) == 2


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_short_numbers_are_worked_on_in_long_ones(dtype):
    torch.manual_seed(0)
    scores = torch.randn(4, 50).to(dtype).requires_grad_()
    found = sparsemax(scores)
    assert found.dtype == dtype
    assert torch.equal(found, sparsemax(scores.float()).to(dtype))
    found[:, ::3].sum().backward()
    assert scores.grad.dtype == dtype and bool(scores.grad.isfinite().all())


def test_the_gradient_is_that_of_the_projection():
    torch.manual_seed(1)
    for spread in (0.3, 2.0):
        scores = (torch.randn(3, 2, 9, dtype=torch.float64) * spread).requires_grad_()
        assert torch.autograd.gradcheck(sparsemax, (scores,), eps=1e-7)


def test_nothing_flows_to_what_got_no_weight_nor_to_all_alike():
    scores = torch.tensor([1.0, 0.8, -3.0], requires_grad=True)
    (sparsemax(scores) * torch.tensor([2.0, 5.0, 100.0])).sum().backward()
    assert scores.grad[2] == 0 and torch.allclose(scores.grad.sum(), torch.tensor(0.0), atol=1e-6)
    assert scores.grad[1] > 0 > scores.grad[0]


def test_no_scores_are_refused():
    for empty in (torch.empty(3, 0), torch.tensor(1.0)):
        with pytest.raises(ValueError, match="nothing to choose from"):
            sparsemax(empty)
