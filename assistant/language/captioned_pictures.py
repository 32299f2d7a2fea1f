"""The pictures that a large model is shown of an inspection, each with a caption, the most telling first.

The whole picture, its regions boxed, a good part to compare with, and the strongest regions enlarged.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assistant.inspection import Region
from assistant.language.explainer import Subject
from assistant.language.wording import base_name, count, quote, refer
from assistant.overlay import draw_boxes
from assistant.products.pairs import draw_pair

View: TypeAlias = tuple[str, Image.Image]
"""A caption and an RGB picture."""

SIDE = 896
"""The longer side of a picture, in pixels, unless asked otherwise."""

MOST = 8
"""Pictures shown at once where several inspections are asked about."""

CROPS = 3  # regions shown enlarged, the strongest
MARGIN = 0.5  # of a region's longer side, left around it on each side
SMALLEST_CROP = 48  # pixels of the picture: less shows no surroundings to compare with
ENLARGED = 224  # a crop smaller than this is enlarged to it
NARROWEST = 56  # some processors fail on pictures of a few pixels, or on long thin strips


def show(subjects: tuple[Subject, ...], side: int = SIDE) -> list[View]:
    """The views of one or several inspections, so ordered that the last can best be left out.

    Of one: the picture, its regions boxed and named, a good part where there is one, and the three strongest
    regions cut out with a margin, beside the same place on a good part where that is known. Of several: each with
    its regions boxed, `MOST` at most. No picture is longer than `side` pixels. Nothing for a subject without a
    picture, or with a picture that could not be read. ValueError where a picture does not belong to its
    inspection.
    """
    if side < NARROWEST:
        raise ValueError(f"a side of {side} pixels shows nothing")
    if len(subjects) == 1:
        return _show_one(subjects[0], side)
    views: list[View] = []
    for n, subject in enumerate(subjects, start=1):
        if (pixels := _pixels(subject)) is None or len(views) == MOST:
            continue
        regions = subject.inspection.regions
        caption = f"Picture {n}, {quote(base_name(subject.inspection.path))}"
        caption += f", with {count(len(regions), 'region')} boxed." if regions else "."
        views.append((caption, _fit(draw_boxes(pixels, regions), side)))
    return views


def _show_one(subject: Subject, side: int) -> list[View]:
    if (pixels := _pixels(subject)) is None:
        return []
    views = [("The picture that was inspected.", _fit(Image.fromarray(pixels), side))]
    if regions := subject.inspection.regions:
        views.append(
            ("The same picture with its regions boxed and named.", _fit(draw_boxes(pixels, regions), side))
        )
    if subject.reference is not None:
        views.append(("A good part, to compare with.", _fit(Image.fromarray(subject.reference), side)))
    pairs = {pair.region: pair for pair in subject.pairs}
    for region in regions[:CROPS]:
        if pair := pairs.get(region.id):
            caption = f"Region {refer(region)} enlarged, the same place on a good part, and their difference."
            views.append((caption, _fit(draw_pair(pair), side)))
            continue
        views.append(
            (f"Region {refer(region)} enlarged, with its surroundings.", _fit(_crop(pixels, region), side))
        )
    return views


def _pixels(subject: Subject) -> NDArray[np.uint8] | None:
    """The picture of a subject that was read; ValueError where it has another size than the inspection says."""
    i, pixels = subject.inspection, subject.picture
    if i.status == "error" or pixels is None:
        return None
    if (i.width, i.height) != (pixels.shape[1], pixels.shape[0]):
        raise ValueError(
            f"a picture of {pixels.shape[1]} x {pixels.shape[0]} is not the one of {i.width} x {i.height}"
        )
    return pixels


def _crop(pixels: NDArray[np.uint8], region: Region) -> Image.Image:
    """A square around a region, cut out at full resolution and moved inside the picture."""
    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = region.box
    size = max(SMALLEST_CROP, round((1 + 2 * MARGIN) * max(x1 - x0, y1 - y0)))
    left = min(max(0, (x0 + x1 - size) // 2), max(0, width - size))
    top = min(max(0, (y0 + y1 - size) // 2), max(0, height - size))
    cut = Image.fromarray(pixels[top : top + size, left : left + size])
    if max(cut.size) < ENLARGED:
        cut = _scaled(cut, ENLARGED)
    return cut


def _fit(picture: Image.Image, side: int) -> Image.Image:
    """The picture with its longer side at `side` at most, and grey beside it where it is too narrow."""
    if max(picture.size) > side:
        picture = _scaled(picture, side)
    if min(picture.size) >= NARROWEST:
        return picture
    canvas = Image.new("RGB", (max(NARROWEST, picture.width), max(NARROWEST, picture.height)), (128, 128, 128))
    canvas.paste(picture, ((canvas.width - picture.width) // 2, (canvas.height - picture.height) // 2))
    return canvas


def _scaled(picture: Image.Image, longer: int) -> Image.Image:
    factor = longer / max(picture.size)
    width, height = (max(1, round(side * factor)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS)
