"""Towers of random weights that are compared with other code of the same architecture."""

import math

import torch

CLOSE = 2e-5
"""Of a layer's largest value: in float32 two codes differ by how sums are ordered, which grows with depth."""


def agree(ours, theirs, close=CLOSE):
    """Fail where two tensors differ; how far apart they are, as a share of the largest value."""
    assert ours.shape == theirs.shape
    ours, theirs = ours.detach(), theirs.detach()
    apart = float((ours - theirs).abs().max()) / float(theirs.abs().max())
    assert apart < close
    return apart


def shake(module, seed=0):
    """Random weights for every tensor, so that none is left at 0 or 1, where a mistake would not show."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in module.named_parameters():
            drawn = torch.randn(tensor.shape, generator=generator)
            scale = 1 / math.sqrt(tensor[0].numel()) if tensor.ndim > 1 else 0.2
            gain = name.endswith("weight") and tensor.ndim == 1 or "gamma" in name
            tensor.copy_(scale * drawn + (1.0 if gain else 0.0))
    return module.eval()
