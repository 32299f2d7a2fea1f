"""Two learned directions for each layer of a frozen tower, "normal" and "abnormal", and no text tower at all.

UniADet (Gao et al. 2026) finds that these do what prompts do: a pair for each layer tells patches apart, another
pair tells whole pictures apart, and the two tasks share nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize

from .visual import TEMPERATURE

_APART = 0.02  # how far fresh directions lie from the place that they start at
_PACE = 10.0  # a direction is a few numbers and starts anywhere: it has to turn faster than a network learns


class LayerDirections(nn.Module):
    """Directions to be trained: a pair [2, C_l] for each of the layers, and one [2, space] for the whole picture.

    Called without arguments it gives the pair of the whole picture. Pairs are of unit length, float32, row 0
    normal and row 1 abnormal. Both of a pair start next to each other, at a place that `seed` draws: pairs far
    apart would be sure of something before anything was learned.
    """

    def __init__(self, channels: Sequence[int], space: int, seed: int = 0) -> None:
        super().__init__()
        fresh = torch.Generator().manual_seed(seed)
        for number, size in enumerate((*channels, space)):
            self.register_buffer(f"start{number}", _draw_pair(size, fresh))
        self.turns = nn.ParameterList([torch.zeros(2, size) for size in (*channels, space)])

    def forward(self) -> Tensor:
        return self._turned(len(self.turns) - 1)

    @property
    def pairs(self) -> tuple[Tensor, ...]:
        """The pair [2, C_l] of each layer."""
        return tuple(self._turned(number) for number in range(len(self.turns) - 1))

    def _turned(self, number: int) -> Tensor:
        return normalize(self.get_buffer(f"start{number}") + _PACE * self.turns[number], dim=-1)


def _draw_pair(size: int, fresh: torch.Generator) -> Tensor:
    both, each = torch.randn(1, size, generator=fresh), torch.randn(2, size, generator=fresh)
    return normalize(normalize(both, dim=-1) + _APART * normalize(each, dim=-1), dim=-1)


def lean(layer: Tensor, pair: Tensor) -> Tensor:
    """Log-odds of "abnormal" of a layer's patches [B, h, w, C] by two directions [2, C] of unit length."""
    return normalize(layer.float(), dim=-1) @ ((pair[1] - pair[0]) / TEMPERATURE)


def direction_map(
    layers: Sequence[Tensor], pairs: Sequence[Tensor], grid: tuple[int, int] | None = None
) -> Tensor:
    """The probability of "abnormal" at each patch, the mean of what each layer's pair says: [B, h, w] in [0, 1].

    `layers`: L tensors [B, h_l, w_l, C_l], `pairs`: L tensors [2, C_l]; `grid` (h, w), by default the finest
    layer's. ValueError where layers and pairs are not equally many.
    """
    h, w = grid or max((tuple(layer.shape[1:3]) for layer in layers), key=lambda shape: shape[0] * shape[1])
    said = [torch.sigmoid(lean(layer, pair)) for layer, pair in zip(layers, pairs, strict=True)]
    fitted = [interpolate(one[:, None], (h, w), mode="bilinear", align_corners=False)[:, 0] for one in said]
    return torch.stack(fitted).mean(dim=0)
