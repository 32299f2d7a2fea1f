"""A part that is drawn at any angle before a plain ground, for tests of poses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from assistant.images.pose import Pose

SIDE = 300


def draw_part(
    angle: float, right: float = 0.0, down: float = 0.0, *, seed: int = 0, mark: tuple[float, float] | None = None
) -> tuple[NDArray[np.uint8], tuple[float, float] | None]:
    """An angular lever with a hole and print, turned clockwise about the middle; and where its mark lies."""
    big = Image.new("RGB", (3 * SIDE, 3 * SIDE), (180, 178, 170))
    pen = ImageDraw.Draw(big)
    box = [(x * 3, y * 3) for x, y in ((70, 120), (220, 120), (220, 160), (130, 160), (130, 220), (70, 220))]
    pen.polygon(box, fill=(70, 80, 110))
    pen.ellipse([s * 3 for s in (85, 180, 115, 210)], fill=(150, 60, 50))
    pen.line([(170 * 3, 130 * 3), (205 * 3, 150 * 3)], fill=(210, 210, 200), width=15)
    if mark:
        pen.ellipse(
            [3 * (mark[0] - 7), 3 * (mark[1] - 7), 3 * (mark[0] + 7), 3 * (mark[1] + 7)], fill=(250, 240, 40)
        )
    turned = Pose((SIDE, SIDE), angle)
    middle = np.array([SIDE / 2, SIDE / 2])
    shift = middle - turned.matrix[:, :2] @ middle + (right, down)
    pose = Pose((SIDE, SIDE), angle, 1 / 3, (float(shift[0]), float(shift[1])))
    random = np.random.default_rng(seed)
    grain = gaussian_filter(random.normal(0, 4, (SIDE, SIDE, 1)), (1, 1, 0))
    light = 1 + random.normal(0, 0.03) + np.linspace(-0.06, 0.06, SIDE)[None, :, None]
    picture = np.clip(pose.warp(np.asarray(big)) * light + grain, 0, 255).astype(np.uint8)
    place = None if mark is None else tuple(pose.matrix @ np.array([3 * mark[0], 3 * mark[1], 1.0]))
    return picture, place
