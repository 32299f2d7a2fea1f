"""Files sent as text: base64, bare or as a data URL, in one line or in many."""

from __future__ import annotations

import base64
import binascii
import re

from assistant.errors import ImageError

_DATA_URL = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)
_SPACE = re.compile(r"[ \t\r\n]+")


def decode_base64(text: str, name: str) -> bytes:
    """The bytes of a file in base64; ImageError where `text` is something else.

    A data URL ("data:image/png;base64,...") and line breaks are allowed, padding may be left out, and the
    alphabet may be that of URLs.
    """
    text = text.lstrip()
    if start := _DATA_URL.match(text):
        text = text[start.end() :]
    text = _SPACE.sub("", text)
    if "%" in text or "-" in text or "_" in text:
        text = text.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=")
        text = text.replace("-", "+").replace("_", "/")
    text = text.rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ImageError(f"{name} is not a file in base64") from error
