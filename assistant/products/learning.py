"""Learns a product from good pictures: fills a memory, and works out its limits then and whenever it changed.

Nothing is trained; the towers stay as they are. It takes as long as scoring the references a few times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from assistant.adapters.dictionary import Dictionary, merge
from assistant.adapters.strength import Strengths
from assistant.adapters.whole import Wholes
from assistant.detection.calibration import calibrate
from assistant.detection.detector import Detector
from assistant.detection.known import less
from assistant.detection.near_copies import Sketch, find_groups
from assistant.detection.prior import Prior
from assistant.detection.registration import Registration
from assistant.detection.scored import Scored
from assistant.errors import ProductError, WeightsError, told
from assistant.images.digest import digest_of
from assistant.images.load import LoadedImage, Window
from assistant.images.pose import Pose
from assistant.images.views import jittered_views, memory_views
from assistant.models.backbone import Features
from assistant.products.config import LearnConfig
from assistant.products.counting import Counting
from assistant.products.kept_pictures import Pixels, draw, expand, shrink
from assistant.products.masks import check_masks, fit_shape
from assistant.products.pose_search import PoseSearch
from assistant.products.product import Product, Reference, check_name, stale
from assistant.products.remarks import doubt_about
from assistant.progress import Tell, say_nothing

CAPACITY = 50_000
"""Patches in memory at most: with the pocket tower's 472 numbers each, 48 MB; with pictures, under 60 MB."""

WHOLES_BYTES = 350_000
"""Signatures of whole pictures at most: 24 of the pocket tower's, so that all that is kept stays under 60 MB."""

THINNED = range(3, 9)
"""Of so many references, each is also scored with one of the others left out, since that shows how scores fall as
references are added; of more, they fall by less than 1 % for another one."""

PARTNERS = 2
"""Others that are left out in turn, for each reference."""


def learn_product(
    detector: Detector,
    name: str,
    pictures: Iterable[LoadedImage],
    config: LearnConfig | None = None,
    *,
    prior: Prior | None = None,
    tell: Tell | None = None,
    count: int = 0,
) -> Product:
    """A product that knows the given good pictures, each of them once; near copies count as one in its limits.

    They are looked at one after the other and let go. `count` says how many come, where they cannot be counted.
    They were read through the window of `config`, which is kept with the product.

    ProductError where there are none, the name is bad, some have 8 bits and others more, or a trained memory has
    no room for so many references; WeightsError for a trained memory where nothing was trained.
    """
    check_name(name)
    config, tell, backbone = config or LearnConfig(), tell or say_nothing, detector.backbone
    if config.scoring:
        detector = Detector(backbone, config.scoring)
    looked, ignored = check_masks(config.roi, config.ignore)
    count = len(pictures) if isinstance(pictures, Sized) else count
    shown, raw, registration = _look_at(detector, pictures, config, tell, count)
    if shown.first is None:
        raise ProductError(f"To learn {name!r}, at least one good picture is needed.")
    counted = shown.counting.learn(tell)
    seen, digests, aligned = shown.features, dict(enumerate(shown.digests)), config.aligned
    dictionary = Dictionary.build(shown.patches, CAPACITY, device=backbone.runtime.device)
    tell("Scoring each reference without itself", 1.0)
    references = find_near_copies(shown.references, raw)
    if aligned is None:
        apart = {r.id: seen[r.id] for r in references if r.like is None}
        memory = less(dictionary, *(r.id for r in references if r.like is not None))
        aligned = config.memory == "nearest" and find_alignment(detector, memory, apart, config)
    draft = Product(
        name=name,
        bundle=backbone.card.name,
        weights=backbone.digest,
        side=backbone.part.image_size,
        views=config.views,
        references=references,
        calibration=calibrate([1.0], target=config.target_false_alarm),  # until there are scores
        dictionary=dictionary,
        roi=looked,
        ignore=ignored,
        aligned=aligned,
        tiles=config.tiles,
        memory=config.memory,
        scoring=detector.config,
        window=config.window or Window(),
        registration=registration,
        counted=counted,
        pictures=draw(shown.kept, digests),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return _with_limits(detector, draft, seen, shown.first, prior)


def calibrate_again(detector: Detector, product: Product, prior: Prior | None = None) -> Product:
    """The product with limits that rest on what it holds now, from the pictures it keeps."""
    # Brought to one pose, different parts look like near copies: those were found when they came.
    raw = {} if product.registration else product.pictures
    product = replace(product, references=find_near_copies(product.references, raw))
    kept = {i: expand(picture) for i, picture in product.pictures.items()}
    # What is kept of references is in the frame.
    pose = product.registration.home if product.registration else None
    seen = {i: replace(detector.encode([pixels], product.tiles)[0], pose=pose) for i, pixels in kept.items()}
    return _with_limits(detector, product, seen, next(iter(kept.values()), None), prior)


def prior_for(product: Product, prior: Prior | None) -> Prior:
    """What other products teach about one whose parts are brought to one pose, or not, as its are."""
    return (prior or Prior()).of(product.registration is not None)


def fitting(product: Product, detector: Detector) -> Product:
    """The product, its memory where the towers are; ProductError where it was made with others."""
    backbone = detector.backbone
    if product.weights != backbone.digest:
        raise ProductError(
            f"The product {product.name!r} was learned with the bundle {product.bundle!r} in another state; "
            "learn it again with this one."
        )
    if product.side != backbone.part.image_size:
        raise ProductError(
            f"The product {product.name!r} was learned at {product.side} pixels and this bundle sees "
            f"{backbone.part.image_size}; learn it again."
        )
    for memory in (product.dictionary, product.known.dictionary):
        memory.to(backbone.runtime.device)  # a product read from a file lies on the CPU
    return product


def ready(product: Product, detector: Detector) -> Product:
    """The product, if its limits were set for just this; ProductError, with the command that mends it, else."""
    fitting(product, detector)
    if product.trained != detector.trained_for(product):
        raise stale(product.name)
    product.check_seal()
    return product


def is_ready(product: Product, detector: Detector) -> bool:
    """Whether a product can be inspected with as it is."""
    try:
        ready(product, detector)
    except (ProductError, WeightsError):
        return False
    return True


def find_alignment(
    detector: Detector, memory: Dictionary, seen: Mapping[int, Features], config: LearnConfig
) -> bool:
    """Whether all references lie alike, each judged by the others; a single one cannot tell, which counts as no.

    Turned or mirrored views in memory say that parts lie at any angle.
    """
    if config.views != "plain" or len(seen) < 2:
        return False
    return all(detector.lies_alike(features, memory, config.tiles, i) for i, features in seen.items())


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
    apart = {i: seen[i] for i in product.pictures if i in product.groups}
    product = replace(
        product,
        wholes=_find_wholes(detector, product, apart),
        strengths=_find_strengths(detector, product, apart),
        trained=detector.trained_for(product),
    )
    prior = prior_for(product, prior)
    scores, jittered = _score_references(detector, product, seen, first)
    thinned, target = _score_thinned(detector, product, seen), product.calibration.target
    groups = [[scores[i].value for i in group if i in scores] for group in product.groups.values()]
    held_out = [float(np.mean(group)) for group in groups if group]
    return replace(
        product,
        references=tuple(_rated(reference, scores.get(reference.id)) for reference in product.references),
        calibration=calibrate(held_out, jittered, thinned=thinned, target=target, prior=prior),
    ).sealed()


def _rated(reference: Reference, scored: Scored | None) -> Reference:
    if scored is None:
        return replace(reference, score=None, distance=None)
    return replace(reference, score=scored.value, distance=scored.distance)


def _score(detector: Detector, product: Product, features: Features, without: Sequence[int] = ()) -> Scored:
    """A picture's score by the rule of an inspection, in the single precision in which maps are made.

    `without`: a group of references that is left out, the first of which stands for all in wholes and strengths.
    """
    first, rest = (without[0], without[1:]) if without else (None, ())
    fewer = replace(product, dictionary=less(product.dictionary, *rest)) if rest else product
    scored = detector.score(features, fewer, without=first)
    return replace(scored, value=float(np.float32(scored.value)))


def _find_wholes(detector: Detector, product: Product, seen: Mapping[int, Features]) -> Wholes | None:
    """How the references look as whole pictures; None where they are not alike, or a single one cannot tell.

    `seen` are the features of those whose pictures are kept, so that it can be found out again after any change,
    and of near copies only the first one's.
    Of very many, as many stay as `WHOLES_BYTES` hold, drawn by the digests of their pixels.
    """
    signatures = {i: detector.signature(features, product.looked_at) for i, features in seen.items()}
    known = {i: rows[0] for i, rows in signatures.items() if rows is not None}
    if len(known) < 2:
        return None
    wholes = Wholes.of(draw(known, {r.id: r.digest for r in product.references}, WHOLES_BYTES))
    return wholes if wholes.spread <= product.scoring.whole_gate else None


def _find_strengths(detector: Detector, product: Product, seen: Mapping[int, Features]) -> Strengths | None:
    """How strongly the references' patches usually respond; None where a single one cannot tell."""
    usual = {i: detector.usual_strength(features, product) for i, features in seen.items()}
    known = {i: row for i, row in usual.items() if row is not None}
    return Strengths.of(known) if len(known) > 1 else None


def _score_references(
    detector: Detector, product: Product, seen: Mapping[int, Features], first: NDArray[np.uint8] | None
) -> tuple[dict[int, Scored], list[list[float]]]:
    """The scores of the references seen, each without its group, by id; of a single one, those of altered copies.

    `first` are the pixels of that single one, None where its picture was not kept.
    """
    groups = product.groups
    if len(groups) > 1 or first is None:
        group_of = {i: group for group in groups.values() for i in group}
        return {i: _score(detector, product, features, group_of[i]) for i, features in seen.items()}, []
    altered = detector.encode_brought(jittered_views(first), product.tiles, product.registration)
    return {}, [[_score(detector, product, features).value for features in altered]]


def _score_thinned(detector: Detector, product: Product, seen: Mapping[int, Features]) -> list[float]:
    """Scores of the references seen, each without its group and without another; none of too few or too many.

    Which others are left out follows from the digests of their pixels: the order of references says nothing. Of a
    group the first one stands for all.
    """
    groups = product.groups
    if len(groups) not in THINNED:
        return []
    ids = [r.id for r in sorted(product.references, key=lambda r: r.digest) if r.id in seen and r.id in groups]
    scores = []
    for place, left_out in enumerate(ids):
        fewer = _without(product, groups[left_out])
        for partner in range(1, min(PARTNERS, len(ids) - 1) + 1):
            other = ids[place - partner]
            scores.append(_score(detector, fewer, seen[other], groups[other]).value)
    return scores


def _without(product: Product, group: Sequence[int]) -> Product:
    """What a product compares pictures with, less what it knows from a group of its references."""
    wholes, strengths = product.wholes, product.strengths
    return replace(
        product,
        dictionary=less(product.dictionary, *group),
        wholes=wholes and wholes.drop(group[0]),
        strengths=strengths and strengths.drop(group[0]),
    )


def find_near_copies(references: Sequence[Reference], pictures: Mapping[int, Tensor]) -> tuple[Reference, ...]:
    """References with what each is nearly one picture with, by the kept ones of `pictures`.

    Of those that are no longer kept, what was found out earlier stays.
    """
    ids = [r.id for r in references if r.id in pictures]
    places = find_groups([Sketch.of(expand(pictures[i])) for i in ids])
    firsts = {i: ids[place] for i, place in zip(ids, places, strict=True)}
    there = {r.id for r in references}
    found = {r.id: firsts.get(r.id, firsts.get(r.like, r.like) if r.like in there else r.id) for r in references}
    return tuple(replace(r, like=None if found[r.id] == r.id else found[r.id]) for r in references)


@dataclass(eq=False)
class _Shown:
    """What is taken of references that come one after the other: by number, and the pixels of the first.

    `counting` holds what zones show in them.
    """

    counting: Counting = field(default_factory=Counting)
    references: list[Reference] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    features: dict[int, Features] = field(default_factory=dict)
    patches: dict[int, Tensor] = field(default_factory=dict)
    kept: dict[int, Tensor] = field(default_factory=dict)
    first: NDArray[np.uint8] | None = None

    def take(
        self,
        detector: Detector,
        config: LearnConfig,
        picture: LoadedImage,
        digest: str,
        pixels: Pixels,
        pose: Pose | None = None,
    ) -> None:
        """Take one more reference, seen as these pixels show it, which were brought from a pose."""
        number = len(self.digests)
        features = detector.encode(memory_views(pixels, config.views), config.tiles)
        self.references.append(reference_of(number, picture, digest))
        self.digests.append(digest)
        self.counting.take(picture, pose)
        self.features[number] = replace(features[0], pose=pose)
        self.patches[number] = merge(detector.tokens(f) for f in features)
        self.kept[number] = shrink(pixels, detector.backbone, config.tiles)
        if self.first is None:
            self.first = pixels


def reference_of(id: int, picture: LoadedImage, digest: str) -> Reference:
    """What is noted of a good picture before it is scored."""
    size = {"width": picture.width, "height": picture.height}
    return Reference(id, picture.name, None, digest, **size, doubt=doubt_about(picture))


def check_depth(picture: LoadedImage, window: Window | None) -> None:
    """ProductError for a picture of 8 bits beside a window, which changes none of these."""
    if window and window.levels and not picture.deep:
        raise ProductError(
            f"{picture.name} has 8 bits and the window {window} is for more, so they are not on one scale."
        )


def _check_shapes(config: LearnConfig, reference: LoadedImage) -> None:
    """ProductError where a mask has another shape than the picture it is said to be drawn on."""
    named = (config.roi, told("The region of interest")), (config.ignore, told("The ignore mask"))
    for mask, name in named:
        if mask is not None:
            fit_shape(mask, reference, name)


def _check_depth(config: LearnConfig, first: LoadedImage, reference: LoadedImage) -> None:
    """ProductError where a reference cannot be on the scale of the others."""
    if reference.deep != first.deep:
        deep, plain = (first, reference) if first.deep else (reference, first)
        raise ProductError(
            f"{plain.name} has 8 bits and {deep.name} has more, so they are not on one scale: learn from pictures "
            "of one depth."
        )
    check_depth(reference, config.window)


def _look_at(
    detector: Detector, pictures: Iterable[LoadedImage], config: LearnConfig, tell: Tell, count: int
) -> tuple[_Shown, Mapping[int, Tensor], Registration | None]:
    """The features of each different picture, the descriptors of all its views, and what is kept of it.

    With the pictures as they lie, and that by which they are brought to the pose of the first one, where that
    brings them nearer to each other.
    A copy left in memory would make its picture seem all too good.
    """
    shown, brought, search = _Shown(Counting(config.zones)), _Shown(), None
    for i, picture in enumerate(pictures):
        tell("Looking at the references", i / count if count else 0.0)
        digest = digest_of(picture.pixels)
        if digest in shown.digests:
            continue
        if shown.first is None:
            _check_shapes(config, picture)
            first, search = picture, PoseSearch.start(picture.pixels, config)
            brought.counting = Counting(config.zones, search.registration if search else None)
        _check_depth(config, first, picture)
        shown.take(detector, config, picture, digest, picture.pixels)
        if search and search.promising:
            pixels, pose = detector.bring(picture.pixels, config.tiles, search.registration)
            search.poses.append(pose)
            brought.take(detector, config, picture, digest, pixels, pose)
    if search and search.pays:
        return brought, shown.kept, search.registration
    return shown, shown.kept, None
