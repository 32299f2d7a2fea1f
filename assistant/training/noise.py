"""Random fields: gradient noise, its octaves, and the smooth surface that continues a border inwards."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dstn, idstn

Plane = NDArray[np.float32]

FINEST = 128  # pixels on a side; larger fields are enlarged from this, which the eye cannot tell


def resize_plane(plane: Plane, shape: tuple[int, int]) -> Plane:
    """The plane [h, w] float32 at `shape` (rows, columns), bilinear, averaged where it shrinks."""
    if plane.shape == shape:
        return plane
    image = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
    return np.asarray(image.resize((shape[1], shape[0]), Image.Resampling.BILINEAR), dtype=np.float32)


def draw_noise(shape: tuple[int, int], cells: tuple[int, int], rng: np.random.Generator) -> Plane:
    """Gradient noise [h, w] float32 within -1..1, with `cells` lattice cells down and across (Perlin, 1985)."""
    rows, columns = shape
    angles = rng.uniform(0, 2 * math.pi, (cells[0] + 2, cells[1] + 2)).astype(np.float32)
    slope_y, slope_x = np.sin(angles), np.cos(angles)
    y = (np.arange(rows, dtype=np.float32) + 0.5) * (cells[0] / rows)
    x = (np.arange(columns, dtype=np.float32) + 0.5) * (cells[1] / columns)
    top, left = y.astype(np.intp), x.astype(np.intp)
    y, x = (y - top)[:, None], (x - left)[None, :]
    ease_y, ease_x = y**3 * (y * (y * 6 - 15) + 10), x**3 * (x * (x * 6 - 15) + 10)

    def corner(down: int, right: int) -> Plane:
        at = np.ix_(top + down, left + right)
        return slope_y[at] * (y - down) + slope_x[at] * (x - right)

    upper = corner(0, 0) * (1 - ease_x) + corner(0, 1) * ease_x
    lower = corner(1, 0) * (1 - ease_x) + corner(1, 1) * ease_x
    return np.asarray((upper * (1 - ease_y) + lower * ease_y) * math.sqrt(2), dtype=np.float32)


def draw_fractal(shape: tuple[int, int], rng: np.random.Generator, cells: float = 4, octaves: int = 3) -> Plane:
    """Octaves of gradient noise [h, w] float32, about -1..1; `cells` lie along the longer side."""
    longest = max(shape)
    scale = min(1.0, FINEST / longest)
    small = (max(2, round(shape[0] * scale)), max(2, round(shape[1] * scale)))
    total = np.zeros(small, np.float32)
    for octave in range(octaves):
        lattice = [max(1, round(cells * 2**octave * side / max(small))) for side in small]
        if min(side / count for side, count in zip(small, lattice, strict=True)) < 2 and octave:
            break
        total += draw_noise(small, (lattice[0], lattice[1]), rng) / 2**octave
    return resize_plane(total, shape)


def extend_border(border: NDArray[np.float32]) -> NDArray[np.float32]:
    """The harmonic surface [h, w, c] that agrees with the outermost pixels of `border` [h, w, c].

    The Laplace equation by a sine transform, which is Poisson blending on a rectangle (Perez et al., 2003).
    At least 3 x 3.
    """
    known = border.astype(np.float32, copy=True)
    known[1:-1, 1:-1] = 0
    load = -(known[:-2, 1:-1] + known[2:, 1:-1] + known[1:-1, :-2] + known[1:-1, 2:])
    rows, columns = load.shape[:2]
    down = 2 * np.cos(np.pi * np.arange(1, rows + 1) / (rows + 1)) - 2
    across = 2 * np.cos(np.pi * np.arange(1, columns + 1) / (columns + 1)) - 2
    waves = dstn(load, type=1, axes=(0, 1)) / (down[:, None, None] + across[None, :, None])
    known[1:-1, 1:-1] = idstn(waves, type=1, axes=(0, 1))
    return known
