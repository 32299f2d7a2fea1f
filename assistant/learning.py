"""Learns a product from good pictures: fills a memory and works out its limits.

Nothing is trained; the towers stay as they are. It takes as long as scoring the references a few times.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assistant.adapters.dictionary import Dictionary, merge
from assistant.adapters.foreground import Foreground
from assistant.backbone import Features
from assistant.calibration import Prior, calibrate, check_target
from assistant.detector import Detector
from assistant.errors import ProductError
from assistant.images import LoadedImage
from assistant.product import Product, Reference, check_name
from assistant.views import jittered_views, memory_views

Tell = Callable[[str, float], None]


def learn_product(
    detector: Detector,
    name: str,
    pictures: Sequence[LoadedImage],
    *,
    views: str = "plain",
    roi: NDArray[np.bool_] | None = None,
    foreground: bool = False,
    target_false_alarm: float = 0.05,
    prior: Prior | None = None,
    tell: Tell | None = None,
) -> Product:
    """A product that knows the given good pictures, each of them once.

    ProductError where there are none or the name is bad.
    """
    check_name(name)
    check_target(target_false_alarm)
    if not pictures:
        raise ProductError(f"To learn {name!r}, at least one good picture is needed.")
    tell = tell or _say_nothing
    pictures = _without_copies(pictures)
    mask = None if roi is None else check_roi(roi)
    backbone = detector.backbone
    own, patches = _look_at(detector, pictures, views, tell)
    memory = Dictionary.build(patches, device=backbone.runtime.device)
    ground = Foreground.find([detector.tokens(f)[0] for f in own]) if foreground else None
    tell("Scoring each reference without itself", 1.0)
    held_out, jittered = _score_references(detector, own, pictures[0], memory, mask, ground)
    scores: list[float | None] = [*held_out] or [None]
    return Product(
        name=name,
        bundle=backbone.card.name,
        weights=backbone.digest,
        side=backbone.part.image_size,
        views=views,
        references=tuple(
            Reference(i, p.name, score) for i, (p, score) in enumerate(zip(pictures, scores, strict=True))
        ),
        calibration=calibrate(held_out, jittered, target=target_false_alarm, prior=prior),
        dictionary=memory,
        roi=mask,
        foreground=ground,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def check_roi(roi: NDArray[np.bool_]) -> Tensor:
    """A region of interest [H, W], true where to look, as float32 in {0, 1}; ProductError where it is unfit."""
    mask = np.asarray(roi)
    if mask.ndim != 2 or mask.size == 0:
        raise ProductError("A region of interest is a picture of one channel, with the place to look at in white.")
    tensor = torch.from_numpy((mask > 0).astype(np.float32))
    if not bool(tensor.any()):
        raise ProductError("The region of interest is empty: nothing in it is marked to be looked at.")
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


def _score_references(
    detector: Detector,
    own: Sequence[Features],
    first: LoadedImage,
    memory: Dictionary,
    mask: Tensor | None,
    ground: Foreground | None,
) -> tuple[list[float], list[list[float]]]:
    """The score of each reference without itself, or those of altered copies of it where there is but one."""

    def score(features: Features, without: int | None = None) -> float:
        return float(detector.score(detector.few_shot(features, memory, without, ground), mask)[0])

    if len(own) > 1:
        return [score(features, i) for i, features in enumerate(own)], []
    return [], [[score(features) for features in detector.backbone.encode(jittered_views(first.pixels))]]


def _without_copies(pictures: Sequence[LoadedImage]) -> list[LoadedImage]:
    """The different ones: scored without itself, a picture would find its copy and seem all too good."""
    different: dict[tuple[tuple[int, ...], str], LoadedImage] = {}
    for picture in pictures:
        content = hashlib.sha256(picture.pixels.tobytes()).hexdigest()
        different.setdefault((picture.pixels.shape, content), picture)
    return list(different.values())


def _say_nothing(message: str, fraction: float) -> None:
    """Take the place of a progress display."""
