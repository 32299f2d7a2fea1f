"""A product's decision on a picture as one computation on tensors: pixels in, map, score and verdict out.

It is the detector's own: its towers see pixels that were resized by sums and products, and everything behind them
is called as it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx

from assistant.adapters.absence import Absence
from assistant.adapters.similarity import written_out
from assistant.detection.detector import Detector
from assistant.detection.good_parts import fit_mask
from assistant.detection.reader import Reader
from assistant.detection.suitability import EVEN, alien_from, reduction
from assistant.errors import ProductError
from assistant.export.recording import record
from assistant.export.resizing import reduce, resize
from assistant.models.backbone import Backbone, Features
from assistant.models.towers import PatchTower
from assistant.models.trained_adapter import TrainedAdapter
from assistant.products.product import Product

SAMPLES = 2**16  # values that a sample of 16 bits has


class RecordableTower:
    """A tower in torch as a `Runtime` that nothing stands between."""

    device = torch.device("cpu")

    def __init__(self, tower: PatchTower) -> None:
        self.tower = deepcopy(tower).float().to(self.device).eval()

    def __call__(self, pixels: Tensor) -> tuple[Tensor, ...]:
        outputs: tuple[Tensor, ...] = self.tower(pixels)
        return outputs


class RecordableBackbone(Backbone):
    """A backbone's towers in torch on the CPU, which take pictures [H, W, 3] as tensors."""

    @classmethod
    def of(cls, backbone: Backbone) -> RecordableBackbone:
        """The same towers."""
        second = cls.of(backbone.patch_tower) if backbone.patch_tower else None
        runtime = RecordableTower(backbone.torch_tower())
        return cls(
            backbone.card,
            runtime,
            part=backbone.part,
            aligns_text=backbone.aligns_text,
            patch_tower=second,
            digest=backbone.digest,
        )

    def fit(self, pixels: NDArray[np.uint8] | Tensor, side: int | None = None) -> Tensor:
        """As of a `Backbone`, by operations that can be recorded."""
        planes = torch.as_tensor(pixels).permute(2, 0, 1)
        size = self.fit_size(planes.shape[2], planes.shape[1], side)
        mean, std = (torch.tensor(v).view(3, 1, 1) for v in (self.part.mean, self.part.std))
        return (resize(planes, size) / 255 - mean) / std


class Decision:
    """What a product decides on pictures of one size (width, height); ProductError where it cannot be recorded."""

    def __init__(self, backbone: Backbone, product: Product, size: tuple[int, int]) -> None:
        check_exportable(product)
        recordable = RecordableBackbone.of(backbone)
        self.product, self.size = product, size
        self.grid = (0, 0)
        self.detector = Detector(recordable, product.scoring)
        self.reader = Reader(recordable, TrainedAdapter.find(backbone.card.name, backbone.digest))
        self.samples = None if product.window.levels is None else _greys(product)

    @property
    def example(self) -> Tensor:
        """A picture of the size, of nothing much: [H, W, 3] uint8, or uint16 where the product has a window."""
        width, height = self.size
        dtype = torch.uint8 if self.samples is None else torch.uint16
        return torch.randint(0, 256, (height, width, 3), generator=torch.Generator().manual_seed(0)).to(dtype)

    def record(self) -> fx.GraphModule:
        """The decision as a module of plain operations."""
        with written_out():
            module, [shown, *_] = record(self.decide, self.example)
        self.grid = shown.shape[0], shown.shape[1]
        width, height = self.size
        if width < self.grid[1] or height < self.grid[0]:
            raise ProductError(f"Pictures of {width} x {height} pixels are too small to be inspected.")
        return module

    def decide(self, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The map as shown [h, w], the raw score [], and the place [] of the verdict among `card.VERDICTS`."""
        if self.samples is not None:
            picture = self.samples[picture.long()]
        product, detector = self.product, self.detector
        features = detector.encode([cast(Any, picture)], product.tiles)[0]
        compared = detector.compare(features, product)
        reading = self.reader.read(features) if self.reader.learned else None  # what types need is not asked for
        shown = self.reader.focus(compared.map, reading, detector.top_share(product), product.looked_at)
        score = compared.top + compared.whole
        limits = product.calibration
        verdict = (score > limits.review_threshold).long() + (score > limits.threshold).long()
        for doubt in self._doubts(picture, features, compared.distance):
            verdict = torch.where(doubt, verdict.clamp_min(1), verdict)
        return shown.float(), score, verdict

    def _doubts(self, picture: Tensor, features: Features, distance: Tensor) -> list[Tensor]:
        """What a picture is not good for, whatever its score: see `detection.suitability` and `.missing`."""
        doubts = [distance > alien_from(self.product.references)]
        if not any(reference.even for reference in self.product.references):
            doubts.append(is_even(picture, self.size))
        reach = self.detector.reach_of(self.product, features)
        absence = Absence.of(self.product.dictionary, reach) if reach is not None else None
        tokens = self.detector.tokens(features, self.product.scoring)[0]
        if absence is None or tokens.shape[:2] != absence.usual.shape:
            return doubts
        missing, enough = absence.look(tokens, self.product.dictionary)
        if self.product.looked_at is not None:
            missing = missing * fit_mask(self.product.looked_at, *missing.shape)
        return [*doubts, enough & (missing.max() > 0)]


def is_even(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """Whether nothing is to be seen in a picture [H, W, 3]: what `suitability.evenness` tells."""
    factor = reduction(*size)
    planes = picture.permute(2, 0, 1)
    seen = reduce(planes, (factor, factor)) if factor > 1 else planes.float()
    ends = seen.flatten(1).quantile(torch.tensor([0.005, 0.995]), dim=1)
    return (ends[1] - ends[0]).max() < EVEN


def check_exportable(product: Product) -> None:
    """ProductError, one sentence, for a product whose decision is no one graph."""
    if product.registration is not None:
        raise ProductError(
            f"{product.name!r} brings each part to one pose, which no exported graph can: learn it with "
            "--unregistered to export it."
        )
    if product.memory == "trained":
        raise ProductError(
            f"{product.name!r} has a trained memory, which is not exported: learn it with --memory nearest."
        )
    if product.counted:
        raise ProductError(
            f"{product.name!r} counts what its zones show, which no exported graph can: learn it without --count "
            "to export it."
        )


def size_of(product: Product) -> tuple[int, int]:
    """The one size (width, height) of a product's references; ProductError where they have several."""
    sizes: Sequence[tuple[int, int]] = sorted({(r.width, r.height) for r in product.references if r.width})
    if len(sizes) != 1:
        raise ProductError(
            f"The references of {product.name!r} have {len(sizes) or 'no known'} sizes, and a graph is for one: "
            "name it with --size WIDTHxHEIGHT."
        )
    return sizes[0]


def _greys(product: Product) -> Tensor:
    """The grey level [65536] of every sample of 16 bits, through a product's window."""
    return torch.from_numpy(product.window.apply(np.arange(SAMPLES, dtype=np.uint16), product.name)[0])
