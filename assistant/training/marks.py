"""Spots and zones drawn on a picture: holes, dents, stains, pits, dirt, burns, bubbles, casts, dark areas.

Each takes a `Scene` and a generator and returns a `Change`.
"""

from __future__ import annotations

import math

import numpy as np

from assistant.training.noise import Plane, draw_fractal
from assistant.training.scene import (
    HARD,
    Change,
    Colours,
    Scene,
    Window,
    blend,
    choose_sign,
    draw_area,
    draw_blob,
    draw_contrast,
    draw_log,
    edge_width,
    level_of,
    soften,
    tone_of,
)

BROWN = np.array([0.45, 0.28, 0.12], np.float32)
RUST = np.array([0.25, -0.25, -0.55], np.float32)


def _shape(plane: Plane) -> tuple[int, int]:
    return int(plane.shape[0]), int(plane.shape[1])


def _tint(scene: Scene, rng: np.random.Generator, spread: float) -> Colours:
    if scene.grey:
        return np.ones(3, np.float32)
    return (1 + rng.uniform(-spread, spread, 3)).astype(np.float32)


def _slope(height: Plane, rng: np.random.Generator) -> Plane:
    """Shading [h, w] of a surface under light from one side, -1 to 1."""
    light = rng.uniform(0, 2 * math.pi)
    shade = np.gradient(height, axis=0) * math.sin(light) + np.gradient(height, axis=1) * math.cos(light)
    return np.asarray(shade / max(float(np.abs(shade).max()), 1e-6), dtype=np.float32)


def draw_hole(scene: Scene, rng: np.random.Generator) -> Change:
    """An opening with a clear rim: darker or ground-coloured inside, a bright or dark edge around it."""
    area = draw_area(scene, rng, high=0.05)
    window, depth = draw_blob(scene, rng, area, aspect=1.6, rough=rng.choice([0.05, 0.25]))
    ground = scene.crop(window)
    edge = edge_width(area, rng.uniform(1, 2.5))
    inside = soften(depth, edge)
    contrast = draw_contrast(scene, rng, 70, 210) * choose_sign(ground, rng, 0.95)
    floor = tone_of(ground) + contrast * (0.85 + 0.15 * np.clip(depth, 0, 1)[:, :, None])
    changed = blend(ground, inside, floor.astype(np.float32))
    rim = np.exp(-((depth / (1.2 * edge)) ** 2)) * rng.choice([0.0, 0.35, 0.6])
    return Change(window, changed - (contrast * rim * _slope(depth, rng) * 0.8)[:, :, None], "hole")


def draw_dent(scene: Scene, rng: np.random.Generator) -> Change:
    """A shallow hollow: one side lighter, the other darker, as light from one side shows it."""
    area = draw_area(scene, rng, low=0.002)
    window, depth = draw_blob(scene, rng, area, aspect=2, rough=0.12)
    ground = scene.crop(window)
    shade = _slope(soften(depth, rng.uniform(0.35, 1)), rng)
    contrast = draw_contrast(scene, rng, 35, 120)
    lit = np.where(shade > 0, rng.uniform(0.5, 1), 1) * shade
    return Change(window, ground + (contrast * lit)[:, :, None], "dent", depth > -0.05)


def draw_bubble(scene: Scene, rng: np.random.Generator) -> Change:
    """A round raised spot: a shaded ring and a small highlight."""
    area = draw_area(scene, rng, high=0.02)
    window, depth = draw_blob(scene, rng, area, aspect=1.25, rough=0.0)
    ground = scene.crop(window)
    ring = np.exp(-(((depth - 0.18) / 0.14) ** 2))
    shade = _slope(soften(depth, 0.8), rng)
    shine = np.exp(-((np.clip(1 - depth, 0, 4) / 0.3) ** 2))
    contrast = draw_contrast(scene, rng, 35, 110)
    change = 0.8 * shade + rng.uniform(-0.7, 0.7) * ring + rng.uniform(0.1, 0.8) * shine
    return Change(window, ground + (contrast * change * (depth > -0.15))[:, :, None], "bubble", depth > -0.15)


def draw_stain(scene: Scene, rng: np.random.Generator) -> Change:
    """A soft-edged blot of another tone or hue, uneven inside, sometimes with a drying ring."""
    area = draw_area(scene, rng)
    window, depth = draw_blob(scene, rng, area, aspect=3, rough=rng.uniform(0.1, 0.6))
    ground = scene.crop(window)
    opacity = soften(depth, rng.uniform(0.15, 0.8))
    opacity *= np.clip(0.85 + rng.uniform(0, 0.5) * draw_fractal(_shape(depth), rng, 6, 3), 0.3, 1.2)
    if rng.random() < 0.25:
        opacity = 0.45 * opacity + np.exp(-(((depth - 0.1) / 0.09) ** 2))
    contrast = draw_contrast(scene, rng, 25, 110) * choose_sign(ground, rng, 0.7)
    return Change(window, ground + contrast * opacity[:, :, None] * _tint(scene, rng, 0.8), "stain")


def draw_burn(scene: Scene, rng: np.random.Generator) -> Change:
    """A scorched area: nearly black in the middle, browned towards its border."""
    area = draw_area(scene, rng, low=0.001, high=0.1)
    window, depth = draw_blob(scene, rng, area, aspect=2, rough=0.4)
    ground = scene.crop(window)
    brown = soften(depth + 0.1, 0.5) * rng.uniform(0.4, 0.9)
    core = soften(depth - rng.uniform(0.1, 0.5), 0.4) * rng.uniform(0.5, 0.95)
    level = level_of(ground)[:, :, None]
    browned = blend(ground, brown, level * (0.5 if scene.grey else BROWN * 1.6))
    charred = blend(browned, core, np.full(3, min(12.0, float(ground.mean())), np.float32))
    strength = 0.3 if rng.random() < HARD else 1.0
    return Change(window, ground + min(1.0, strength * scene.boost) * (charred - ground), "burn")


def draw_pits(scene: Scene, rng: np.random.Generator) -> Change:
    """A cluster of small pits with lit rims, the surface between them sometimes roughened or rusty."""
    area = draw_area(scene, rng, low=0.002, high=0.08)
    window, depth = draw_blob(scene, rng, area, aspect=2.5, rough=0.4)
    ground = scene.crop(window)
    rows, columns = _shape(depth)
    hollow = np.zeros((rows, columns), np.float32)
    mean = max(1.0 * scene.unit, math.sqrt(area) * rng.uniform(0.03, 0.09))
    for _ in range(int(np.clip(area * rng.uniform(0.05, 0.3) / mean**2, 4, 90))):
        row, column = rng.uniform(0, rows), rng.uniform(0, columns)
        if depth[int(row), int(column)] < rng.uniform(0, 0.6):
            continue
        radius = mean * math.exp(rng.normal(0, 0.4))
        span, y, x = _around(row, column, radius, (rows, columns))
        hollow[span] = np.maximum(hollow[span], np.exp(-(((y * y + x * x) / radius**2) ** 1.5)))
    contrast = draw_contrast(scene, rng, 40, 140)
    sign = choose_sign(ground, rng, 0.85)
    zone = soften(depth, 0.5) * rng.choice([0.0, 0.25, 0.5])
    rough = zone * draw_fractal((rows, columns), rng, rng.uniform(10, 30), 2)
    change = sign * (hollow + 0.5 * zone) + 0.4 * _slope(hollow, rng) * (hollow.max() > 0) + 0.6 * rough
    rusty = np.zeros(3, np.float32) if scene.grey or rng.random() < 0.5 else RUST
    tinted = change[:, :, None] + (zone * (0.6 + rough))[:, :, None] * rusty
    return Change(window, ground + contrast * tinted, "corrosion", depth > -0.1)


def draw_particles(scene: Scene, rng: np.random.Generator) -> Change:
    """Dust, crumbs or droplets: one to thirty small irregular bodies of one tone, scattered or clustered."""
    area = draw_area(scene, rng, low=0.004, high=0.2)
    window, depth = draw_blob(scene, rng, area, aspect=2, rough=0.2)
    ground = scene.crop(window)
    rows, columns = _shape(depth)
    opacity = np.zeros((rows, columns), np.float32)
    size = max(1.2 * scene.unit, math.sqrt(area) * draw_log(rng, 0.02, 0.15))
    wave = draw_fractal((rows, columns), rng, min(60.0, max(rows, columns) / max(1.0, size)), 2)
    for _ in range(int(rng.integers(1, 31)) if rng.random() < 0.7 else 1):
        row, column = rows * rng.beta(2, 2), columns * rng.beta(2, 2)
        radius = size * math.exp(rng.normal(0, 0.45))
        span, y, x = _around(row, column, radius, (rows, columns))
        body = 1 - np.hypot(y, x * rng.uniform(0.6, 1.6)) / radius + 0.5 * wave[span]
        opacity[span] = np.maximum(opacity[span], np.clip(body * radius * 0.8, 0, 1))
    contrast = draw_contrast(scene, rng, 40, 150) * choose_sign(ground, rng, 0.55)
    tone = tone_of(ground) + contrast * _tint(scene, rng, 0.5) + 12 * wave[:, :, None]
    return Change(window, blend(ground, opacity * rng.uniform(0.7, 1), tone.astype(np.float32)), "contamination")


def _around(
    row: float, column: float, radius: float, shape: tuple[int, int]
) -> tuple[tuple[slice, slice], Plane, Plane]:
    """The cells of a plane within two radii of a point, and how far down [h, 1] and right [1, w] each lies."""
    rows, columns = (
        slice(max(0, int(at - 2 * radius)), min(int(at + 2 * radius) + 2, size))
        for at, size in zip((row, column), shape, strict=True)
    )
    y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - row
    x = np.arange(columns.start, columns.stop, dtype=np.float32)[None, :] - column
    return (rows, columns), y, x


def _zone(scene: Scene, rng: np.random.Generator, area: float) -> tuple[Window, Plane]:
    """A region with a straight or round border: window and depth [h, w]."""
    if rng.random() < 0.45:
        return draw_blob(scene, rng, area, aspect=4, rough=rng.choice([0.0, 0.2, 0.4]))
    rows, columns = scene.shape
    ratio = draw_log(rng, 0.2, 5)
    half = (min(rows, math.sqrt(area * ratio)) / 2, min(columns, math.sqrt(area / ratio)) / 2)
    centre = (
        rng.uniform(half[0] * 0.5, rows - half[0] * 0.5),
        rng.uniform(half[1] * 0.5, columns - half[1] * 0.5),
    )
    window = scene.cut(centre, (half[0] * 1.6 + 2, half[1] * 1.6 + 2))
    y = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, None] - centre[0]
    x = np.arange(window[1].start, window[1].stop, dtype=np.float32)[None, :] - centre[1]
    turn = rng.choice([0.0, 0.0, rng.uniform(-0.5, 0.5)])
    along, across = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
    return window, np.asarray(1 - np.maximum(np.abs(across) / half[0], np.abs(along) / half[1]), np.float32)


def draw_cast(scene: Scene, rng: np.random.Generator) -> Change:
    """A region of another colour, or of another tone in a grey picture, its texture kept."""
    area = draw_area(scene, rng, low=0.002)
    window, depth = _zone(scene, rng, area)
    ground = scene.crop(window)
    opacity = soften(depth, max(edge_width(area), rng.choice([0.0, 0.3, 0.7])))
    shift = draw_contrast(scene, rng, 22, 90) * choose_sign(ground, rng, 0.5)
    hue = np.ones(3, np.float32) if scene.grey else rng.uniform(-1, 1, 3).astype(np.float32)
    hue = hue / np.abs(hue).max() - (0 if scene.grey else 0.5 * hue.mean())
    return Change(window, ground + shift * opacity[:, :, None] * hue, "color fault", opacity > 0)


def draw_dark_area(scene: Scene, rng: np.random.Generator) -> Change:
    """A large zone that is darker, more rarely lighter, than the rest; its border straight or round."""
    area = draw_area(scene, rng, low=0.02, high=0.25)
    window, depth = _zone(scene, rng, area)
    ground = scene.crop(window)
    opacity = soften(depth, max(edge_width(area), rng.uniform(0, 0.9)))[:, :, None]
    level = max(20.0, float(ground.mean()))
    factor = draw_contrast(scene, rng, 25, 110) / level
    within = depth > 0
    if choose_sign(ground, rng, 0.85) < 0:
        return Change(window, ground * (1 - np.float32(min(0.92, factor)) * opacity), "dark area", within)
    brighter = np.float32(factor * level) * opacity * (np.float32(0.4) + ground / np.float32(255))
    return Change(window, ground + brighter, "color fault", within)
