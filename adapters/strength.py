"""How strongly a tower responds to patches: what cosines forget.

On a ground where nothing stands out, a patch to which the tower responds more strongly than to nearly all
patches of good pictures is suspicious, even if its direction is an ordinary one.
Only for towers with several grids: where there is one for all layers, as in a ViT, a few patches without content
take on large norms (Darcet et al. 2024, "Vision transformers need registers").
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from .reference_rows import ReferenceRows


def strength(layers: Sequence[Tensor]) -> Tensor:
    """Logarithms of the patches' norms [B, L, h, w] float32 on the finest grid.

    `layers`: L tensors [B, h_l, w_l, C_l].
    """
    grid = max((tuple(layer.shape[1:3]) for layer in layers), key=lambda shape: shape[0] * shape[1])
    # Contiguous, since sums over another layout round otherwise, and what is kept is compared to the bit.
    planes = [layer.float().contiguous().norm(dim=-1)[:, None] for layer in layers]
    fitted = [interpolate(plane, grid, mode="bilinear", align_corners=False) for plane in planes]
    return torch.cat(fitted, dim=1).clamp_min(1e-9).log()


def usual_strength(
    strengths: Tensor, shown: Tensor | None = None, rim: int = 3, quantile: float = 0.99
) -> Tensor | None:
    """The strength [L] that a picture's patches usually stay under; None where no patch is left to tell.

    `strengths` [L, h, w] as `strength` gives it. `shown` [h, w]: above 0 where it is looked at. `rim`:
    so many patches from the edge inwards say nothing, since a tower that pads with zeros responds otherwise there.
    """
    inner = _inner(strengths.shape[-2:], rim, strengths.device)
    if shown is not None:
        inner &= shown > 0
    return torch.quantile(strengths[:, inner], quantile, dim=1) if bool(inner.any()) else None


class Strengths(ReferenceRows):
    """Usual strengths [N, L] float32 of good pictures, by their owners."""

    kind = "limits"
    dtype = torch.float32

    def excess(
        self, strengths: Tensor, shares: Sequence[float] = (), without: int | None = None, rim: int = 3
    ) -> Tensor:
        """How far patches are above what is usual in every good picture, `without` one: [B, h, w] from 0 upwards.

        `strengths` [B, L, h, w] as `strength` gives it; `shares`: how much each layer says, alike by default. The
        mean over layers of the logarithms of how many times stronger they are; 0 on the rim.
        """
        limit = self.others(without).amax(dim=0).to(strengths.device)
        weights = torch.tensor(shares or [1 / len(limit)] * len(limit), device=strengths.device)
        above = ((strengths - limit[:, None, None]) * weights[:, None, None]).sum(dim=1).clamp_min(0)
        return above * _inner(strengths.shape[-2:], rim, strengths.device)


def _inner(shape: Sequence[int], rim: int, device: torch.device) -> Tensor:
    inside = torch.zeros(shape[0], shape[1], dtype=torch.bool, device=device)
    inside[rim : max(rim, shape[0] - rim), rim : max(rim, shape[1] - rim)] = True
    return inside
