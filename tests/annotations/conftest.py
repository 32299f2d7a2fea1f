"""Inspections of real files to annotate: of one name in two folders, turned by a tag, in letters of all sorts."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from assistant.detection.regions import find_regions
from assistant.inspection import DefectType, Evidence, Inspection

TURNED = 6
"""The EXIF orientation of a picture that is displayed a quarter turn to the right."""


def judge(path, width, height, spots):
    """An inspection of a picture with a region around each (x, y), in shares of the sides."""
    rows, columns = np.mgrid[:24, :36]
    coarse = np.full((24, 36), 0.1, np.float32)
    for number, (x, y) in enumerate(spots):
        away = (rows - 24 * y) ** 2 + (columns - 36 * x) ** 2
        coarse += ((1 - 0.1 * number) * np.exp(-away / 6)).astype(np.float32)
    regions = find_regions(coarse, 0.5, width, height, lambda peak: 0.001) if spots else ()
    if len(regions) > 1:
        regions = (regions[0], replace(regions[1], defect_types=(DefectType("Kratzer ä", 0.7, "known"),)))
    return Inspection(
        path=str(path),
        mode="few-shot",
        score=0.9 if spots else 0.1,
        p_value=0.01,
        threshold=0.5,
        review_threshold=0.4,
        verdict="defect" if spots else "good",
        regions=regions,
        width=width,
        height=height,
        evidence=Evidence("predictive", "made up", 4, 0.05, 0.2),
        created="2026-03-01T08:00:00+00:00",
        coarse_map=coarse,
    )


@pytest.fixture
def lot(tmp_path):
    """A folder of pictures and their inspections: two called part.png, a turned one, a good one, an unread one."""
    pictures = tmp_path / "new"
    rng = np.random.default_rng(0)

    def save(name, width, height, **more):
        path = pictures / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (height, width, 3), dtype=np.uint8)).save(path, **more)
        return path

    exif = Image.Exif()
    exif[0x0112] = TURNED
    turned = save("b/turned.jpg", 180, 120, exif=exif)
    return pictures, [
        judge(save("a/part.png", 240, 160), 240, 160, [(0.3, 0.4)]),
        judge(save("b/part.png", 200, 150), 200, 150, [(0.7, 0.6), (0.2, 0.2)]),
        judge(turned, 120, 180, [(0.5, 0.25)]),
        judge(save("gut/größe 好.png", 90, 70), 90, 70, []),
        Inspection(str(pictures / "broken.png"), "error", "broken.png is no picture"),
    ]
