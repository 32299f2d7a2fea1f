"""Mutual mode: unlabelled pictures of one product score each other (MuSc, Li et al., CVPR 2024).

A patch of a good part has a close match in most other pictures; a defect has few. No picture is known to be
good.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .patches import neighbourhood
from .similarity import cosines

_BLOCK = 16  # pictures compared at once


def mutual_maps(
    tokens: Sequence[Tensor],
    *,
    sizes: Sequence[int] = (1, 3, 5),
    interval: float = 0.3,
    others: int = 128,
    groups: Sequence[int] | None = None,
    tell: Callable[[float], None] | None = None,
) -> list[Tensor]:
    """Mutual anomaly maps of N >= 2 pictures.

    `tokens`: N tensors [h_i, w_i, C] of unit length, of any grids. For each neighbourhood size, each patch
    takes its distance to the nearest patch of every other picture, and the mean of the smallest `interval` of
    these is its anomaly; sizes are averaged. Returns N maps [h_i, w_i] float32 in [0, 2]. With more than
    `others` other pictures, a seeded choice of them, spread over all pictures, stands for all. `groups`: a number
    for each picture, the same for near copies, which do not vouch for each other. `tell` hears the fraction done.
    Memory: the tokens in bf16, and one block of `_BLOCK` pictures' similarities. ValueError where there are not
    two pictures, or groups of them.
    """
    groups = range(len(tokens)) if groups is None else groups
    if len({*groups}) < 2:
        raise ValueError("pictures are scored against each other: at least two are needed")
    maps = [torch.zeros(t.shape[:2], device=t.device) for t in tokens]
    for step, size in enumerate(sizes):
        pooled = [neighbourhood(t[None].float(), size)[0].flatten(0, 1).to(torch.bfloat16) for t in tokens]
        for i, patches in enumerate(pooled):
            chosen = _choose(groups, i, others)
            nearest = _nearest(patches, [pooled[j] for j in chosen])
            kept = max(1, round(interval * len(chosen)))
            low = nearest.topk(kept, dim=0, largest=False).values.mean(dim=0)
            maps[i] += low.view(maps[i].shape) / len(sizes)
            if tell:
                tell((step * len(tokens) + i + 1) / (len(sizes) * len(tokens)))
    return maps


def rescore(scores: Tensor, vectors: Tensor, neighbours: int = 4) -> Tensor:
    """Scores [N] smoothed over the graph of the most alike pictures, given by unit vectors [N, D].

    Each score becomes the similarity-weighted mean of its own and its `neighbours` nearest pictures' scores:
    pictures that look alike should score alike (MuSc's re-scoring with constrained neighbourhoods).
    """
    count = min(neighbours + 1, len(scores))
    alike, which = (vectors @ vectors.T).topk(count, dim=1)
    weights = (alike.clamp_min(0) ** 2).double()
    mixed = (weights * scores.double()[which]).sum(dim=1) / weights.sum(dim=1).clamp_min(1e-12)
    return mixed.to(scores.dtype)


def _nearest(patches: Tensor, pictures: Sequence[Tensor]) -> Tensor:
    """Distance of each of P patches to its nearest patch in each of M pictures: [M, P] float32."""
    rows = []
    for start in range(0, len(pictures), _BLOCK):
        block = pictures[start : start + _BLOCK]
        alike = cosines(torch.cat(list(block)), patches)
        rows += [part.amax(dim=0) for part in alike.split([len(p) for p in block])]
    return (1 - torch.stack(rows).float()).clamp_min(0)


def _choose(groups: Sequence[int], own: int, most: int) -> list[int]:
    rest = [j for j, group in enumerate(groups) if group != groups[own]]
    if len(rest) <= most:
        return rest
    generator = torch.Generator().manual_seed(0)
    # One order for all of them, so that all pictures are judged by the same others.
    order = torch.randperm(len(groups), generator=generator).tolist()
    return [j for j in order if groups[j] != groups[own]][:most]
