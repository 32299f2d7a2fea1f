"""YOLO: a text file beside each picture, a line a region, for detection or segmentation (docs of Ultralytics)."""

from __future__ import annotations

import json
from pathlib import PurePosixPath

import numpy as np

from assistant.annotations.folder import AnnotationFolder
from assistant.annotations.labelled import Categories, Labelled
from assistant.outlines import Outline


class Yolo:
    """`images`, `labels` and `data.yaml`; a good picture has an empty file. Numbers are shares of the sides.

    `pictures.jsonl` says of each picture where it came from.

    A line is the category, counted from 0, then middle and size of the box, or with `segments` the outline.
    """

    pictures, flat, copies = "images", True, True

    def __init__(self, folder: AnnotationFolder, categories: Categories, *, segments: bool = False) -> None:
        self._folder, self._categories, self._segments = folder, categories, segments
        self._sources: list[tuple[str, str]] = []

    def add(self, one: Labelled) -> None:
        """Write the file of one picture."""
        self._sources.append((one.name.name, one.source or one.inspection.path))
        lines = "".join(self._line(shape) for shape in one.outlines)
        self._folder.write(PurePosixPath("labels", one.name.with_suffix(".txt").name), lines.encode())

    def finish(self) -> None:
        """Write `data.yaml`; all pictures serve for training and validation until somebody parts them."""
        names = "".join(f"  {i}: {json.dumps(name)}\n" for i, name in enumerate(self._categories.names))
        text = f"train: images\nval: images\nnames:\n{names}"
        self._folder.write(PurePosixPath("data.yaml"), text.encode())
        rows = ({"picture": name, "source": source} for name, source in self._sources)
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        self._folder.write(PurePosixPath("pictures.jsonl"), lines.encode("utf-8", "backslashreplace"))

    def _line(self, shape: Outline) -> str:
        size = np.array([shape.width, shape.height], dtype=np.float64)
        if self._segments:
            numbers = (shape.polygon / size).ravel()
        else:
            low, high = np.array(shape.region.box, dtype=np.float64).reshape(2, 2) / size
            numbers = np.concatenate([(low + high) / 2, high - low])
        return f"{self._categories.number(shape)} {' '.join(f'{number:.6f}' for number in numbers)}\n"
