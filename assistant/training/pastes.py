"""Anomalies made of picture content: pasted textures and patches, parts moved, removed, blurred or bent.

Each takes a `Scene` and a generator and returns a `Change`.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image
from scipy import ndimage

from assistant.training.noise import Plane, draw_fractal, extend_border
from assistant.training.scene import (
    HARD,
    Change,
    Colours,
    Scene,
    Window,
    blend,
    choose_spot,
    draw_area,
    draw_blob,
    draw_log,
    edge_width,
    level_of,
    soften,
)

UNEVEN = 18  # grey levels: a rim that varies more has several surfaces, and a gap shows only one of them
MOVED, SMOOTHED = 1.3, 0.25  # times the grain, see `Change.above`


def _sides(window: Window) -> tuple[int, int]:
    return window[0].stop - window[0].start, window[1].stop - window[1].start


def _take_patch(scene: Scene, rng: np.random.Generator, shape: tuple[int, int]) -> Colours:
    """A random piece [h, w, 3] float32 of the picture that gives texture, enlarged where that is smaller."""
    source = scene.other
    rows, columns = source.shape[:2]
    zoom = rng.uniform(0.7, 1.4)
    high, wide = (max(2, min(size, round(side * zoom))) for size, side in zip((rows, columns), shape, strict=True))
    top, left = int(rng.integers(0, rows - high + 1)), int(rng.integers(0, columns - wide + 1))
    piece = Image.fromarray(np.ascontiguousarray(source[top : top + high, left : left + wide]))
    if rng.random() < 0.5:
        piece = piece.transpose(rng.choice(list(Image.Transpose)[:5]))
    return np.asarray(piece.resize((shape[1], shape[0]), Image.Resampling.BILINEAR), dtype=np.float32)


def _disguise(scene: Scene, rng: np.random.Generator, patch: Colours, bold: float) -> Colours:
    """The patch with its contrast, level and, in a colour picture, its channels changed."""
    middle = patch.mean(axis=(0, 1))
    turn = -1 if bold >= 0.8 and rng.random() < 0.35 else 1
    changed = turn * (patch - middle) * rng.uniform(0.6, 1.6) + middle
    changed = changed + bold * rng.uniform(-70, 70)
    if not scene.grey:
        order = rng.permutation(3) if bold >= 0.8 and rng.random() < 0.5 else np.arange(3)
        changed = changed[:, :, order] * rng.uniform(1 - 0.3 * bold, 1 + 0.3 * bold, 3)
    return np.clip(changed, 0, 255).astype(np.float32)


def paste_texture(scene: Scene, rng: np.random.Generator) -> Change:
    """Foreign texture through a noise-shaped opening, more or less opaque (DRAEM, Zavrtanik et al., 2021)."""
    area = draw_area(scene, rng)
    window, depth = draw_blob(scene, rng, area, aspect=3, rough=rng.uniform(0.5, 1.2))
    ground = scene.crop(window)
    over = _disguise(scene, rng, _take_patch(scene, rng, _sides(window)), 1.0)
    strength = rng.uniform(0.15, 0.4) if rng.random() < HARD else rng.uniform(0.4, 1)
    opacity = min(1.0, strength * scene.boost) * soften(depth, edge_width(area))
    return Change(window, blend(ground, opacity, over), "", depth > 0)


def paste_seamless(scene: Scene, rng: np.random.Generator) -> Change:
    """A patch whose border is bent to fit by Poisson blending (NSA, Schluter et al., 2022)."""
    area = draw_area(scene, rng, low=0.001)
    window, depth = draw_blob(scene, rng, area, aspect=3, rough=0.25, spot=choose_spot(scene, rng))
    ground = scene.crop(window)
    over = _take_patch(scene, rng, _sides(window))
    if rng.random() < 0.5 or scene.boost > 1:
        over = _disguise(scene, rng, over, 0.5 * scene.boost)
    fitted = over + extend_border(ground - over)
    return Change(window, blend(ground, soften(depth, 0.25), fitted), "", depth > 0, MOVED)


def _rectangle(scene: Scene, rng: np.random.Generator, long: float, short: float) -> tuple[Window, Plane]:
    """A rectangle at any angle: its window and how far each pixel [h, w] is covered."""
    turn = rng.choice([0.0, math.pi / 2, rng.uniform(0, math.pi)])
    centre = choose_spot(scene, rng)
    cos, sin = math.cos(turn), math.sin(turn)
    half = (abs(long * sin) + abs(short * cos), abs(long * cos) + abs(short * sin))
    window = scene.cut(centre, (half[0] / 2 + 1, half[1] / 2 + 1))
    y = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, None] - centre[0]
    x = np.arange(window[1].start, window[1].stop, dtype=np.float32)[None, :] - centre[1]
    inside = np.minimum(long / 2 - np.abs(x * cos + y * sin), short / 2 - np.abs(y * cos - x * sin))
    return window, np.asarray(np.clip(inside + 0.5, 0, 1), np.float32)


def paste_cut(scene: Scene, rng: np.random.Generator) -> Change:
    """A rectangle cut from elsewhere, its tone changed a little (CutPaste, Li et al., 2021)."""
    area = draw_area(scene, rng, low=0.001)
    ratio = math.sqrt(draw_log(rng, 1, 4))
    window, opacity = _rectangle(scene, rng, math.sqrt(area) * ratio, math.sqrt(area) / ratio)
    over = _disguise(scene, rng, _take_patch(scene, rng, _sides(window)), rng.uniform(0.1, 0.6) * scene.boost)
    return Change(window, blend(scene.crop(window), opacity, over), "", opacity > 0.5)


def paste_scar(scene: Scene, rng: np.random.Generator) -> Change:
    """A thin strip cut from elsewhere, at any angle (CutPaste-Scar, Li et al., 2021)."""
    long = draw_log(rng, 0.05, 0.4) * min(scene.shape)
    window, opacity = _rectangle(scene, rng, long, max(2.0, long * rng.uniform(0.05, 0.2)))
    over = _disguise(scene, rng, _take_patch(scene, rng, _sides(window)), rng.uniform(0.3, 1.0) * scene.boost)
    return Change(window, blend(scene.crop(window), opacity, over), "", opacity > 0.5)


def _take_grain(scene: Scene, rng: np.random.Generator, shape: tuple[int, int]) -> Colours:
    """The fine texture [h, w, 3], around 0, of the calmest of a few places in the picture."""
    rows, columns = scene.shape
    calmest, least = scene.pixels[: shape[0], : shape[1]], math.inf
    for _ in range(6):
        top, left = int(rng.integers(0, rows - shape[0] + 1)), int(rng.integers(0, columns - shape[1] + 1))
        place = scene.pixels[top : top + shape[0], left : left + shape[1]]
        step = max(1, min(shape) // 24)
        unrest = float(place[::step, ::step].std())
        if unrest < least:
            calmest, least = place, unrest
    fine = calmest.astype(np.float32)
    width = 3 * scene.unit
    fine -= ndimage.gaussian_filter(fine, (width, width, 0), truncate=2)
    return np.clip(fine, -3 * scene.noise - 6, 3 * scene.noise + 6)


def remove_part(scene: Scene, rng: np.random.Generator) -> Change:
    """A place with detail painted over by what surrounds it."""
    area = draw_area(scene, rng, low=0.002)
    spot = choose_spot(scene, rng, on="detail")
    window, depth = draw_blob(scene, rng, area, aspect=2, rough=0.1, spot=spot)
    ground = scene.crop(window)
    calm = ndimage.gaussian_filter(ground, (2 * scene.unit, 2 * scene.unit, 0))
    grain = _take_grain(scene, rng, _sides(window))
    rim = ground[(depth > -0.35) & (depth < 0)]
    filled = extend_border(calm)
    if len(rim) and rim.std(axis=0).max() > UNEVEN:
        filled = np.broadcast_to(np.median(rim, axis=0).astype(np.float32), filled.shape)
    return Change(
        window, blend(ground, soften(depth, edge_width(area, 2)), filled + grain), "missing part", depth > 0, MOVED
    )


def misplace_part(scene: Scene, rng: np.random.Generator) -> Change:
    """A place with detail turned, mirrored or pushed aside where it is."""
    area = draw_area(scene, rng, low=0.004)
    spot = choose_spot(scene, rng, on="detail")
    window, depth = draw_blob(scene, rng, area, aspect=1.8, rough=rng.choice([0.0, 0.15]), spot=spot)
    ground = scene.crop(window)
    rows, columns = _sides(window)
    way = int(rng.integers(0, 4))
    if way == 0:
        over = ground[::-1, ::-1]
    elif way == 1:
        over = ground[::-1] if rng.random() < 0.5 else ground[:, ::-1]
    elif way == 2:
        turn = rng.choice([-1, 1]) * rng.uniform(12, 90)
        over = _resample(ground, *_turned(rows, columns, math.radians(turn)))
    else:
        heading, far = rng.uniform(0, 2 * math.pi), math.sqrt(area) * rng.uniform(0.15, 0.7)
        y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
        over = _resample(ground, y + far * math.sin(heading), x + far * math.cos(heading))
    opacity = soften(depth, edge_width(area, 2))
    return Change(window, blend(ground, opacity, over), "misplaced part", depth > 0, MOVED)


def _turned(rows: int, columns: int, turn: float) -> tuple[Plane, Plane]:
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    y, x = y - (rows - 1) / 2, x - (columns - 1) / 2
    cos, sin = math.cos(turn), math.sin(turn)
    return y * cos - x * sin + (rows - 1) / 2, x * cos + y * sin + (columns - 1) / 2


def _resample(ground: Colours, y: Plane, x: Plane) -> Colours:
    where = np.stack([y, x])
    planes = [ndimage.map_coordinates(ground[:, :, c], where, order=1, mode="mirror") for c in range(3)]
    return np.stack(planes, axis=2)


def blur_part(scene: Scene, rng: np.random.Generator) -> Change:
    """A place with detail smeared, evenly or in one direction."""
    area = draw_area(scene, rng, low=0.004)
    spot = choose_spot(scene, rng, on="detail")
    window, depth = draw_blob(scene, rng, area, aspect=2.5, rough=0.2, spot=spot)
    ground = scene.crop(window)
    width = min(0.25 * math.sqrt(area), draw_log(rng, 1.5, 8) * scene.unit * scene.boost)
    if rng.random() < 0.6:
        over = ndimage.gaussian_filter(ground, (width, width, 0), truncate=2.5)
    else:
        over = ndimage.uniform_filter1d(ground, max(3, round(3 * width)), axis=int(rng.integers(0, 2)))
    return Change(window, blend(ground, soften(depth, 0.3), over), "", depth > 0, SMOOTHED)


def warp_part(scene: Scene, rng: np.random.Generator) -> Change:
    """A place with detail swollen, squeezed, twisted or pulled sideways."""
    area = draw_area(scene, rng, low=0.006)
    spot = choose_spot(scene, rng, on="detail")
    window, depth = draw_blob(scene, rng, area, aspect=2, rough=0.1, spot=spot)
    rows, columns = _sides(window)
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    dy, dx = y - (spot[0] - window[0].start), x - (spot[1] - window[1].start)
    pull = soften(depth, 1.0) * min(1.0, rng.uniform(0.25, 0.8) * scene.boost) * rng.choice([-1, 1])
    way = int(rng.integers(0, 4))
    if way == 0:
        move_y, move_x = dy * pull, dx * pull
    elif way == 1:
        move_y, move_x = -dx * pull * 1.5, dy * pull * 1.5
    else:
        heading, far = rng.uniform(0, 2 * math.pi), 0.35 * math.sqrt(area)
        wave = draw_fractal((rows, columns), rng, 4, 1) * 2 if way == 3 else np.float32(1)
        move_y, move_x = far * math.sin(heading) * pull * wave, far * math.cos(heading) * pull * wave
    bent = _resample(scene.crop(window), y - move_y, x - move_x)
    return Change(window, bent, "deformation", depth > 0, MOVED)


def break_edge(scene: Scene, rng: np.random.Generator) -> Change:
    """A ragged bite out of the object's border, or of one side of a strong edge, filled from the other side."""
    area = draw_area(scene, rng, low=0.001, high=0.08)
    spot = _spot_on_border(scene, rng) if scene.split else choose_spot(scene, rng, on="edge")
    window, depth = draw_blob(scene, rng, area, aspect=2.2, rough=rng.uniform(0.4, 0.8), spot=spot)
    ground = scene.crop(window)
    level = ndimage.gaussian_filter(level_of(ground), scene.unit)
    near = level[depth > -0.3]
    low, high = np.quantile(near, [0.05, 0.95])
    bright = level > (low + high) / 2
    if scene.split:
        bright_is_ground = abs(high - _ground_level(scene)) < abs(low - _ground_level(scene))
    else:
        bright_is_ground = bool(rng.random() < 0.5)
    behind = bright if bright_is_ground else ~bright
    if not scene.split and behind[depth > 0].mean() < 0.25:
        behind = ~behind
    if not 0.15 < behind[depth > 0].mean() < 0.9:
        return Change(window, ground, "broken edge")
    nearest = ndimage.distance_transform_edt(~behind, return_distances=False, return_indices=True)
    here = np.indices(behind.shape)
    beyond = [np.clip(2 * n - h, 0, side - 1) for n, h, side in zip(nearest, here, behind.shape, strict=True)]
    is_behind = behind[beyond[0], beyond[1]]
    source = np.where(is_behind, beyond[0], nearest[0]), np.where(is_behind, beyond[1], nearest[1])
    filled = ground[source[0], source[1]]
    tone = np.median(ground[behind], axis=0)
    filled = np.where(is_behind[:, :, None], filled, 0.5 * filled + 0.5 * tone)
    bitten = blend(ground, soften(depth, edge_width(area)), filled.astype(np.float32))
    return Change(window, bitten, "broken edge", depth > 0)


def _spot_on_border(scene: Scene, rng: np.random.Generator) -> tuple[float, float]:
    border = np.argwhere(scene.object & ~ndimage.binary_erosion(scene.object))
    row, column = border[rng.integers(0, len(border))]
    rows, columns = scene.object.shape
    return (row + 0.5) * scene.shape[0] / rows, (column + 0.5) * scene.shape[1] / columns


def _ground_level(scene: Scene) -> float:
    border = [scene.pixels[0], scene.pixels[-1], scene.pixels[:, 0], scene.pixels[:, -1]]
    return float(np.median(np.concatenate(border).mean(axis=1)))
