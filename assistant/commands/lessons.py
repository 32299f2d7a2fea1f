"""What `looktwice teach` does: one kind of change to a product, and a row for each picture of it.

It turns what was asked for into calls of `Inspector`; it neither reads arguments nor prints.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from assistant.commands.options import read_mask
from assistant.errors import ProductError
from assistant.inspector import Inspector
from assistant.products.changes import last_changes
from assistant.products.product import Product
from assistant.records.what_if import Effect


@dataclass(frozen=True)
class Lesson:
    """What is asked for; ProductError for more than one kind of change, or a label or mask without a defect.

    `confirm`: good parts are taught although they score far above the limit.
    """

    good: Sequence[Path] = ()
    defects: Sequence[Path] = ()
    label: str | None = None
    mask: Path | None = None
    remove: int | None = None
    roi: Path | None = None
    ignore: Path | None = None
    undo: bool = False
    recalibrate: bool = False
    false_alarms: float | None = None
    confirm: bool = False

    def __post_init__(self) -> None:
        masks = self.roi is not None or self.ignore is not None
        moved = self.false_alarms is not None
        asked = [self.good, self.defects, self.remove is not None, masks, self.undo, self.recalibrate, moved]
        if sum(map(bool, asked)) > 1:
            raise ProductError(
                "Teach one kind of thing at a time: --good, --defect, --remove, --undo, --recalibrate, "
                "--false-alarms, or masks."
            )
        if not self.defects and (self.label is not None or self.mask is not None):
            raise ProductError("--label and --mask belong to --defect.")

    def __bool__(self) -> bool:
        return bool(self.good or self.defects or self.roi or self.ignore or self.undo or self.recalibrate) or (
            self.remove is not None or self.false_alarms is not None
        )


def give(inspector: Inspector, product: Product, lesson: Lesson) -> Product:
    """The product after a lesson; pictures that are all known already give the same one again."""
    if lesson.undo:
        return product.undo()
    if lesson.remove is not None:
        return inspector.teacher.remove(product, lesson.remove)
    if lesson.recalibrate:
        return inspector.teacher.recalibrate(product)
    if lesson.false_alarms is not None:
        return inspector.teacher.retarget(product, lesson.false_alarms)
    if lesson.roi or lesson.ignore:
        return inspector.teacher.remask(product, read_mask(lesson.roi), read_mask(lesson.ignore))
    if lesson.good:
        return inspector.teach(product, lesson.good, as_="good", confirm=lesson.confirm)
    mask = read_mask(lesson.mask)
    return inspector.teach(product, lesson.defects, as_="defect", label=lesson.label, mask=mask)


def change_rows(before: Product, after: Product, effect: Effect, undone: bool = False) -> Iterator[dict[str, Any]]:
    """What a lesson did, a JSON-ready row for each change; one that names none where nothing changed.

    `effect`: what the change makes of recent inspections. `undone`: the lesson took the last change back.
    """
    changes = () if after is before else last_changes(before if undone else after)
    for change in changes or (None,):
        yield {
            "product": after.name,
            "change": None,
            **(
                {"change": change.what, "id": change.id, "name": change.name, "label": change.label}
                if change
                else {}
            ),
            "undone": undone and change is not None,
            "references": len(after.references),
            "defects": len(after.known.defects),
            "threshold": after.calibration.threshold,
            "review_threshold": after.calibration.review_threshold,
            "bytes": after.nbytes,
            "effect": asdict(effect),
        }
