"""Near copies: pictures that show one and the same thing, such as frames of one part or a file saved again.

Two pictures are nearly one where their structure, whatever the light and wherever it was moved by a few pixels,
correlates as that of frames of one part does. Features of a tower cannot tell: for some products those of
different good parts are nearer than those of a copy moved by one pixel. Knows pixels, and neither towers nor
products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

ALIKE = 0.99
"""Pictures whose structure correlates like this are nearly one: of good pictures of eleven sets hardly any do but
those that show one part or place twice (docs/limits.md)."""

DELICATE = 0.97
"""Where an altered copy correlates less than this, structures are so fine that different pictures correlate by
0.6 at most, and what the altered copy reaches is enough (docs/limits.md)."""

SEEN = 320  # side at which a copy is altered, and about that at which towers see pictures
SIDE = 128  # and at which structures are compared
EDGE = 2  # pixels left out around, where filters and moves invent something
COARSE = 4.0  # what is larger, in pixels of `SIDE`, is light and not structure
NOISE = 1.0  # grey levels in an altered copy
REACH = 6  # pixels that a near copy may be moved, of `SIDE`
STEPS = 4  # parts of a pixel in which moves are looked for
ROUGHLY = 0.6  # where pictures agree less than this at a quarter of the side, nothing finer is looked at


@dataclass(frozen=True, eq=False)
class Sketch:
    """The fine structure of a picture: `fine` [124, 124] and `rough` [1024] float32 of unit length, 0 for none.

    `least`: how well near copies of this picture agree with it.
    """

    fine: NDArray[np.float32]
    rough: NDArray[np.float32]
    least: float

    @classmethod
    def of(cls, pixels: NDArray[np.uint8]) -> Sketch:
        """The sketch of a picture [H, W, 3] uint8 of any size."""
        seen = np.asarray(_reduce(Image.fromarray(pixels).convert("L"), SEEN), dtype=np.float32)
        noise = np.random.default_rng(0).normal(0, NOISE, seen.shape)
        altered = np.clip(np.roll(seen, (1, 1), (0, 1)) + noise, 0, 255).astype(np.uint8)
        own, other = _structure(seen.astype(np.uint8)), _structure(altered)
        small = np.asarray(_reduce(Image.fromarray(seen.astype(np.uint8)), SIDE // 4), dtype=np.float32)
        rough = _unit(small - gaussian_filter(small, COARSE)).ravel()
        reached = float(_correlations(own, other[None])[0])
        return cls(own, rough, reached if reached < DELICATE else ALIKE)


def find_groups(sketches: Sequence[Sketch]) -> list[int]:
    """For each picture the place of the first one that it is nearly one with, directly or through others.

    Pictures without any structure are like no other.
    """
    first = list(range(len(sketches)))
    if len(sketches) < 2:
        return first
    rough = np.stack([sketch.rough for sketch in sketches])
    for i, sketch in enumerate(sketches[:-1]):
        near: list[int] = (i + 1 + np.flatnonzero(rough[i + 1 :] @ sketch.rough >= ROUGHLY)).tolist()
        if not near:
            continue
        alike = _correlations(sketch.fine, np.stack([sketches[j].fine for j in near]))
        for j, value in zip(near, alike.tolist(), strict=True):
            if value >= min(sketch.least, sketches[j].least):
                ours, theirs = sorted((first[i], first[j]))
                first = [ours if one == theirs else one for one in first]
    return first


def _structure(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    small = np.asarray(_reduce(Image.fromarray(grey), SIDE), dtype=np.float32)
    return _unit((small - gaussian_filter(small, COARSE))[EDGE:-EDGE, EDGE:-EDGE])


def _reduce(grey: Image.Image, side: int) -> Image.Image:
    down = min(grey.size) >= side
    return grey.resize((side, side), Image.Resampling.BOX if down else Image.Resampling.BICUBIC)


def _unit(values: NDArray[np.float32]) -> NDArray[np.float32]:
    centred = values - values.mean()
    length = float(np.linalg.norm(centred))
    return centred / length if length > 1e-3 else np.zeros_like(centred)


def _correlations(one: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """The correlation of a structure [n, n] with each of others [M, n, n], at the move that fits best: [M].

    Moves go in parts of a pixel; only few are looked at, so that a Fourier transform of just these places is
    quicker than one of all (Guizar-Sicairos et al. 2008, "Efficient subpixel image registration").
    """
    n = one.shape[0]
    moves = np.arange(-REACH * STEPS, REACH * STEPS + 1) / STEPS
    waves = np.exp(2j * np.pi * moves[:, None] * np.fft.fftfreq(n)[None]).astype(np.complex64)
    spectrum = np.fft.fft2(one).astype(np.complex64)
    best = []
    for other in others:
        crossed = spectrum * np.conj(np.fft.fft2(other)).astype(np.complex64)
        best.append((waves @ crossed @ waves.T).real.max() / n**2)
    return np.array(best, dtype=np.float32)
