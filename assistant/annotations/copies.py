"""Copies of pictures beside their annotations, in which every reader sees what was inspected."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from assistant.errors import ImageError
from assistant.images.caps import DEFAULT_CAPS
from assistant.images.kinds import PEEKED, kind_of
from assistant.images.load import read_samples
from assistant.images.sources import read_file, shown_name
from assistant.inspection import Inspection

COMMON = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
"""Endings that every reader of annotations knows."""

_ENDINGS = {"PNG": ".png", "JPEG": ".jpg", "TIFF": ".tif", "WebP": ".webp", "BMP": ".bmp"}


def copy_of(inspection: Inspection, source: str | None) -> tuple[bytes, str, bool]:
    """Content and ending of a copy, and whether it was turned: the file itself, or the picture as a PNG.

    The latter where there is no file, and where a tag in the file turns the picture: not every reader heeds it,
    and annotations are of the picture as displayed. ImageError where it is gone or has changed since.
    """
    picture = inspection.picture()
    if (picture.width, picture.height) != (inspection.width, inspection.height):
        raise ImageError(f"{shown_name(inspection.path)} has changed since it was judged")
    if source is not None:
        data = read_file(Path(source), DEFAULT_CAPS.max_bytes)
        stored = read_samples(data, picture.name)
        if stored.orientation == 1 and stored.colour.shape[:2] == picture.pixels.shape[:2]:
            ending, kind = Path(source).suffix, kind_of(data[:PEEKED])[0] or ""
            return data, ending if ending.lower() in COMMON else _ENDINGS.get(kind, ".png"), False
    content = io.BytesIO()
    Image.fromarray(picture.pixels).save(content, "PNG")
    return content.getvalue(), ".png", source is not None
