"""The picture as a whole: which features occur together in it and how often, wherever they lie.

Second moments of features describe a texture (Gatys et al. 2015, "Texture synthesis using convolutional neural
networks"). They change where the mixture of a weave changes, though every patch of it is an ordinary one. A small
defect hardly moves them, and places play no part.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import normalize

from .reference_rows import ReferenceRows


def signature(layers: Sequence[Tensor], shown: Sequence[Tensor] | None = None) -> Tensor:
    """The second moments of pictures: a vector of unit length each, [B, D] float16.

    `layers`: L tensors [B, h_l, w_l, C_l]; D is the sum of C_l (C_l + 1) / 2. `shown`: for each layer, how much
    every place counts, [B, h_l, w_l] or [1, h_l, w_l] in [0, 1]. The product of two signatures is the mean over
    layers of the cosines of U^T U, with U [n, C] a picture's unit patches; only half of that symmetric matrix is
    kept, what lies beside the diagonal times sqrt 2. ValueError for no layer.
    """
    if not layers:
        raise ValueError("at least one layer is needed")
    parts = []
    for i, layer in enumerate(layers):
        # Contiguous, since sums over another layout round otherwise, and kept signatures are compared to the bit.
        patches = normalize(layer.float().contiguous(), dim=-1).flatten(1, 2)
        weighted = patches if shown is None else patches * shown[i].flatten(1)[..., None]
        moments = weighted.transpose(1, 2) @ patches
        row, column = torch.triu_indices(*moments.shape[1:], device=moments.device)
        twice = torch.where(row == column, 1.0, 2**0.5)
        parts.append(normalize(moments[:, row, column] * twice, dim=-1))
    return (torch.cat(parts, dim=-1) / len(parts) ** 0.5).half()


class Wholes(ReferenceRows):
    """Signatures [N, D] float16 of good pictures as wholes, by their owners."""

    kind = "signatures"
    dtype = torch.float16

    @cached_property
    def spread(self) -> float:
        """The mean distance of a good picture to the nearest other one, in [0, 1]."""
        each = [self.distance(own[None], owner) for own, owner in zip(self.rows, self.owners, strict=True)]
        return float(torch.cat(each).mean())

    def distance(self, signatures: Tensor, without: int | None = None) -> Tensor:
        """Cosine distances [B] float32 in [0, 1] of signatures [B, D] to the nearest one, `without` an owner's."""
        known = normalize(self.others(without).to(signatures.device).float(), dim=-1)
        alike = normalize(signatures.float(), dim=-1) @ known.T
        return (1 - alike.amax(dim=1)).clamp(0, 1)
