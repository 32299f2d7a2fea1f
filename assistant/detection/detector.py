"""The one score rule: how the features of a picture become an anomaly map and a raw score.

Inspection, learning, limits, benchmarks and studies all call `Detector.score`. What it does is switched by a
`ScoringConfig` and by nothing else. Map and score have one unit, a cosine distance (or its mean with a probability
where text speaks), so that one limit serves both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from assistant.adapters.dictionary import Dictionary
from assistant.adapters.mutual import mutual_maps, rescore
from assistant.adapters.patches import join_layers, neighbourhood, top_mean
from assistant.adapters.rarity import rarity
from assistant.adapters.recall import Recall
from assistant.adapters.strength import strength, usual_strength
from assistant.adapters.whole import signature
from assistant.detection.config import SHIPPED, ScoringConfig
from assistant.detection.good_parts import GoodParts, fit_mask
from assistant.detection.known import raise_known
from assistant.detection.registration import Registration
from assistant.detection.scored import Compared, Scored
from assistant.detection.words import Words
from assistant.images.pose import Pose
from assistant.models.backbone import Backbone, Features
from assistant.models.tiles import canvas_size, encode_tiled, widen
from assistant.models.trained_dictionary import TrainedDictionary


class Detector:
    """Scores pictures by the features of one backbone.

    `config` holds for pictures without a product, and for products that are learned; a product keeps its own.
    """

    def __init__(self, backbone: Backbone, config: ScoringConfig = SHIPPED) -> None:
        self.backbone = backbone
        self.config = config
        self.words = Words(backbone)

    def encode(self, pictures: Sequence[NDArray[np.uint8]], tiles: int = 1) -> list[Features]:
        """Features of pictures [H, W, 3] uint8, each as a batch of one, seen in `tiles` x `tiles` tiles."""
        return encode_tiled(self.backbone, pictures, tiles)

    def encode_brought(
        self, pictures: Sequence[NDArray[np.uint8]], tiles: int, registration: Registration | None
    ) -> list[Features]:
        """Features of pictures as a product sees them: each brought to the frame, with its pose, where it fits."""
        if registration is None:
            return self.encode(pictures, tiles)
        brought = [self.bring(pixels, tiles, registration) for pixels in pictures]
        encoded = self.encode([pixels for pixels, _ in brought], tiles)
        return [replace(one, pose=pose) for one, (_, pose) in zip(encoded, brought, strict=True)]

    def bring(
        self, pixels: NDArray[np.uint8], tiles: int, registration: Registration | None
    ) -> tuple[NDArray[np.uint8], Pose | None]:
        """A picture in the frame, at the size that the tower sees, and its pose; or as it is, and None."""
        if registration is None:
            return pixels, None
        return registration.bring(pixels, canvas_size(self.backbone.widest, *registration.frame, tiles))

    def score(self, features: Features, product: GoodParts | None, *, without: int | None = None) -> Scored:
        """The map and the raw score of a picture, a batch of one, against a product; None: zero-shot.

        Zero-shot the map is rarity within the picture, and `words` where there are any. Against a product it is
        the weighted mean of the distance to good parts and of rarity, 0 where it is not looked at, raised where
        patches resemble known defects. The score is the mean of the strangest patches of the map, and rises with
        the distance as a whole picture where the references are alike so. `without` leaves one reference out of
        all that the product knows, which is how a reference is scored against the others. ValueError where that
        leaves nothing to compare with.
        """
        if product:
            return self.compare(features, product, without).scored
        rare = self._rarity(features, self.tokens(features), self.config)
        return self.words.score(rare, features, self.config)

    def compare(self, features: Features, product: GoodParts, without: int | None = None) -> Compared:
        """What `score` makes its numbers of: by tensors alone, so that it can be recorded and run elsewhere."""
        config = product.scoring
        tokens = self.tokens(features, config)
        rare = self._rarity(features, tokens, config)
        distance = self._distance(features, tokens, product, without)
        anomaly = _blend(distance, rare, config)
        looked_at = product.looked_at
        if looked_at is not None:
            shown = fit_mask(looked_at, *anomaly.shape[1:]).to(anomaly.device)
            anomaly, distance = anomaly * shown, distance.flatten(1)[:, _inside(shown)]
        contrast = None
        if product.known:
            contrast = product.known.contrast(tokens, product.dictionary, without)
            anomaly = raise_known(anomaly, contrast, config.known_weight)
        whole, usual = self._whole(features, product, without)
        told = None if contrast is None else contrast[0]
        middle = distance.flatten().sort().values[(distance.numel() - 1) // 2]
        return Compared(anomaly[0], self._top(anomaly, product)[0], whole, usual, told, middle)

    def mutual(
        self,
        tokens: Sequence[Tensor],
        rare: Sequence[Tensor],
        vectors: Tensor,
        tell: Callable[[float], None] | None = None,
        groups: Sequence[int] | None = None,
    ) -> list[Scored]:
        """Maps and scores of N pictures against each other.

        `tokens`: their `coarse_tokens` [h, w, C]; `rare`: their own zero-shot maps [H, W], on whose grid the
        maps come; `vectors` [N, D]. As against a product, the map is a weighted mean of both. Where the tower
        shares a space with text, whose vectors tell products apart, scores are smoothed over alike pictures
        as in MuSc, and the maps scaled along; class labels make no such space, and smoothing does harm. `tell`
        hears the fraction done. `groups`: a number for each picture, the same for near copies, which do not vouch
        for each other.
        """
        config = self.config
        compared = mutual_maps(
            tokens,
            sizes=config.mutual_sizes,
            interval=config.mutual_interval,
            others=config.mutual_others,
            groups=groups,
            tell=tell,
        )
        maps = []
        for distance, own in zip(compared, rare, strict=True):
            fitted = interpolate(distance[None, None], own.shape, mode="bilinear", align_corners=False)[0, 0]
            maps.append(_blend(fitted, own, config))
        scores = torch.stack([top_mean(anomaly[None], config.top_share)[0] for anomaly in maps])
        if self.backbone.aligns_text:
            smooth = rescore(scores, vectors)
            maps = [m * f for m, f in zip(maps, smooth / scores.clamp_min(1e-9), strict=True)]
            scores = smooth
        return [Scored(anomaly, value) for anomaly, value in zip(maps, scores.tolist(), strict=True)]

    def tokens(self, features: Features, config: ScoringConfig | None = None) -> Tensor:
        """Patch descriptors [B, h, w, C] of unit length."""
        return self._describe(features, config or self.config)

    def coarse_tokens(self, features: Features) -> Tensor:
        """Patch descriptors [B, h, w, C] for mutual scoring, on the finest layer of at most `mutual_patches`.

        Every picture meets many others there, and the time grows with the square of the patches.
        """
        shapes = [tuple(layer.shape[1:3]) for layer in features.layers]
        small = [shape for shape in shapes if math.prod(shape) <= self.config.mutual_patches]
        grid = max(small, key=math.prod) if small else min(shapes, key=math.prod)
        return self._describe(features, self.config, (grid[0], grid[1]))

    def lies_alike(
        self, features: Features, memory: Dictionary, tiles: int = 1, without: int | None = None
    ) -> bool:
        """Whether the part in a picture, a batch of one, lies like those in the references of a memory."""
        tokens, reach = self.tokens(features), self._reach(self.config, tiles)
        if not bool((memory.places[:, 0] >= 0).any()):
            return False
        far, near = memory.lookup(tokens, without), memory.lookup_nearby(tokens, without, reach)
        gates = self.config.aligned_gates
        return all(bool(near.quantile(q) <= most * far.quantile(q)) for q, most in gates)

    def signature(self, features: Features, looked_at: Tensor | None = None) -> Tensor | None:
        """Signatures [B, D] float16 of pictures as wholes, of what is looked at in them.

        All layers but the coarsest, which sees most of a picture from anywhere, take part. None where a tower has
        one grid for all layers: its vectors are long, and their second moments would be larger than a memory.
        """
        fewest = min(math.prod(layer.shape[1:3]) for layer in features.layers)
        layers = [layer for layer in features.layers if math.prod(layer.shape[1:3]) > fewest]
        if not layers:
            return None
        if looked_at is None:
            return signature(layers)
        fine = fit_mask(looked_at, *layers[0].shape[1:3])
        return signature(layers, [fit_mask(fine, *layer.shape[1:3])[None].to(layer.device) for layer in layers])

    def usual_strength(self, features: Features, product: GoodParts) -> Tensor | None:
        """How strongly the patches of a product's picture, a batch of one, usually respond: [L].

        Of what is looked at in it; None where nothing is left to tell, or a tower has one grid for all layers.
        """
        if not _has_grids(features):
            return None
        strengths, looked_at, config = self._strength(features)[0], product.looked_at, product.scoring
        shown = None if looked_at is None else fit_mask(looked_at, *strengths.shape[1:]).to(strengths.device)
        return usual_strength(strengths, shown, self._rim(config, product.tiles), config.strength_quantile)

    def top_share(self, product: GoodParts | None) -> float:
        """The share of a map's patches whose mean is the score: as many patches in tiles as in a whole picture."""
        if product is None:
            return self.config.top_share
        return product.scoring.top_share * (1 / widen(product.tiles)) ** 2

    def reach_of(self, product: GoodParts, features: Features) -> int | None:
        """How many cells from its place a patch of a picture is looked for in the references; None: anywhere.

        A picture that could not be brought to the pose of the references is compared with what lies anywhere.
        """
        if not product.aligned or (product.registration and features.pose is None):
            return None
        return self._reach(product.scoring, product.tiles)

    def trained_for(self, product: GoodParts) -> str:
        """The digest of the trained dictionary that a product is looked up with, "" for none.

        WeightsError where the product's memory is to be a trained one, and there is nothing trained.
        """
        return self.trained.digest if product.memory == "trained" else ""

    @cached_property
    def trained(self) -> TrainedDictionary:
        """What trained memories are looked up with; WeightsError where nobody trained it for these towers."""
        trained = TrainedDictionary.require(self.backbone.card.name, self.backbone.digest)
        trained.dictionary.to(self.backbone.runtime.device)
        return trained

    def _distance(self, features: Features, tokens: Tensor, product: GoodParts, without: int | None) -> Tensor:
        """How far patches [B, h, w] are from good parts: farther where they respond unusually strongly."""
        memory = self._memory_of(product)
        reach = self.reach_of(product, features)
        if reach is not None and isinstance(memory, Dictionary):
            distance = memory.lookup_nearby(tokens, without, reach)
            # Thinned, a memory may hold nothing around a place; then what lies anywhere has to do.
            if not memory.covers(tokens.shape[1], tokens.shape[2], without, reach):
                distance = torch.where(distance.isfinite(), distance, memory.lookup(tokens, without))
        else:
            distance = memory.lookup(tokens, without)
        config, strengths = product.scoring, product.strengths
        if strengths is None or not config.strength_weight or not _has_grids(features):
            return distance
        rim = self._rim(config, product.tiles)
        excess = strengths.excess(self._strength(features), self._shares(config), without, rim)
        return distance * (1 + config.strength_weight * excess)

    def _memory_of(self, product: GoodParts) -> Dictionary | Recall:
        return product.dictionary if product.memory == "nearest" else self.trained.recall(product.dictionary)

    def _whole(self, features: Features, product: GoodParts, without: int | None) -> tuple[Tensor, float]:
        """How much the score rises since a picture as a whole differs from all references, and usually does."""
        config, wholes = product.scoring, product.wholes
        weight = config.whole_weight
        mine = self.signature(features, product.looked_at) if wholes and weight else None
        if wholes is None or mine is None:
            return torch.zeros(()), 0.0
        distance = wholes.distance(mine, without).clamp_max(config.whole_cap)
        return (weight * distance)[0], weight * wholes.spread

    def _top(self, anomaly: Tensor, product: GoodParts) -> Tensor:
        share, looked_at = self.top_share(product), product.looked_at
        if looked_at is None:
            return top_mean(anomaly, share)
        shown = fit_mask(looked_at, *anomaly.shape[1:]).to(anomaly.device)
        return top_mean(anomaly.flatten(1)[:, None, _inside(shown)], share)

    def _describe(self, features: Features, config: ScoringConfig, grid: tuple[int, int] | None = None) -> Tensor:
        joined = join_layers(features.layers, grid, self._shares(config), config.scale_layers)
        return neighbourhood(joined, config.neighbourhood)

    def _shares(self, config: ScoringConfig) -> tuple[float, ...]:
        return config.layer_shares or tuple(self.backbone.shares)

    def _rarity(self, features: Features, tokens: Tensor, config: ScoringConfig) -> Tensor:
        near = config.rarity_neighbours, config.rarity_apart
        described = self._shares(config), config.neighbourhood, config.scale_layers
        return features.once(("rarity", near, described), lambda: rarity(tokens, *near))

    def _strength(self, features: Features) -> Tensor:
        return features.once("strength", lambda: strength(features.layers))

    @staticmethod
    def _rim(config: ScoringConfig, tiles: int) -> int:
        return round(config.rim * widen(tiles))

    @staticmethod
    def _reach(config: ScoringConfig, tiles: int) -> int:
        """How many cells parts that lie alike may lie apart: the same part of the picture on every grid."""
        return round(config.reach * widen(tiles))


def _has_grids(features: Features) -> bool:
    return len({tuple(layer.shape[1:3]) for layer in features.layers}) > 1


def _inside(shown: Tensor) -> Tensor:
    """Where a mask [h, w] is above 0, in its rows one after the other [n]."""
    return shown.flatten().nonzero()[:, 0]


def _blend(distance: Tensor, rare: Tensor, config: ScoringConfig) -> Tensor:
    # A geometric mean measures the same, but calls a black frame good: nothing in it is rare.
    return config.memory_share * distance + (1 - config.memory_share) * rare
