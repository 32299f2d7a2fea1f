"""What a simulated anomaly needs of the picture it is put on: where, how bold, how large.

The object, the detail and the noise of the picture are found here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from assistant.training.noise import Plane, draw_fractal

Pixels = NDArray[np.uint8]
Colours = NDArray[np.float32]
Mask = NDArray[np.bool_]
Window = tuple[slice, slice]

SURVEY = 96  # pixels: the longer side of the small picture on which object and detail are looked for
SMALLEST, LARGEST = 0.0005, 0.15  # of the picture's area
PLAIN = 18  # grey levels: how far a plain ground may stray from its own tone
HARD = 0.25  # the share of faint anomalies


@dataclass(frozen=True)
class Change:
    """What one anomaly did: `pixels` [h, w, 3] float32, 0 to 255, for `window` of the picture, and its `type`.

    `within` [h, w] bool bounds the mask; None where the changed pixels are the mask.
    `above` is how many times the grain a change has to be to count: moved grain differs by about one.
    """

    window: Window
    pixels: Colours
    type: str
    within: Mask | None = None
    above: float = 0.5


@dataclass(frozen=True)
class Scene:
    """A picture under change, surveyed once: `pixels` [H, W, 3] uint8 and `other`, where texture comes from.

    `object` and `edges` are planes [h, w] of a small copy: where the object is, and how strong the edges are.
    `split` says that the object lies on a plain ground. `noise` is the grain in grey levels. `boost`, 1 or more,
    makes the next anomaly bolder and larger.
    """

    pixels: Pixels
    other: Pixels
    grey: bool
    object: Mask
    edges: Plane
    split: bool
    noise: float
    boost: float = 1.0

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the picture."""
        return int(self.pixels.shape[0]), int(self.pixels.shape[1])

    @property
    def unit(self) -> float:
        """The width in pixels of a hairline: 1 in a picture 320 pixels high, more in larger ones."""
        return max(1.0, min(self.shape) / 320)

    def crop(self, window: Window) -> Colours:
        """The pixels [h, w, 3] of a window as float32, 0 to 255, a copy."""
        return self.pixels[window].astype(np.float32)

    def cut(self, centre: tuple[float, float], half: tuple[float, float]) -> Window:
        """The window around `centre` (row, column) reaching `half` to each side, kept within the picture."""
        spans = []
        for middle, reach, size in zip(centre, half, self.shape, strict=True):
            low = int(np.clip(math.floor(middle - reach), 0, max(0, size - 3)))
            spans.append(slice(low, int(np.clip(math.ceil(middle + reach) + 1, low + min(3, size), size))))
        return spans[0], spans[1]


def survey(pixels: Pixels, other: Pixels | None) -> Scene:
    """Look a picture [H, W, 3] uint8 over; without `other`, texture comes from the picture itself."""
    rows, columns = pixels.shape[:2]
    scale = min(1.0, SURVEY / max(rows, columns))
    size = (max(3, round(columns * scale)), max(3, round(rows * scale)))
    small = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX), dtype=np.float32)
    object_, split = _find_object(small)
    smooth = ndimage.gaussian_filter(small, (1, 1, 0))
    slopes = greatest_of(np.hypot(np.gradient(smooth, axis=0), np.gradient(smooth, axis=1)))
    middle = level_of(pixels[rows // 8 : rows // 8 + 300, columns // 8 : columns // 8 + 300])
    grain = np.abs(2 * middle[:, 1:-1] - middle[:, :-2] - middle[:, 2:])[::3]
    return Scene(
        pixels=pixels,
        other=pixels if other is None else other,
        grey=is_grey(pixels),
        object=object_,
        edges=slopes.astype(np.float32),
        split=split,
        noise=float(np.median(grain)) / (0.6745 * math.sqrt(6)),
    )


def _find_object(small: Colours) -> tuple[Mask, bool]:
    border = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    ground = np.median(border, axis=0)
    near = np.abs(border - ground).max(axis=1) < PLAIN
    everywhere = np.ones(small.shape[:2], bool)
    if near.mean() < 0.8:
        return everywhere, False
    distance = greatest_of(np.abs(small - ground))
    labels, _ = ndimage.label(distance < PLAIN)
    rim = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    object_ = ndimage.binary_opening(~np.isin(labels, rim[rim > 0]))
    if not 0.08 < object_.mean() < 0.92 or np.median(distance[object_]) < 2 * PLAIN:
        return everywhere, False
    return object_, True


def level_of(colours: NDArray[Any]) -> Plane:
    """The mean of the three channels [h, w] float32; numpy's own mean over a short axis is ten times slower."""
    red, green, blue = (colours[:, :, c].astype(np.float32) for c in range(3))
    return (red + green + blue) / np.float32(3)


def greatest_of(colours: NDArray[Any]) -> NDArray[Any]:
    """The greatest of the three channels [h, w]."""
    return np.maximum(np.maximum(colours[:, :, 0], colours[:, :, 1]), colours[:, :, 2])


def blend(ground: Colours, opacity: Plane, over: Colours) -> Colours:
    """`over` laid on `ground`, both [h, w, 3] or broadcast to it, with an opacity [h, w] from 0 to 1."""
    return np.asarray(ground + opacity[:, :, None] * (over - ground), dtype=np.float32)


def tone_of(ground: Colours) -> Colours:
    """The median colour [3] float32 of [h, w, 3], judged on a sample of its pixels."""
    step = max(1, min(ground.shape[:2]) // 24)
    return np.asarray(np.median(ground[::step, ::step], axis=(0, 1)), dtype=np.float32)


def is_grey(pixels: Pixels) -> bool:
    """Whether a picture shows no colour but what compression may add, judged on a sample of its pixels."""
    rows, columns = pixels.shape[:2]
    sample = pixels[:: max(1, rows // 100), :: max(1, columns // 100)].astype(np.int16)
    return bool(np.quantile(greatest_of(sample) + greatest_of(-sample), 0.99) <= 4)


def choose_spot(scene: Scene, rng: np.random.Generator, *, on: str = "object") -> tuple[float, float]:
    """A random (row, column) on the object, where there is "detail", or on the strongest "edge"."""
    if on == "object":
        weights = scene.object.ravel() + (0.02 if scene.split else 0.0)
    else:
        strength = np.minimum(scene.edges, np.quantile(scene.edges, 0.99)) * (scene.object | (on == "edge"))
        weights = (strength**4 if on == "edge" else strength).ravel() + 1e-6
    total = np.cumsum(weights, dtype=np.float64)
    index = min(int(np.searchsorted(total, rng.uniform(0, total[-1]))), total.size - 1)
    row, column = divmod(index, scene.object.shape[1])
    rows, columns = scene.object.shape
    return (
        (row + rng.uniform(0, 1)) * scene.shape[0] / rows,
        (column + rng.uniform(0, 1)) * scene.shape[1] / columns,
    )


def draw_log(rng: np.random.Generator, low: float, high: float) -> float:
    """A number between two positive ones whose logarithm is uniform."""
    return float(math.exp(rng.uniform(math.log(low), math.log(high))))


def draw_area(scene: Scene, rng: np.random.Generator, low: float = SMALLEST, high: float = LARGEST) -> float:
    """A random area in pixels, log-uniform between two shares of the picture."""
    share = min(high, draw_log(rng, low, high) * scene.boost)
    return max(9.0, share * scene.shape[0] * scene.shape[1])


def draw_contrast(scene: Scene, rng: np.random.Generator, low: float = 22, high: float = 130) -> float:
    """Grey levels between a mark and its ground: a quarter of the draws faint, all above the grain."""
    bold = draw_log(rng, 9, low) if rng.random() < HARD else draw_log(rng, low, high)
    return min(200.0, bold * scene.boost + 1.2 * scene.noise)


def choose_sign(ground: Colours, rng: np.random.Generator, dark: float = 0.6) -> float:
    """-1 for a darker mark, 1 for a lighter one; the side with room where the ground is nearly black or white."""
    level = float(ground.mean())
    if level < 55 or level > 205:
        dark = 0.0 if level < 55 else 1.0
    return -1.0 if rng.random() < dark else 1.0


def draw_blob(
    scene: Scene,
    rng: np.random.Generator,
    area: float,
    *,
    aspect: float = 2.5,
    rough: float = 0.3,
    spot: tuple[float, float] | None = None,
) -> tuple[Window, Plane]:
    """An irregular closed shape: its window, and its depth [h, w] float32.

    The depth is about 1 in the middle, 0 on the outline, negative outside. `aspect` is the greatest ratio of
    length to width, `rough` how far the outline strays, 0 for an ellipse.
    """
    centre = choose_spot(scene, rng) if spot is None else spot
    ratio = math.sqrt(draw_log(rng, 1, aspect))
    radius = math.sqrt(area / math.pi)
    long, short = min(radius * ratio, 0.75 * max(scene.shape)), max(1.2, radius / ratio)
    turn = rng.uniform(0, math.pi)
    reach = max(long, short) * (1.15 + 0.6 * rough) + 2
    window = scene.cut(centre, (reach, reach))
    y = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, None] - centre[0]
    x = np.arange(window[1].start, window[1].stop, dtype=np.float32)[None, :] - centre[1]
    along, across = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
    depth = (1 - np.sqrt((along / long) ** 2 + (across / short) ** 2)).astype(np.float32)
    if rough > 0:
        depth += rough * draw_fractal((depth.shape[0], depth.shape[1]), rng, rng.uniform(2, 6), 3)
    return window, depth


def soften(depth: Plane, width: float) -> Plane:
    """Opacity [h, w] float32, 0 to 1, rising smoothly over `width` of depth from the outline inwards."""
    t = np.clip(depth / max(width, 1e-3), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)


def edge_width(area: float, pixels: float = 1.5) -> float:
    """The depth that `pixels` at the outline of a shape of this area make up."""
    return pixels / max(1.5, math.sqrt(area / math.pi))
