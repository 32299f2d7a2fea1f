"""The picture as a whole: which features occur together in it and how often, wherever they lie.

Second moments of features describe a texture (Gatys et al. 2015, "Texture synthesis using convolutional neural
networks"). They change where the mixture of a weave changes, though every patch of it is an ordinary one. A small
defect hardly moves them, and places play no part. Knows patches only, no pictures or limits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import normalize

_STATE = {"signatures", "owners"}


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


@dataclass(frozen=True, eq=False)
class Wholes:
    """Signatures [N, D] float16 of good pictures, and whose they are; ValueError where they do not fit."""

    signatures: Tensor
    owners: tuple[int, ...]

    def __post_init__(self) -> None:
        found = self.signatures
        if found.ndim != 2 or found.dtype != torch.float16 or not bool(torch.isfinite(found).all()):
            raise ValueError("signatures are rows of finite float16 numbers")
        if len(found) != len(self.owners) or len({*self.owners}) != len(found) or len(found) < 2:
            raise ValueError("two signatures or more have an owner each")

    @classmethod
    def of(cls, signatures: Mapping[int, Tensor]) -> Wholes:
        """Signatures [D] by their owners, on the CPU."""
        return cls(torch.stack([*signatures.values()]).cpu(), tuple(signatures))

    @property
    def nbytes(self) -> int:
        """Bytes of the signatures."""
        return self.signatures.numel() * self.signatures.element_size()

    @cached_property
    def spread(self) -> float:
        """The mean distance of a good picture to the nearest other one, in [0, 1]."""
        each = [self.distance(own[None], owner) for own, owner in zip(self.signatures, self.owners, strict=True)]
        return float(torch.cat(each).mean())

    def distance(self, signatures: Tensor, without: int | None = None) -> Tensor:
        """Cosine distances [B] float32 in [0, 1] of signatures [B, D] to the nearest one, `without` an owner's."""
        kept = torch.tensor([owner != without for owner in self.owners])
        known = normalize(self.signatures[kept].to(signatures.device).float(), dim=-1)
        alike = normalize(signatures.float(), dim=-1) @ known.T
        return (1 - alike.amax(dim=1)).clamp(0, 1)

    def drop(self, owner: int) -> Wholes | None:
        """The same without an owner's row; None where that leaves fewer than two."""
        kept = [i for i, known in enumerate(self.owners) if known != owner]
        return Wholes(self.signatures[kept], tuple(self.owners[i] for i in kept)) if len(kept) > 1 else None

    def state_dict(self) -> dict[str, Tensor]:
        """Tensors that `from_state_dict` turns back into the same."""
        return {"signatures": self.signatures, "owners": torch.tensor(self.owners)}

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Tensor]) -> Wholes:
        """Signatures from their tensors; ValueError where some are missing, left over or do not fit."""
        if set(state) != _STATE or state["owners"].ndim != 1:
            raise ValueError(f"signatures are kept as {', '.join(sorted(_STATE))}")
        return cls(state["signatures"], tuple(int(owner) for owner in state["owners"]))
