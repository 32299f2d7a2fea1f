"""Beside each region of a picture, the place of a good part that it has to be compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from assistant.adapters.counterpart import Counterpart, find_counterpart, find_expected
from assistant.detection.good_parts import GoodPart, GoodParts
from assistant.inspection import GoodPlace, Region

Box = tuple[int, int, int, int]


def place_beside(
    regions: Sequence[Region], tokens: Tensor, product: GoodParts, size: tuple[int, int], reach: int | None
) -> tuple[Region, ...]:
    """Regions of a picture of `size` (width, height) with their counterparts on good parts.

    `tokens` [h, w, C] are its patches, and `reach` is how many cells away a counterpart may lie, None anywhere. It
    lies on a reference whose picture is kept, so that it can be shown; of what is missing, at the same place. A
    reference whose size nobody noted counts as large as the picture; those of a registered product are as large as
    the frame that they were brought to.
    """
    good = {part.id: part for part in product.references}
    frame = product.registration.frame if product.registration else None
    h, w = tokens.shape[:2]

    def place(region: Region) -> Region:
        box = _cells(region.box, size, (w, h))
        if region.kind in ("missing", "count"):
            found = find_expected(tokens, product.dictionary, box, product.pictures)
        else:
            found = find_counterpart(tokens, product.dictionary, box, reach, product.pictures)
        part = good.get(found.owner) if found else None
        if found is None or part is None:
            return region
        whole = frame or (part.width or size[0], part.height or size[1])
        return replace(region, reference=_on(part, whole, found, region.box, size, (w, h)))

    return tuple(map(place, regions))


def _cells(box: Box, size: tuple[int, int], grid: tuple[int, int]) -> Box:
    """A box (x0, y0, x1, y1) in pixels as (top, left, bottom, right) in the cells of a grid (w, h) it touches."""
    left, top = (int(box[i] * grid[i] / size[i]) for i in (0, 1))
    right, bottom = (min(grid[i], -(-box[2 + i] * grid[i] // size[i])) for i in (0, 1))
    return top, left, max(top + 1, bottom), max(left + 1, right)


def _on(
    part: GoodPart,
    whole: tuple[int, int],
    found: Counterpart,
    box: Box,
    size: tuple[int, int],
    grid: tuple[int, int],
) -> GoodPlace:
    """A counterpart of a box in a picture of `size`, in pixels of its reference, which is `whole` as shown."""
    moved = round(found.right * whole[0] / grid[0]), round(found.down * whole[1] / grid[1])

    def along(axis: int) -> tuple[int, int]:
        first, last = (round(v * whole[axis] / size[axis]) + moved[axis] for v in (box[axis], box[axis + 2]))
        first = max(0, min(first, whole[axis] - 1))
        return first, max(first + 1, min(last, whole[axis]))

    (x0, x1), (y0, y1) = along(0), along(1)
    return GoodPlace(part.id, part.name, part.digest, (x0, y0, x1, y1), round(found.distance, 4), moved)
