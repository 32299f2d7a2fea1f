"""The caps of a picture: what is refused before it is decoded, because it would cost too much time or memory."""

from __future__ import annotations

from dataclasses import dataclass, fields

from assistant.errors import ImageError


@dataclass(frozen=True)
class SizeCaps:
    """The largest picture that is read: file size in bytes, one side and the area in pixels, scans and pieces.

    The defaults (64 MB, 20,000, 50 million) let the largest area cameras and line scans in. A progressive JPEG
    has about ten scans; pieces are a PNG's chunks, a JPEG's segments and a TIFF's strips, tiles and tags. TIFF
    also obeys Pillow's own limit where the host program has set it lower.
    """

    max_bytes: int = 64_000_000
    max_side: int = 20_000
    max_pixels: int = 50_000_000
    max_scans: int = 100
    max_pieces: int = 100_000

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 1:
                raise ValueError(f"{field.name} is {getattr(self, field.name)}, which lets no picture in")


DEFAULT_CAPS = SizeCaps()


def check_size(width: int, height: int, name: str, caps: SizeCaps) -> None:
    """ImageError for a picture of no pixels or of too many."""
    if width < 1 or height < 1:
        raise ImageError(f"{name} has no pixels")
    if max(width, height) > caps.max_side:
        raise ImageError(f"{name} is {width} x {height} pixels, over the limit of {caps.max_side} on a side")
    if width * height > caps.max_pixels:
        raise ImageError(f"{name} is {width} x {height}, over the limit of {caps.max_pixels} pixels")
