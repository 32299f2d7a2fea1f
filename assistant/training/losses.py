"""What training asks for: patches told apart, outlines met, pictures judged, types named.

Each loss takes log-odds, so that nothing overflows.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from assistant.adapters.patches import top_mean

GAMMA = 2.0
FULL = 0.15
"""A patch of which this share or more is defective counts as defective ..."""
FREE = 0.02
"""... one of which less than this is, as free; those between teach nothing."""


def focal(logits: Tensor, truth: Tensor, counts: Tensor) -> Tensor:
    """Focal loss (Lin et al. 2017, gamma 2) over the patches that count, all [B, h, w]; `truth` in {0, 1}."""
    chance = torch.sigmoid(logits)
    right = torch.where(truth > 0, chance, 1 - chance)
    each = (1 - right) ** GAMMA * binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return (each * counts).sum() / counts.sum().clamp_min(1)


def dice(logits: Tensor, truth: Tensor, counts: Tensor) -> Tensor:
    """One minus the overlap of map and outline (Milletari et al. 2016), averaged over pictures with a defect."""
    chance = torch.sigmoid(logits) * counts
    both = (chance * truth).sum((1, 2))
    overlap = (2 * both + 1) / (chance.sum((1, 2)) + (truth * counts).sum((1, 2)) + 1)
    defective = truth.amax((1, 2)) > 0
    return (1 - overlap[defective]).mean() if bool(defective.any()) else logits.sum() * 0


def outline(logits: Tensor, masks: Tensor) -> Tensor:
    """Focal plus dice of evidence [B, h, w] against the share of each patch that is defective, in [0, 1]."""
    truth, counts = (masks >= FULL).float(), ((masks >= FULL) | (masks < FREE)).float()
    return 4 * focal(logits, truth, counts) + dice(logits, truth, counts)


def discrimination(distances: Tensor, masks: Tensor, margin: float = 0.1) -> Tensor:
    """How far normal patches are from what is looked up for them, and whether anomalous ones are not farther.

    `distances` [B, h, w] in [0, 2], `masks` as in `outline`. The mean distance of a picture's normal patches, plus
    what it lacks to lie `margin` below that of its anomalous ones (query discrimination, Qu et al. 2025).
    """
    free, full = (masks < FREE).float(), (masks >= FULL).float()
    normal = (distances * free).sum((1, 2)) / free.sum((1, 2)).clamp_min(1)
    strange = (distances * full).sum((1, 2)) / full.sum((1, 2)).clamp_min(1)
    lacking = (margin + normal - strange).clamp_min(0) * (full.sum((1, 2)) > 0)
    return (normal + lacking).mean()


def verdict(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of pictures' log-odds [B] against their labels [B] in {0, 1}."""
    return binary_cross_entropy_with_logits(logits, labels.float())


def picture_logits(evidence: Tensor, share: float = 0.01) -> Tensor:
    """The log-odds of a picture by its map [B, h, w]: the mean of the strangest `share` of its patches."""
    return top_mean(evidence, share)


def naming(type_logits: Tensor, masks: Tensor, types: Tensor) -> Tensor:
    """Cross-entropy over defect types [B, h, w, T] at the defective patches; a type of -1 is not known."""
    at = (masks >= FULL) & (types >= 0)[:, None, None]
    if not bool(at.any()):
        return type_logits.sum() * 0
    wanted = types[:, None, None].expand(masks.shape)[at]
    return cross_entropy(type_logits[at], wanted)
