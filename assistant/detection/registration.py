"""Registration: finds how the part in a picture lies, on pixels alone, and brings it to the frame of a reference.

A part is registered before the tower sees it, so that places can be compared with places whatever its pose.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from assistant.detection.template import ROOM, SIDE, Fit, Template, View, cut
from assistant.errors import told
from assistant.images.part import Part
from assistant.images.pose import Matrix, Pose, chain, invert

Pixels = NDArray[np.uint8]

TRIED = 3
"""Turns that are refined before the best is chosen."""

ALIKE = 0.55
"""A part lies on its template where what changes with the angle correlates so much: parts of one design reach 0.7
and more, other cookies 0.2 and the glints of round bottles up to 0.5 (docs/memory.md)."""

OVERLAP = 0.6
"""And where their shapes share so much: screws without a tip have 0.7."""

TURNED = 8.0  # degrees between two parts from which they lie at different angles
LARGER = 1.1
"""Times that a part is seen larger in the frame, along a side, from which bringing it there pays by itself."""

SAMPLE, FIRST = 12, 3
"""Of a batch, so many pictures are registered with each of so many."""

ENOUGH = 0.75
"""The share of these that have to be found, for a batch holds defective ones too."""

MARGIN = 0.07
"""What is seen around a part, in its longer sides."""

LONG = 1.3  # times the spread along a part to that across, from which it lies along an axis

NOT_FOUND = told("the part was not found in a pose that others show, so the picture was compared as it lies")
"""The notice of a picture that could not be brought to the frame."""


@dataclass(frozen=True, eq=False)
class Registration:
    """What poses of a product's parts are found by.

    `picture` (width, height) is the size of the first reference, and `home` its own pose: the frame is a box
    around its part, turned so that the part lies along it. All pictures are brought there, where the tower sees
    the part as large as can be. `square` [2, 3] brings points of that picture to those of `template`, which shows
    the part.
    """

    picture: tuple[int, int]
    home: Pose
    square: Matrix
    template: Template

    @classmethod
    def of(cls, pixels: Pixels) -> Registration | None:
        """What finds poses by a reference [H, W, 3] uint8; None where no part stands clearly before its ground."""
        part = Part.seen_in(pixels)
        if part is None:
            return None
        planes, to_small = cut(part, 2 * ROOM * part.reach / SIDE, SIDE)
        height, width = pixels.shape[:2]
        square = invert(np.diag(part.factors) @ to_small)
        # Rounded as it is kept, so that a product read from a file finds the very same poses.
        template = Template(planes.astype(np.float16).astype(np.float32))
        return cls((width, height), _home(part), square, template)

    @property
    def frame(self) -> tuple[int, int]:
        """The size (width, height) of the frame in pixels of the first reference."""
        return self.home.frame

    def find(self, pixels: Pixels) -> Pose | None:
        """How the part in a picture [H, W, 3] uint8 lies; None where nothing lies on the template well enough."""
        found = self.look(pixels)
        if found is None or found[1].turned < ALIKE or found[1].overlap < OVERLAP:
            return None
        return found[0]

    def look(self, pixels: Pixels) -> tuple[Pose, Fit] | None:
        """The pose that fits best, however well that is, and how well; None where no part is seen."""
        part = Part.seen_in(pixels)
        if part is None:
            return None
        template = self.template
        view = View.of(part, math.sqrt(part.area / template.area))
        starts = (template.start(turn) for turn in template.turns(view, TRIED))
        best = max((_try(template, view, start, 4) for start in starts), key=_rank)
        if best.other:  # a part of several like sectors
            best = max(best, _try(template, view, template.turned_by(best), 2), key=_rank)
        fit = template.fit(view, template.refine(view, best.matrix, [(0, 3), (1, 5)]))
        to_first = chain(invert(self.square), invert(chain(view.matrix, fit.matrix)))
        return Pose.of(chain(self.home.matrix, to_first), self.frame), fit

    def bring(self, pixels: Pixels, size: tuple[int, int] | None = None) -> tuple[Pixels, Pose | None]:
        """A picture [H, W, 3] in the frame, at a `size` (width, height), and its pose; or as it is, and None."""
        pose = self.find(pixels)
        return (pixels, None) if pose is None else (pose.warp(pixels, size), pose)

    def pays(self, poses: Iterable[Pose | None]) -> bool:
        """Whether it makes a difference to bring pictures in these poses to the frame: turned, or seen larger."""
        larger = math.sqrt(math.prod(self.picture) / math.prod(self.frame))
        angles = [(pose.angle - self.home.angle + 180) % 360 - 180 for pose in poses if pose]
        return larger > LARGER or any(abs(angle) > TURNED for angle in angles)

    def look_at(self, mask: Tensor) -> Tensor:
        """A mask [h, w] in [0, 1], drawn on the first reference or a copy of another size, in the frame."""
        scale = mask.shape[1] / self.picture[0]
        grid = tuple(max(1, round(scale * side)) for side in reversed(self.frame))
        return torch.from_numpy(self.home.forth(mask.float().cpu().numpy(), self.picture, (grid[0], grid[1])))

    def settings(self) -> dict[str, Any]:
        """What of it is kept as JSON; `tensor` is the rest."""
        home = self.home
        return {
            "picture": list(self.picture),
            "frame": list(self.frame),
            "home": [home.angle, home.scale, *home.shift],
            "square": self.square.tolist(),
        }

    def tensor(self) -> Tensor:
        """The template, [2, side, side] float16."""
        return torch.from_numpy(self.template.planes.astype(np.float16))

    @classmethod
    def from_state(cls, settings: Mapping[str, Any], planes: Tensor) -> Registration:
        """Rebuild from `settings` and `tensor`; ValueError where they make no sense."""
        (width, height), frame = settings["picture"], settings["frame"]
        angle, scale, right, down = map(float, settings["home"])
        home = Pose((int(frame[0]), int(frame[1])), angle, scale, (right, down))
        square = np.array(settings["square"], dtype=np.float64)
        shown = planes.float().numpy()
        if square.shape != (2, 3) or shown.shape != (2, SIDE, SIDE) or not np.isfinite(shown).all():
            raise ValueError("a registration is a size, a frame, a square and a template")
        return cls((int(width), int(height)), home, square, Template(shown))


def _home(part: Part) -> Pose:
    """The pose that brings a part along the nearer axis of a box around it, in pixels of its picture."""
    rows, columns = np.nonzero(part.planes[1] > 0.5)
    points = np.stack([columns + 0.5 - part.middle[0], rows + 0.5 - part.middle[1]])
    spread, axes = np.linalg.eigh(points @ points.T)
    turn = 0.0
    if spread[1] > LONG * spread[0]:
        along = math.atan2(axes[1, 1], axes[0, 1])
        turn = round(along / (math.pi / 2)) * (math.pi / 2) - along
    c, s = math.cos(turn), math.sin(turn)
    factor = math.sqrt(math.prod(part.factors))
    turned = np.array([[c, -s], [s, c]]) @ points
    low, high = turned.min(axis=1), turned.max(axis=1)
    edge = MARGIN * float((high - low).max())
    low, high = low - edge, high + edge
    middle = np.array([[c, -s], [s, c]]) @ np.array(part.middle)
    shift = -(low + middle) * factor
    width, height = (max(1, round(side * factor)) for side in high - low)
    return Pose((width, height), math.degrees(turn), 1.0, (float(shift[0]), float(shift[1])))


def register_batch(pictures: Sequence[Pixels]) -> Registration | None:
    """What brings the pictures of a batch to one pose, by a sample of them; None where they do not register."""
    sample = pictures[:SAMPLE]
    best: tuple[int, Registration] | None = None
    for first in sample[:FIRST]:
        registration = Registration.of(first)
        poses = [registration.find(pixels) for pixels in sample] if registration else []
        found = sum(pose is not None for pose in poses)
        if registration and len(sample) > 1 and found >= ENOUGH * len(sample) and registration.pays(poses):
            best = max(best or (0, registration), (found, registration), key=lambda row: row[0])
    return best[1] if best else None


def _try(template: Template, view: View, start: Matrix, steps: int) -> Fit:
    return template.fit(view, template.refine(view, start, [(0, steps)]))


def _rank(fit: Fit) -> float:
    return fit.turned + fit.overlap
