"""Visual adapters: small networks that read frozen patches, and a picture's vector, in the words of a text tower.

The tower stays as it is. A bottleneck turns each patch into a vector of the text tower's space, where it is
compared with fixed sentences: "normal" against "abnormal" makes a map, one sentence per defect type says what it
looks like (APRIL-GAN, Chen et al. 2023; AdaptCLIP, Gao et al. 2025; MultiADS, Sadikaj et al. 2025).

What a small network learned on other products tells badly *whether* a picture is anomalous and well *where* in it:
`focus` therefore moves a map's weight to where the adapter looks, and keeps the picture's score.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, normalize

from .patches import top_mean

TEMPERATURE = 0.05
"""Cosines are divided by it: sentences about normal and abnormal things lie close together."""

GROUND = 0.9
"""The quantile of a picture's own evidence that counts as zero: most of any picture is free of defects."""


@dataclass(frozen=True)
class AdapterConfig:
    """The shape of a `VisualAdapter`.

    `inputs` numbers per patch go in; `space` is the size of the text tower's vectors; `width` that of the
    bottleneck. ValueError where one is not positive, or `dropout` is outside [0, 1).
    """

    inputs: int
    space: int
    width: int = 64
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if min(self.inputs, self.space, self.width) < 1:
            raise ValueError("an adapter has at least one input, one output and one unit between them")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout lies in [0, 1), not at {self.dropout}")


class Bottleneck(nn.Module):
    """[..., inputs] of unit length -> [..., space] of unit length.

    Where both have one size it is residual and starts as the identity, so that a tower that aligns patches with
    text is never worse before training than without it.
    """

    def __init__(self, config: AdapterConfig) -> None:
        super().__init__()
        self.down = nn.Linear(config.inputs, config.width)
        self.middle = nn.Linear(config.width, config.width)
        self.up = nn.Linear(config.width, config.space)
        self.dropout = nn.Dropout(config.dropout)
        self.residual = config.inputs == config.space
        self.scale = config.inputs**0.5
        if self.residual:
            nn.init.zeros_(self.up.weight)
            nn.init.zeros_(self.up.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = gelu(self.down(self.dropout(tokens * self.scale)))
        read = self.up(gelu(self.middle(hidden)))
        return normalize(tokens + read if self.residual else read, dim=-1)


class VisualAdapter(nn.Module):
    """Adapters for patches and for the picture's vector, scored against fixed sentences.

    `states` [2, space]: normal and abnormal; `types` [T, space]: one per defect type; both of unit length and
    kept with the weights, so that no text tower is needed afterwards. Log-odds are differences of cosines over
    `TEMPERATURE`, with a learned offset.
    """

    states: Tensor
    types: Tensor

    def __init__(self, config: AdapterConfig, states: Tensor, types: Tensor) -> None:
        super().__init__()
        if states.shape != (2, config.space) or types.shape[1:] != (config.space,):
            raise ValueError("sentences and adapter have different spaces")
        self.config = config
        self.patches = Bottleneck(config)
        whole = AdapterConfig(config.space, config.space, config.width, config.dropout)
        self.whole = Bottleneck(whole)
        self.register_buffer("states", states.detach().float().clone())
        self.register_buffer("types", types.detach().float().clone())
        self.offset = nn.Parameter(torch.full((2,), -2.0))

    def read(self, tokens: Tensor) -> Tensor:
        """Patches [..., inputs] as unit vectors [..., space] of the text tower's space."""
        vectors: Tensor = self.patches(tokens)
        return vectors

    def evidence(self, vectors: Tensor) -> Tensor:
        """Log-odds of "abnormal" [...] of patches that were `read` [..., space]."""
        # Divided first: a product with one vector that is scaled afterwards is more than OpenVINO can compile.
        return vectors @ ((self.states[1] - self.states[0]) / TEMPERATURE) + self.offset[0]

    def type_logits(self, vectors: Tensor) -> Tensor:
        """Logits [..., T] over the defect types of patches that were `read`."""
        return vectors @ self.types.T / TEMPERATURE

    def judge(self, vector: Tensor) -> Tensor:
        """Log-odds of "abnormal" [B] of whole pictures by their vectors [B, space]."""
        whole = self.whole(vector)
        return whole @ (self.states[1] - self.states[0]) / TEMPERATURE + self.offset[1]


def centre(evidence: Tensor, ground: float = GROUND) -> Tensor:
    """Evidence [B, h, w] above what is usual in the same picture: minus its own `ground` quantile."""
    flat = evidence.flatten(1).float()
    return evidence - flat.quantile(ground, dim=1)[:, None, None]


def focus(maps: Tensor, evidence: Tensor, weight: float, share: float = 0.01) -> Tensor:
    """Maps whose weight has moved to where the evidence lies, the pictures' scores unchanged.

    `maps` [B, h, w] >= 0, `evidence` of the same shape, zero on ordinary ground (see `centre`), `weight` in the
    maps' unit. Each result, map + weight * evidence without what falls below zero, is scaled so that the mean of
    its strangest `share` is what it was. Where the map is zero (outside a region of interest) it stays zero.
    """
    moved = torch.where(maps > 0, (maps + weight * evidence).clamp_min(0), maps)
    before, after = top_mean(maps, share), top_mean(moved, share)
    scale = torch.where(after > 0, before / after.clamp_min(1e-12), torch.ones_like(after))
    return torch.where((after > 0)[:, None, None], moved * scale[:, None, None], maps)
