"""Anomaly maps and raw scores from features: alone, against a memory, or against each other.

The map and the score have one unit, a cosine distance (or its mean with a probability where text speaks), so
that one limit serves both. Where references are alike as whole pictures, a score rises by a `lift`, which has no
place in the map. The detector knows no thresholds and no verdicts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from assistant.adapters.dictionary import REACH, Dictionary
from assistant.adapters.foreground import Foreground
from assistant.adapters.mutual import mutual_maps, rescore
from assistant.adapters.patches import join_layers, top_mean
from assistant.adapters.rarity import rarity
from assistant.adapters.recall import Recall
from assistant.adapters.strength import RIM, Strengths, strength, usual_strength
from assistant.adapters.text_map import text_map
from assistant.adapters.whole import Wholes, signature
from assistant.models.backbone import Backbone, Features
from assistant.models.tiles import TiledBackbone
from assistant.models.trained_dictionary import TrainedDictionary, require_dictionary
from assistant.products.product import Product
from assistant.prompts.ensemble import state_vectors

MEMORY_SHARE = 0.6
"""The weight of other pictures in a few-shot or batch map; the rest is the picture's own rarity."""

ALIGNED = {0.5: 1.03, 0.98: 1.15}
"""Parts lie alike where the nearest good patch around the same place is hardly farther than the nearest anywhere:
at most so many times, for these quantiles over a picture. The high one sees a part that wanders on a plain ground.
Ball screws give up to 1.02 and 1.11, boards of many designs 1.6 and more."""

ALIKE = 0.05
"""References are alike as whole pictures where the mean of `Wholes.spread` is at most this.

Textiles, ball screws and bottles are well below it; tiles, solar cells and boards of many designs above."""

WHOLE_SHARE = 2.0
"""How many times the distance as whole pictures counts in a few-shot score, where references are alike so."""

STRENGTH_SHARE = 6.0
"""How many times an excess of strength, `Strengths.excess`, adds a patch's distance to the memory to itself."""

BATCH_PATCHES = 600


@dataclass
class Detector:
    """Scores features of one backbone. All maps are [h, w] float32 on the grid of its patches."""

    backbone: Backbone
    share: float = 0.01
    _tiled: dict[int, Detector] = field(default_factory=dict, init=False, repr=False, compare=False)

    def at(self, tiles: int) -> Detector:
        """The detector that sees a picture in so many overlapping tiles along each side; 1 is the whole.

        Its score is the mean of as many patches as that of a whole picture, and so of a smaller share: tiles are
        for small defects. ProductError for more tiles than there may be.
        """
        own = self.backbone
        if tiles == own.tiles:
            return self
        if tiles not in self._tiled:
            whole = own.whole if isinstance(own, TiledBackbone) else own
            backbone = whole if tiles == whole.tiles else TiledBackbone(whole, tiles)
            self._tiled[tiles] = Detector(backbone, self.share * (own.finer / backbone.finer) ** 2)
        return self._tiled[tiles]

    @property
    def reach(self) -> int:
        """How many cells parts that lie alike may lie apart: the same part of the picture on every grid."""
        return round(REACH * self.backbone.finer)

    def tokens(self, features: Features) -> Tensor:
        """Patch descriptors [B, h, w, C] of unit length."""
        return join_layers(features.layers, shares=self.backbone.shares)

    def maps(self, features: Features, products: Sequence[Product | None]) -> list[Tensor]:
        """Maps [B, h, w] against each product's memory, 0 where it is not looked at; None: zero-shot.

        What belongs to the picture alone is worked out once for all of them.
        """
        tokens = self.tokens(features)
        rare = rarity(tokens)
        found = []
        for product in products:
            if product is None:
                found.append(self._with_words(rare, features))
                continue
            reach = self.reach if product.aligned else None
            factor = self.factor(features, product.strengths)
            memory = self.memory_of(product)
            compared = _compare(tokens, rare, memory, product.foreground, reach=reach, factor=factor)
            if product.looked_at is not None:
                compared = compared * fit_roi(product.looked_at, *compared.shape[1:]).to(compared.device)
            found.append(compared)
        return found

    def zero_shot(self, features: Features) -> Tensor:
        """Maps [B, h, w] without any reference: rarity within the picture, and text where patches speak it."""
        return self.maps(features, [None])[0]

    def few_shot(
        self,
        features: Features,
        memory: Dictionary | Recall,
        without: int | None = None,
        foreground: Foreground | None = None,
        aligned: bool = False,
        strengths: Strengths | None = None,
    ) -> Tensor:
        """Maps [B, h, w] against a memory, `without` one of its references, 0 outside the foreground.

        A defect is unlike the good parts and, most often, also rare within its own picture: the map is the
        weighted mean of both, `MEMORY_SHARE` of it the memory's. Where parts lie alike, `aligned`, a patch is
        compared with what lies around the same place, so that a missing or moved part shows. Where it responds
        more strongly than patches of good pictures do, `strengths`, its distance to the memory grows with that.
        A trained memory asks what lies around a patch by itself, whether `aligned` or not.
        """
        tokens = self.tokens(features)
        reach, factor = self.reach if aligned else None, self.factor(features, strengths, without)
        return _compare(tokens, rarity(tokens), memory, foreground, without, reach, factor)

    def memory_of(self, product: Product) -> Dictionary | Recall:
        """What a product's pictures are looked up in; the errors are those of `trained` and of its `recall`."""
        return product.dictionary if product.memory == "nearest" else self.trained.recall(product.dictionary)

    @cached_property
    def trained(self) -> TrainedDictionary:
        """What trained memories are looked up with; WeightsError where nobody trained it for these towers."""
        found = require_dictionary(self.backbone.card.name, self.backbone.digest)
        found.dictionary.to(self.backbone.runtime.device)
        return found

    def lies_alike(self, features: Features, memory: Dictionary, without: int | None = None) -> bool:
        """Whether a picture, a batch of one, lies like the references of a memory."""
        tokens = self.tokens(features)
        if not bool((memory.places[:, 0] >= 0).any()):
            return False
        far, near = memory.lookup(tokens, without), memory.lookup_nearby(tokens, without, self.reach)
        return all(bool(near.quantile(q) <= most * far.quantile(q)) for q, most in ALIGNED.items())

    def coarse_tokens(self, features: Features) -> Tensor:
        """Patch descriptors [B, h, w, C] for batch mode, on the finest layer of at most `BATCH_PATCHES`.

        Every picture meets many others there, and the time grows with the square of the patches.
        """
        shapes = [tuple(layer.shape[1:3]) for layer in features.layers]
        small = [shape for shape in shapes if shape[0] * shape[1] <= BATCH_PATCHES]
        grid = max(small, key=_patches) if small else min(shapes, key=_patches)
        return join_layers(features.layers, (grid[0], grid[1]), self.backbone.shares)

    def batch(
        self,
        tokens: Sequence[Tensor],
        rare: Sequence[Tensor],
        vectors: Tensor,
        tell: Callable[[float], None] | None = None,
    ) -> tuple[list[Tensor], Tensor]:
        """Maps and scores [N] of N pictures against each other.

        `tokens`: their `coarse_tokens` [h, w, C]; `rare`: their own zero-shot maps [H, W], on whose grid the
        maps come; `vectors` [N, D]. As in few-shot mode, the map is a weighted mean of both. Where the tower
        shares a space with text, whose vectors tell products apart, scores are smoothed over alike pictures
        as in MuSc, and the maps scaled along; class labels make no such space, and smoothing does harm.
        """
        maps = []
        for compared, own in zip(mutual_maps(tokens, tell=tell), rare, strict=True):
            fitted = interpolate(compared[None, None], own.shape, mode="bilinear", align_corners=False)[0, 0]
            maps.append(_blend(fitted, own))
        scores = torch.stack([self.score(found[None])[0] for found in maps])
        if not self.backbone.aligned:
            return maps, scores
        smooth = rescore(scores, vectors)
        return [m * f for m, f in zip(maps, smooth / scores.clamp_min(1e-9), strict=True)], smooth

    def score(self, maps: Tensor, roi: Tensor | None = None) -> Tensor:
        """Raw scores [B] of maps [B, h, w]: the mean of the strangest 1 % of the patches looked at."""
        if roi is None:
            return top_mean(maps, self.share)
        looked_at = fit_roi(roi, maps.shape[1], maps.shape[2]).to(maps.device) > 0
        return top_mean(maps[:, looked_at][:, None], self.share)

    def signature(
        self, features: Features, looked_at: Tensor | None = None, foreground: Foreground | None = None
    ) -> Tensor | None:
        """Signatures [B, D] float16 of pictures as wholes, of what is looked at in them.

        All layers but the coarsest, which sees most of a picture from anywhere, take part. None where a tower has
        one grid for all layers: its vectors are long, and their second moments would be larger than a memory.
        """
        fewest = min(_patches(layer.shape[1:3]) for layer in features.layers)
        layers = [layer for layer in features.layers if _patches(layer.shape[1:3]) > fewest]
        if not layers:
            return None
        if looked_at is None and foreground is None:
            return signature(layers)
        shown = foreground.mask(self.tokens(features)) if foreground else torch.ones(1, *layers[0].shape[1:3])
        if looked_at is not None:
            shown = shown * fit_roi(looked_at, *shown.shape[1:]).to(shown.device)
        grids = [layer.shape[1:3] for layer in layers]
        cells = [torch.stack([fit_roi(one, *grid) for one in shown]) for grid in grids]
        return signature(layers, [c.to(layer.device) for c, layer in zip(cells, layers, strict=True)])

    def lift(
        self,
        features: Features,
        wholes: Wholes | None,
        looked_at: Tensor | None = None,
        foreground: Foreground | None = None,
        without: int | None = None,
    ) -> Tensor:
        """How much scores [B] rise since pictures as wholes differ from all references, `without` one of them.

        0 where references are not alike as wholes. With tiles the canvas is the whole.
        """
        found = self.signature(features, looked_at, foreground) if wholes else None
        if wholes is None or found is None:
            return features.vector.new_zeros(len(features))
        return WHOLE_SHARE * wholes.distance(found, without)

    def usual_strength(
        self, features: Features, looked_at: Tensor | None = None, foreground: Foreground | None = None
    ) -> Tensor | None:
        """How strongly the patches of a picture, a batch of one, usually respond: [L], of what is looked at in it.

        None where nothing is left to tell, or where a tower has one grid for all layers.
        """
        if not self._has_grids(features):
            return None
        found = strength(features.layers)[0]
        shown = foreground.mask(self.tokens(features))[0] if foreground else None
        if looked_at is not None:
            roi = fit_roi(looked_at, *found.shape[1:]).to(found.device)
            shown = roi if shown is None else shown * roi
        return usual_strength(found, shown, self._rim)

    def factor(self, features: Features, strengths: Strengths | None, without: int | None = None) -> Tensor | None:
        """How many times farther patches [B, h, w] are, for how strongly they respond; None: no farther."""
        if strengths is None or not self._has_grids(features):
            return None
        found = strength(features.layers)
        return 1 + STRENGTH_SHARE * strengths.excess(found, self.backbone.shares, without, self._rim)

    @property
    def _rim(self) -> int:
        return round(RIM * self.backbone.finer)

    @staticmethod
    def _has_grids(features: Features) -> bool:
        return len({tuple(layer.shape[1:3]) for layer in features.layers}) > 1

    @staticmethod
    def usual_lift(wholes: Wholes | None) -> float:
        """How much the scores of good pictures rise in the mean, since no two are the same."""
        return WHOLE_SHARE * wholes.spread if wholes else 0.0

    def _with_words(self, rare: Tensor, features: Features) -> Tensor:
        if features.aligned is None:
            return rare
        words = text_map(features.aligned, self._states.to(features.aligned.device))
        return (rare + interpolate(words[:, None], rare.shape[1:], mode="bilinear")[:, 0]) / 2

    @cached_property
    def _states(self) -> Tensor:
        return state_vectors(self.backbone.encode_text)


def _patches(shape: Sequence[int]) -> int:
    return shape[0] * shape[1]


def _compare(
    tokens: Tensor,
    rare: Tensor,
    memory: Dictionary | Recall,
    foreground: Foreground | None,
    without: int | None = None,
    reach: int | None = None,
    factor: Tensor | None = None,
) -> Tensor:
    if reach is not None and isinstance(memory, Dictionary):
        distance = memory.lookup_nearby(tokens, without, reach)
        # Thinned, a memory may hold nothing around a place; then what lies anywhere has to do.
        if not bool(distance.isfinite().all()):
            distance = torch.where(distance.isfinite(), distance, memory.lookup(tokens, without))
    else:
        distance = memory.lookup(tokens, without)
    if factor is not None:
        distance = distance * factor
    found = _blend(distance, rare)
    return found * foreground.mask(tokens) if foreground else found


def _blend(distance: Tensor, rare: Tensor) -> Tensor:
    # A geometric mean measures the same, but calls a black frame good: nothing in it is rare.
    return MEMORY_SHARE * distance + (1 - MEMORY_SHARE) * rare


def fit_roi(roi: Tensor, h: int, w: int) -> Tensor:
    """A region of interest [H, W] in [0, 1] on a grid [h, w]: 1 where at least half of a cell is looked at.

    A region so small that no cell is half inside keeps the cells it touches most.
    """
    share = interpolate(roi[None, None].float(), (h, w), mode="area")[0, 0]
    return (share >= min(0.5, float(share.max()))).float()
