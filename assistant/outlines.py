"""The shape of each region: its mask and its outline in pixels of the picture, and the same for `supervision`.

An `Inspection` names boxes and areas; where its map is there, the shape is read off it again. Without a map, as in
a row read from JSON, and where a region lies by another map than this one (something missing, a wrong count), the
shape is the box, and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assistant.errors import LooktwiceError
from assistant.images.contours import Place, find_place, join_rings

if TYPE_CHECKING:  # it says its own outlines by what stands here
    from assistant.inspection import Inspection, Region


@dataclass(frozen=True, eq=False)
class Outline:
    """The shape of a region in a picture of `width` x `height` pixels; `place` is None where it is the box."""

    region: Region
    width: int
    height: int
    place: Place | None = None

    @property
    def is_box(self) -> bool:
        """Whether the shape is no more than the region's box."""
        return self.place is None

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The region in pixels of the displayed picture [height, width]."""
        if self.place:
            return self.place.mask(self.width, self.height)
        x0, y0, x1, y1 = self.region.box
        mask = np.zeros((self.height, self.width), dtype=bool)
        mask[y0:y1, x0:x1] = True
        return mask

    @property
    def polygon(self) -> NDArray[np.float64]:
        """One closed line [N, 2] of points (x, y) in pixels, the first not repeated; see `join_rings` for holes.

        It is drawn up to half a cell straighter than the mask, a cell being 1/768 of the longer side.
        """
        if self.place:
            return join_rings(self.place.rings)
        x0, y0, x1, y1 = self.region.box
        return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], dtype=np.float64)


def outlines_of(inspection: Inspection) -> tuple[Outline, ...]:
    """The shape of each region of an inspection, in their order; none of a picture that could not be read."""
    size, coarse = (inspection.width, inspection.height), inspection.coarse_map
    return tuple(
        Outline(one, *size, None if coarse is None else find_place(coarse, one.box, one.area_fraction, *size))
        for one in inspection.regions
    )


def category_of(region: Region) -> str:
    """What a region is called among annotations: its likeliest type, where one is known, else its kind."""
    return region.defect_types[0].name if region.has_type else region.kind


def to_supervision(inspection: Inspection, classes: Sequence[str] = ()) -> Any:
    """The regions as `supervision.Detections`; see `Inspection.to_supervision`."""
    if inspection.status == "error":
        raise LooktwiceError(f"A picture that could not be read has no regions: {inspection.error}")
    try:
        import supervision
    except ImportError as error:
        raise LooktwiceError("Detections need supervision: install looktwice[annotations].") from error
    regions, told = inspection.regions, ("path", "verdict", "score", "threshold")
    metadata = {name: getattr(inspection, name) for name in told}
    if not regions:
        none = supervision.Detections.empty()
        none.metadata = metadata
        return none
    shapes, names = outlines_of(inspection), [category_of(one) for one in regions]
    numbers = {name: number for number, name in enumerate(dict.fromkeys([*classes, *names]))}
    return supervision.Detections(
        xyxy=np.array([one.box for one in regions], dtype=np.float32),
        mask=np.stack([shape.mask for shape in shapes]),
        confidence=np.array([one.peak for one in regions], dtype=np.float32),
        class_id=np.array([numbers[name] for name in names]),
        data={
            "class_name": np.array(names),
            "region": np.array([one.id for one in regions]),
            "severity": np.array([one.severity for one in regions]),
            "kind": np.array([one.kind for one in regions]),
            "is_box": np.array([shape.is_box for shape in shapes]),
        },
        metadata=metadata,
    )
