"""The parts that are drawn: screws, caps, pills, cookies and rings of segments, each with its defects.

Each function draws one part onto a surface: `random` says how this part differs from its brothers, `defect` what
is wrong with it, and `fault` where. A part is drawn the same with and without its defect, but for the defect.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from assistant.eval.research.parts_scene import Array, Random, Surface

TAU = 2 * np.pi
Place = Any
"""A pair x, y."""


def draw_screw(s: Surface, random: Random, defect: str, fault: Random) -> None:
    """A wood screw from the side, at any roll about its own axis."""
    roll, length = random.uniform(0, 1), 0.66 * random.normal(1, 0.004)
    dark = random.normal(0, 0.012)
    wear, pits = s.grain(random, 0.008, 5), s.grain(random, 0.004)
    missing = fault.uniform(0.1, 0.16)
    x, y = s.x, s.y
    if defect == "bent tip":
        y = y - fault.choice([-1, 1]) * fault.uniform(1.6, 2.4) * (x - 0.34).clip(0) ** 2
    end = length - (missing if defect == "broken tip" else 0.0)
    shank = np.interp(x, [-0.47, -0.1, 0.5, length], [0.062, 0.062, 0.058, 0.012])
    pitch, side = 0.05, (y / np.maximum(shank, 1e-3)).clip(-1, 1)
    turn = (x / pitch + 0.25 * np.arcsin(side) * 2 / np.pi + roll) % 1
    depth = 0.026 * ((x + 0.12) * 25).clip(0, 1)
    if defect == "broken thread":
        at = fault.uniform(0.0, 0.42)
        gone = np.exp(-(((x - at) / fault.uniform(0.05, 0.08)) ** 4)) * (side * fault.choice([-1, 1]) > -0.3)
        depth = depth * (1 - gone)
    crest = np.where(turn < 0.7, turn / 0.7, (1 - turn) / 0.3) ** 2
    radius = shank + depth * crest * (0.6 + 0.4 * ((length - x) * 12).clip(0, 1))
    steps = [-0.625, -0.6, -0.57, -0.56, -0.46]
    head = np.interp(x, steps, [0.13, 0.165, 0.17, 0.165, 0.0], left=0.0, right=0.0)
    radius = np.maximum(radius, head)
    there = np.minimum(s.inside(np.abs(y) - radius), s.inside(np.maximum(-0.625 - x, x - end), 2))
    dome = np.sqrt((radius**2 - y**2).clip(0))
    steel = np.array([0.6, 0.6, 0.58]) + dark + 0.02 * wear[..., None]
    s.put(there, steel, dome + 0.0006 * pits, gloss=0.75)
    if defect == "scratch on the head":
        scratch(s, fault, (-0.56, fault.uniform(-0.08, 0.08)), 0.16, depth=0.02, bright=0.25)
    if defect == "scratch on the neck":
        scratch(s, fault, (fault.uniform(-0.4, -0.18), fault.uniform(-0.02, 0.02)), 0.14, depth=0.02, bright=0.25)


def draw_cap(s: Surface, random: Random, defect: str, fault: Random) -> None:
    """A bottle cap from above: a knurled rim, a groove, an embossed and printed top."""
    teeth, radius = 60, 0.62 * random.normal(1, 0.003)
    red = np.array([0.66, 0.13, 0.12]) + random.normal(0, 0.01, 3)
    shade, pits = s.grain(random, 0.2), s.grain(random, 0.006)
    off = random.normal(0, 0.006, 2)
    r, turn = np.hypot(s.x, s.y), np.arctan2(s.y, s.x)
    knurl = np.cos(teeth * turn)
    if defect == "missing knurl":
        knurl = np.where(_sector(turn, fault, 0.22), -0.6, knurl)
    there = s.inside(r - radius - 0.008 * knurl)
    rim = np.exp(-(((r - radius + 0.03) / 0.04) ** 2))
    top = 0.16 - 0.25 * (r - 0.5).clip(0) - 1.6 * (r - 0.57).clip(0) ** 1.2
    groove = np.exp(-(((r - 0.47) / 0.012) ** 2)) + 0.5 * np.exp(-(((r - 0.4) / 0.008) ** 2))
    s.put(there, red + 0.012 * shade[..., None], top + 0.012 * rim * knurl - 0.014 * groove + 0.0006 * pits, 0.35)
    text = "FRESH" if defect != "wrong print" else "FLESH"
    moved = np.array([0.0, 0.085]) if defect == "moved print" else np.zeros(2)
    a, b = off + moved * fault.choice([-1, 1])
    print_ = np.maximum(s.words(text, 0.22, a, b - 0.06), s.words("OPEN HERE", 0.09, a, b + 0.16))
    band = s.inside(np.abs(np.hypot(s.x - a, s.y - b) - 0.345) - 0.012)
    s.tint(np.maximum(print_, band) * 0.9, [0.93, 0.9, 0.82])
    s.press(0.006 * print_)
    if defect == "dent":
        where = fault.uniform(0, TAU), fault.uniform(0.42, 0.56)
        s.press(
            -0.055 * s.bump(where[1] * np.cos(where[0]), where[1] * np.sin(where[0]), fault.uniform(0.035, 0.055))
        )
    if defect == "scratch":
        scratch(s, fault, fault.uniform(-0.35, 0.35, 2), 0.22, depth=0.012, bright=0.2)
    if defect == "stain":
        stain(s, fault, fault.uniform(-0.38, 0.38, 2), [0.25, 0.1, 0.08])


def draw_pill(s: Surface, random: Random, defect: str, fault: Random) -> None:
    """A coated pill with a score line and a debossed print."""
    wide, high = 0.6 * random.normal(1, 0.004), 0.36 * random.normal(1, 0.004)
    white = np.array([0.86, 0.84, 0.78]) + random.normal(0, 0.008, 3)
    powder, speckles = s.grain(random, 0.007), s.grain(random, 0.012)
    off = random.normal(0, 0.008, 2)
    r = ((np.abs(s.x) / wide) ** 2.4 + (np.abs(s.y) / high) ** 2.4) ** (1 / 2.4)
    edge = (r - 1) * high
    if defect == "chip":
        at = fault.uniform(0, TAU)
        notch = np.hypot(s.x - 0.97 * wide * np.cos(at), s.y - 0.97 * high * np.sin(at))
        notch = notch + 0.01 * s.grain(fault, 0.03)
        edge = np.maximum(edge, fault.uniform(0.06, 0.09) - notch)
    dome = 0.2 * np.sqrt((1 - r**3).clip(0)) + 0.0012 * powder
    s.put(s.inside(edge), white, dome, 0.08)
    s.tint(0.75 * (speckles > 2.5).astype(np.float32), [0.75, 0.3, 0.25])
    s.press(-0.02 * np.exp(-((s.x / 0.014) ** 2)) * (r < 0.97))
    left, right = ("LT", "20") if defect != "wrong print" else ("LT", "70")
    for text, x in ((left, -0.28), (right, 0.28)):
        if defect == "missing print" and text == right:
            continue
        mark = s.words(text, 0.26, x + off[0], off[1])
        s.press(-0.018 * mark)
        s.tint(0.45 * mark, [0.45, 0.5, 0.6])
    if defect == "crack":
        _crack(s, fault, fault.uniform(-0.5, 0.5, 2) * (wide, high), 0.3)
    if defect == "stain":
        x, y = fault.uniform(-0.6, 0.6, 2) * (wide, high)
        s.tint(0.6 * s.disc(x, y, fault.uniform(0.025, 0.045), 6), [0.75, 0.45, 0.15])
    if defect == "scratch":
        scratch(s, fault, fault.uniform(-0.55, 0.55, 2) * (wide, high), 0.25, depth=0.01)


def draw_cookie(s: Surface, random: Random, defect: str, fault: Random) -> None:
    """A cookie of irregular outline, another one each time, with chips of chocolate."""
    r, turn = np.hypot(s.x, s.y), np.arctan2(s.y, s.x)
    outline = 0.6 * random.normal(1, 0.02) * np.ones_like(r)
    for k in range(2, 13):
        outline = outline + random.normal(0, 0.016 / k**0.5) * np.cos(k * turn + random.uniform(0, TAU))
    brown = np.array([0.68, 0.47, 0.26]) * random.normal(1, 0.03)
    crumb, lumps, tone = s.grain(random, 0.012), s.grain(random, 0.05), s.grain(random, 0.12)
    spots = random.uniform(-0.5, 0.5, (40, 2))
    edge = r - outline
    if defect == "broken":
        at, rough = fault.uniform(0, TAU), s.grain(fault, 0.03)
        edge = np.maximum(edge, s.x * np.cos(at) + s.y * np.sin(at) - fault.uniform(0.34, 0.46) + 0.012 * rough)
    bake = np.exp(edge.clip(-1, 0) / 0.07)
    dome = 0.17 * np.sqrt((1 - (r / outline) ** 4).clip(0)) + 0.014 * lumps + 0.006 * crumb
    colour = brown * (1 + 0.05 * tone + 0.05 * crumb - 0.35 * bake)[..., None]
    s.put(s.inside(edge), colour, dome * (edge < 0), 0.03)
    kept: list[Array] = []
    for spot in spots:
        if np.hypot(*spot) < 0.48 and len(kept) < 13 and all(np.hypot(*(spot - other)) > 0.14 for other in kept):
            kept.append(spot)
            size = random.uniform(0.028, 0.055)
            chip = s.disc(*spot, size, 5) * (s.cover > 0)
            s.tint(chip, np.array([0.2, 0.11, 0.07]) * random.normal(1, 0.1))
            s.press(0.03 * chip)
    if defect == "crack":
        _crack(s, fault, fault.uniform(-0.15, 0.15, 2), 0.75)
    if defect == "burnt":
        x, y = fault.uniform(-0.4, 0.4, 2)
        s.tint(0.75 * s.bump(x, y, fault.uniform(0.09, 0.14)), [0.2, 0.12, 0.06])
    if defect == "foreign body":
        x, y = fault.uniform(-0.35, 0.35, 2)
        colour = [[0.2, 0.35, 0.75], [0.85, 0.85, 0.88], [0.2, 0.6, 0.3]][int(fault.integers(3))]
        bit = _line(s, fault, (x, y), fault.uniform(0.06, 0.12), 0.025)
        s.put(bit * (s.cover > 0), colour, 0.24, 0.4)


def draw_ring(s: Surface, random: Random, defect: str, fault: Random) -> None:
    """A commutator from above: copper segments with hooks around a hub of dark plastic."""
    count = 24
    copper = np.array([0.72, 0.45, 0.3]) + random.normal(0, 0.01, 3)
    turned, pits, tone = s.grain(random, 0.006, 8), s.grain(random, 0.005), s.grain(random, 0.1)
    r, turn = np.hypot(s.x, s.y), np.arctan2(s.y, s.x)
    which = np.floor(turn / TAU * count).astype(int) % count
    within = (turn / TAU * count) % 1 - 0.5
    across = within * TAU / count * r
    place = int(fault.integers(count))
    here = which == place
    s.put(s.disc(0, 0, 0.6), [0.12, 0.11, 0.11], 0.1 + 0.001 * pits, 0.1)
    s.put(s.disc(0, 0, 0.33), [0.2, 0.17, 0.15], 0.14 + 0.002 * pits, 0.1)
    filled = here if defect == "short" else np.zeros_like(here)
    slot = np.where(filled & (within > 0), 0.0, 0.016)
    segment = s.inside(np.maximum(np.maximum(0.36 - r, r - 0.57), np.abs(across) - TAU * r / count / 2 + slot))
    shades = random.normal(0, 0.015, count)[which]
    metal = copper * (1 + 0.04 * turned + 0.03 * tone + shades)[..., None]
    s.put(segment, metal, 0.2 + 0.0006 * turned - 0.1 * (r - 0.52).clip(0), 0.6)
    bend = fault.choice([-1, 1]) * 0.028 if defect == "bent tooth" else 0.0
    shifted = across - bend * here * ((r - 0.54) / 0.1).clip(0, 1)
    reach = random.normal(0.68, 0.004, count)[which]
    hook = s.inside(np.maximum(np.maximum(0.52 - r, r - reach), np.abs(shifted) - 0.024))
    if defect == "missing tooth":
        hook = hook * ~here
    s.put(hook, metal * 0.95, 0.24 - 5 * shifted**2 * 10 - 0.5 * (r - 0.63).clip(0), 0.7)
    s.cut(s.disc(0, 0, 0.17))
    s.press(-0.03 * np.exp(-(((r - 0.25) / 0.02) ** 2)))
    angle, far = fault.uniform(0, TAU), fault.uniform(0.4, 0.52)
    x, y = far * np.cos(angle), far * np.sin(angle)
    if defect == "scratch":
        scratch(s, fault, (x, y), 0.2, depth=0.014, bright=0.12)
    if defect == "dent":
        s.press(-0.05 * s.bump(x, y, 0.025))
    if defect == "stain":
        stain(s, fault, (x, y), [0.25, 0.28, 0.22])


def _sector(turn: Array, fault: Random, wide: float) -> Array:
    """Which directions lie within `wide` radians of one that is drawn."""
    apart = (turn - fault.uniform(0, TAU) + np.pi) % TAU - np.pi
    return np.asarray(np.abs(apart) < wide)


def _line(s: Surface, fault: Random, at: Place, length: float, width: float) -> Array:
    """A nearly straight stroke around a place."""
    angle = fault.uniform(0, np.pi)
    steps = np.linspace(-0.5, 0.5, 4)[:, None] * length * np.array([np.cos(angle), np.sin(angle)])
    return s.stroke(np.asarray(at) + steps + fault.normal(0, length / 25, (4, 2)), width)


def scratch(s: Surface, fault: Random, at: Place, length: float, depth: float, bright: float = 0.1) -> None:
    """A groove whose bottom is lighter than what it was cut into."""
    groove = _line(s, fault, at, length * fault.uniform(0.7, 1.2), 0.014) * (s.cover > 0)
    s.press(-depth * groove)
    s.tint(0.6 * groove, (s.colour + bright).clip(0, 1))


def _crack(s: Surface, fault: Random, at: Place, length: float) -> None:
    """A dark, jagged line."""
    angle = fault.uniform(0, np.pi)
    steps = np.linspace(-0.5, 0.5, 9)[:, None] * length * np.array([np.cos(angle), np.sin(angle)])
    line = s.stroke(np.asarray(at) + steps + fault.normal(0, length / 30, (9, 2)), 0.014) * (s.cover > 0)
    s.press(-0.04 * line)
    s.tint(0.7 * line, s.colour * 0.35)


def stain(s: Surface, fault: Random, at: Place, colour: list[float]) -> None:
    """A blot of irregular outline."""
    rough = np.hypot(s.x - at[0], s.y - at[1]) + 0.012 * s.grain(fault, 0.04)
    s.tint(0.65 * s.inside(rough - fault.uniform(0.03, 0.06), 8), colour)
