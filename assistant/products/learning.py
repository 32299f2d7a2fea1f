"""Learns a product from good pictures: fills a memory, and works out its limits then and whenever it changed.

Nothing is trained; the towers stay as they are. It takes as long as scoring the references a few times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assistant.adapters.dictionary import Dictionary, merge
from assistant.adapters.foreground import Foreground
from assistant.adapters.strength import RIM, USUAL, Strengths
from assistant.adapters.whole import Wholes
from assistant.detection.calibration import Prior, calibrate, check_target
from assistant.detection.detector import ALIGNED, ALIKE, MEMORY_SHARE, STRENGTH_SHARE, WHOLE_SHARE, Detector
from assistant.detection.known import less, lift
from assistant.errors import ProductError
from assistant.images.load import LoadedImage
from assistant.images.views import jittered_views, memory_views
from assistant.models.backbone import Features
from assistant.products.kept_pictures import digest_of, draw, expand, shrink
from assistant.products.product import MEMORIES, Product, Reference, check_name, look_at

CAPACITY = 50_000
"""Patches in memory at most: with the pocket tower's 472 numbers each, 48 MB; with pictures, under 60 MB."""

WHOLES_BYTES = 350_000
"""Signatures of whole pictures at most: 24 of the pocket tower's, so that all that is kept stays under 60 MB."""

THINNED = range(3, 9)
"""Of so many references, each is also scored with one of the others left out, since that shows how scores fall as
references are added; of more, they fall by less than 1 % for another one."""

PARTNERS = 2
"""Others that are left out in turn, for each reference."""

Tell = Callable[[str, float], None]


def learn_product(
    detector: Detector,
    name: str,
    pictures: Sequence[LoadedImage],
    *,
    views: str = "plain",
    tiles: int = 1,
    memory: str = "nearest",
    roi: NDArray[np.bool_] | None = None,
    ignore: NDArray[np.bool_] | None = None,
    foreground: bool = False,
    aligned: bool | None = None,
    target_false_alarm: float = 0.05,
    prior: Prior | None = None,
    tell: Tell | None = None,
) -> Product:
    """A product that knows the given good pictures, each of them once.

    `aligned` says that parts lie alike in all pictures, or that they do not; None finds out from the references.
    ProductError where there are none, the name is bad, or parts are said to lie alike and at any angle; for a
    trained `memory` also where parts are said to lie in any special way, or the references take too much room.
    WeightsError where it was not trained.
    """
    check_name(name)
    check_target(target_false_alarm)
    if not pictures:
        raise ProductError(f"To learn {name!r}, at least one good picture is needed.")
    if aligned and views != "plain":
        raise ProductError("Parts either lie alike or at any angle: leave out the views or the alignment.")
    check_memory(memory, views, tiles, aligned)
    tell = tell or _say_nothing
    different = _without_copies(pictures)
    digests, pictures = dict(enumerate(different)), list(different.values())
    looked, ignored = check_masks(roi, ignore)
    detector = detector.at(tiles)
    backbone = detector.backbone
    own, patches = _look_at(detector, pictures, views, tell)
    dictionary = Dictionary.build(patches, CAPACITY, device=backbone.runtime.device)
    ground = Foreground.find([detector.tokens(f)[0] for f in own]) if foreground else None
    tell("Scoring each reference without itself", 1.0)
    seen = dict(enumerate(own))
    if aligned is None:
        aligned = memory == "nearest" and find_alignment(detector, dictionary, seen, views)
    draft = Product(
        name=name,
        bundle=backbone.card.name,
        weights=backbone.digest,
        side=backbone.part.image_size,
        views=views,
        references=tuple(Reference(i, p.name, None, digests[i]) for i, p in enumerate(pictures)),
        calibration=calibrate([1.0], target=target_false_alarm),  # until there are scores
        dictionary=dictionary,
        roi=looked,
        ignore=ignored,
        foreground=ground,
        aligned=aligned,
        tiles=tiles,
        memory=memory,
        pictures=draw({i: shrink(p.pixels, backbone) for i, p in enumerate(pictures)}, digests),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return _with_limits(detector, draft, seen, pictures[0].pixels, prior)


def calibrate_again(detector: Detector, product: Product, prior: Prior | None = None) -> Product:
    """The product with limits that rest on what it holds now, from the pictures it keeps."""
    detector = detector.at(product.tiles)
    kept = {i: expand(picture) for i, picture in product.pictures.items()}
    seen = {i: detector.backbone.encode([pixels])[0] for i, pixels in kept.items()}
    return _with_limits(detector, product, seen, next(iter(kept.values()), None), prior)


def check_memory(memory: str, views: str = "plain", tiles: int = 1, aligned: bool | None = None) -> None:
    """ProductError where there is no such memory, or it cannot hold references in such a way."""
    if memory not in MEMORIES:
        raise ProductError(f"A memory is {' or '.join(MEMORIES)}, not {memory!r}.")
    if memory == "trained" and (views != "plain" or tiles != 1 or aligned):
        raise ProductError(
            "A trained memory reads whole pictures as they are: leave out views, tiles and alignment."
        )


def _with_limits(
    detector: Detector,
    product: Product,
    seen: Mapping[int, Features],
    first: NDArray[np.uint8] | None,
    prior: Prior | None,
) -> Product:
    """The product with limits, and what they are made with, from the features of its references.

    `first` are the pixels of the first of them, None where no picture is kept.
    """
    kept = {i: seen[i] for i in product.pictures}
    product = replace(
        product,
        wholes=find_wholes(detector, product, kept),
        strengths=find_strengths(detector, product, kept),
    )
    scores, jittered = score_references(detector, product, seen, first)
    thinned, target = score_thinned(detector, product, seen), product.calibration.target
    return replace(
        product,
        references=tuple(replace(r, score=scores.get(r.id)) for r in product.references),
        calibration=calibrate([*scores.values()], jittered, thinned=thinned, target=target, prior=prior),
    ).sealed(rule_of(detector, product.memory))


def rule_of(detector: Detector, memory: str = "nearest") -> str:
    """How scores come about, in words that change when scores do: part of what limits rest on.

    WeightsError where the memory is to be a trained one, and there is nothing trained.
    """
    side, share = detector.backbone.part.image_size, detector.share
    rule = f"side {side}, top {share}, memory {MEMORY_SHARE}, known 1, aligned {sorted(ALIGNED.items())}"
    rule += f", whole {WHOLE_SHARE} within {ALIKE}, strength {STRENGTH_SHARE} from {USUAL} but {RIM}"
    if memory == "trained":
        rule += f", looked up by {detector.trained.digest}"
    return rule if detector.backbone.tiles == 1 else f"{rule}, tiles {detector.backbone.tiles}"


def score_of(detector: Detector, product: Product, features: Features, without: int | None = None) -> float:
    """A picture's score by the rule of an inspection, without one of the references if told so."""
    memory, looked_at, ground = detector.memory_of(product), product.looked_at, product.foreground
    found = detector.few_shot(features, memory, without, ground, product.aligned, product.strengths)
    if product.known:
        contrast = product.known.contrast(detector.tokens(features), product.dictionary, without)
        found = lift(found, contrast)
    lifted = detector.lift(features, product.wholes, looked_at, ground, without)
    return float((detector.score(found, looked_at) + lifted)[0])


def find_alignment(detector: Detector, memory: Dictionary, seen: Mapping[int, Features], views: str) -> bool:
    """Whether all references lie alike, each judged by the others; a single one cannot tell, which counts as no.

    Turned or mirrored views in memory say that parts lie at any angle.
    """
    if views != "plain" or len(seen) < 2:
        return False
    return all(detector.lies_alike(features, memory, i) for i, features in seen.items())


def find_wholes(detector: Detector, product: Product, seen: Mapping[int, Features]) -> Wholes | None:
    """How the references look as whole pictures; None where they are not alike, or a single one cannot tell.

    `seen` are the features of those whose pictures are kept, so that it can be found out again after any change.
    Of very many, as many stay as `WHOLES_BYTES` hold, drawn by the digests of their pixels.
    """
    looked_at, ground = product.looked_at, product.foreground
    found = {i: detector.signature(features, looked_at, ground) for i, features in seen.items()}
    known = {i: signatures[0] for i, signatures in found.items() if signatures is not None}
    if len(known) < 2:
        return None
    wholes = Wholes.of(draw(known, {r.id: r.digest for r in product.references}, WHOLES_BYTES))
    return wholes if wholes.spread <= ALIKE else None


def find_strengths(detector: Detector, product: Product, seen: Mapping[int, Features]) -> Strengths | None:
    """How strongly the references' patches usually respond; None where a single one cannot tell."""
    looked_at, ground = product.looked_at, product.foreground
    found = {i: detector.usual_strength(features, looked_at, ground) for i, features in seen.items()}
    known = {i: limits for i, limits in found.items() if limits is not None}
    return Strengths.of(known) if len(known) > 1 else None


def score_references(
    detector: Detector, product: Product, seen: Mapping[int, Features], first: NDArray[np.uint8] | None
) -> tuple[dict[int, float], list[list[float]]]:
    """The scores of the references seen, each without itself, by id; of a single one, those of altered copies.

    `first` are the pixels of that single one, None where its picture was not kept.
    """
    if len(product.references) > 1 or first is None:
        return {i: score_of(detector, product, features, i) for i, features in seen.items()}, []
    altered = detector.backbone.encode(jittered_views(first))
    return {}, [[score_of(detector, product, features) for features in altered]]


def score_thinned(detector: Detector, product: Product, seen: Mapping[int, Features]) -> list[float]:
    """Scores of the references seen, each without itself and without another; none of too few or too many.

    Which others are left out follows from the digests of their pixels: the order of references says nothing.
    """
    if len(product.references) not in THINNED:
        return []
    ids = [r.id for r in sorted(product.references, key=lambda r: r.digest) if r.id in seen]
    found = []
    for place, left_out in enumerate(ids):
        fewer = _without(product, left_out)
        for partner in range(1, min(PARTNERS, len(ids) - 1) + 1):
            other = ids[place - partner]
            found.append(score_of(detector, fewer, seen[other], other))
    return found


def _without(product: Product, owner: int) -> Product:
    """What a product compares pictures with, less what it knows from one of its references."""
    wholes, strengths = product.wholes, product.strengths
    return replace(
        product,
        dictionary=less(product.dictionary, owner),
        wholes=wholes and wholes.drop(owner),
        strengths=strengths and strengths.drop(owner),
    )


def check_masks(
    roi: NDArray[np.bool_] | None, ignore: NDArray[np.bool_] | None
) -> tuple[Tensor | None, Tensor | None]:
    """Both masks as float32 in {0, 1}; ProductError where one is unfit, or they leave nothing to look at."""
    looked = None if roi is None else check_roi(roi)
    ignored = None if ignore is None else check_roi(ignore, "ignore mask", "ignored")
    left = look_at(looked, ignored)
    if left is not None and not bool(left.any()):
        raise ProductError("The ignore mask leaves nothing to look at.")
    return looked, ignored


def check_roi(roi: NDArray[np.bool_], what: str = "region of interest", verb: str = "looked at") -> Tensor:
    """A mask [H, W], true in the place it is about, as float32 in {0, 1}; ProductError where it is unfit."""
    mask = np.asarray(roi)
    if mask.ndim != 2 or mask.size == 0:
        raise ProductError(f"The {what} is a picture of one channel, with the place to be {verb} in white.")
    tensor = torch.from_numpy((mask > 0).astype(np.float32))
    if not bool(tensor.any()):
        raise ProductError(f"The {what} is empty: nothing in it is marked to be {verb}.")
    return tensor


def _look_at(
    detector: Detector, pictures: Sequence[LoadedImage], views: str, tell: Tell
) -> tuple[list[Features], dict[int, Tensor]]:
    """The features of each picture as it is, and the descriptors of all its views by its number."""
    own, patches = [], {}
    for i, picture in enumerate(pictures):
        tell("Looking at the references", i / len(pictures))
        features = detector.backbone.encode(memory_views(picture.pixels, views))
        own.append(features[0])
        patches[i] = merge(detector.tokens(f) for f in features)
    return own, patches


def _without_copies(pictures: Sequence[LoadedImage]) -> dict[str, LoadedImage]:
    """The different ones by their digests: a copy left in memory would make its picture seem all too good."""
    different: dict[str, LoadedImage] = {}
    for picture in pictures:
        different.setdefault(digest_of(picture.pixels), picture)
    return different


def _say_nothing(message: str, fraction: float) -> None:
    """Take the place of a progress display."""
