"""COCO: one file of pictures, regions and categories (Lin et al. 2014), for `pycocotools`, FiftyOne and others."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.annotations.folder import AnnotationFolder
from assistant.annotations.labelled import Categories, Labelled
from assistant.outlines import Outline

FILE = PurePosixPath("labels.json")


class Coco:
    """`labels.json`, in which categories count from 1; copied pictures lie in `data`, as FiftyOne looks for them.

    Good pictures are in it without annotations. A region is a polygon, or with `rle` its mask in run lengths.
    `score` is its peak, in the unit of the picture's score. `attributes` has what else is known of it.
    """

    pictures, flat, copies = "data", False, False

    def __init__(self, folder: AnnotationFolder, categories: Categories, root: str, *, rle: bool = False) -> None:
        self._folder, self._categories, self._root, self._rle = folder, categories, root, rle
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []

    def add(self, one: Labelled) -> None:
        """Keep the rows of one picture."""
        found, number = one.inspection, len(self._images) + 1
        image: dict[str, Any] = {
            "id": number,
            "file_name": str(one.name),
            "width": found.width,
            "height": found.height,
            "date_captured": found.created,
        }
        said = found.to_dict()
        image |= {name: said[name] for name in ("verdict", "score", "threshold", "product")}
        image |= {"signed": one.signed} if one.signed else {}
        self._images.append(image | ({"source": one.source} if one.copied else {}))
        self._annotations += [self._annotate(shape, number, i) for i, shape in enumerate(one.outlines, start=1)]

    def finish(self) -> None:
        """Write the file."""
        categories = [{"id": i, "name": name} for i, name in enumerate(self._categories.names, start=1)]
        info = {
            "description": "Inspections of looktwice",
            "version": version("looktwice"),
            "date_created": datetime.now(UTC).isoformat(timespec="seconds"),
            "pictures": self._root,
        }
        rows = {
            "info": info,
            "licenses": [],
            "images": self._images,
            "annotations": self._annotations,
            "categories": categories,
        }
        text = json.dumps(rows, ensure_ascii=False, allow_nan=False)
        self._folder.write(FILE, text.encode("utf-8", errors="backslashreplace"))

    def _annotate(self, shape: Outline, image: int, place: int) -> dict[str, Any]:
        region = shape.region
        x0, y0, x1, y1 = region.box
        shares = {one.name: one.probability for one in region.defect_types}
        return {
            "id": len(self._annotations) + place,
            "image_id": image,
            "category_id": self._categories.number(shape) + 1,
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "area": region.area,
            "segmentation": run_lengths(shape.mask) if self._rle else [_flat(shape.polygon)],
            "iscrowd": 0,
            "score": region.peak,
            "attributes": {
                "region": region.id,
                "kind": region.kind,
                "severity": region.severity,
                "position": region.position,
                "is_box": shape.is_box,
                **({"defect_types": shares} if shares else {}),
            },
        }


def run_lengths(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """A mask [H, W] as COCO counts it: lengths of runs column by column, the first of them outside."""
    flat = mask.flatten(order="F")
    changes = np.flatnonzero(np.diff(flat)) + 1
    ends = np.concatenate([[0], changes, [flat.size]])
    counts = np.diff(ends).tolist()
    return {"size": list(mask.shape), "counts": [0, *counts] if flat[0] else counts}


def _flat(polygon: NDArray[np.float64]) -> list[float]:
    return polygon.round(2).ravel().tolist()
