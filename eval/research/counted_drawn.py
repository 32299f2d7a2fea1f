"""Things to count, drawn: pills in a blister, loose pills, holes in a plate, screws on a tray, in changing light.

They are drawn by formulas and show no real product. A picture has the number that is asked for and, where one has
to be too few or too many, that; a stain may be added, which is nothing to count.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from scipy.ndimage import gaussian_filter

Pixels = NDArray[np.uint8]
Box = tuple[float, float, float, float]

WIDE, HIGH = 400, 300
OVER = 3

SCENES: dict[str, tuple[int, Box]] = {
    "blister": (10, (40.0, 50.0, 360.0, 250.0)),
    "loose pills": (12, (20.0, 20.0, 380.0, 280.0)),
    "touching pills": (12, (20.0, 20.0, 380.0, 280.0)),
    "holes": (8, (60.0, 60.0, 340.0, 240.0)),
    "screws": (6, (20.0, 20.0, 380.0, 280.0)),
}
"""What is drawn: how many things belong there, and the box in which they lie."""


def draw_scene(name: str, random: np.random.Generator, more: int = 0, stain: bool = False) -> Pixels:
    """A picture [HIGH, WIDE, 3] with `more` things than belong there, or fewer; KeyError for no scene."""
    count, zone = SCENES[name][0] + more, SCENES[name][1]
    ground = {"blister": (170, 172, 178), "holes": (150, 152, 155)}.get(name, (58, 60, 66))
    page = Image.new("RGB", (WIDE * OVER, HIGH * OVER), ground)
    pen = ImageDraw.Draw(page)
    if name in ("blister", "holes"):
        _draw_places(pen, name, random, more)
    else:
        far = {"loose pills": 52.0, "touching pills": 40.0, "screws": 62.0}[name]
        for x, y in _scatter(random, zone, count, far, near=38.0 if name == "touching pills" else None):
            _draw_thing(pen, name, x, y, random)
    if stain:
        _draw_stain(pen, zone, random)
    return _take(page, random)


def _draw_places(pen: ImageDraw.ImageDraw, name: str, random: np.random.Generator, more: int) -> None:
    """Things at their places: the first that are too few are left out, and one too many lies between others."""
    columns, rows = (5, 2) if name == "blister" else (4, 2)
    step = (64.0, 100.0) if name == "blister" else (70.0, 90.0)
    left, top = (WIDE - step[0] * (columns - 1)) / 2, (HIGH - step[1] * (rows - 1)) / 2
    places = [(left + step[0] * (i % columns), top + step[1] * (i // columns)) for i in range(columns * rows)]
    gone = set(random.permutation(len(places))[: max(0, -more)].tolist())
    shift = random.normal(0, 2, 2)
    for number, (x, y) in enumerate(places):
        x, y = x + shift[0] + random.normal(0, 1), y + shift[1] + random.normal(0, 1)
        if name == "blister":
            _disc(pen, x, y, 26, (188, 190, 196), (140, 142, 148))
        if number not in gone:
            _draw_thing(pen, name, x, y, random)
    for extra in range(max(0, more)):
        _draw_thing(pen, name, left + step[0] * (0.5 + extra), HIGH / 2, random)


def _draw_thing(pen: ImageDraw.ImageDraw, name: str, x: float, y: float, random: np.random.Generator) -> None:
    if name == "holes":
        _disc(pen, x, y, 9 + random.normal(0, 0.3), (40, 40, 42), (95, 96, 98))
    elif name == "screws":
        turn = random.uniform(0, 2 * np.pi)
        dx, dy = np.cos(turn), np.sin(turn)
        tip = [((x - 16 * dx) * OVER, (y - 16 * dy) * OVER), ((x + 16 * dx) * OVER, (y + 16 * dy) * OVER)]
        pen.line(tip, fill=(176, 172, 160), width=7 * OVER)
        _disc(pen, x - 14 * dx, y - 14 * dy, 8, (192, 188, 176), (120, 118, 110))
    else:
        shade = np.array([214, 210, 196]) + random.normal(0, 4)
        _disc(pen, x, y, 17 + random.normal(0, 0.4), tuple(shade.astype(int).tolist()), (160, 156, 146))


def _disc(pen: ImageDraw.ImageDraw, x: float, y: float, r: float, fill: object, rim: object) -> None:
    box = [(x - r) * OVER, (y - r) * OVER, (x + r) * OVER, (y + r) * OVER]
    pen.ellipse(box, fill=fill, outline=rim, width=OVER)  # type: ignore[arg-type]


def _draw_stain(pen: ImageDraw.ImageDraw, zone: Box, random: np.random.Generator) -> None:
    x, y = random.uniform(zone[0] + 20, zone[2] - 20), random.uniform(zone[1] + 20, zone[3] - 20)
    for _ in range(4):
        dx, dy = random.normal(0, 5, 2)
        _disc(pen, x + dx, y + dy, random.uniform(3, 7), (120, 96, 70), (120, 96, 70))


def _scatter(
    random: np.random.Generator, zone: Box, count: int, far: float, near: float | None
) -> list[tuple[float, float]]:
    """Places in a zone, no two nearer than `far`; with `near`, each second one touches the one before."""
    places: list[tuple[float, float]] = []
    while len(places) < count:
        if near and len(places) % 2:
            turn = random.uniform(0, 2 * np.pi)
            x, y = places[-1][0] + near * 0.9 * np.cos(turn), places[-1][1] + near * 0.9 * np.sin(turn)
            others = places[:-1]
        else:
            x, y = random.uniform(0, WIDE), random.uniform(0, HIGH)
            others = places
        within = zone[0] + 24 < x < zone[2] - 24 and zone[1] + 24 < y < zone[3] - 24
        if within and all(np.hypot(x - a, y - b) > far for a, b in others):
            places.append((float(x), float(y)))
    return places


def _take(page: Image.Image, random: np.random.Generator) -> Pixels:
    """The picture that a camera makes of a page, in a light that is never quite the same."""
    small = page.resize((WIDE, HIGH), Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(0.7))
    values = np.asarray(small, dtype=np.float32)
    across, down = np.meshgrid(np.linspace(-1, 1, WIDE), np.linspace(-1, 1, HIGH))
    fall = 1 + random.normal(0, 0.06) * across + random.normal(0, 0.06) * down
    light = random.normal(1, 0.08) * fall[..., None] * (1 + random.normal(0, 0.015, 3))
    grain = gaussian_filter(random.normal(0, 5, (HIGH, WIDE, 1)), (0.7, 0.7, 0))
    return np.asarray((values * light + grain).clip(0, 255), np.uint8)
