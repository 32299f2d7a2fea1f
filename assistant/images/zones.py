"""Zones: places drawn on a reference by their corners, in which a number of alike things is expected."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from assistant.errors import ProductError
from assistant.images.pose import Pose, chain

LONGEST_NAME = 40
MOST_EXPECTED = 500
MOST_ZONES = 20
MOST_NUMBERS = 400  # of an outline
LEAST_SIDE = 8  # pixels of a zone, below which nothing in it can be counted

APART = 40.0
"""Pixels of a view from one thing to the next, were they spread evenly: more show nothing that counts."""

MOST_SIDE = 640  # pixels of a view

FORM = "NAME=NUMBER@X0,Y0,X1,Y1, or the corners of a polygon: NAME=NUMBER@X,Y,X,Y,X,Y"


@dataclass(frozen=True)
class Zone:
    """A place on the first reference where `expected` alike things lie, and what they are called.

    `outline`: x0, y0, x1, y1 of a box, or x, y of each corner of a polygon, in pixels of that reference as shown.
    ProductError for a name that cannot be printed, a number below 1, or an outline that encloses nothing.
    """

    name: str
    expected: int
    outline: tuple[float, ...]

    def __post_init__(self) -> None:
        shown = self.name.strip()
        if not shown or shown != self.name or len(shown) > LONGEST_NAME or not shown.isprintable():
            raise ProductError(f"A zone has a name of 1 to {LONGEST_NAME} printable characters.")
        if not 1 <= self.expected <= MOST_EXPECTED:
            raise ProductError(
                f"In the zone {self.name!r} from 1 to {MOST_EXPECTED} things may be expected, not {self.expected}."
            )
        sized = len(self.outline) == 4 or (len(self.outline) >= 6 and len(self.outline) % 2 == 0)
        if not sized or len(self.outline) > MOST_NUMBERS or not all(map(math.isfinite, self.outline)):
            raise ProductError(f"The zone {self.name!r} is a box of 4 numbers, or 3 corners or more of 2 each.")
        x0, y0, x1, y1 = self.bounds
        reversed_ = len(self.outline) == 4 and (x0, y0, x1, y1) != self.outline
        if reversed_ or x1 - x0 < LEAST_SIDE or y1 - y0 < LEAST_SIDE:
            raise ProductError(f"The zone {self.name!r} is empty, reversed or smaller than {LEAST_SIDE} pixels.")

    @classmethod
    def read(cls, text: str) -> Zone:
        """A zone as people write it, "pills=10@40,60,300,200"; ProductError for anything else."""
        name, equals, rest = text.rpartition("=")
        number, at, corners = rest.partition("@")
        try:
            if not (equals and at):
                raise ValueError
            return cls(name.strip(), int(number), tuple(float(corner) for corner in corners.split(",")))
        except ValueError:
            raise ProductError(f"{text[:60]!r} is no zone: write {FORM}.") from None

    @property
    def corners(self) -> list[tuple[float, float]]:
        """(x, y) of each corner, in pixels of the first reference."""
        if len(self.outline) == 4:
            x0, y0, x1, y1 = self.outline
            return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
        return list(zip(self.outline[::2], self.outline[1::2], strict=True))

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """The box (x0, y0, x1, y1) around it, in pixels of the first reference."""
        across, down = zip(*self.corners, strict=True)
        return min(across), min(down), max(across), max(down)

    @property
    def grid(self) -> tuple[int, int]:
        """The size (width, height) in pixels that the zone is looked at."""
        x0, y0, x1, y1 = self.bounds
        wide, high = x1 - x0, y1 - y0
        finer = min(1.0, APART / math.sqrt(wide * high / self.expected), MOST_SIDE / max(wide, high))
        return max(LEAST_SIDE, round(wide * finer)), max(LEAST_SIDE, round(high * finer))

    def seen_from(
        self, pose: Pose | None, size: tuple[int, int], first: tuple[int, int], home: Pose | None
    ) -> Pose:
        """How a picture of `size` (width, height) lies, seen from the zone: a pose whose frame is the zone's box.

        `first` is the size of the first reference. Where parts are registered, `pose` and `home` are those of the
        picture and of the first reference in the frame.
        """
        x0, y0, x1, y1 = self.bounds
        if pose is not None and home is not None:
            to_first = chain(home.inverse, pose.matrix)
        else:
            to_first = np.diag([first[0] / size[0], first[1] / size[1], 1.0])[:2]
        return Pose.of(to_first - np.array([[0, 0, x0], [0, 0, y0]]), (round(x1 - x0), round(y1 - y0)))

    def inside(self) -> NDArray[np.bool_]:
        """Where the zone is in its box, on its grid: [h, w]."""
        width, height = self.grid
        x0, y0, x1, y1 = self.bounds
        shown = Image.new("1", (width, height))
        places = [((x - x0) * width / (x1 - x0), (y - y0) * height / (y1 - y0)) for x, y in self.corners]
        ImageDraw.Draw(shown).polygon(places, fill=1)
        found: NDArray[np.bool_] = np.asarray(shown, dtype=bool)
        return found

    def check_within(self, size: tuple[int, int]) -> None:
        """ProductError where it reaches beyond the picture of `size` (width, height) that it is drawn on."""
        x0, y0, x1, y1 = self.bounds
        if x0 < 0 or y0 < 0 or x1 > size[0] or y1 > size[1]:
            raise ProductError(
                f"The zone {self.name!r} reaches beyond the first reference of {size[0]} x {size[1]} pixels."
            )


def read_zones(given: Sequence[Zone | str] | str) -> tuple[Zone, ...]:
    """Zones as they are or in words, of which one text may hold several with semicolons between them.

    ProductError for what is no zone, two of one name, or more than `MOST_ZONES`.
    """
    rows = [given] if isinstance(given, str) else given
    zones: list[Zone] = []
    for row in rows:
        zones += [row] if isinstance(row, Zone) else map(Zone.read, filter(str.strip, row.split(";")))
    names = [zone.name for zone in zones]
    if len(set(names)) < len(names):
        raise ProductError("Two zones have the same name.")
    if len(zones) > MOST_ZONES:
        raise ProductError(f"A product has at most {MOST_ZONES} zones in which things are counted.")
    return tuple(zones)
