"""Anomaly maps and raw scores from features: alone, against a memory, or against each other.

The map and the score have one unit, a cosine distance (or its mean with a probability where text speaks), so
that one limit serves both. The detector knows no thresholds and no verdicts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from assistant.adapters.dictionary import Dictionary
from assistant.adapters.mutual import mutual_maps, rescore
from assistant.adapters.patches import join_layers, top_mean
from assistant.adapters.rarity import rarity
from assistant.adapters.text_map import text_map
from assistant.backbone import Backbone, Features
from assistant.product import Product
from assistant.prompts.ensemble import state_vectors


@dataclass
class Detector:
    """Scores features of one backbone. All maps are [h, w] float32 on the grid of its patches."""

    backbone: Backbone
    share: float = 0.01
    _states: dict[str | None, Tensor] = field(default_factory=dict, repr=False)

    def tokens(self, features: Features) -> Tensor:
        """Patch descriptors [B, h, w, C] of unit length."""
        return join_layers(features.layers)

    def map(self, features: Features, product: Product | None = None) -> Tensor:
        """Maps [B, h, w] against a product's memory, nothing outside its region of interest, or zero-shot."""
        if product is None:
            return self.zero_shot(features)
        maps = self.few_shot(features, product.dictionary)
        if product.roi is None:
            return maps
        return maps * fit_roi(product.roi, maps.shape[1], maps.shape[2]).to(maps.device)

    def zero_shot(self, features: Features, product: str | None = None) -> Tensor:
        """Maps [B, h, w] without any reference: rarity within the picture, and text where patches speak it."""
        maps = rarity(self.tokens(features))
        if features.aligned is None:
            return maps
        words = text_map(features.aligned, self._state_vectors(product).to(features.aligned.device))
        spoken = interpolate(words[:, None], maps.shape[1:], mode="bilinear", align_corners=False)[:, 0]
        return (maps + spoken) / 2

    def few_shot(self, features: Features, memory: Dictionary, without: int | None = None) -> Tensor:
        """Maps [B, h, w]: the distance of each patch to the nearest one in memory."""
        return memory.lookup(self.tokens(features), without)

    def batch(
        self, tokens: Sequence[Tensor], vectors: Tensor, tell: Callable[[float], None] | None = None
    ) -> tuple[list[Tensor], Tensor]:
        """Mutual maps and scores [N] of N pictures, from their `tokens` [h, w, C] and `vectors` [N, D].

        Each map is scaled so that the top of it is the re-scored score: map and score keep one unit.
        """
        maps = mutual_maps(tokens, tell=tell)
        raw = torch.stack([self.score(m[None])[0] for m in maps])
        scores = rescore(raw, vectors)
        factors = scores / raw.clamp_min(1e-9)
        return [m * factor for m, factor in zip(maps, factors, strict=True)], scores

    def score(self, maps: Tensor, roi: Tensor | None = None) -> Tensor:
        """Raw scores [B] of maps [B, h, w]: the mean of the strangest 1 % of the patches looked at."""
        if roi is None:
            return top_mean(maps, self.share)
        looked_at = fit_roi(roi, maps.shape[1], maps.shape[2]).to(maps.device) > 0
        return top_mean(maps[:, looked_at][:, None], self.share)

    def _state_vectors(self, product: str | None) -> Tensor:
        if product not in self._states:
            self._states[product] = state_vectors(self.backbone.encode_text, product)
        return self._states[product]


def fit_roi(roi: Tensor, h: int, w: int) -> Tensor:
    """A region of interest [H, W] in [0, 1] on a grid [h, w]: 1 where at least half of a cell is looked at.

    A region so small that no cell is half inside keeps the cells it touches most.
    """
    share = interpolate(roi[None, None].float(), (h, w), mode="area")[0, 0]
    return (share >= min(0.5, float(share.max()))).float()
