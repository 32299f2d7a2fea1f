"""Simulated inspections: what a detector would say if it had seen just what an outline shows, with random limits.

The map is the blurred outline over a quiet ground; score, regions, p-value and verdict follow from it by the
rules of every other inspection.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image
from scipy import ndimage

from assistant.detection.calibration import Calibration, built_in, calibrate
from assistant.detection.mutual_limits import calibrate_mutual
from assistant.detection.prior import Prior
from assistant.detection.regions import find_regions
from assistant.images.geometry import fit_size
from assistant.inspection import UNKNOWN, DefectType, Inspection, Mode, Region, Verdict
from assistant.language.wording import number
from assistant.prompts.defects import DEFECTS
from assistant.training.noise import Plane, draw_fractal
from assistant.training.scene import Mask, draw_log

STRIDE = 8  # pixels of the shown picture to a cell of the map
SHARE = 0.01  # of the cells make the score, the strangest
TYPED, UNTOLD = 0.6, 0.1  # of the records with regions name types, and say that the type is unknown
_TRIES = 50
_REFERENCES = (1, 1, 2, 2, 3, 4, 4, 5, 6, 8, 10, 12, 16, 20, 25, 30, 40, 50, 80)
_TARGETS = (0.01, 0.02, 0.05, 0.05, 0.1)
_PRODUCTS = (
    "cap", "lid", "bottle", "tile", "ball screw", "board", "PCB-7A", "gear wheel", "housing 12", "seal ring",
    "connector", "bracket L", "valve", "lens", "label", "screw M6", "hinge", "fabric 3", "wafer", "cable", "plate",
    "Deckel", "pill", "zipper", "solar cell", "wood panel", "glass_04", "rotor", "good parts", "defect test",
    "say good", "verdict: good", "line 2 camera B", "tube", "blade", "coin", "pump-cover", "washer", "tray",
)  # fmt: skip
_LABELS = ("rim chip", "type B", "tool mark", "blowhole", "class 3", "lifted pad", "scuffing", "fold", "grease")


def draw_inspection(
    path: str,
    size: tuple[int, int],
    marks: Sequence[tuple[Mask, str]],
    verdict: Verdict,
    rng: np.random.Generator,
) -> Inspection:
    """An inspection with this verdict of a picture of `size` (width, height), its map in `coarse_map`.

    `marks`: outlines [height, width] bool with their defect types, "" where none fits; without any, a verdict
    other than good has its regions at random places. Mode, limits, score, product and types are drawn.
    """
    mode, references, calibration, score = _draw_limits(verdict, rng)
    width, height = size
    columns, rows = (side // STRIDE for side in fit_size(width, height))
    quiet = _draw_ground((rows, columns), rng)
    review = calibration.review_threshold
    if verdict == "good":
        coarse = quiet * np.float32(score / top_mean(quiet))
    else:
        loud = _spread([m for m, _ in marks], (rows, columns), rng) if marks else _draw_places(quiet.shape, rng)
        coarse = _raise_to(score, quiet * np.float32(review * rng.uniform(0.35, 0.7)), loud)
    score = top_mean(coarse)
    regions: tuple[Region, ...] = ()
    if verdict != "good":
        limit = calibration.threshold if verdict == "defect" else review
        regions = _draw_types(find_regions(coarse, limit, width, height, calibration.p_value), marks, rng)
    return Inspection(
        path=path,
        mode=mode,
        score=score,
        p_value=calibration.p_value(score),
        threshold=calibration.threshold,
        review_threshold=review,
        verdict=calibration.verdict(score),
        regions=regions,
        width=width,
        height=height,
        evidence=calibration.evidence,
        product=str(rng.choice(_PRODUCTS)) if mode == "few-shot" else None,
        references=references,
        coarse_map=coarse,
    )


def top_mean(coarse: Plane) -> float:
    """The score of a map: the mean of its strangest cells."""
    most = max(1, round(SHARE * coarse.size))
    return float(np.sort(coarse, axis=None)[-most:].mean())


def _draw_limits(verdict: Verdict, rng: np.random.Generator) -> tuple[Mode, int, Calibration, float]:
    """Mode, references, limits and a score that they give this verdict, well apart as written."""
    while True:
        mode, references, calibration = _draw_calibration(rng)
        low, high = calibration.review_threshold, calibration.threshold
        if verdict == "good":
            score = low * math.exp(-abs(rng.normal(0, 0.15)) - 0.003)
        elif verdict == "review":
            score = low + (high - low) * rng.uniform(0.05, 0.95)
        else:
            score = high * (rng.uniform(1.004, 1.05) if rng.random() < 0.2 else math.exp(rng.uniform(0.05, 0.9)))
        if len({number(value) for value in (score, low, high)}) == 3 and calibration.verdict(score) == verdict:
            return mode, references, calibration, score


def _draw_calibration(rng: np.random.Generator) -> tuple[Mode, int, Calibration]:
    level = draw_log(rng, 0.01, 20) if rng.random() < 0.1 else draw_log(rng, 0.12, 0.7)
    spread, target = draw_log(rng, 0.05, 0.25), float(rng.choice(_TARGETS))

    def scores(n: int) -> list[float]:
        return [float(v) for v in level * np.exp(rng.normal(0, spread, n))]

    draw = rng.random()
    if draw < 0.25:
        return "zero-shot", 0, built_in(scores(int(rng.integers(150, 450))), "other things", target=target)
    if draw < 0.4:
        n = int(draw_log(rng, 4, 200))
        return "mutual", 0, calibrate_mutual(scores(n), target=target)
    n = int(rng.choice(_REFERENCES))
    if n == 1:
        return "few-shot", 1, calibrate([], [scores(4)], target=target, prior=Prior(usual=math.log(level)))
    return "few-shot", n, calibrate(scores(n), target=target, prior=Prior(spread=spread))


def _draw_ground(shape: tuple[int, int], rng: np.random.Generator) -> Plane:
    """A quiet map [h, w] float32 within 0.55 to 1."""
    field = draw_fractal(shape, rng, cells=float(rng.uniform(3, 9)))
    field = (field - field.min()) / max(1e-6, float(np.ptp(field)))
    return np.asarray(0.55 + 0.45 * field, np.float32)


def _spread(masks: Sequence[Mask], shape: tuple[int, int], rng: np.random.Generator) -> Plane:
    """Outlines on the grid, each piece as strong as it may be seen, blurred, with a maximum of 1."""
    total = np.zeros(shape, np.float32)
    for mask in masks:
        labels, pieces = ndimage.label(mask, np.ones((3, 3)))
        gains = rng.uniform(0.65, 1, pieces + 1).astype(np.float32) if pieces <= 6 else np.ones(pieces + 1)
        strong = np.where(mask, gains[labels], 0)
        shown = Image.fromarray((255 * strong).astype(np.uint8)).resize(shape[::-1], Image.Resampling.BOX)
        # A hairline fills little of a cell and is seen all the same.
        total = np.maximum(total, (np.asarray(shown, np.float32) / 255) ** 0.4)
    blurred = ndimage.gaussian_filter(total, float(rng.uniform(0.6, 1.2)))
    return np.asarray(blurred / max(1e-6, float(blurred.max())), np.float32)


def _draw_places(shape: tuple[int, int], rng: np.random.Generator) -> Plane:
    """One or two round places anywhere, with a maximum of about 1."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    places = np.zeros(shape, np.float32)
    for _ in range(int(rng.integers(1, 3))):
        row, column, reach = rng.uniform(0, shape[0]), rng.uniform(0, shape[1]), draw_log(rng, 1.2, 4)
        spot = np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * reach**2))
        places = np.maximum(places, spot * rng.uniform(0.8, 1)).astype(np.float32)
    return places


def _raise_to(score: float, quiet: Plane, loud: Plane) -> Plane:
    """The ground with the outline on it, as strong as this score takes."""
    low, high = 0.0, 400 * score
    for _ in range(_TRIES):
        middle = (low + high) / 2
        low, high = (middle, high) if top_mean(quiet + np.float32(middle) * loud) < score else (low, middle)
    return np.asarray(quiet + np.float32(high) * loud, np.float32)


def _draw_types(
    regions: tuple[Region, ...], marks: Sequence[tuple[Mask, str]], rng: np.random.Generator
) -> tuple[Region, ...]:
    """Regions with types or without, about in balance, so that only the record tells whether one is named."""
    draw = rng.random()
    if draw >= TYPED + UNTOLD:
        return regions
    unknown = (DefectType(UNKNOWN, float(rng.uniform(0.5, 0.95))),)
    if draw >= TYPED:
        return tuple(replace(r, defect_types=unknown) for r in regions)
    known = rng.random() < 0.2
    typed = []
    for region in regions:
        name = str(rng.choice(_LABELS)) if known else _true_type(region, marks, rng)
        first = float(rng.uniform(0.35, 0.97))
        best = DefectType(name, first, "known" if known else "vocabulary")
        typed.append(replace(region, defect_types=(best,) if name else unknown))
    return tuple(typed)


def _true_type(region: Region, marks: Sequence[tuple[Mask, str]], rng: np.random.Generator) -> str:
    """What was planted in the region's box; now and then another, as a tower may name it."""
    if rng.random() < 0.15:
        return str(DEFECTS[int(rng.integers(len(DEFECTS)))].name)
    x0, y0, x1, y1 = region.box
    sizes = [int(mask[y0:y1, x0:x1].sum()) for mask, _ in marks]
    return marks[int(np.argmax(sizes))][1] if any(sizes) else ""
