"""Teaching a product: good parts and known defects are added and taken away, masks drawn, corrections taken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from assistant.adapters.dictionary import Dictionary, coreset, merge
from assistant.detection.calibration import Calibration
from assistant.detection.config import DESCRIBING
from assistant.detection.counted import count_zones
from assistant.detection.detector import Detector
from assistant.detection.good_parts import fit_mask
from assistant.detection.known import KnownDefect, choose_patches, copy_of, less
from assistant.detection.prior import Prior
from assistant.detection.regions import EXTENT
from assistant.errors import ImageError, ProductError, told
from assistant.images.digest import digest_of
from assistant.images.load import LoadedImage, Window, load_image
from assistant.images.sources import walk_sources
from assistant.images.views import memory_views
from assistant.inspection import Inspection
from assistant.models.backbone import Features
from assistant.products.kept_pictures import draw, shrink
from assistant.products.learning import calibrate_again, check_depth, fitting, is_ready, ready, reference_of
from assistant.products.masks import Mask, check_mask, check_masks, fit_shape
from assistant.products.product import Change, Product

Kind = Literal["good", "defect"]
Correction = Literal["false alarm", "missed"]

MOST_CHANGES = 50
"""Changes that a product's history lists, the newest ones; more only where the last one alone has more."""

ROOM = 0.8
"""A full memory is thinned to this share of its capacity, so that it is not thinned for every picture."""

LONGEST_LABEL = 60
UNNAMED = "known defect"

FAR = 2.0
"""A picture is far above the limit where so many times fewer good parts than the target score as high, by the
curve of the product's good pictures: of true false alarms, one in two. Curves of few references have heavy tails:
at ten times, defects beside five of them were taught without a question."""


class DoubtfulTeaching(ProductError):
    """A picture is hardly a good part: it scores far above the limit, or something is one too few or too many.

    `confirm` teaches it all the same.

    `before` is the product as it is, `after` what it would become.
    """

    def __init__(self, sentence: str, before: Product, after: Product) -> None:
        super().__init__(sentence)
        self.before, self.after = before, after


class Teacher:
    """Changes products. They are frozen: each method returns another one, to be saved.

    Every change works out the limits again at once, and can be undone. ProductError for what makes no sense,
    ImageError for a picture that cannot be read. `prior`: what other products teach about few pictures.
    """

    def __init__(self, detector: Detector, prior: Callable[[], Prior] = Prior) -> None:
        self.detector = detector
        self.prior = prior

    def teach(
        self,
        product: Product,
        images: Any,
        as_: Kind = "good",
        label: str | None = None,
        mask: Mask | None = None,
        confirm: bool = False,
    ) -> Product:
        """The product with more good parts, or with more defects to recognise.

        `images`: a picture (path, bytes, PIL, array), a list of them, a folder, or an iterator. Several are one
        change, with limits worked out once and undone at once: all of them or, where one is unfit, none. For
        defects: `label` is what to call them, and `mask` [H, W], true where a single one is; without one it is
        taken to be where the map of its picture is hottest. A picture that is known already changes nothing.
        DoubtfulTeaching for a good part that scores far above the limit, see `FAR`, or has another number in
        a zone than is expected, unless `confirm` is given.
        """
        product = fitting(product, self.detector)
        if as_ not in get_args(Kind):
            raise ProductError(f"A picture is taught as good or as defect, not as {as_!r}.")
        if as_ == "good" and (label is not None or mask is not None):
            raise ProductError("A label and a mask belong to a defect, and a good part has none.")
        if as_ == "good":
            return self._add_good(product, _load_each(images, product.window), confirm)
        return self._add_defects(product, _load_each(images, product.window), check_label(label), mask)

    def correct(
        self,
        product: Product,
        inspected: Inspection | Any,
        correction: Correction,
        label: str | None = None,
        mask: Mask | None = None,
        confirm: bool = False,
    ) -> Product:
        """The product after somebody looked: a "false alarm" was a good part, a "missed" one a defect.

        `inspected`: the Inspection of a file, or the picture itself. `label`, `mask` and `confirm` as in `teach`.
        """
        if correction not in get_args(Correction):
            raise ProductError(f"A correction is a false alarm or missed, not {correction!r}.")
        as_: Kind = "good" if correction == "false alarm" else "defect"
        if not isinstance(inspected, Inspection):
            return self.teach(product, inspected, as_, label, mask, confirm)
        try:
            return self.teach(product, inspected.path, as_, label, mask, confirm)
        except ImageError as error:
            raise ProductError(
                "The picture of this inspection cannot be read again; give the picture in its place."
            ) from error

    def remove(self, product: Product, id: int) -> Product:
        """The product without the reference or the known defect of that id."""
        product = fitting(product, self.detector)
        named = {r.id: r.name for r in product.references} | {d.id: d.name for d in product.known.defects}
        if id not in named:
            there = ", ".join(map(str, sorted(named)))
            raise ProductError(f"The product {product.name!r} has nothing with the id {id}; the ids are: {there}.")
        change = Change(_now(), "removed", id, named[id])
        if id in {defect.id for defect in product.known.defects}:
            return self._follow(product, change, known=product.known.without(id))
        left = tuple(reference for reference in product.references if reference.id != id)
        pictures = {i: kept for i, kept in product.pictures.items() if i != id}
        if not left or not pictures:
            raise ProductError(
                f"The product {product.name!r} rests on {named[id]!r} alone: learn another instead."
            )
        memory = less(product.dictionary, id)
        return self._follow(product, change, dictionary=memory, references=left, pictures=pictures)

    def remask(self, product: Product, roi: Mask | None = None, ignore: Mask | None = None) -> Product:
        """The product with these masks in place of its own: where to look and what to ignore; None is no mask."""
        looked, ignored = check_masks(roi, ignore)
        return self._follow(fitting(product, self.detector), Change(_now(), "masks"), roi=looked, ignore=ignored)

    def recalibrate(self, product: Product) -> Product:
        """The product with its limits worked out again, for what it holds and for how scores come about now.

        What its patches are described by stays as it is: those in memory can be compared with no others.
        """
        described = {name: getattr(product.scoring, name) for name in DESCRIBING}
        scoring = replace(self.detector.config, **described)
        return self._follow(fitting(product, self.detector), Change(_now(), "recalibrated"), scoring=scoring)

    def retarget(self, product: Product, target_false_alarm: float) -> Product:
        """The product with its limits at another rate of false alarms; CalibrationError for an unfit one."""
        if target_false_alarm == product.calibration.target:
            return product
        return product.followed_by(product.with_target(target_false_alarm))

    def keep_limits(self, product: Product, limits: Calibration, by: str) -> Product:
        """The product with limits that follow from other parts than its references; `by` says from which.

        They hold until it is taught or recalibrated: scores change then, and references set the limits again.
        """
        ready(product, self.detector)
        history = _longer(product.history, Change(_now(), "recalibrated", name=by))
        return product.followed_by(replace(product, calibration=limits, history=history).sealed())

    def is_stale(self, product: Product) -> bool:
        """Whether its limits were worked out for anything else than they would be used on: `recalibrate` it."""
        return not is_ready(product, self.detector)

    def _add_good(self, product: Product, pictures: Iterable[LoadedImage], confirm: bool) -> Product:
        far: list[tuple[float, str]] = []
        wrong_counts: list[tuple[str, str]] = []
        asks = not confirm and not self.is_stale(product)  # limits for something else say nothing of a score
        memory, references, kept = product.dictionary, product.references, product.pictures
        digests = {reference.id: reference.digest for reference in references}
        detector, number = self.detector, _next_id(product)
        changes: list[Change] = []
        for picture in pictures:
            digest = digest_of(picture.pixels)
            if digest in digests.values():
                continue
            if wrong := next((d for d in product.known.defects if d.digest.startswith(digest)), None):
                raise ProductError(
                    f"{picture.name} is known as a defect, {wrong.label!r}; remove that first, its id is "
                    f"{wrong.id}."
                )
            pixels, pose = detector.bring(picture.pixels, product.tiles, product.registration)
            features = detector.encode(memory_views(pixels, product.views), product.tiles)
            first = replace(features[0], pose=pose)
            if asks and is_far(product.calibration, score := detector.score(first, product).value):
                far.append((score, picture.name))
            for seen in count_zones(product.counted, picture.pixels, pose, product.registration):
                if seen.count.wrong and not confirm:
                    wrong_counts.append((picture.name, str(seen.count)))
            patches = merge(detector.tokens(f, product.scoring) for f in features)
            memory = with_room(memory, patches[..., 0].numel())
            memory.add(number, patches)
            digests[number] = digest
            shown = shrink(pixels, detector.backbone, product.tiles)
            kept = draw({**kept, number: shown}, digests)
            references = (*references, reference_of(number, picture, digest))
            changes.append(Change(_now(), "good", number, picture.name))
            number += 1
        left = {*memory.ids(), *kept}  # one that left neither patch nor picture plays no part any more
        references = tuple(reference for reference in references if reference.id in left)
        taught = self._follow(product, *changes, dictionary=memory, references=references, pictures=kept)
        if far:
            raise DoubtfulTeaching(_doubt(product, *max(far), len(far) - 1), product, taught)
        if wrong_counts:
            name, count = wrong_counts[0]
            raise DoubtfulTeaching(
                f"A good part has the expected number, and {name} has not: {count}.", product, taught
            )
        return taught

    def _add_defects(
        self, product: Product, pictures: Iterable[LoadedImage], label: str, mask: Mask | None
    ) -> Product:
        place = None if mask is None else check_mask(mask, told("mask of a defect"))
        known, number = product.known, _next_id(product)
        changes: list[Change] = []
        for i, picture in enumerate(pictures):
            if i and place is not None:
                raise ProductError("A mask belongs to one picture: teach the defects one by one.")
            if mask is not None:
                fit_shape(mask, picture, told("The mask of a defect"))
            digest = digest_of(picture.pixels)
            if digest in {reference.digest for reference in product.references}:
                raise ProductError(f"{picture.name} is known as a good part; remove that first.")
            digest += digest_of(place.numpy()) if place is not None else ""
            same = next((d for d in known.defects if d.digest == digest), None)
            if same and same.label == label:
                continue
            (features,) = self.detector.encode_brought([picture.pixels], product.tiles, product.registration)
            patches = self._patches_of(product, features, place, (picture.width, picture.height))
            known = known.without(same.id) if same else known
            extent = 0.0 if place is None else round(float(place.mean()) ** 0.5, 6)
            known = known.with_example(KnownDefect(number, picture.name, label, digest, extent), patches)
            changes.append(Change(_now(), "defect", number, picture.name, label))
            number += 1
        return self._follow(product, *changes, known=known)

    def _patches_of(
        self, product: Product, features: Features, place: Tensor | None, size: tuple[int, int]
    ) -> Tensor:
        tokens = self.detector.tokens(features, product.scoring)[0]
        anomaly = self.detector.score(features, product).map
        distance = product.dictionary.lookup(tokens)
        if place is not None and features.pose:
            shown = features.pose.forth(place.numpy(), size, (2 * tokens.shape[0], 2 * tokens.shape[1]))
            if not shown.any():
                raise ProductError("The mask of a defect lies beside the part, where nothing is looked at.")
            place = torch.from_numpy(shown)
        where = None if place is None else fit_mask(place, *tokens.shape[:2]).to(anomaly.device) > 0
        limit = product.calibration.threshold
        least = EXTENT * limit if float(anomaly.max()) > limit else float("inf")
        return choose_patches(tokens, distance, anomaly, where, least)

    def _follow(self, product: Product, *changes: Change, **contents: Any) -> Product:
        """The product after one step of some changes; the very same after none."""
        if not changes:
            return product
        draft = replace(product, history=_longer(product.history, *changes), **contents)
        return product.followed_by(calibrate_again(self.detector, draft, self.prior()))


def _longer(history: tuple[Change, ...], *changes: Change) -> tuple[Change, ...]:
    # One older change stays, so that an audit log can tell the new ones from the old ones.
    return (*history, *changes)[-max(MOST_CHANGES, len(changes) + 1) :]


def is_far(limits: Calibration, score: float) -> bool:
    """Whether a score is so far above the limit that a good part hardly comes there, see `FAR`."""
    return score > limits.threshold and limits.curve_p(score) < limits.target / FAR


def with_room(memory: Dictionary, count: int) -> Dictionary:
    """A copy of a memory that can be changed, thinned where so many more patches would not fit."""
    copy = copy_of(memory)
    if len(copy) + count > copy.capacity and len(copy) > ROOM * copy.capacity:
        copy.keep(coreset(copy.entries, max(1, int(ROOM * copy.capacity))))
    return copy


def check_label(label: str | None) -> str:
    """The label of a known defect as it is shown; ProductError for one that is empty, long or not printable."""
    if label is None:
        return UNNAMED
    plain = " ".join(label.split())
    if not plain or len(plain) > LONGEST_LABEL or not plain.isprintable():
        raise ProductError(f"A label is a name of 1 to {LONGEST_LABEL} printable characters.")
    return plain


def _load_each(images: Any, window: Window) -> Iterator[LoadedImage]:
    """The pictures through a product's window, read as they are asked for; ProductError where there are none."""
    empty = True
    for source in walk_sources(images):
        empty = False
        picture = load_image(source, window=window)
        check_depth(picture, window)
        yield picture
    if empty:
        raise ProductError("There is no picture to teach.")


def _doubt(product: Product, score: float, name: str, others: int) -> str:
    """Why a picture is hardly a good part, in one sentence; `others` are as far above the limit."""
    limits = product.calibration
    among = f"{FAR / limits.target:,.0f}"
    if others:
        return told(
            f"{name} scores {score:.3g}, far above the limit of {product.name!r}, {limits.threshold:.3g}: by the "
            f"curve of its good pictures, fewer than 1 in {among} good parts score so high, and {others} more of "
            f"these pictures {'does' if others == 1 else 'do'} too."
        )
    return told(
        f"{name} scores {score:.3g}, far above the limit of {product.name!r}, {limits.threshold:.3g}: by the "
        f"curve of its good pictures, fewer than 1 in {among} good parts score so high."
    )


def _next_id(product: Product) -> int:
    used: Iterable[int | None] = (
        *(r.id for r in product.references),
        *(d.id for d in product.known.defects),
        *(c.id for c in product.history),
    )
    return 1 + max(i for i in used if i is not None)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
