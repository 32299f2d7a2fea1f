"""A drawn part under a camera: its surface, the light on it, the ground it lies on, the moment it is taken in.

A surface has a height and a colour at every place; light falls on the slopes of the height, so that a part that
lies turned is lit otherwise, as a real one is. Places x, y are in half sides of the frame from its middle, and so
are heights.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import binary_closing, binary_fill_holes, gaussian_filter, map_coordinates, zoom

Array = NDArray[np.float32]
Random = np.random.Generator
Colour = tuple[float, float, float]

OVER = 1.5
"""How much finer than the picture a part is drawn."""

VISIBLE = 0.035
"""A place belongs to the mask where the picture differs by more than this share of its range."""


@dataclass(frozen=True)
class Pose:
    """How a part lies: turned by `angle` (radians), moved by shares of the half side, larger or smaller."""

    angle: float = 0.0
    right: float = 0.0
    down: float = 0.0
    scale: float = 1.0

    def places(self, side: int) -> tuple[Array, Array]:
        """The part's own x and y at every pixel of a frame of `side` pixels, two arrays [side, side]."""
        line = (np.arange(side, dtype=np.float32) + 0.5) * 2 / side - 1
        across, along = np.meshgrid(line - np.float32(self.right), line - np.float32(self.down))
        cos, sin = np.float32(np.cos(self.angle) / self.scale), np.float32(np.sin(self.angle) / self.scale)
        turned = cos * across + sin * along, cos * along - sin * across
        return turned[0].astype(np.float32), turned[1].astype(np.float32)

    def frame(self, x: float, y: float) -> tuple[float, float]:
        """Where a place of the part is in the frame: right and down of its middle, in half sides."""
        cos, sin = np.cos(self.angle) * self.scale, np.sin(self.angle) * self.scale
        return float(cos * x - sin * y) + self.right, float(sin * x + cos * y) + self.down


@dataclass(frozen=True)
class Session:
    """What stays the same while a lot is taken: light, ground and camera.

    `azimuth`, `elevation` (radians) say where light comes from, `ambient` how much comes from everywhere.
    `ground` is a colour with a `grain`; `tilt` the light's fall over the frame; `blur` is in pixels, `noise` in
    shares of the range.
    """

    azimuth: float
    elevation: float
    ambient: float
    gain: float
    balance: Colour
    tilt: tuple[float, float]
    ground: Colour
    grain: float
    blur: float
    noise: float
    zoom: float
    quality: int

    @classmethod
    def draw(cls, random: Random, ground: Colour, azimuth: float) -> Session:
        """A session near the set-up that a family has."""
        balance = 1 + random.normal(0, 0.003, 3)
        shade = random.normal(0, 0.02) + np.array(ground) + random.normal(0, 0.003, 3)
        return cls(
            azimuth=azimuth + random.normal(0, 0.15),
            elevation=random.uniform(0.85, 1.05),
            ambient=random.uniform(0.42, 0.55),
            gain=random.normal(1, 0.035),
            balance=(float(balance[0]), float(balance[1]), float(balance[2])),
            tilt=(random.normal(0, 0.04), random.normal(0, 0.04)),
            ground=(float(shade[0]), float(shade[1]), float(shade[2])),
            grain=random.uniform(0.7, 1.3),
            blur=random.uniform(0.5, 0.8),
            noise=random.uniform(0.008, 0.014),
            zoom=random.normal(1, 0.012),
            quality=int(random.integers(86, 95)),
        )


class Surface:
    """What a part is made of at every pixel: height, colour, gloss in [0, 1], and whether the part is there."""

    def __init__(self, pose: Pose, side: int) -> None:
        self.pose, self.edge = pose, 2.0 / side
        self.x, self.y = pose.places(side)
        self.height: Array = np.zeros_like(self.x)
        self.cover: Array = np.zeros_like(self.x)
        self.gloss: Array = np.zeros_like(self.x)
        self.colour: Array = np.zeros((side, side, 3), np.float32)

    def window(self, x: float, y: float, reach: float) -> Surface:
        """The square of this surface around a place: what is drawn there is drawn here, and faster."""
        side = self.x.shape[0]
        right, down = self.pose.frame(x, y)
        reach = reach * self.pose.scale * 1.42 + 3 * self.edge

        def part(middle: float) -> slice:
            ends = (np.array([middle - reach, middle + reach]) + 1) / self.edge
            low, high = np.clip([np.floor(ends[0]), np.ceil(ends[1])], 0, side).astype(int)
            return slice(int(low), max(int(high), int(low) + 1))

        cut = part(down), part(right)
        smaller = copy(self)
        for name in ("x", "y", "height", "cover", "gloss", "colour"):
            setattr(smaller, name, getattr(self, name)[cut])
        return smaller

    def inside(self, distance: Any, soft: float = 1.0) -> Array:
        """1 where a signed distance is negative, 0 outside, with an edge of `soft` fine pixels."""
        return np.asarray((0.5 - distance / (2 * soft * self.edge)).clip(0, 1), np.float32)

    def put(self, shape: Array, colour: Any, height: Any, gloss: float = 0.2) -> None:
        """Lay something of one colour (a triple, or an array [H, W, 3]) where `shape` is 1, at a height."""
        np.maximum(self.cover, shape, out=self.cover)
        self.height += (np.asarray(height, np.float32) - self.height) * shape
        self.gloss += (np.float32(gloss) - self.gloss) * shape
        self.tint(shape, colour)

    def tint(self, shape: Array, colour: Any) -> None:
        """Colour what is there where `shape` is 1."""
        self.colour += (np.asarray(colour, np.float32) - self.colour) * np.asarray(shape, np.float32)[..., None]

    def press(self, amount: Array) -> None:
        """Raise what is there by an amount, or lower it by a negative one."""
        self.height += np.asarray(amount, np.float32) * (self.cover > 0)

    def cut(self, shape: Array) -> None:
        """Take away what is there where `shape` is 1."""
        self.cover *= 1 - shape
        self.height *= 1 - shape

    def box(self, x: float, y: float, wide: float, high: float, corner: float = 0.0) -> Array:
        """The inside of a box around a place, given its half sides."""
        beyond = np.abs(self.x - x) - wide + corner, np.abs(self.y - y) - high + corner
        outer = np.hypot(np.maximum(beyond[0], 0), np.maximum(beyond[1], 0))
        return self.inside(outer + np.minimum(np.maximum(*beyond), 0) - corner)

    def disc(self, x: float, y: float, radius: float, soft: float = 1.0) -> Array:
        """The inside of a disc."""
        return self.inside(np.hypot(self.x - x, self.y - y) - radius, soft)

    def stroke(self, points: Any, width: float) -> Array:
        """The inside of a broken line of a width, through points [N, 2]."""
        near = np.full_like(self.x, 9)
        for (x0, y0), (x1, y1) in zip(points[:-1], points[1:], strict=True):
            dx, dy = x1 - x0, y1 - y0
            along = (((self.x - x0) * dx + (self.y - y0) * dy) / (dx * dx + dy * dy + 1e-9)).clip(0, 1)
            near = np.minimum(near, np.hypot(self.x - x0 - along * dx, self.y - y0 - along * dy))
        return self.inside(near - width / 2)

    def bump(self, x: float, y: float, radius: float) -> Array:
        """A soft hill of height 1."""
        return np.asarray(np.exp(-((self.x - x) ** 2 + (self.y - y) ** 2) / (2 * radius**2)), np.float32)

    def grain(self, random: Random, size: float, stretch: float = 1.0) -> Array:
        """Noise of deviation 1 that belongs to the part: spots of a size, drawn out along x by `stretch`."""
        side = 512
        raw = random.standard_normal((side, side), np.float32)
        width = size * side / 2
        smooth = gaussian_filter(raw, (width, width * stretch), mode="wrap", truncate=3) if width > 0.3 else raw
        at = np.stack([((v + 1) * side / 2 - 0.5) % (side - 1) for v in (self.y, self.x)])
        return np.asarray(map_coordinates(smooth / smooth.std(), at, order=1), np.float32)

    def words(self, text: str, size: float, x: float = 0.0, y: float = 0.0) -> Array:
        """A line of print around a place, `size` high."""
        page = _page(text)
        reach = 0.5 * size * len(text)
        at = np.stack([((v / reach) + 1) * page.shape[0] / 2 - 0.5 for v in (self.y - y, self.x - x)])
        return np.asarray(map_coordinates(page, at, order=1), np.float32)


@cache
def _page(text: str) -> Array:
    """A line of print in the middle of a square, which is as wide as its letters are high times their number."""
    side = 96 * max(2, len(text))
    page = Image.new("L", (side, side))
    font = ImageFont.load_default(side / len(text))
    ImageDraw.Draw(page).text((side / 2, side / 2), text, fill=255, font=font, anchor="mm", stroke_width=1)
    return (np.asarray(page, np.float32) / 255).astype(np.float32)


def light(surface: Surface, session: Session, random: Random) -> Array:
    """The frame [H, W, 3] in [0, 1]: the part lit, its shadow, the ground, without blur and noise."""
    side = surface.x.shape[0]
    towards = float(np.cos(session.azimuth)), float(np.sin(session.azimuth))
    flat, steep = float(np.cos(session.elevation)), float(np.sin(session.elevation))
    down, right = np.gradient(gaussian_filter(surface.height, 0.8) * np.float32(side / 2))
    long = np.sqrt(1 + down**2 + right**2)
    along, aside = right * towards[0] + down * towards[1], right * towards[1] - down * towards[0]
    diffuse = session.ambient + (1 - session.ambient) * ((steep - flat * along) / (long * steep)).clip(0)
    shine = ((1 + steep - flat * along) / (long * float(np.hypot(flat, 1 + steep)))).clip(0) ** 40
    hidden = (9 * (gaussian_filter(surface.height, side / 90, truncate=3) - surface.height)).clip(0, 0.6)
    metal = surface.gloss * (0.55 * shine + 0.175 * aside / long)
    lit = surface.colour * (diffuse * (1 - hidden))[..., None] + metal[..., None]
    away = [-round(side * 0.018 * t) for t in (towards[1], towards[0])]
    cast = gaussian_filter(np.roll(surface.cover, away, (0, 1)), side / 80, truncate=3)
    shade = 1 - 0.32 * cast - 0.25 * gaussian_filter(surface.cover, side / 200)
    cover = surface.cover[..., None]
    frame = _ground(session, side, random) * shade[..., None] * (1 - cover) + lit * cover
    line = np.linspace(-1, 1, side, dtype=np.float32)
    fall = 1 + session.tilt[0] * line[None] + session.tilt[1] * line[:, None]
    fall *= 1 - 0.05 * (line[None] ** 2 + line[:, None] ** 2)
    colour = session.gain * np.array(session.balance)
    return np.asarray(frame * fall[..., None] * colour.astype(np.float32), np.float32)


def take(frame: Array, session: Session, random: Random) -> NDArray[np.uint8]:
    """The picture that a camera makes of a lit frame: blurred, scaled down, noisy."""
    small = _smaller(gaussian_filter(frame, (session.blur * OVER, session.blur * OVER, 0)))
    bright = small.clip(0.001) ** 0.85
    noisy = bright + session.noise * random.standard_normal(bright.shape, np.float32) * (0.5 + bright)
    return np.asarray((noisy.clip(0, 1) * 255).round(), np.uint8)


def differing(one: Array, other: Array) -> NDArray[np.bool_]:
    """Where two lit frames differ visibly, at the size of the picture: bool [H / OVER, W / OVER]."""
    apart = _smaller(gaussian_filter(np.abs(one - other).max(2, keepdims=True), (OVER, OVER, 0)))[..., 0] > VISIBLE
    return np.asarray(binary_fill_holes(binary_closing(np.pad(apart, 6), iterations=4)[6:-6, 6:-6]), bool)


def _smaller(frame: Array) -> Array:
    """A frame [H, W, C] at the size of the picture."""
    side = round(frame.shape[0] / OVER)
    planes = [
        Image.fromarray(plane).resize((side, side), Image.Resampling.BOX) for plane in np.moveaxis(frame, 2, 0)
    ]
    return np.stack([np.asarray(plane, np.float32) for plane in planes], 2)


def _ground(session: Session, side: int, random: Random) -> Array:
    """Plain ground with a grain: fine and coarse noise in the session's colour."""
    half = -(-side // 2)
    fine = gaussian_filter(random.standard_normal((half, half), np.float32), 1.0)
    coarse = zoom(random.standard_normal((8, 8), np.float32), (half + 1) / 8, order=1)[:half, :half]
    grain = session.grain * (0.012 * fine / fine.std() + 0.006 * gaussian_filter(coarse, half / 20))
    level = np.repeat(np.repeat(grain, 2, 0), 2, 1)[:side, :side]
    return np.asarray(level[..., None] + np.array(session.ground, np.float32), np.float32)
