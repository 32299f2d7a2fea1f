"""How strongly a tower responds to patches: what cosines forget.

On a ground where nothing stands out, a patch to which the tower responds more strongly than to nearly all
patches of good pictures is suspicious, even if its direction is an ordinary one.
Knows patches only, no pictures or limits.
Only for towers with several grids: where there is one for all layers, as in a ViT, a few patches without content
take on large norms (Darcet et al. 2024, "Vision transformers need registers").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

USUAL = 0.99
"""The strength that a good picture's patches usually stay under is this quantile of them."""

RIM = 3
"""So many patches from the edge inwards say nothing: a tower that pads with zeros responds otherwise there."""

_STATE = {"limits", "owners"}


def strength(layers: Sequence[Tensor]) -> Tensor:
    """Logarithms of the patches' norms [B, L, h, w] float32 on the finest grid.

    `layers`: L tensors [B, h_l, w_l, C_l].
    """
    grid = max((tuple(layer.shape[1:3]) for layer in layers), key=lambda shape: shape[0] * shape[1])
    # Contiguous, since sums over another layout round otherwise, and what is kept is compared to the bit.
    planes = [layer.float().contiguous().norm(dim=-1)[:, None] for layer in layers]
    fitted = [interpolate(plane, grid, mode="bilinear", align_corners=False) for plane in planes]
    return torch.cat(fitted, dim=1).clamp_min(1e-9).log()


def usual_strength(found: Tensor, shown: Tensor | None = None, rim: int = RIM) -> Tensor | None:
    """The strength [L] that a picture's patches usually stay under; None where no patch is left to tell.

    `found` [L, h, w] as `strength` gives it. `shown` [h, w]: the patches that are looked at are above 0.
    """
    inner = _inner(found.shape[-2:], rim, found.device)
    if shown is not None:
        inner &= shown > 0
    return torch.quantile(found[:, inner], USUAL, dim=1) if bool(inner.any()) else None


@dataclass(frozen=True, eq=False)
class Strengths:
    """Usual strengths [N, L] float32 of good pictures, and whose they are; ValueError where they do not fit."""

    limits: Tensor
    owners: tuple[int, ...]

    def __post_init__(self) -> None:
        found = self.limits
        if found.ndim != 2 or found.dtype != torch.float32 or not bool(torch.isfinite(found).all()):
            raise ValueError("strengths are rows of finite float32 numbers")
        if len(found) != len(self.owners) or len({*self.owners}) != len(found) or len(found) < 2:
            raise ValueError("two strengths or more have an owner each")

    @classmethod
    def of(cls, limits: Mapping[int, Tensor]) -> Strengths:
        """Usual strengths [L] by their owners, on the CPU."""
        return cls(torch.stack([*limits.values()]).cpu(), tuple(limits))

    def excess(
        self, found: Tensor, shares: Sequence[float] = (), without: int | None = None, rim: int = RIM
    ) -> Tensor:
        """How far patches are above what is usual in every good picture, `without` one: [B, h, w] from 0 upwards.

        `found` [B, L, h, w] as `strength` gives it; `shares`: how much each layer says, alike by default. The
        mean over layers of the logarithms of how many times stronger they are; 0 on the rim.
        """
        kept = torch.tensor([owner != without for owner in self.owners])
        limit = self.limits[kept].amax(dim=0).to(found.device)
        weights = torch.tensor(shares or [1 / len(limit)] * len(limit), device=found.device)
        above = ((found - limit[:, None, None]) * weights[:, None, None]).sum(dim=1).clamp_min(0)
        return above * _inner(found.shape[-2:], rim, found.device)

    def drop(self, owner: int) -> Strengths | None:
        """The same without an owner's row; None where that leaves fewer than two."""
        kept = [i for i, known in enumerate(self.owners) if known != owner]
        return Strengths(self.limits[kept], tuple(self.owners[i] for i in kept)) if len(kept) > 1 else None

    def state_dict(self) -> dict[str, Tensor]:
        """Tensors that `from_state_dict` turns back into the same."""
        return {"limits": self.limits, "owners": torch.tensor(self.owners)}

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Tensor]) -> Strengths:
        """Strengths from their tensors; ValueError where some are missing, left over or do not fit."""
        if set(state) != _STATE or state["owners"].ndim != 1:
            raise ValueError(f"strengths are kept as {', '.join(sorted(_STATE))}")
        return cls(state["limits"], tuple(int(owner) for owner in state["owners"]))


def _inner(shape: Sequence[int], rim: int, device: torch.device) -> Tensor:
    inside = torch.zeros(shape[0], shape[1], dtype=torch.bool, device=device)
    inside[rim : max(rim, shape[0] - rim), rim : max(rim, shape[1] - rim)] = True
    return inside
