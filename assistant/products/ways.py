"""Other ways to look at a product: learned again with one setting changed, from the pictures that it keeps.

A product keeps its references as large as the tower sees them, which is enough for all but more tiles: for these
the reference pictures themselves are needed again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.adapters.dictionary import Dictionary, merge
from assistant.detection.detector import Detector
from assistant.detection.held_out import Gain, choose_way
from assistant.detection.prior import Prior
from assistant.errors import CalibrationError, ProductError
from assistant.images.digest import digest_of
from assistant.images.load import load_image
from assistant.images.reading import read_ahead
from assistant.images.views import memory_views
from assistant.models.backbone import Features
from assistant.products.kept_pictures import expand, shrink
from assistant.products.learning import calibrate_again, fitting
from assistant.products.product import Change, Product
from assistant.progress import Tell, say_nothing

NOW = "as now"
TILES = (1, 2, 3)

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Way:
    """One way to look at a product: `name` says what is other than now; `shares` of the layers, () the card's."""

    name: str
    views: str
    aligned: bool
    tiles: int
    shares: tuple[float, ...]


@dataclass(frozen=True)
class Chosen:
    """What was found when ways were tried on known parts: `product` as it would be, None where nothing is changed.

    `left_out`: why some ways were not tried, a sentence each.
    """

    gain: Gain
    product: Product | None
    left_out: tuple[str, ...] = ()

    def follow(self, product: Product) -> Product:
        """The product after it took the chosen way; the very same where none was chosen."""
        if self.product is None:
            return product
        by = f"{self.gain.chosen}, by {self.gain.good} good and {self.gain.bad} bad parts"
        change = Change(datetime.now(UTC).isoformat(timespec="seconds"), "recalibrated", name=by)
        return product.followed_by(replace(self.product, history=(*product.history, change)).sealed())

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dict: the figures of the choice, and what was left out."""
        return {**asdict(self.gain), "left_out": list(self.left_out)}


def ways_of(product: Product, shares: tuple[float, ...], larger: bool = False) -> Iterator[Way]:
    """The way of now, then those that change one thing about it; `shares`: those of the bundle's card.

    `larger`: there are reference pictures that are larger than those it keeps. A trained memory has one way.
    """
    used = product.scoring.layer_shares or shares
    now = Way(NOW, product.views, product.aligned, product.tiles, product.scoring.layer_shares)
    yield now
    if product.memory != "nearest":
        return
    for views, name in (("plain", "references as they are"), ("flips", "mirrored"), ("turns", "turned")):
        if views != product.views and not product.registration:  # parts that are registered lie alike
            yield replace(now, name=name, views=views, aligned=False)
    if product.views == "plain":
        yield replace(now, name="anywhere" if now.aligned else "place by place", aligned=not now.aligned)
    if product.known.defects:  # what is known of them was described in the way of now
        return
    for tiles in TILES:
        if tiles < product.tiles or (larger and tiles != product.tiles):
            yield replace(now, name=f"{tiles} x {tiles} tiles" if tiles > 1 else "whole pictures", tiles=tiles)
    for name, other in _other_shares(shares).items():
        if not np.allclose(other, used):
            yield replace(now, name=name, shares=other)


def learn_again(
    detector: Detector,
    product: Product,
    way: Way,
    prior: Prior | None = None,
    originals: Mapping[int, Pixels] | None = None,
) -> Product:
    """The product as it would be had it been learned in another way: with its masks, target and known defects.

    `originals`: its reference pictures [H, W, 3] by id, where they are at hand. ProductError where it keeps only
    some of them and `originals` lacks the others.
    """
    fitting(product, detector)
    if originals:
        pictures = {i: detector.bring(one, way.tiles, product.registration)[0] for i, one in originals.items()}
    else:  # those that it keeps were brought to one pose already
        pictures = {i: expand(kept) for i, kept in product.pictures.items()}
    if missing := [r.name for r in product.references if r.id not in pictures]:
        raise ProductError(
            f"Of the references of {product.name!r}, {len(missing)} are not at hand, {missing[0]} among them: "
            "give the reference pictures again."
        )
    scoring = replace(product.scoring, layer_shares=way.shares)
    patches = {}
    for reference in product.references:
        seen = detector.encode(memory_views(pictures[reference.id], way.views), way.tiles)
        patches[reference.id] = merge(detector.tokens(features, scoring) for features in seen)
    memory = Dictionary.build(patches, product.dictionary.capacity, device=detector.backbone.runtime.device)
    kept = product.pictures
    if way.tiles != product.tiles:
        kept = {i: shrink(pictures[i], detector.backbone, way.tiles) for i in kept}
    draft = replace(
        product,
        dictionary=memory,
        views=way.views,
        aligned=way.aligned,
        tiles=way.tiles,
        scoring=scoring,
        pictures=kept,
    )
    return calibrate_again(detector, draft, prior)


def try_ways(
    detector: Detector,
    product: Product,
    good: Iterable[Any],
    bad: Iterable[Any],
    *,
    references: Iterable[Any] = (),
    prior: Prior | None = None,
    tell: Tell | None = None,
) -> Chosen:
    """Which way ranks known parts best, by parts held out; the one of now unless another gains for sure.

    `good`, `bad` and `references`: sources of pictures, those of the references where they are at hand, without
    which more tiles are not tried. Parts that cannot be read count nowhere. `tell` hears how far it is.
    ProductError where there are references, and one of the product's is not among them.
    """
    tell = tell or say_nothing
    originals = _originals(product, references)
    ways = {way.name: way for way in ways_of(product, tuple(detector.backbone.shares), bool(originals))}
    products = {NOW: product}
    for i, (name, way) in enumerate(ways.items()):
        tell("Learning in other ways", i / len(ways))
        if name != NOW:
            products[name] = learn_again(detector, product, way, prior, originals)
    scores: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in products}
    for kind, sources in enumerate((good, bad)):
        for entry in read_ahead(sources, windows=(product.window,)):
            if entry.image is None:
                continue
            tell("Scoring known parts in every way", 1.0)
            seen: dict[int, Features] = {}
            for name, other in products.items():
                if other.tiles not in seen:
                    pixels = [entry.image.pixels]
                    (seen[other.tiles],) = detector.encode_brought(pixels, other.tiles, product.registration)
                scores[name][kind].append(detector.score(seen[other.tiles], other).value)
    if not all(scores[NOW]):
        raise CalibrationError("Ways are tried on good and on bad parts: of one kind none can be read.")
    gain = choose_way(scores, NOW)
    return Chosen(gain, None if gain.chosen == NOW else products[gain.chosen], _left_out(product, originals))


def _originals(product: Product, references: Iterable[Any]) -> dict[int, Pixels]:
    """The pictures of a product's references by id, of those that are given; near copies are none of them."""
    ids = {reference.digest: reference.id for reference in product.references}
    pictures = (load_image(source, window=product.window).pixels for source in references)
    return {ids[digest]: pixels for pixels in pictures if (digest := digest_of(pixels)) in ids}


def _left_out(product: Product, originals: Mapping[int, Pixels]) -> tuple[str, ...]:
    if product.memory != "nearest":
        return ("A trained memory reads whole pictures in one way, so no other was tried.",)
    if product.known.defects:
        return (
            "It has known defects, which are described as it is now, so tiles and layers were left as they are.",
        )
    return () if originals else ("More tiles were not tried: give the reference pictures for that.",)


def _other_shares(shares: tuple[float, ...]) -> dict[str, tuple[float, ...]]:
    """Other shares of layers, the finest first, by what they do; none for a tower of fewer than three."""
    if len(shares) < 3:
        return {}
    finer = (1 / (len(shares) - 1),) * (len(shares) - 1)
    coarser = (0.0, *(share / sum(shares[1:]) for share in shares[1:]))
    return {"finer layers": (*finer, 0.0), "coarser layers": coarser, "the layers of the card": shares}
