"""Generated pictures to try the tool on: good references of a part, a good one and one with a planted defect.

They are drawn by formulas, seeded, and show no real product.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.draw import line
from skimage.filters import gaussian

from assistant.files import write_atomically
from assistant.language.catalogue import message

SIDE = 320
REFERENCES = 4

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Example:
    """Files of an example: `pictures` to inspect, the defective first, and good `references` of the same part."""

    pictures: tuple[str, ...]
    references: tuple[str, ...]


def make_example(name: str, folder: str | Path) -> Example:
    """The files of an example in a folder, drawn where they are not there yet; KeyError for an unknown name."""
    target = Path(folder) / "examples" / re.sub(r"\W+", "-", name.lower())
    target.mkdir(parents=True, exist_ok=True)

    def write(file: str, number: int, defect: bool = False) -> str:
        path = target / file
        if not path.is_file():
            sink = io.BytesIO()
            Image.fromarray(draw_part(name, number, defect)).save(sink, "PNG")
            write_atomically(path, sink.getvalue())
        return str(path)

    pictures = write("defective.png", 0, True), write("good.png", 1)
    return Example(pictures, tuple(write(f"reference {i + 1}.png", 2 + i) for i in range(REFERENCES)))


@cache
def draw_example(name: str) -> Image.Image:
    """The defective part of an example, as it is shown to choose from; KeyError for an unknown name."""
    return Image.fromarray(draw_part(name, 0, True))


def draw_part(name: str, number: int, defect: bool = False) -> NDArray[np.uint8]:
    """The picture [SIDE, SIDE, 3] of one part of an example, each number another; KeyError for an unknown name."""
    pixels = _DRAWN[name](np.random.default_rng((zlib.crc32(name.encode()), number)), defect)
    return (pixels.clip(0, 1) * 255).round().astype(np.uint8)


def _grid(random: np.random.Generator, jitter: float = 2.0) -> tuple[Array, Array]:
    """Rows and columns in pixels from the middle, the part lying a little elsewhere each time."""
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(float) - SIDE / 2
    down, right = random.uniform(-jitter, jitter, 2)
    return rows + down, columns + right


def _developed(grey: Array, tint: tuple[float, float, float], random: np.random.Generator) -> Array:
    """A grey picture [H, W] in a tint, with the light and the noise of a camera."""
    light = random.uniform(0.96, 1.04)
    colored = light * grey[..., None] * np.array(tint) + random.normal(0, 0.008, (*grey.shape, 3))
    return np.asarray(colored, np.float64)


def _inside(distance: Array, edge: float = 1.0) -> Array:
    """1 where a signed distance in pixels is negative, 0 outside, soft at the edge."""
    return np.asarray((0.5 - distance / (2 * edge)).clip(0, 1))


def _plate(random: np.random.Generator, defect: bool) -> Array:
    """A brushed plate with sixteen holes; one hole was not drilled through."""
    rows, columns = _grid(random)
    brushed = gaussian(random.normal(0, 1, (SIDE, SIDE)), (0.6, 14), mode="wrap")
    grey = 0.62 + 0.35 * brushed + 0.0002 * columns
    for i, (down, right) in enumerate((d, r) for d in (-105, -35, 35, 105) for r in (-105, -35, 35, 105)):
        hole = _inside(np.hypot(rows - down, columns - right) - 17)
        rim = _inside(np.abs(np.hypot(rows - down, columns - right) - 19) - 2)
        depth = 0.12 if defect and i == 6 else 0.95
        grey = grey * (1 - depth * hole) + 0.08 * depth * hole + 0.12 * rim
    return _developed(grey, (0.96, 1.0, 1.04), random)


def _cloth(random: np.random.Generator, defect: bool) -> Array:
    """Woven cloth; a thread was pulled out of line."""
    rows, columns = _grid(random, 4.0)
    if defect:
        near = np.exp(-((rows - 30) ** 2 / 300 + (columns + 45) ** 2 / 2200))
        rows = rows + 9 * near
    warp, weft = np.sin(columns * 2 * np.pi / 10), np.sin(rows * 2 * np.pi / 10)
    over = np.where(np.floor(rows / 10) % 2 == np.floor(columns / 10) % 2, warp, weft)
    grey = 0.5 + 0.14 * over + 0.05 * gaussian(random.normal(0, 1, (SIDE, SIDE)), 1) * 4
    if defect:
        grey = grey - 0.3 * np.exp(-((rows - 30) ** 2) / 10 - (columns + 45) ** 2 / 2200)
    return _developed(grey, (0.72, 0.86, 1.12), random)


def _cap(random: np.random.Generator, defect: bool) -> Array:
    """A turned cap of rings on a dark table; there is a scratch across the rings."""
    rows, columns = _grid(random)
    radius = np.hypot(rows, columns)
    rings = 0.68 + 0.07 * np.sin(radius * 2 * np.pi / 17) + 0.1 * np.cos(2 * np.arctan2(rows, columns))
    cap = _inside(radius - 128) * (1 - 0.75 * _inside(np.abs(radius - 46) - 5))
    grey = 0.1 + (rings - 0.1) * cap
    if defect:
        scratch = np.zeros((SIDE, SIDE))
        for start, end in (((96, 205), (133, 244)), ((133, 244), (146, 271))):
            scratch[line(*start, *end)] = 1.0
        grey = grey - 3.2 * gaussian(scratch, 1.6)
    return _developed(grey, (1.05, 0.98, 0.82), random)


_DRAWN: dict[str, Callable[[np.random.Generator, bool], Array]] = {
    message("Drilled plate"): _plate,
    message("Woven cloth"): _cloth,
    message("Turned cap"): _cap,
}
EXAMPLES = tuple(_DRAWN)
"""The names of the examples."""
