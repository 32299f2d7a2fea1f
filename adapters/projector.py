"""The projector: what a frozen tower sees, as tokens that a language model reads among its words.

Five kinds of vectors go in: the picture as a whole, its patches pooled to a grid, its patches weighted by the
anomaly map (look-twice tokens, Anomaly-OV, Xu et al. 2025), the same for each region, and each region's crop seen
again at full resolution (Triad, Li et al. 2025).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, normalize

KINDS = ("vector", "grid", "whole", "region", "crop")
"""What a token stands for, in the order in which tokens come."""

GRID = 4
"""Cells of the pooled grid along each side."""

REGIONS = 3
"""Regions with tokens of their own, strongest first."""

PLACES = (1, GRID * GRID, 1, REGIONS, REGIONS)
"""How many tokens of each kind there are at most."""


@dataclass(frozen=True)
class ProjectorConfig:
    """The shape of a `Projector`: picture vectors of `vector_size` and patches of `patch_size` numbers in, tokens
    of `hidden` numbers out, `width` units between them. ValueError where one is not positive."""

    vector_size: int
    patch_size: int
    hidden: int
    width: int = 256

    def __post_init__(self) -> None:
        if min(self.vector_size, self.patch_size, self.hidden, self.width) < 1:
            raise ValueError("a projector has at least one input, one output and one unit between them")


class Projector(nn.Module):
    """One small network for each kind, and a learned vector for each place, which says which token is which.

    `norm` is the length of the language model's own embeddings: tokens start with it, and learn theirs by kind.
    1.3 million parameters for the pocket bundle.
    """

    def __init__(self, config: ProjectorConfig, norm: float = 1.0) -> None:
        super().__init__()
        self.config = config
        sizes = [config.vector_size, *[config.patch_size] * (len(KINDS) - 1)]
        self.parts = nn.ModuleList(_Part(size, config.width, config.hidden) for size in sizes)
        self.places = nn.Parameter(torch.randn(sum(PLACES), config.hidden) * 0.5)
        self.norms = nn.Parameter(torch.full((len(KINDS),), float(norm)))

    def forward(self, rows: Sequence[Tensor]) -> Tensor:
        """Tokens [T, hidden] of one picture, in the order of `KINDS`.

        `rows`: one tensor [n, size] per kind, n at most what `PLACES` says and possibly 0. ValueError otherwise.
        """
        if len(rows) != len(KINDS) or any(len(r) > most for r, most in zip(rows, PLACES, strict=True)):
            raise ValueError("there is one tensor for each kind of token, with no more rows than places")
        tokens, first = [], 0
        for kind, (row, most) in enumerate(zip(rows, PLACES, strict=True)):
            token = self.parts[kind](row.to(self.places.dtype)) + self.places[first : first + len(row)]
            tokens.append(normalize(token.float(), dim=-1) * self.norms[kind])
            first += most
        return torch.cat(tokens)


class _Part(nn.Module):
    """[n, size] -> [n, hidden]."""

    def __init__(self, size: int, width: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.down, self.up = nn.Linear(size, width), nn.Linear(width, hidden)

    def forward(self, row: Tensor) -> Tensor:
        token: Tensor = self.up(gelu(self.down(self.norm(row))))
        return token
