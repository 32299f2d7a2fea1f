"""LabelMe: a JSON file for each picture, with a polygon for each region, as the program of that name reads it."""

from __future__ import annotations

import json
import os
from pathlib import PurePosixPath

from assistant.annotations.folder import AnnotationFolder
from assistant.annotations.labelled import Labelled
from assistant.outlines import category_of

VERSION = "5.5.0"
"""The version of the format."""


class LabelMe:
    """A file a picture, which names the picture by its path from there; a good one has no shapes."""

    pictures, flat, copies = "", True, False

    def __init__(self, folder: AnnotationFolder) -> None:
        self._folder = folder

    def add(self, one: Labelled) -> None:
        """Write the file of one picture."""
        found = one.inspection
        beside = one.copied or one.source is None
        picture = one.name.name if beside else os.path.relpath(one.source or "", self._folder.path.absolute())
        rows = {
            "version": VERSION,
            "flags": {found.outcome: True, **({f"signed {one.signed}": True} if one.signed else {})},
            "shapes": [
                {
                    "label": category_of(shape.region),
                    "points": shape.polygon.round(2).tolist(),
                    "group_id": None,
                    "description": f"{shape.region.id}, {shape.region.severity}, peak {shape.region.peak:.4g}",
                    "shape_type": "polygon",
                    "flags": {},
                }
                for shape in one.outlines
            ],
            "imagePath": picture,
            "imageData": None,
            "imageHeight": found.height,
            "imageWidth": found.width,
            **({"source": one.source} if one.copied else {}),
        }
        text = json.dumps(rows, ensure_ascii=False, allow_nan=False, indent=1)
        name = one.name.with_suffix(".json").name
        self._folder.write(PurePosixPath(name), text.encode("utf-8", errors="backslashreplace"))

    def finish(self) -> None:
        """Nothing belongs to all of them."""
