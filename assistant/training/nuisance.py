"""Pictures that look unusual and are not defects: other light, another camera position, other compression.

Such pseudo-anomalies are labelled normal (PA-CLIP, Pan et al., 2025). Each function takes and returns pixels
[H, W, 3]; none makes a mask.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable

import numpy as np
from PIL import Image
from scipy import ndimage

from assistant.training.noise import Plane, resize_plane
from assistant.training.scene import Colours, Pixels, draw_log

Nuisance = Callable[[Pixels, np.random.Generator, bool], Colours]
COARSE = 128  # pixels: light varies slowly, so it is drawn small and enlarged


def _small(pixels: Pixels) -> tuple[Plane, Plane, tuple[int, int]]:
    rows, columns = pixels.shape[:2]
    scale = min(1.0, COARSE / max(rows, columns))
    high, wide = max(2, round(rows * scale)), max(2, round(columns * scale))
    y = np.linspace(0, 1, high, dtype=np.float32)[:, None] + np.zeros((1, wide), np.float32)
    x = np.linspace(0, 1, wide, dtype=np.float32)[None, :] + np.zeros((high, 1), np.float32)
    return y, x, (rows, columns)


def add_glare(pixels: Pixels, rng: np.random.Generator, grey: bool) -> Colours:
    """A broad soft reflection of a lamp: a round spot or a band."""
    y, x, shape = _small(pixels)
    row, column, turn = rng.uniform(0, 1), rng.uniform(0, 1), rng.uniform(0, math.pi)
    along = (x - column) * math.cos(turn) + (y - row) * math.sin(turn)
    across = (y - row) * math.cos(turn) - (x - column) * math.sin(turn)
    width = draw_log(rng, 0.12, 0.4)
    spot = np.exp(-((across / width) ** 2) - (along / (width * rng.choice([1.0, 2.0, 20.0]))) ** 2)
    light = resize_plane(spot.astype(np.float32), shape)[:, :, None] * rng.uniform(0.12, 0.7)
    return np.asarray(pixels + (255 - pixels.astype(np.float32)) * light, dtype=np.float32)


def add_shadow(pixels: Pixels, rng: np.random.Generator, grey: bool) -> Colours:
    """A broad soft shadow across the picture, or light that falls off to one side."""
    y, x, shape = _small(pixels)
    turn = rng.uniform(0, 2 * math.pi)
    along = (x - 0.5) * math.cos(turn) + (y - 0.5) * math.sin(turn)
    edge, width = rng.uniform(-0.4, 0.4), draw_log(rng, 0.08, 0.8)
    fall = 1 / (1 + np.exp(-np.clip((along - edge) / (0.3 * width), -30, 30)))
    if rng.random() < 0.3:
        fall = fall * (1 - 1 / (1 + np.exp(-np.clip((along - edge - 0.35) / (0.3 * width), -30, 30))))
    return pixels * (1 - rng.uniform(0.12, 0.55) * resize_plane(fall.astype(np.float32), shape))[:, :, None]


def add_vignette(pixels: Pixels, rng: np.random.Generator, grey: bool) -> Colours:
    """Corners darker than the middle."""
    y, x, shape = _small(pixels)
    far = (y - rng.uniform(0.4, 0.6)) ** 2 + (x - rng.uniform(0.4, 0.6)) ** 2
    fall = resize_plane((2 * far).astype(np.float32) ** rng.uniform(0.8, 1.6), shape)
    return pixels * np.clip(1 - rng.uniform(0.2, 0.6) * fall, 0, 1)[:, :, None]


def move_camera(pixels: Pixels, rng: np.random.Generator, grey: bool) -> Colours:
    """A small shift, turn and zoom; what comes in at the border is mirrored."""
    rows, columns = pixels.shape[:2]
    turn, zoom = math.radians(rng.normal(0, 2.5)), math.exp(rng.normal(0.04, 0.03))
    shift = rng.normal(0, 0.015, 2) * (rows, columns)
    pad = int(min(min(rows, columns) - 1, 0.15 * max(rows, columns) + 2))
    framed = np.pad(pixels, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
    cos, sin = math.cos(turn) / zoom, math.sin(turn) / zoom
    middle_x, middle_y = (columns - 1) / 2, (rows - 1) / 2
    left = middle_x + pad + shift[1] - cos * middle_x + sin * middle_y
    top = middle_y + pad + shift[0] - sin * middle_x - cos * middle_y
    moved = Image.fromarray(framed).transform(
        (columns, rows), Image.Transform.AFFINE, (cos, -sin, left, sin, cos, top), Image.Resampling.BICUBIC
    )
    return np.asarray(moved, dtype=np.float32)


def compress(pixels: Pixels, rng: np.random.Generator, grey: bool) -> Colours:
    """Hard JPEG compression, or a loss of resolution."""
    image = Image.fromarray(pixels)
    if rng.random() < 0.7:
        stored = io.BytesIO()
        image.save(stored, "JPEG", quality=int(rng.integers(12, 65)))
        return np.asarray(Image.open(stored), dtype=np.float32)
    scale = rng.uniform(0.4, 0.8)
    small = image.resize((max(2, round(image.width * scale)), max(2, round(image.height * scale))))
    return np.asarray(small.resize(image.size, Image.Resampling.BICUBIC), dtype=np.float32)


def relight(pixels: Pixels, rng: np.random.Generator, grey: bool) -> Colours:
    """Another brightness, contrast, gamma and, in a colour picture, white balance."""
    levels = np.arange(256, dtype=np.float32) / 255
    curve = levels ** math.exp(rng.normal(0, 0.25))
    curve = ((curve - 0.5) * math.exp(rng.normal(0, 0.15)) + 0.5) * math.exp(rng.normal(0, 0.15))
    gains = np.ones(3) if grey else np.exp(rng.normal(0, 0.045, 3))
    return np.stack([(255 * curve * gains[c])[pixels[:, :, c]] for c in range(3)], axis=2).astype(np.float32)


def add_noise(pixels: Pixels, rng: np.random.Generator, grey: bool) -> Colours:
    """Sensor noise that grows with the light, alike in all channels of a grey picture."""
    shape = (*pixels.shape[:2], 1 if grey else 3)
    grain = rng.standard_normal(shape, dtype=np.float32) * np.float32(draw_log(rng, 2, 12))
    return np.asarray(pixels + grain * np.sqrt(0.3 + pixels.astype(np.float32) / 255), dtype=np.float32)


def defocus(pixels: Pixels, rng: np.random.Generator, grey: bool) -> Colours:
    """A slight blur of the whole picture."""
    width = draw_log(rng, 0.6, 2.0) * max(1.0, min(pixels.shape[:2]) / 320)
    blurred = ndimage.gaussian_filter(pixels, (width, width, 0), output=np.float32, truncate=2.5)
    return np.asarray(blurred, dtype=np.float32)


DISTURBING: dict[str, Nuisance] = {
    "glare": add_glare,
    "shadow": add_shadow,
    "vignette": add_vignette,
    "camera": move_camera,
    "compression": compress,
    "light": relight,
    "noise": add_noise,
    "blur": defocus,
}
