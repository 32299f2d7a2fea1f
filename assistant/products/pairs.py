"""A region of a part beside its counterpart on a good part: two crops and their difference.

The good part's pixels are those that the product keeps, in the size that the tower sees. The difference is of
that size too, after the good crop was moved by up to a cell to where it fits best, and brought to the brightness
that the part has around the region.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from assistant.errors import ImageError, ProductError
from assistant.images.geometry import to_picture
from assistant.images.load import Source
from assistant.images.pose import Pose
from assistant.inspection import GoodPlace, Inspection, Region
from assistant.overlay import colorize
from assistant.products.kept_pictures import expand
from assistant.products.product import Product

Pixels: TypeAlias = NDArray[np.uint8]
Window: TypeAlias = tuple[float, float, float, float]

MARGIN = 0.5
"""Of a region's longer side, shown around it on each side."""

NARROWEST = 24
"""Pixels of the kept picture that a crop has at least: less shows no surroundings."""

FARTHEST = 8
"""Pixels of the kept picture, a cell of the tower, by which a crop is moved at most to where it fits best."""

RIM = FARTHEST + 1

SAMPLED = 4096
"""Pixels that tell where it fits best, evenly taken."""

WORTH = 0.9
"""It is moved where that leaves at most this share of the squares."""

GAIN, SHIFT = 1.25, 25.0
"""Brightness is evened out by at most so many times, and so many of 255 levels: more is a difference."""

SCALES = (32, 64, 128, 255)
"""Levels of 255 that the highest colour of a difference stands for: the first that holds nearly all of it."""

ENOUGH = 0.3
"""The share of a crop that has to lie around the region, to be told brightness and place by."""

LARGEST = 768
"""Pixels of a crop's longer side at most."""

SHOWN = 3
"""Regions that are shown beside a good part in reports and to language models, the strongest."""

SIDE = 288
"""Pixels of each picture's longer side in `draw_pair`."""

_BAR, _INK, _GAP = (24, 27, 32), (235, 238, 242), 6


@dataclass(frozen=True, eq=False)
class Pair:
    """A region's crop and its counterpart's, [h, w, 3] uint8 both, and how far they are apart.

    `part` is cut out of the picture at full resolution, `good` is enlarged to its size. `difference` [h, w]
    float32 is the largest absolute difference of a channel in levels of 255, after both were brought to one place
    and brightness; its colours run from 0 to `scale`. `box` is the region's (x0, y0, x1, y1) in the crops.
    """

    region: str
    reference: GoodPlace
    part: Pixels
    good: Pixels
    difference: NDArray[np.float32]
    scale: int
    box: tuple[int, int, int, int]

    @property
    def colours(self) -> Pixels:
        """The difference as colours [h, w, 3]: each lighter than the one before, in an order that all can see."""
        return colorize(self.difference, (0.0, float(self.scale)))


def pairs_of(
    inspection: Inspection, product: Product | None, picture: Source | None = None, most: int | None = None
) -> list[Pair]:
    """The pairs of an inspection's regions on `picture` or what was judged, the strongest first, `most` at most.

    None of a region without a reference, or whose reference's picture `product` no longer keeps. ImageError where
    the picture is gone or has changed, as in `Inspection.picture`.
    """
    regions = [region for region in inspection.regions[:most] if region.reference]
    if product is None or not regions:
        return []
    part = _Part.of(inspection.picture(picture).pixels, product)
    pairs = (_pair(part, one, one.reference, product) for one in regions if one.reference)
    return [pair for pair in pairs if pair]


@dataclass(frozen=True, eq=False)
class _Part:
    """The picture of a part as it is compared: in the frame of the references with its pose, or as it lies."""

    picture: Image.Image
    pose: Pose | None = None

    @classmethod
    def of(cls, pixels: Pixels, product: Product) -> _Part:
        """Of a picture as it was judged, hardly smaller than it is."""
        pose = product.registration.find(pixels) if product.registration else None
        if pose is None:
            return cls(Image.fromarray(pixels))
        grow = min(1 / pose.scale, LARGEST / min(pose.frame))
        size = max(1, round(grow * pose.frame[0])), max(1, round(grow * pose.frame[1]))
        return cls(Image.fromarray(pose.warp(pixels, size)), pose)

    def box(self, box: tuple[int, int, int, int]) -> Window:
        """A box of the picture, in shares of the width and the height of what is compared."""
        width, height = self.pose.frame if self.pose else self.picture.size
        x0, y0, x1, y1 = self.pose.box(box) if self.pose else box
        return x0 / width, y0 / height, x1 / width, y1 / height


def _pair(part: _Part, region: Region, place: GoodPlace, product: Product) -> Pair | None:
    """The pair of a region; None where the product does not keep the picture of its reference any more."""
    known = next((r for r in product.references if (r.id, r.digest) == (place.id, place.digest)), None)
    if known is None or known.id not in product.pictures:
        return None
    good = Image.fromarray(expand(product.pictures[known.id]))
    own = known.width or part.picture.width, known.height or part.picture.height
    whole = product.registration.frame if product.registration else own
    x0, y0, x1, y1 = (v * good.size[i % 2] for i, v in enumerate(part.box(region.box)))
    moved = place.moved[0] * good.width / whole[0], place.moved[1] * good.height / whole[1]
    return _compare(part.picture, good, region, place, (x0, y0, x1, y1), moved)


def _window(box: Window, moved: tuple[float, float], size: tuple[int, int]) -> Window:
    """What is cut out around a box, in pixels of the kept picture, so that it lies on both pictures."""
    side = max(NARROWEST, (1 + 2 * MARGIN) * max(box[2] - box[0], box[3] - box[1]))

    def along(axis: int) -> tuple[float, float]:
        low, high = max(0.0, -moved[axis]), min(size[axis], size[axis] - moved[axis])
        long = min(side, high - low)
        first = min(max(low, (box[axis] + box[axis + 2] - long) / 2), high - long)
        return first, first + long

    (x0, x1), (y0, y1) = along(0), along(1)
    return x0, y0, x1, y1


@dataclass(frozen=True, eq=False)
class _Cut:
    """A picture to cut crops out of: `grow` takes pixels of the kept picture to its own, and `rim` of its pixels
    beyond each edge repeat that edge."""

    picture: Image.Image
    grow: tuple[float, float] = (1.0, 1.0)
    rim: int = 0

    def at(self, window: Window, size: tuple[int, int], by: tuple[float, float] = (0.0, 0.0)) -> Image.Image:
        """The crop at a window of the kept picture that is moved by so much, in `size` (width, height)."""
        (x0, y0), (x1, y1) = (self._place(window[i : i + 2], by) for i in (0, 2))
        return self.picture.resize(size, Image.Resampling.BICUBIC, (x0, y0, x1, y1))

    def _place(self, point: tuple[float, ...], by: tuple[float, float]) -> tuple[float, float]:
        """A point of the kept picture that is moved by so much, in the pixels of this one and within it."""
        x, y = ((point[i] + by[i]) * self.grow[i] + self.rim for i in (0, 1))
        return min(max(x, 0.0), self.picture.width), min(max(y, 0.0), self.picture.height)


def _compare(
    part: Image.Image,
    good: Image.Image,
    region: Region,
    place: GoodPlace,
    found: Window,
    moved: tuple[float, float],
) -> Pair:
    """The pair by the region's box and how far its counterpart lies from there, in pixels of the kept picture."""
    window = _window(found, moved, good.size)
    grow = part.width / good.width, part.height / good.height
    ours, theirs = _Cut(part, grow), _Cut(_rimmed(good), rim=RIM)
    long = window[2] - window[0], window[3] - window[1]
    small = max(1, round(long[0])), max(1, round(long[1]))
    box = [(v - window[i % 2]) * small[i % 2] / long[i % 2] for i, v in enumerate(found)]
    around = _around(box, small)
    seen = _levels(ours.at(window, small))
    by = _settle(seen, theirs, window, moved, around)
    expected = _levels(theirs.at(window, small, by))
    difference = np.abs(seen - _brighten(expected, seen, around)).max(axis=2)
    most = float(np.quantile(difference, 0.995))
    full = min(1.0, LARGEST / max(long[0] * grow[0], long[1] * grow[1]))
    size = max(small[0], round(full * long[0] * grow[0])), max(small[1], round(full * long[1] * grow[1]))
    x0, y0, x1, y1 = (round(v * size[i % 2] / small[i % 2]) for i, v in enumerate(box))
    return Pair(
        region.id,
        place,
        np.asarray(ours.at(window, size)),
        np.asarray(theirs.at(window, size, by)),
        to_picture(difference, *size),
        next((scale for scale in SCALES if most <= scale), SCALES[-1]),
        (max(0, x0), max(0, y0), min(size[0], x1), min(size[1], y1)),
    )


def _rimmed(picture: Image.Image) -> Image.Image:
    """The picture with its edges repeated, so that crops of it can be moved beyond them."""
    return Image.fromarray(np.pad(np.asarray(picture), ((RIM, RIM), (RIM, RIM), (0, 0)), mode="edge"))


def _around(box: list[float], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Which pixels [h, w] of a crop lie around the region; all of them where hardly any do."""
    around = np.ones((size[1], size[0]), dtype=bool)
    x0, y0, x1, y1 = (max(0, round(v)) for v in box)
    around[y0:y1, x0:x1] = False
    return around if around.mean() >= ENOUGH else np.ones_like(around)


def _settle(
    seen: NDArray[np.float32], theirs: _Cut, window: Window, moved: tuple[float, float], around: NDArray[np.bool_]
) -> tuple[float, float]:
    """By how much the good crop is to be moved: as the counterpart says, and within a cell where it fits best.

    What fits best leaves the least squares around the region; between pixels a parabola tells.
    """
    h, w = seen.shape[:2]
    wider = window[0] - FARTHEST, window[1] - FARTHEST, window[2] + FARTHEST, window[3] + FARTHEST
    there = _levels(theirs.at(wider, (w + 2 * FARTHEST, h + 2 * FARTHEST), moved)).mean(axis=2)
    ours = seen.mean(axis=2)
    step = max(1, round(float(around.sum()) / SAMPLED))
    rows, columns = (index[::step] for index in np.nonzero(around))
    own, apart = ours[rows, columns], np.empty((2 * FARTHEST + 1, 2 * FARTHEST + 1))
    for y in range(apart.shape[0]):
        for x in range(apart.shape[1]):
            good = there[rows + y, columns + x]
            apart[y, x] = ((own - own.mean() - good + good.mean()) ** 2).mean()
    y, x = divmod(int(apart.argmin()), apart.shape[1])
    if apart[y, x] > WORTH * apart[FARTHEST, FARTHEST]:
        return moved
    return moved[0] + x - FARTHEST + _between(apart[y], x), moved[1] + y - FARTHEST + _between(apart[:, x], y)


def _between(values: NDArray[np.float64], place: int) -> float:
    """How far beside a least value the bottom of the parabola through its neighbours lies, in [-0.5, 0.5]."""
    if not 0 < place < len(values) - 1:
        return 0.0
    before, least, after = values[place - 1 : place + 2]
    bend = before - 2 * least + after
    return float(np.clip((before - after) / (2 * bend), -0.5, 0.5)) if bend > 0 else 0.0


def _levels(picture: Image.Image) -> NDArray[np.float32]:
    return np.asarray(picture, dtype=np.float32)


def _brighten(
    good: NDArray[np.float32], seen: NDArray[np.float32], around: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """The good crop [h, w, 3] with the mean and contrast that the part has around the region, within bounds."""
    gain = float(np.clip((seen[around].std() + 1) / (good[around].std() + 1), 1 / GAIN, GAIN))
    shift = float(np.clip(seen[around].mean() - gain * good[around].mean(), -SHIFT, SHIFT))
    return gain * good + shift


def find_product(inspection: Inspection, load: Callable[[str], Product]) -> Product | None:
    """The kept product that an inspection was judged with; None where there is none by that name any more."""
    try:
        return load(inspection.product) if inspection.product else None
    except ProductError:
        return None


def draw_pairs(
    inspection: Inspection, product: Product | None, picture: Source | None = None, most: int | None = None
) -> dict[str, Image.Image]:
    """The drawn pairs of an inspection's regions, by the regions' ids; none where the picture is gone."""
    try:
        return {pair.region: draw_pair(pair) for pair in pairs_of(inspection, product, picture, most)}
    except ImageError:
        return {}


def draw_pair(pair: Pair) -> Image.Image:
    """The part, the good part and their difference side by side, RGB, the region outlined, with words above."""
    height, width = pair.part.shape[:2]
    grow = SIDE / max(width, height)
    size = max(SIDE // 3, round(width * grow)), max(SIDE // 3, round(height * grow))
    box = [round(v * size[i % 2] / (width, height)[i % 2]) for i, v in enumerate(pair.box)]
    font = ImageFont.load_default(14)
    words = pair.region, "on a good part", f"difference, 0 to {pair.scale} of 255"
    wide = max(size[0], *(round(font.getlength(one)) + 2 * _GAP for one in words))
    bar = 26
    canvas = Image.new("RGB", (3 * wide + 2 * _GAP, bar + size[1]), _BAR)
    draw = ImageDraw.Draw(canvas)
    for number, (crop, said) in enumerate(zip((pair.part, pair.good, pair.colours), words, strict=True)):
        left = number * (wide + _GAP)
        shown = Image.fromarray(crop).resize(size, Image.Resampling.LANCZOS)
        if number < 2:
            _outline(shown, box)
        canvas.paste(shown, (left + (wide - size[0]) // 2, bar))
        draw.text((left + wide / 2, bar / 2), said, font=font, fill=_INK, anchor="mm")
    return canvas


def _outline(shown: Image.Image, box: list[int]) -> None:
    draw = ImageDraw.Draw(shown)
    x0, y0, x1, y1 = box
    outer = max(0, x0 - 3), max(0, y0 - 3), min(shown.width - 1, x1 + 2), min(shown.height - 1, y1 + 2)
    draw.rectangle(outer, outline=(0, 0, 0), width=3)
    draw.rectangle((outer[0] + 1, outer[1] + 1, outer[2] - 1, outer[3] - 1), outline=(255, 255, 255), width=1)
