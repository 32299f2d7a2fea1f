"""Pictures inside of HTML: nothing of a visitor lies at an address that another one could ask for."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from PIL import Image

THUMBNAIL = 240  # pixels


def embed(picture: Image.Image, format: str = "JPEG") -> str:
    """A picture as a data URL."""
    out = io.BytesIO()
    picture.save(out, format, quality=88)
    return f"data:image/{format.lower()};base64,{base64.b64encode(out.getvalue()).decode()}"


def embed_thumbnail(preview: bytes) -> str:
    """A preview of the history, as small as a card shows it."""
    picture = Image.open(io.BytesIO(preview)).convert("RGB")
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    return embed(picture)


def embed_file(path: Path) -> str:
    """A picture's file as a data URL, its kind by its name."""
    return f"data:image/{path.suffix[1:]};base64,{base64.b64encode(path.read_bytes()).decode()}"
