"""What `looktwice teach` does: one kind of change to a product, picture by picture, a row for each.

It turns what was asked for into calls of `Inspector`; it neither reads arguments nor prints.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.errors import ProductError
from assistant.images import load_image
from assistant.inspector import Inspector
from assistant.intake import find_images
from assistant.product import Product


@dataclass(frozen=True)
class Lesson:
    """What is asked for; ProductError for more than one kind of change, or a label or mask without a defect."""

    good: Sequence[Path] = ()
    defects: Sequence[Path] = ()
    label: str | None = None
    mask: Path | None = None
    remove: int | None = None
    roi: Path | None = None
    ignore: Path | None = None
    undo: bool = False
    recalibrate: bool = False

    def __post_init__(self) -> None:
        masks = self.roi is not None or self.ignore is not None
        asked = [self.good, self.defects, self.remove is not None, masks, self.undo, self.recalibrate]
        if sum(map(bool, asked)) > 1:
            raise ProductError(
                "Teach one kind of thing at a time: --good, --defect, --remove, --undo, --recalibrate, or masks."
            )
        if not self.defects and (self.label is not None or self.mask is not None):
            raise ProductError("--label and --mask belong to --defect.")

    def __bool__(self) -> bool:
        return bool(self.good or self.defects or self.roi or self.ignore or self.undo or self.recalibrate) or (
            self.remove is not None
        )


def give(inspector: Inspector, product: Product, lesson: Lesson) -> Iterator[Product]:
    """The product after each change of a lesson; a picture that is known already gives the same one again."""
    if lesson.undo:
        yield inspector.undo(product)
    elif lesson.remove is not None:
        yield inspector.remove(product, lesson.remove)
    elif lesson.recalibrate:
        yield inspector.recalibrate(product)
    elif lesson.roi or lesson.ignore:
        yield inspector.remask(product, read_mask(lesson.roi), read_mask(lesson.ignore))
    elif lesson.good:
        for path in find_images(lesson.good):
            product = inspector.teach(product, path, as_="good")
            yield product
    else:
        paths = list(find_images(lesson.defects))
        if lesson.mask is not None and len(paths) != 1:
            raise ProductError("A mask belongs to one picture: teach the defects one by one.")
        for path in paths:
            mask = read_mask(lesson.mask)
            product = inspector.teach(product, path, as_="defect", label=lesson.label, mask=mask)
            yield product


def change_row(before: Product, after: Product) -> dict[str, Any]:
    """What one change did, as a JSON-ready row."""
    undone = len(after.past) < len(before.past) and before.history != after.history
    last = (before if undone else after).history[-1:] if before.history != after.history else ()
    change = (
        {"change": last[0].what, "id": last[0].id, "name": last[0].name, "label": last[0].label} if last else {}
    )
    return {
        "product": after.name,
        "change": None,
        **change,
        "undone": undone,
        "references": len(after.references),
        "defects": len(after.known.defects),
        "threshold": after.calibration.threshold,
        "review_threshold": after.calibration.review_threshold,
        "bytes": after.nbytes,
    }


def content_rows(product: Product) -> Iterator[dict[str, Any]]:
    """What a product holds, a JSON-ready row for each reference and each known defect."""
    for reference in product.references:
        yield {"id": reference.id, "kind": "good", "name": reference.name, "label": "", "score": reference.score}
    for defect in product.known.defects:
        yield {"id": defect.id, "kind": "defect", "name": defect.name, "label": defect.label, "score": None}


def read_mask(path: Path | None) -> NDArray[np.bool_] | None:
    """A mask picture as [H, W], true where it is white; None for no path."""
    return None if path is None else load_image(path).pixels.mean(axis=2) > 127
