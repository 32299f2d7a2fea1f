"""Lines drawn on a picture: scratches, cracks, cuts and fibres, with smooth edges.

Each takes a `Scene` and a generator and returns a `Change`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from assistant.training.noise import Plane, draw_fractal
from assistant.training.scene import (
    Change,
    Scene,
    Window,
    blend,
    choose_sign,
    choose_spot,
    draw_contrast,
    draw_log,
    tone_of,
)

Path = NDArray[np.float64]  # [n, 3]: row, column, width


def walk_path(
    start: tuple[float, float],
    length: float,
    width: float,
    rng: np.random.Generator,
    *,
    heading: float,
    bend: float,
    jag: float,
    step: float,
    taper: float = 0.7,
) -> Path:
    """A path [n, 3] of row, column and width: `bend` radians in all, `jag` radians a step, thin at the end."""
    count = max(3, int(length / step))
    drift = np.cumsum(rng.normal(0, jag, count)) * 0.35 + rng.normal(0, jag, count)
    angles = heading + np.linspace(-bend / 2, bend / 2, count) + drift
    rows = start[0] + np.concatenate([[0], np.cumsum(np.sin(angles) * length / count)])
    columns = start[1] + np.concatenate([[0], np.cumsum(np.cos(angles) * length / count)])
    return np.stack([rows, columns, width * (1 - taper * np.linspace(0, 1, count + 1) ** 2)], axis=1)


def cover(scene: Scene, paths: Sequence[Path], margin: float = 3) -> tuple[Window, Plane]:
    """The window around the paths and how far each pixel [h, w] is covered by them, 0 to 1."""
    points = np.concatenate(list(paths))
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    reach = (high - low) / 2 + margin + points[:, 2].max()
    middle = (low + high) / 2
    window = scene.cut((middle[0], middle[1]), (reach[0], reach[1]))
    rows, columns = (side.stop - side.start for side in window)
    fine = 4 if max(rows, columns) <= 400 else 2 if max(rows, columns) <= 1600 else 1
    plate = Image.new("L", (columns * fine, rows * fine))
    pen = ImageDraw.Draw(plate)
    for path in paths:
        rows_, columns_ = (path[:, 0] - window[0].start) * fine, (path[:, 1] - window[1].start) * fine
        widths = np.maximum(path[:, 2] * fine, 1)
        for i in range(len(path) - 1):
            width = float(widths[i])
            pen.line((columns_[i], rows_[i], columns_[i + 1], rows_[i + 1]), fill=255, width=round(width))
            if width > 3:
                half = width / 2
                pen.ellipse((columns_[i] - half, rows_[i] - half, columns_[i] + half, rows_[i] + half), fill=255)
    if fine > 1:
        plate = plate.reduce(fine)
    return window, np.asarray(plate, dtype=np.float32) / np.float32(255)


def _start(scene: Scene, rng: np.random.Generator, heading: float, length: float) -> tuple[float, float]:
    row, column = choose_spot(scene, rng)
    return row - math.sin(heading) * length / 2, column - math.cos(heading) * length / 2


def draw_scratch(scene: Scene, rng: np.random.Generator) -> Change:
    """One scored line, or several nearly parallel ones, sometimes with a bright or dark lip."""
    shorter = min(scene.shape)
    length = draw_log(rng, 0.06, 0.9) * shorter
    width = draw_log(rng, 0.8, 3.2) * scene.unit
    heading = rng.uniform(0, 2 * math.pi)
    count = int(rng.integers(2, 7)) if rng.random() < 0.25 else 1
    start = _start(scene, rng, heading, length)
    bend = rng.normal(0, 0.35)
    paths = []
    for _ in range(count):
        aside = rng.normal(0, 0.05 * shorter) if count > 1 else 0.0
        origin = (start[0] + aside * math.cos(heading), start[1] - aside * math.sin(heading))
        paths.append(
            walk_path(
                origin,
                length * (rng.uniform(0.4, 1) if count > 1 else 1),
                width,
                rng,
                heading=heading + rng.normal(0, 0.05),
                bend=bend,
                jag=0.01,
                step=max(2.0, length / 60),
                taper=rng.uniform(0.2, 0.9),
            )
        )
    window, opacity = cover(scene, paths)
    ground = scene.crop(window)
    fading = np.clip(1 + 0.8 * draw_fractal((opacity.shape[0], opacity.shape[1]), rng, 5, 2), 0.35, 1)
    contrast = draw_contrast(scene, rng) * choose_sign(ground, rng, 0.4)
    lip = np.roll(opacity, (int(rng.integers(-1, 2)), int(rng.integers(-1, 2))), axis=(0, 1)) - opacity
    change = opacity * fading - rng.choice([0.0, 0.6]) * np.clip(lip, 0, 1)
    return Change(window, ground + (contrast * change)[:, :, None], "scratch")


def _branch(
    path: Path, length: float, rng: np.random.Generator, *, jag: float, step: float, depth: int
) -> list[Path]:
    paths = [path]
    for _ in range(int(rng.poisson(1.6 if depth else 0.7))):
        at = int(rng.integers(1, len(path) - 1))
        ahead = math.atan2(path[at, 0] - path[at - 1, 0], path[at, 1] - path[at - 1, 1])
        part = length * rng.uniform(0.15, 0.55)
        twig = walk_path(
            (path[at, 0], path[at, 1]),
            part,
            max(0.6, path[at, 2] * 0.75),
            rng,
            heading=ahead + rng.choice([-1, 1]) * rng.uniform(0.35, 1.2),
            bend=0,
            jag=jag,
            step=step,
        )
        paths += _branch(twig, part, rng, jag=jag, step=step, depth=depth - 1) if depth else [twig]
    return paths


def draw_crack(scene: Scene, rng: np.random.Generator) -> Change:
    """A jagged line that branches and thins out towards its tips: a branching random walk."""
    length = draw_log(rng, 0.1, 0.9) * min(scene.shape)
    step = max(2.0 * scene.unit, length / 50)
    heading = rng.uniform(0, 2 * math.pi)
    jag = rng.uniform(0.12, 0.45)
    stem = walk_path(
        _start(scene, rng, heading, length),
        length,
        draw_log(rng, 0.9, 3.2) * scene.unit,
        rng,
        heading=heading,
        bend=rng.normal(0, 0.4),
        jag=jag,
        step=step,
    )
    depth = int(rng.integers(0, 3))
    window, opacity = cover(
        scene, _branch(stem, length, rng, jag=jag, step=step, depth=depth) if depth else [stem]
    )
    ground = scene.crop(window)
    contrast = draw_contrast(scene, rng) * choose_sign(ground, rng, 0.85)
    fading = np.clip(1.1 + 0.7 * draw_fractal((opacity.shape[0], opacity.shape[1]), rng, 6, 2), 0.4, 1)
    return Change(window, ground + (contrast * opacity * fading)[:, :, None], "crack")


def draw_cut(scene: Scene, rng: np.random.Generator) -> Change:
    """A straight slit, dark inside, with a lighter side where it gapes."""
    length = draw_log(rng, 0.08, 0.5) * min(scene.shape)
    width = draw_log(rng, 1.5, 6) * scene.unit
    heading = rng.uniform(0, 2 * math.pi)
    start = _start(scene, rng, heading, length)
    slit = walk_path(
        start, length, width, rng, heading=heading, bend=rng.normal(0, 0.1), jag=0.003, step=length / 24
    )
    slit[:, 2] = width * np.clip(np.sin(np.linspace(0, math.pi, len(slit))) ** 0.6, 0.15, 1)
    window, opacity = cover(scene, [slit])
    ground = scene.crop(window)
    contrast = draw_contrast(scene, rng, 40, 160) * choose_sign(ground, rng, 0.85)
    across = (round(width * 0.6 * math.cos(heading)), round(-width * 0.6 * math.sin(heading)))
    side = np.clip(np.roll(opacity, across, axis=(0, 1)) - opacity, 0, 1)
    return Change(window, ground + (contrast * (opacity - 0.4 * side))[:, :, None], "cut")


def draw_fibre(scene: Scene, rng: np.random.Generator) -> Change:
    """A hair or thread lying on the surface: thin, smoothly curled, of one tone, sometimes with a shadow."""
    length = draw_log(rng, 0.12, 1.0) * min(scene.shape)
    width = draw_log(rng, 0.8, 2.6) * scene.unit
    heading = rng.uniform(0, 2 * math.pi)
    count = max(12, int(length / (3 * scene.unit)))
    strand = walk_path(
        _start(scene, rng, heading, length),
        length,
        width,
        rng,
        heading=heading,
        bend=rng.normal(0, 2.0),
        jag=0.0,
        step=length / count,
        taper=0.2,
    )
    wave = rng.normal(0, 0.06, 2) * length
    t = np.linspace(0, 1, len(strand)) * 2 * math.pi * rng.uniform(0.5, 2)
    strand[:, 0] += wave[0] * np.sin(t + rng.uniform(0, 6))
    strand[:, 1] += wave[1] * np.sin(t * rng.uniform(0.6, 1.4))
    window, opacity = cover(scene, [strand], margin=3 + 3 * scene.unit)
    ground = scene.crop(window)
    contrast = draw_contrast(scene, rng, 30, 150) * choose_sign(ground, rng, 0.5)
    hue = 1 + (0 if scene.grey else 1) * rng.uniform(-0.5, 0.5, 3)
    tone = np.clip(tone_of(ground) + contrast * hue, 0, 255).astype(np.float32)
    if rng.random() < 0.4:
        drop = max(1, round(2 * scene.unit))
        shadow = np.roll(opacity, (drop, drop), axis=(0, 1))
        ground = ground * (1 - 0.35 * shadow)[:, :, None]
    return Change(window, blend(ground, opacity * rng.uniform(0.75, 1), tone), "contamination")
