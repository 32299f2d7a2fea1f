"""Where the product stands, on pictures that show it on a plain ground: the ground is not to be judged.

The border of the references is taken for the ground, and the patches that look like it are told from the rest
by Otsu's rule (IEEE SMC 1979). Most pictures have no such ground, and a tower sees the border of any picture in
its own way, so a ground is taken only where all signs agree. Knows patches only, no pictures or limits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate, max_pool2d, normalize

BORDER = 0.95
"""The share of the outermost ring of cells that is ground, in every reference."""

SHARES = (0.1, 0.8)
"""The share of the picture that is ground, in every reference."""

SEPARATION = 0.8
"""Otsu's measure, the variance between both groups as a share of all; a single group split in two has 0.64 if
normal and 0.75 if flat."""

EVENNESS = 0.7
"""The spread of the ground, at most this share of the product's.

Where a surface fills the picture, its border looks different to a tower that pads with zeros, and would pass
for a ground; but there the border spreads as much as the inside, or more."""

MARGIN = 2
"""Cells around the product that are looked at as well, so that a nick in its rim is seen."""

_STATE = {"direction", "threshold", "place", "share"}


@dataclass(frozen=True, eq=False)
class Foreground:
    """Tells the product from the ground it stands on, patch by patch.

    A patch is ground where its cosine with `direction` [C], the mean patch of the references' border, is above
    `threshold`. `place` [h, w] bool is where the product stands in every reference, and `share` in (0, 1] the
    least part of a reference that it takes.
    """

    direction: Tensor
    threshold: float
    place: Tensor
    share: float

    def __post_init__(self) -> None:
        if self.direction.ndim != 1 or not bool(torch.isfinite(self.direction).all()):
            raise ValueError("a direction is one vector of finite numbers")
        if self.place.ndim != 2 or self.place.dtype != torch.bool or not self.place.numel():
            raise ValueError("a place is a grid of true and false")
        if not (math.isfinite(self.threshold) and 0 < self.share <= 1):
            raise ValueError("a threshold is finite, and a share lies in (0, 1]")

    @classmethod
    def find(cls, references: Sequence[Tensor]) -> Foreground | None:
        """The foreground of a product by its references, patches [h, w, C] of unit length; mostly None.

        None unless the ground holds at least `BORDER` of the border and a share within `SHARES` in every
        reference, both groups stand apart by `SEPARATION`, and the ground is plain: see `EVENNESS`.
        ValueError for no reference.
        """
        if not references:
            raise ValueError("a foreground is found on at least one reference")
        direction = normalize(torch.cat([_border(r.float()) for r in references]).mean(dim=0), dim=0)
        alike = [r.float() @ direction for r in references]
        threshold, separation = _split(torch.cat([a.flatten() for a in alike]))
        grounds = [a > threshold for a in alike]
        framed = all(float(_border(g[..., None]).float().mean()) >= BORDER for g in grounds)
        sized = all(SHARES[0] <= float(g.float().mean()) <= SHARES[1] for g in grounds)
        if separation < SEPARATION or not framed or not sized:
            return None
        parts = [~g for g in grounds]
        if _spread(references, grounds) > EVENNESS * _spread(references, parts):
            return None
        filled = [_fill(part[None])[0] for part in parts]
        place = torch.stack([_regrid(f, *filled[0].shape) for f in filled]).all(dim=0)
        share = min(float(f.float().mean()) for f in filled)
        return cls(direction.cpu(), threshold, place.cpu(), share)

    def mask(self, tokens: Tensor) -> Tensor:
        """Where to look: patches [B, h, w, C] of unit length -> [B, h, w] float32 in {0, 1}.

        Looked at are the patches unlike the ground, be they product or dirt, what lies between two of them in
        a row or a column, the place where the product always stands, and `MARGIN` cells around: a hole in the
        product looks like ground and is part of it all the same. All of a picture is looked at where less than
        half as much product is found as on any reference.
        """
        h, w = tokens.shape[1:3]
        unlike = tokens.float() @ self.direction.to(tokens.device) <= self.threshold
        filled = _fill(unlike)
        missing = filled.float().mean(dim=(1, 2)) < 0.5 * self.share
        inside = filled | _regrid(self.place.to(tokens.device), h, w)
        grown = max_pool2d(inside[:, None].float(), 2 * MARGIN + 1, 1, MARGIN)[:, 0]
        return torch.where(missing[:, None, None], torch.ones_like(grown), grown)

    def state_dict(self) -> dict[str, Tensor]:
        """Tensors that `from_state_dict` turns back into the same foreground."""
        return {
            "direction": self.direction,
            "threshold": torch.tensor([self.threshold], dtype=torch.float64),
            "place": self.place,
            "share": torch.tensor([self.share], dtype=torch.float64),
        }

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Tensor]) -> Foreground:
        """A foreground from its tensors; ValueError where some are missing, left over or do not fit."""
        if set(state) != _STATE:
            raise ValueError(f"a foreground is made of {', '.join(sorted(_STATE))}")
        threshold, share = float(state["threshold"]), float(state["share"])
        return cls(state["direction"].float(), threshold, state["place"], share)


def _border(grid: Tensor) -> Tensor:
    """The outermost ring of cells of a grid [h, w, C]: [n, C]."""
    ring = torch.ones(grid.shape[:2], dtype=torch.bool, device=grid.device)
    ring[1:-1, 1:-1] = False
    return grid[ring]


def _split(values: Tensor) -> tuple[float, float]:
    """Otsu's threshold of values [n], and the variance between the groups as a share of all, in [0, 1].

    The share is 0 where the values are all alike.
    """
    ranked = values.double().sort().values
    n = len(ranked)
    total = float(ranked.var(correction=0)) if n > 1 else 0.0
    if total < 1e-9:
        return float(ranked[0]), 0.0
    low = torch.arange(1, n, dtype=torch.float64, device=ranked.device)
    sums = ranked.cumsum(0)
    gap = sums[:-1] / low - (sums[-1] - sums[:-1]) / (n - low)
    between = low * (n - low) / n**2 * gap**2
    cut = int(between.argmax())
    return float(ranked[cut] + ranked[cut + 1]) / 2, float(between[cut]) / total


def _spread(grids: Sequence[Tensor], chosen: Sequence[Tensor]) -> float:
    """The variance of the chosen unit vectors around their mean, in [0, 1]."""
    sums = torch.stack([grid.float()[which].sum(dim=0) for grid, which in zip(grids, chosen, strict=True)])
    count = sum(int(which.sum()) for which in chosen)
    return 1 - float((sums.sum(dim=0) / count).square().sum())


def _fill(cells: Tensor) -> Tensor:
    """Cells [B, h, w] bool, and those between two of them in one row or in one column."""
    between = cells.clone()
    for axis in (1, 2):
        before = cells.cumsum(axis) > 0
        after = cells.flip(axis).cumsum(axis).flip(axis) > 0
        between |= before & after
    return between


def _regrid(cells: Tensor, h: int, w: int) -> Tensor:
    """Cells [h', w'] bool on another grid [h, w]."""
    return interpolate(cells[None, None].float(), (h, w), mode="nearest")[0, 0] > 0
