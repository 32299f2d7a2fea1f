"""The variants of the few-shot map that `assistant.eval.research.ablation` measures: each changes one thing.

A variant compares one picture with one draw of references. What several of them need, descriptors and memories,
is made once. None of them knows whether a picture is good.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from assistant.adapters.dictionary import Dictionary, merge
from assistant.adapters.foreground import Foreground
from assistant.adapters.patches import join_layers, neighbourhood, top_mean
from assistant.adapters.rarity import rarity
from assistant.adapters.strength import Strengths
from assistant.adapters.subspace import SHARE, Subspace
from assistant.adapters.whole import Wholes
from assistant.detection.detector import ALIKE, Detector
from assistant.eval.datasets import Sample
from assistant.models.backbone import Backbone, Features
from assistant.products.learning import find_alignment

Look = Callable[[Sample, str], list[Features]]
"""Features of the views of a reference, by the word for them in `memory_views`."""

Pair = tuple[Tensor, Tensor]
"""Distances to the references, and rarity within the picture: [1, h, w] each."""


def _raw(layers: Sequence[Tensor]) -> Tensor:
    """Layers joined as they come and normalised once: the one with the largest activations decides."""
    size = max((tuple(layer.shape[1:3]) for layer in layers), key=math.prod)
    planes = [interpolate(layer.float().permute(0, 3, 1, 2), size, mode="bilinear") for layer in layers]
    return normalize(torch.cat(planes, dim=1).permute(0, 2, 3, 1), dim=-1)


def _finer(layers: Sequence[Tensor], shares: Sequence[float] = ()) -> Tensor:
    """All layers but the coarsest, in the proportion they had."""
    kept = shares[:-1]
    return join_layers(layers[: max(1, len(layers) - 1)], shares=[share / sum(kept) for share in kept])


DESCRIPTORS: dict[str, Callable[[Sequence[Tensor], Sequence[float]], Tensor]] = {
    "shipped": lambda layers, shares: join_layers(layers, shares=shares),
    "3x3": lambda layers, shares: neighbourhood(join_layers(layers, shares=shares), 3),
    "raw": lambda layers, shares: _raw(layers),
    "finer": _finer,
    "naive": lambda layers, shares: _finer(layers),
}
"""Patch descriptors [B, h, w, C] by name, of layers and their shares."""


class Draw:
    """One draw of references, and what is made of them, each at most once.

    `memory(descriptor, views)` and `subspace(views, share)` are the memories; `unit(views, share)` says how many
    times larger the references' mean rarity is than their mean residual; `foreground()`, `lies_alike()`,
    `wholes()` and `strengths()` are as for a product.
    """

    # Closures over names, not over the object: a cycle would keep large memories long after their set is done.
    def __init__(self, detector: Detector, samples: Sequence[Sample], look: Look) -> None:
        def patches(descriptor: str, views: str) -> dict[int, Tensor]:
            make, shares = DESCRIPTORS[descriptor], detector.backbone.shares
            return {
                i: merge(make(features.layers, shares) for features in look(sample, views))
                for i, sample in enumerate(samples)
            }

        def unit(views: str, share: float) -> float:
            grids = [*patches("shipped", "plain").values()]
            left = sum(float(subspace(views, share).lookup(grid).mean()) for grid in grids)
            return sum(float(rarity(grid[None]).mean()) for grid in grids) / max(left, 1e-9)

        def wholes() -> Wholes | None:
            found = {i: detector.signature(look(sample, "plain")[0]) for i, sample in enumerate(samples)}
            known = {i: signatures[0] for i, signatures in found.items() if signatures is not None}
            kept = Wholes.of(known) if len(known) > 1 else None
            return kept if kept and kept.spread <= ALIKE else None

        def strengths() -> Strengths | None:
            found = {i: detector.usual_strength(look(sample, "plain")[0]) for i, sample in enumerate(samples)}
            known = {i: limits for i, limits in found.items() if limits is not None}
            return Strengths.of(known) if len(known) > 1 else None

        def lies_alike() -> bool:
            seen = {i: look(sample, "plain")[0] for i, sample in enumerate(samples)}
            return find_alignment(detector, memory("shipped", "plain"), seen, "plain")

        memory = cache(lambda descriptor, views: Dictionary.build(patches(descriptor, views)))
        subspace = cache(lambda views, share: Subspace.build(patches("shipped", views), share))
        self.memory, self.subspace, self.unit = memory, subspace, cache(unit)
        self.foreground = cache(lambda: Foreground.find([*patches("shipped", "plain").values()]))
        self.lies_alike, self.wholes, self.strengths = cache(lies_alike), cache(wholes), cache(strengths)
        self.detector = detector


class Picture:
    """One test picture, and what is made of it, each at most once: `tokens`, `rare`, and `nearest` in a draw."""

    def __init__(self, backbone: Backbone, features: Features) -> None:
        tokens = cache(lambda descriptor: DESCRIPTORS[descriptor](features.layers, backbone.shares))
        rare = cache(lambda descriptor: rarity(tokens(descriptor)))

        def find(draw: Draw, descriptor: str, views: str) -> Pair:
            return draw.memory(descriptor, views).lookup(tokens(descriptor)), rare(descriptor)

        self.features, self.tokens, self.rare, self.nearest = features, tokens, rare, cache(find)


def nearest(descriptor: str = "shipped", views: str = "plain") -> Callable[[Picture, Draw], Pair]:
    """Distances to the nearest patches of these descriptors and views."""
    return lambda picture, draw: picture.nearest(draw, descriptor, views)


def subspace(
    views: str = "plain", share: float = SHARE, *, scaled: bool = False
) -> Callable[[Picture, Draw], Pair]:
    """What lies outside of the subspace that has this share of the variance of the references and their views.

    Residuals are much smaller than rarity and hardly count beside it; scaled, both are alike on the references.
    """

    def compare(picture: Picture, draw: Draw) -> Pair:
        outside = draw.subspace(views, share).lookup(picture.tokens("shipped"))
        return outside * (draw.unit(views, share) if scaled else 1.0), picture.rare("shipped")

    return compare


def masked(picture: Picture, draw: Draw) -> Pair:
    """Nothing on the ground that the references stand on, where they have one."""
    distance, rare = nearest()(picture, draw)
    ground = draw.foreground()
    mask = ground.mask(picture.tokens("shipped")) if ground else torch.ones_like(rare)
    return distance * mask, rare * mask


def around(picture: Picture, draw: Draw) -> Pair:
    """Distances to what the references have around the same place."""
    distance, rare = nearest()(picture, draw)
    near = draw.memory("shipped", "plain").lookup_nearby(picture.tokens("shipped"))
    return torch.where(near.isfinite(), near, distance), rare


def around_if_alike(picture: Picture, draw: Draw) -> Pair:
    """The same where the references lie alike, as a product finds out by itself."""
    return around(picture, draw) if draw.lies_alike() else nearest()(picture, draw)


def stronger(compare: Callable[[Picture, Draw], Pair]) -> Callable[[Picture, Draw], Pair]:
    """The same, farther where patches respond more strongly than those of the references."""

    def farther(picture: Picture, draw: Draw) -> Pair:
        distance, rare = compare(picture, draw)
        factor = draw.detector.factor(picture.features, draw.strengths())
        return (distance if factor is None else distance * factor), rare

    return farther


def lift(picture: Picture, draw: Draw) -> Tensor:
    """How much the score [1] rises where the references are alike as whole pictures, and this one is not."""
    return draw.detector.lift(picture.features, draw.wholes())


def no_lift(picture: Picture, draw: Draw) -> Tensor:
    """The map alone makes the score."""
    return torch.zeros(1)


@dataclass(frozen=True)
class Variant:
    """How a picture is compared with a draw of references, how a map [1, h, w] becomes a score [1], and what that
    rises by beside the map."""

    compare: Callable[[Picture, Draw], Pair]
    score: Callable[[Tensor], Tensor] = top_mean
    lift: Callable[[Picture, Draw], Tensor] = no_lift


VARIANTS: dict[str, Variant] = {
    "nearest neighbour": Variant(nearest()),
    "maximum for the top 1 %": Variant(nearest(), lambda maps: maps.flatten(1).amax(dim=1)),
    "neighbourhood 3x3": Variant(nearest("3x3")),
    "layers not normalised": Variant(nearest("raw")),
    "coarsest layer left out": Variant(nearest("finer")),
    "coarsest layer left out, others alike": Variant(nearest("naive")),
    "flips": Variant(nearest(views="flips")),
    "turns": Variant(nearest(views="turns")),
    "foreground": Variant(masked),
    "alignment on": Variant(around),
    "alignment auto": Variant(around_if_alike),
    "strength": Variant(stronger(nearest())),
    "whole": Variant(nearest(), lift=lift),
    "as shipped": Variant(stronger(around_if_alike), lift=lift),
    "subspace": Variant(subspace()),
    "subspace, turns": Variant(subspace("turns")),
    "subspace, scaled to rarity": Variant(subspace(scaled=True)),
    "subspace, 90 % of variance": Variant(subspace(share=0.9)),
}
