"""Files sent as text: base64, bare or as a data URL, in one line or in many.

Text is decoded in pieces: one call that decodes 60 MB would stop every other thread for as long.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable

from assistant.errors import ImageError

PIECE = 1 << 18
"""Characters that are decoded at a time."""

_DATA_URL = re.compile(rb"data:[^,]{0,200};base64,", re.IGNORECASE)
_LONGEST_START = 250  # more than the start of a data URL can have
_FROM_URLS = bytes.maketrans(b"-_", b"+/")


def decode_base64(text: str, name: str) -> bytes:
    """The bytes of a file in base64; ImageError where `text` is something else.

    A data URL ("data:image/png;base64,...") and line breaks are allowed, padding may be left out, and the
    alphabet may be that of URLs.
    """
    # what is not ASCII becomes a character that base64 does not have
    return decode_pieces(
        (text[i : i + PIECE].encode("ascii", "replace") for i in range(0, len(text), PIECE)), name
    )


def decode_pieces(pieces: Iterable[bytes], name: str) -> bytes:
    """As `decode_base64`, of a text in ASCII that comes in pieces."""
    reading = _Reading()
    try:
        for piece in pieces:
            reading.take(piece)
        return reading.finish()
    except (binascii.Error, ValueError) as error:
        raise ImageError(f"{name} is not a file in base64") from error


class _Reading:
    """A text in base64 that is read in pieces; ValueError for what is no base64."""

    def __init__(self) -> None:
        self._decoded = bytearray()
        self._held = b""  # read and not decoded yet
        self._begun = self._padded = False

    def take(self, piece: bytes) -> None:
        """Read on."""
        self._held += piece.translate(None, b" \t\r\n")
        if self._begun or len(self._held) >= _LONGEST_START:
            self._decode(last=False)

    def finish(self) -> bytes:
        """All that was read."""
        self._decode(last=True)
        return bytes(self._decoded)

    def _decode(self, last: bool) -> None:
        text, tail = self._held, b""
        if not self._begun and (start := _DATA_URL.match(text)):
            text = text[start.end() :]
        self._begun = True
        if b"%" in text:
            if not last and (cut := text.find(b"%", len(text) - 2)) >= 0:  # the rest of "%2B" is still to come
                text, tail = text[:cut], text[cut:]
            text = text.replace(b"%2B", b"+").replace(b"%2F", b"/").replace(b"%3D", b"=")
        bare = text.translate(_FROM_URLS).rstrip(b"=")
        if self._padded and bare:
            raise ValueError("padding in the middle")
        self._padded |= len(bare) < len(text)
        end = len(bare) if last or self._padded else len(bare) - len(bare) % 4
        if not last and self._padded:  # nothing but padding may follow
            end, last = len(bare), True
        coded = bare[:end] + b"=" * (-end % 4)
        self._decoded += base64.b64decode(coded, validate=True)
        self._held = bare[end:] + tail
