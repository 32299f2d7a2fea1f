"""Where something that good parts have is missing: the look-up of a memory, the other way round.

A patch that is strange is far from all that is on good parts. Where something is missing, the picture shows what
good parts have elsewhere, such as plain ground; what they have there is nowhere around in the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from .dictionary import Dictionary
from .rarity import rarity
from .similarity import is_written_out

MOST = 8
"""References that are asked what a place has: more say the same and take longer."""

FEW = 1 / 3
"""So many of the references may have something at a place that pictures need not have."""

CLEARLY = 1.5
"""So many times as far as what is there from good parts has to be what good parts have there from the picture."""

LEAST = 0.1
"""By so much of a cosine distance what is missing has to be farther than references show among themselves. No good
picture of six sets came to more than 0.08, and missing parts to 0.3 and more (docs/why.md)."""

BEYOND = 1.25
"""So many times what a reference itself would be missing beside the others; see `Absence.limit`."""

CELLS = 3
"""So many patches together tell."""


@dataclass(frozen=True, eq=False)
class Absence:
    """What references that lie alike have at each place, and how well they find it in each other.

    `grids` [R, h, w, C] are their patches, `usual` [h, w] is how far these are at most from another reference
    around the place, `salient` [h, w] how rare they are within their own picture, and `limit` is how much
    something has to be missing.
    """

    grids: Tensor
    usual: Tensor
    salient: Tensor
    limit: float
    reach: int

    @classmethod
    def of(cls, memory: Dictionary, reach: int) -> Absence | None:
        """From a memory of at least two references with all their patches; None where there are no two."""
        grids: list[Tensor] = []
        ids = memory.ids()
        for owner in ids[:: -(-len(ids) // MOST)]:
            try:
                grid = memory.grid(owner)
            except ValueError:  # thinned, or several views
                continue
            if not grids or grid.shape == grids[0].shape:
                grids.append(grid)
        if len(grids) < 2:
            return None
        each = torch.stack(grids)
        salient = _most(torch.cat([rarity(grid[None].float()) for grid in each]))
        others = [torch.cat([each[:i], each[i + 1 :]]) for i in range(len(each))]
        far = torch.stack([_far(other, grid, reach) for other, grid in zip(others, each, strict=True)])
        limit = LEAST
        for i, grid in enumerate(each):
            usual = _around(torch.cat([far[:i], far[i + 1 :]]).amax(dim=0), reach)
            rest = Dictionary.build({0: others[i].flatten(0, 2)}, len(others[i].flatten(0, 2)), each.device)
            limit = max(limit, BEYOND * float(_strength(_missing(far[i], usual, salient, grid, rest, LEAST))))
        return cls(each, _around(far.amax(dim=0), reach), salient, limit, reach)

    def find(self, tokens: Tensor, memory: Dictionary) -> Tensor | None:
        """By how much what references have is missing at each place of a picture's patches [h, w, C]: [h, w].

        None where nothing is missing, or the picture has another shape than the references.
        """
        if tokens.shape[:2] != self.usual.shape:
            return None
        found, enough = self.look(tokens, memory)
        return found if bool(enough) else None

    def look(self, tokens: Tensor, memory: Dictionary) -> tuple[Tensor, Tensor]:
        """By how much something seems to be missing [h, w], and whether that is enough; for this shape alone."""
        own = tokens.to(self.grids.device)
        far = _far(self.grids, own, self.reach)
        found = _missing(far, self.usual, self.salient, own, memory, self.limit)
        return found, _strength(found) >= self.limit


def _far(grids: Tensor, tokens: Tensor, reach: int) -> Tensor:
    """How far what most references [R, h, w, C] have at a place is from all around it in a picture [h, w, C]."""
    found = Dictionary.build({0: tokens}, tokens.shape[0] * tokens.shape[1], tokens.device)
    return _most(found.lookup_nearby(grids, reach=reach))


def _most(values: Tensor) -> Tensor:
    """What most references' values [R, h, w] reach."""
    return values.sort(dim=0).values[int(FEW * (len(values) - 1))]


def _missing(
    far: Tensor, usual: Tensor, salient: Tensor, tokens: Tensor, memory: Dictionary, least: float
) -> Tensor:
    """By how much `far` [h, w] is beyond what is usual, and beyond how strange the picture is there.

    Never more than what should be there stands out from its own picture: plain ground is not missed.
    """
    beyond = torch.minimum((far - usual).clamp_min(0), salient)
    asked = _around((beyond >= least).float(), 1) > 0
    if is_written_out():
        strange = torch.where(asked, memory.lookup(tokens), 0.0)
    elif not bool(asked.any()):
        return torch.zeros_like(beyond)
    else:
        strange = torch.zeros_like(beyond)
        strange[asked] = memory.lookup(tokens[asked])
    return torch.minimum(beyond, (far - CLEARLY * _around(strange, 1)).clamp_min(0))


def _around(values: Tensor, reach: int) -> Tensor:
    """The largest of values [h, w] at most `reach` cells away."""
    return max_pool2d(values[None], 2 * reach + 1, 1, reach)[0]


def _strength(missing: Tensor) -> Tensor:
    return missing.flatten().topk(min(CELLS, missing.numel())).values.mean()
