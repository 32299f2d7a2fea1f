"""Whether a picture can be inspected at all: pictures that show nothing, or something else than the product.

None of this changes a score. What is found is told, and a picture in which nothing can be inspected is not called
good. The numbers were measured on the good pictures of eleven sets (docs/limits.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assistant.detection.good_parts import GoodPart, GoodParts
from assistant.detection.near_copies import Sketch
from assistant.errors import told
from assistant.images.digest import digest_of
from assistant.inspection import NOTHING_SHOWN
from assistant.models.tiles import MOST_TILES, widen

SMALL = 48  # side to which a picture is brought, so that the noise of a camera averages out
EVEN = 16.0
"""Grey levels between the darkest and the lightest half percent of a picture so reduced: good pictures have 47 and
more, a lens cap with noise and a glow of light under 10."""

DARK, LIGHT = 40.0, 215.0  # what is called dark and white, in grey levels

AGREEING = 1.02
"""References whose shapes, or sizes, differ by more say that those of a picture do not matter."""

BENT = 1.25
"""Times that a picture may be wider or narrower than references of one shape."""

GROWN = 2.0
"""Times that a picture may be larger or smaller along a side than references of one size."""

ALIEN = 4.0
"""Times as far from good parts as any reference lies half of a picture of another product."""

ALIEN_WITHIN = (0.1, 0.45)
"""And it lies beyond the first of these cosine distances, where references are nearly alike, and beyond the other
anyhow: half of a defective picture hardly ever does."""


@dataclass(frozen=True)
class Look:
    """What is noted of a picture while its pixels are at hand: a digest of them, and the `even` colour it has.

    `even` is "dark", "white" or "of one colour", "" for a picture in which there is something to see. `sketch` is
    that by which near copies among many pictures are found, None where nobody asks for them.
    """

    digest: str
    even: str
    sketch: Sketch | None = None

    @classmethod
    def at(cls, pixels: NDArray[np.uint8], sketched: bool = False) -> Look:
        """What is noted of a picture [H, W, 3] uint8."""
        return cls(digest_of(pixels), evenness(pixels), Sketch.of(pixels) if sketched else None)


_EVEN = {
    "dark": told("it is dark all over"),
    "white": told("it is white all over"),
    "of one colour": told("it is of one colour all over"),
}


def evenness(pixels: NDArray[np.uint8]) -> str:
    """How a picture [H, W, 3] uint8 in which nothing is to be seen looks, "" for any other; see `Look.even`."""
    height, width = pixels.shape[:2]
    picture = Image.fromarray(pixels)
    factor = reduction(width, height)
    seen = np.asarray(picture.reduce(factor) if factor > 1 else picture, dtype=np.float32)
    low, high = np.quantile(seen, (0.005, 0.995), axis=(0, 1))
    if float((high - low).max()) >= EVEN:
        return ""
    light = float(seen.mean())
    return "dark" if light < DARK else "white" if light > LIGHT else "of one colour"


def reduction(width: int, height: int) -> int:
    """The side of the boxes of pixels by whose means `evenness` is told."""
    return max(1, round(min(height, width) / SMALL))


def find_faults(
    look: Look, size: tuple[int, int], grid: tuple[int, int], distance: float, product: GoodParts | None
) -> tuple[str, ...]:
    """What speaks against inspecting a picture of a size, (width, height), in pixels; nothing for a usual one.

    `grid`: how many patches of it are seen, (down, across); `distance` as in `Scored`. A notice that begins with
    `NOTHING_SHOWN` says that it cannot be good.
    """
    references = product.references if product else ()
    main = _nothing(look, size, grid, references) or _alien(distance, references) or _unlike(size, references)
    found = (main, _itself(look.digest, references), _coarse(size, grid, product) if product else "")
    return tuple(sentence for sentence in found if sentence)


def _nothing(look: Look, size: tuple[int, int], grid: tuple[int, int], references: Sequence[GoodPart]) -> str:
    (width, height), (down, across) = size, grid
    if width < across or height < down:
        return told(
            f"{NOTHING_SHOWN}: {width} x {height} pixels are fewer than the {across} x {down} patches to look at"
        )
    if look.even and not any(reference.even for reference in references):
        return f"{NOTHING_SHOWN}: {_EVEN[look.even]}"
    return ""


def _alien(distance: float, references: Sequence[GoodPart]) -> str:
    if not distance > alien_from(references):
        return ""
    return told(f"{NOTHING_SHOWN}: it is as far from the references as a picture of another product")


def alien_from(references: Sequence[GoodPart]) -> float:
    """The distance, as in `Scored`, beyond which a picture shows another product; infinite where nobody knows."""
    usual = [reference.distance for reference in references if reference.distance is not None]
    return float(np.clip(ALIEN * max(usual), *ALIEN_WITHIN)) if usual else math.inf


def _unlike(size: tuple[int, int], references: Sequence[GoodPart]) -> str:
    """Whether the references have one shape or size, and the picture a far other one."""
    sizes = [(r.width, r.height) for r in references if r.width and r.height]
    if not sizes:
        return ""
    (width, height), (least, most) = size, (f"{w} x {h}" for w, h in (min(sizes), max(sizes)))
    if _beyond(size[0] / size[1], [w / h for w, h in sizes], BENT):
        if least == most:
            return told(f"it has another shape than the references: {width} x {height} pixels, and theirs {most}")
        return told(
            f"it has another shape than the references: {width} x {height} pixels, and theirs {least} and {most}"
        )
    if _beyond(math.sqrt(math.prod(size)), [math.sqrt(w * h) for w, h in sizes], GROWN):
        if least == most:
            return told(f"it has another size than the references: {width} x {height} pixels, and theirs {most}")
        return told(
            f"it has another size than the references: {width} x {height} pixels, and theirs {least} and {most}"
        )
    return ""


def _beyond(value: float, usual: Sequence[float], times: float) -> bool:
    low, high = min(usual), max(usual)
    return high <= AGREEING * low and not low / times <= value <= high * times


def _itself(digest: str, references: Sequence[GoodPart]) -> str:
    same = next((r.name for r in references if r.digest and r.digest == digest), None)
    return "" if same is None else told(f"it is one of the references itself, {same}, so its score says little")


def _coarse(size: tuple[int, int], grid: tuple[int, int], product: GoodParts) -> str:
    """Whether a known defect is smaller than one patch, at the share of the picture that it takes."""
    small = min((d for d in product.known.defects if d.extent), key=lambda d: d.extent, default=None)
    patch = 1 / math.sqrt(math.prod(grid))
    if small is None or small.extent >= patch or product.tiles >= MOST_TILES:
        return ""
    fitting = range(product.tiles + 1, MOST_TILES + 1)
    tiles = next((t for t in fitting if patch * widen(product.tiles) / widen(t) <= small.extent), MOST_TILES)
    side = math.sqrt(math.prod(size))
    return told(
        f"a patch that is looked at measures about {patch * side:.0f} pixels a side, and the known defect "
        f"{small.label!r} only {small.extent * side:.0f}: learn the product with --tiles {tiles}"
    )
