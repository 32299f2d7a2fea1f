"""How the part in a picture lies: the turn, scale and shift that bring it to where a reference has it.

Points are (x, y) in pixels of displayed pictures: x to the right, y down, pixel i covers [i, i + 1). The frame is
what every picture of the part is brought to; a `Pose` says where a picture's points lie in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import map_coordinates

Pixels = NDArray[np.uint8]
Matrix = NDArray[np.float64]

_DENSE = 1.5
"""So many pixels of a picture stand for one of the frame at least before it is turned: fewer would blur it, and
more take time."""


@dataclass(frozen=True)
class Pose:
    """A similarity from a picture to the frame of a reference.

    A point of the picture is mirrored, x to -x, where `mirror` says so, then turned by `angle` degrees clockwise
    as seen, scaled by `scale` and moved by `shift`. `frame` is the size (width, height) of the frame in its own
    pixels. ValueError for a scale that is not above 0, numbers that are not finite, or an empty frame.
    """

    frame: tuple[int, int]
    angle: float = 0.0
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    mirror: bool = False

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.angle, self.scale, *self.shift))) or self.scale <= 0:
            raise ValueError("a pose turns, scales and moves by finite numbers, and its scale is above 0")
        if min(self.frame) < 1:
            raise ValueError("a frame has at least one pixel")

    @classmethod
    def of(cls, matrix: Matrix, frame: tuple[int, int]) -> Pose:
        """The pose of a matrix [2, 3] that turns, scales, moves and perhaps mirrors, see `matrix`."""
        a, b = float(matrix[0, 0]), float(matrix[1, 0])
        mirror = bool(np.linalg.det(matrix[:, :2]) < 0)
        angle = math.degrees(math.atan2(b, a)) if not mirror else math.degrees(math.atan2(-b, -a))
        return cls(frame, angle, math.hypot(a, b), (float(matrix[0, 2]), float(matrix[1, 2])), mirror)

    @property
    def matrix(self) -> Matrix:
        """[2, 3] float64: the point (x, y) of the picture lies at matrix @ (x, y, 1) in the frame."""
        turn = math.radians(self.angle)
        c, s = self.scale * math.cos(turn), self.scale * math.sin(turn)
        side = -1.0 if self.mirror else 1.0
        return np.array([[side * c, -s, self.shift[0]], [side * s, c, self.shift[1]]])

    @property
    def inverse(self) -> Matrix:
        """[2, 3] float64: from the frame to the picture."""
        return invert(self.matrix)

    def box(self, box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        """The box (x0, y0, x1, y1) in the frame around a box of the picture, within the frame and never empty."""
        x0, y0, x1, y1 = box
        corners = self.matrix @ np.array([[x0, x1, x1, x0], [y0, y0, y1, y1], [1, 1, 1, 1]])
        first, last = corners.min(axis=1), corners.max(axis=1)
        left, right = _within(float(first[0]), float(last[0]), self.frame[0])
        top, bottom = _within(float(first[1]), float(last[1]), self.frame[1])
        return left, top, right, bottom

    def warp(self, pixels: Pixels, size: tuple[int, int] | None = None) -> Pixels:
        """The frame [h, w, 3] uint8 as a picture [H, W, 3] uint8 shows it, at a `size` (width, height).

        By default that is the size of the frame. What lies beyond the picture has the colour of its edge, the
        median along it: a ground, and never black.
        """
        width, height = size or self.frame
        to_size = np.diag([width / self.frame[0], height / self.frame[1]])
        matrix = to_size @ self.matrix
        density = 1 / math.sqrt(abs(np.linalg.det(matrix[:, :2])))  # pixels of the picture for one of the result
        factor = max(1, int(density / _DENSE))
        picture = Image.fromarray(pixels)
        if factor > 1:
            picture = picture.reduce(factor)
            matrix = matrix @ np.diag([factor, factor, 1.0])
        shown = picture.transform(
            (width, height),
            Image.Transform.AFFINE,
            tuple(invert(matrix).ravel().tolist()),
            Image.Resampling.BICUBIC,
            fillcolor=_edge_colour(pixels),
        )
        return np.asarray(shown)

    def back(
        self, coarse: NDArray[np.float32], size: tuple[int, int], grid: tuple[int, int]
    ) -> NDArray[np.float32]:
        """A map [h, w] over the frame, as a map over the picture of `size` (width, height), on a `grid` [H, W].

        Bilinear; places of the picture that the frame does not show were not looked at, and are 0.
        """
        return _carry(coarse, self.frame, self.matrix, size, grid)

    def forth(
        self, drawn: NDArray[np.float32], size: tuple[int, int], grid: tuple[int, int]
    ) -> NDArray[np.float32]:
        """A map or mask [H, W] over the picture of `size` (width, height), as one over the frame, on a `grid`."""
        return _carry(drawn, size, self.inverse, self.frame, grid)


def invert(matrix: Matrix) -> Matrix:
    """The way back [2, 3] of a matrix [2, 3]."""
    turn = np.linalg.inv(matrix[:, :2])
    return np.hstack([turn, -turn @ matrix[:, 2:]])


def chain(last: Matrix, first: Matrix) -> Matrix:
    """The matrix [2, 3] of one move after another."""
    return last @ np.vstack([first, [0, 0, 1]])


def _carry(
    values: NDArray[np.float32],
    size: tuple[int, int],
    matrix: Matrix,
    target: tuple[int, int],
    grid: tuple[int, int],
) -> NDArray[np.float32]:
    """Values [h, w] over a plane of `size`, on a `grid` over another of the size `target`; 0 outside.

    `matrix` says where points of the target lie in the plane.
    """
    down, across = (np.arange(n) + 0.5 for n in grid)
    x, y = np.meshgrid(across * (target[0] / grid[1]), down * (target[1] / grid[0]))
    places = matrix[:, :2] @ np.stack([x.ravel(), y.ravel()]) + matrix[:, 2:]
    inside = (places >= 0).all(axis=0) & (places[0] <= size[0]) & (places[1] <= size[1])
    columns, rows = (places[axis] * (values.shape[1 - axis] / size[axis]) - 0.5 for axis in (0, 1))
    found = map_coordinates(values.astype(np.float32, copy=False), [rows, columns], order=1, mode="nearest")
    return np.where(inside, found, np.float32(0)).astype(np.float32).reshape(grid)


def _within(first: float, last: float, size: int) -> tuple[int, int]:
    start = min(max(0, math.floor(first)), size - 1)
    return start, max(start + 1, min(math.ceil(last), size))


def _edge_colour(pixels: Pixels) -> tuple[int, ...]:
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return tuple(np.median(edge, axis=0).round().astype(int).tolist())
