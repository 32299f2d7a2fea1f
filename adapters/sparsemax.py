"""Sparsemax: like softmax, but most weights are exactly zero (Martins & Astudillo 2016).

It is the Euclidean projection of the scores onto the probability simplex. What is far below the best scores gets
no weight at all, so that a lookup is made of the few entries that fit and not of a mean of everything.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd import Function


def sparsemax(scores: Tensor) -> Tensor:
    """Weights [..., n] that add up to 1 along the last dimension, most of them exactly 0.

    Any floating type, which is also that of the result; the work is done in float32 at least. A score of minus
    infinity gets no weight. ValueError for no scores.
    """
    if scores.ndim == 0 or scores.shape[-1] == 0:
        raise ValueError("there is nothing to choose from")
    weights: Tensor = _Sparsemax.apply(scores)
    return weights


class _Sparsemax(Function):
    @staticmethod
    def forward(scores: Tensor) -> Tensor:
        exact = scores.to(torch.promote_types(scores.dtype, torch.float32))
        # Nothing changes when all scores move alike; below zero, with the best at zero, no sum loses digits.
        exact = exact - exact.amax(dim=-1, keepdim=True)
        falling = exact.sort(dim=-1, descending=True).values.clamp_min(-2)  # one below the best has no weight
        rank = torch.arange(1, exact.shape[-1] + 1, device=exact.device, dtype=exact.dtype)
        excess = falling.cumsum(dim=-1) - 1
        size = (rank * falling > excess).sum(dim=-1, keepdim=True)
        threshold = excess.gather(-1, size - 1) / size
        return (exact - threshold).clamp_min(0).to(scores.dtype)

    @staticmethod
    def setup_context(ctx: torch.autograd.function.FunctionCtx, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> Tensor:
        """The Jacobian is diag(s) - s s^T / |S|, with s the indicator of the support S: centred on the support."""
        (weights,) = ctx.saved_tensors  # type: ignore[attr-defined]
        support = (weights > 0).to(torch.promote_types(gradient.dtype, torch.float32))
        exact = gradient.to(support.dtype)
        mean = (exact * support).sum(dim=-1, keepdim=True) / support.sum(dim=-1, keepdim=True)
        return (support * (exact - mean)).to(gradient.dtype)
