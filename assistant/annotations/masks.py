"""Masks: a grey PNG for each picture, of its own size and shape, 255 in the regions and 0 elsewhere."""

from __future__ import annotations

import io
from pathlib import PurePosixPath

import numpy as np
from PIL import Image

from assistant.annotations.folder import AnnotationFolder
from assistant.annotations.labelled import Labelled


class Masks:
    """`masks`, with the subfolders of the pictures; copied pictures lie in `images`. A good one is black."""

    pictures, flat, copies = "images", False, False

    def __init__(self, folder: AnnotationFolder) -> None:
        self._folder = folder

    def add(self, one: Labelled) -> None:
        """Write the mask of one picture."""
        mask = np.zeros((one.inspection.height, one.inspection.width), dtype=np.uint8)
        for shape in one.outlines:
            mask[shape.mask] = 255
        content = io.BytesIO()
        Image.fromarray(mask).save(content, "PNG")
        self._folder.write(PurePosixPath("masks") / one.name.with_suffix(".png"), content.getvalue())

    def finish(self) -> None:
        """Nothing belongs to all of them."""
