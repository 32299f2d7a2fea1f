"""A template: what a part looks like in the frame's pose, and how well a part in a picture lies on it.

The turn between the two comes from a correlation over all angles around their middles, and is refined by steps
that bring each place of the part to what the template shows there (inverse compositional Lucas-Kanade, Baker and
Matthews 2004), counting less what differs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from assistant.images.part import Part, Plane
from assistant.images.pose import Matrix, chain, invert

SIDE = 96
"""Of a template, in its own pixels, one of which is about a third of a patch of the tower."""

ROOM = 1.1
"""How far a template reaches from the middle of its part, in reaches of the part."""

WIDE = 136  # of a view: a template fits into it at any angle
ANGLES, RADII = 180, 24  # around the middle, to the edge of a template
STRIDES = (3, 2)  # of the pixels that are compared at each of two levels, the blurred one first
FINER = 4  # between two angles of a correlation
FOLD = 8.0  # degrees from which another angle is another turn and no better one
BETTER = 0.01  # and it agrees so much better
ROBUST = 1.5  # a difference so many times the mean one counts half
UNIT = SIDE / 4  # an edge lies about so far from the middle
WORTH = 0.6  # of the best correlation, that another turn needs to be tried
STILL = 0.05  # a step by less, in pixels, is the last


@dataclass(frozen=True, eq=False)
class View:
    """A part at the scale of a template, not turned: `levels` [2, WIDE, WIDE], blurred much and little.

    `matrix` [2, 3] brings points of the view to the picture.
    """

    levels: tuple[Plane, Plane]
    matrix: Matrix

    @classmethod
    def of(cls, part: Part, unit: float) -> View:
        """The view of a part in which a pixel stands for `unit` of the part's small copy."""
        planes, to_small = cut(part, unit, WIDE)
        return cls(_blurred(planes), np.diag(part.factors) @ to_small)

    @cached_property
    def waves(self) -> Waves:
        """What changes with the angle."""
        return Waves.of(self.levels[1])


@dataclass(frozen=True, eq=False)
class Fit:
    """How a view lies on a template: `matrix` [2, 3] brings points of the template to the view.

    `overlap` in [0, 1] is how much of both shapes is shared, and `turned` in [-1, 1] the correlation of what in
    structure and shape changes with the angle. `other`: a turn in radians that would agree better, 0 for none.
    """

    matrix: Matrix
    overlap: float
    turned: float
    other: float = 0.0


class Template:
    """What is seen of a reference: `planes` [2, SIDE, SIDE], structure and shape, see `Part`.

    `shaped` in [0, 1] is how much of it changes with the angle: 0 for what is round.
    """

    def __init__(self, planes: Plane) -> None:
        self.planes = planes
        self.area = float(planes[1].sum())
        levels = _blurred(_widened(planes))
        self.waves = Waves.of(levels[1])
        self.shaped = self.waves.length / max(1e-6, self.waves.whole)
        edge = (WIDE - SIDE) // 2
        inner = slice(edge, edge + SIDE)
        self._levels = [_Level.of(p[:, inner, inner], stride) for p, stride in zip(levels, STRIDES, strict=True)]
        self._shape = levels[1][1, inner, inner]

    def turns(self, view: View, most: int) -> list[float]:
        """The angles at which a view agrees best, in radians, the best first."""
        agreeing = self.waves.agreement(view.waves)
        peaks = np.flatnonzero((agreeing >= np.roll(agreeing, 1)) & (agreeing > np.roll(agreeing, -1)))
        best = peaks[np.argsort(-agreeing[peaks])][:most]
        best = best[agreeing[best] >= WORTH * agreeing[best[0]]]
        return [float(at) * 2 * math.pi / len(agreeing) for at in best]

    def start(self, turn: float) -> Matrix:
        """From the template to a view, turned by an angle around the middles of both."""
        return _around_middles(turn, SIDE / 2, WIDE / 2)

    def refine(self, view: View, matrix: Matrix, steps: Sequence[tuple[int, int]]) -> Matrix:
        """A better matrix from the template to a view: at each (level, at most so many steps)."""
        for number, count in steps:
            level = self._levels[number]
            for _ in range(count):
                step = level.step(sample(view.levels[number], matrix, SIDE, STRIDES[number]))
                matrix = chain(matrix, invert(_moved(step)))
                if np.abs(step).max() < STILL:
                    break
        return matrix

    def fit(self, view: View, matrix: Matrix) -> Fit:
        """How well a view lies on the template."""
        seen = sample(view.levels[1], matrix, SIDE)
        shape = self._shape
        overlap = float(np.minimum(shape, seen[1]).sum() / max(1e-6, float(np.maximum(shape, seen[1]).sum())))
        agreeing = self.waves.agreement(Waves.of(_widened(seen)))
        turned, best = float(agreeing[0]), int(agreeing.argmax())
        apart = min(best, len(agreeing) - best) * 360 / len(agreeing)
        other = best * 2 * math.pi / len(agreeing) if apart >= FOLD and agreeing[best] > turned + BETTER else 0.0
        return Fit(matrix, overlap, turned, other)

    def turned_by(self, fit: Fit) -> Matrix:
        """The matrix of a fit at the other turn that it tells of."""
        return chain(fit.matrix, _around_middles(fit.other, SIDE / 2, SIDE / 2))


@dataclass(frozen=True, eq=False)
class Waves:
    """What in structure and shape changes with the angle, as waves [2, RADII, n], its length, and that of all.

    A place counts by its area, and the structure as much as the shape.
    """

    waves: NDArray[np.complex64]
    length: float
    whole: float

    @classmethod
    def of(cls, planes: Plane) -> Waves:
        """The waves around the middle of planes [2, WIDE, WIDE]."""
        polar = torch.nn.functional.grid_sample(torch.from_numpy(planes)[None], _POLAR, align_corners=False)[0]
        weight = (torch.arange(RADII) + 0.5).sqrt()[None, :, None]
        polar = polar * weight
        varying = polar - polar.mean(dim=2, keepdim=True)
        length, whole = (float(torch.linalg.vector_norm(values)) for values in (varying, polar))
        return cls(torch.fft.rfft(varying, dim=2).numpy(), length, whole)

    def agreement(self, other: Waves) -> NDArray[np.float64]:
        """The correlation with those of a view turned by each of `FINER` * `ANGLES` angles."""
        crossed = (other.waves * np.conj(self.waves)).sum(axis=(0, 1))
        found: NDArray[np.float64] = np.fft.irfft(crossed, FINER * ANGLES) * (
            FINER / max(1e-6, self.length * other.length)
        )
        return found


@dataclass(frozen=True, eq=False)
class _Level:
    """A template at one blur: what is to be seen, [2, h, w], how it changes with each of four moves, and where."""

    goal: Plane
    changes: Plane
    near: Plane

    @classmethod
    def of(cls, goal: Plane, stride: int) -> _Level:
        down, right = np.gradient(goal, axis=(1, 2))
        y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32) + 0.5 - SIDE / 2
        # By growing, turning, moving right and down; the first two in units by which an edge moves about a pixel.
        changes = np.stack([(right * x + down * y) / UNIT, (down * x - right * y) / UNIT, right, down])
        near = ndimage.binary_dilation(goal[1] > 0.1, iterations=3).astype(np.float32)
        thin = changes[:, :, ::stride, ::stride].reshape(4, -1).astype(np.float32)
        return cls(goal[:, ::stride, ::stride], thin, near[::stride, ::stride].ravel())

    def step(self, seen: Plane) -> NDArray[np.float64]:
        """The move [4] that brings what is seen [2, h, w] nearer."""
        off = (seen - self.goal).reshape(2, -1)
        size = np.abs(off)
        usual = np.maximum(0.05, ROBUST * (size @ self.near)[:, None] / max(1.0, float(self.near.sum())))
        weight = (self.near / (1 + (size / usual) ** 2)).ravel()
        weighted = self.changes * weight
        found: NDArray[np.float64] = np.linalg.solve(
            (weighted @ self.changes.T).astype(np.float64) + 1e-3 * np.eye(4), weighted @ off.ravel()
        )
        return found


def _moved(step: NDArray[np.float64]) -> Matrix:
    """The move of a template's points around its middle that a step [4] stands for."""
    grow, turn, half = 1 + step[0] / UNIT, step[1] / UNIT, SIDE / 2
    c, s = grow * math.cos(turn), grow * math.sin(turn)
    return np.array([[c, -s, step[2] + half - c * half + s * half], [s, c, step[3] + half - s * half - c * half]])


def sample(planes: Plane, matrix: Matrix, side: int, stride: int = 1) -> Plane:
    """Planes [C, h, w] at the points (x, y) of a square of `side`, that lie at matrix @ (x, y, 1); 0 outside.

    Of the square's pixels every `stride`-th is taken along each side.
    """
    _, h, w = planes.shape
    count = -(-side // stride)
    places = (np.arange(count) * stride + 0.5).astype(np.float32)
    # From points of the square to [-1, 1] over the planes.
    into = (np.array([[2 / w, 0, -1], [0, 2 / h, -1]]) @ np.vstack([matrix, [0, 0, 1]])).astype(np.float32)
    along, down = places[:, None] * into[:, 0], places[:, None] * into[:, 1] + into[:, 2]
    grid = torch.from_numpy(down[:, None] + along[None])[None]
    found: Plane = torch.nn.functional.grid_sample(
        torch.from_numpy(np.ascontiguousarray(planes))[None], grid, align_corners=False
    )[0].numpy()
    return found


def cut(part: Part, unit: float, side: int) -> tuple[Plane, Matrix]:
    """A square of `side` around the middle of a part, `unit` of its copy for a pixel, and the way to the copy."""
    half = side / 2
    to_small = np.array([[unit, 0, part.middle[0] - unit * half], [0, unit, part.middle[1] - unit * half]])
    return sample(part.planes, to_small, side), to_small


def _around_middles(turn: float, half: float, middle: float) -> Matrix:
    c, s = math.cos(turn), math.sin(turn)
    return np.array([[c, -s, middle - c * half + s * half], [s, c, middle - s * half - c * half]])


def _widened(planes: Plane) -> Plane:
    edge = (WIDE - SIDE) // 2
    return np.pad(planes, ((0, 0), (edge, edge), (edge, edge)))


def _blurred(planes: Plane) -> tuple[Plane, Plane]:
    """Planes [C, h, w] blurred by about 2 and by 0.7 pixels."""
    much = planes
    for _ in range(2):  # twice a box is nearly a bell
        much = ndimage.uniform_filter(much, (0, 5, 5), mode="constant")
    wide = np.pad(planes, ((0, 0), (1, 1), (1, 1)))
    along = wide[:, :, :-2] + 2 * wide[:, :, 1:-1] + wide[:, :, 2:]
    little = (along[:, :-2] + 2 * along[:, 1:-1] + along[:, 2:]) / 16
    return much, little


def _polar_grid() -> torch.Tensor:
    radii = (torch.arange(RADII) + 0.5) * (SIDE / 2 / RADII)
    turns = torch.arange(ANGLES) * (2 * math.pi / ANGLES)
    x, y = radii[:, None] * torch.cos(turns), radii[:, None] * torch.sin(turns)
    return torch.stack([x, y], dim=-1)[None] * (2 / WIDE)


_POLAR = _polar_grid()
