"""Base64 as people send it."""

from __future__ import annotations

import base64
import os
import textwrap

import pytest

from assistant.errors import ImageError
from assistant.images.encoded import decode_base64

DATA = bytes(range(256)) * 3 + b"\xfb\xff\xfe"
TEXT = base64.b64encode(DATA).decode()


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        f"data:image/png;base64,{TEXT}",
        f"DATA:image/jpeg;name=part.jpg;BASE64,{TEXT}",
        f"data:;base64,\n{TEXT}\n",
        f" {TEXT}\r\n",
        "\r\n".join(textwrap.wrap(TEXT, 76)),
        base64.encodebytes(DATA).decode(),
        base64.urlsafe_b64encode(DATA).decode().rstrip("="),
        TEXT.replace("/", "%2F").replace("+", "%2B").replace("=", "%3D"),
    ],
)
def test_prefixes_line_breaks_padding_and_the_alphabet_of_urls(text: str) -> None:
    assert decode_base64(text, "part.png") == DATA


@pytest.mark.parametrize("length", range(5))
def test_padding_of_any_length(length: int) -> None:
    data = os.urandom(length)
    assert decode_base64(base64.b64encode(data).decode().rstrip("="), "x") == data


@pytest.mark.parametrize(
    "text",
    ["part.png!", "data:image/png,abc", "größe", f"{TEXT}*", "A", "QUJD=QUJD", "data:image/svg+xml;utf8,<svg>"],
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ImageError) as caught:
        decode_base64(text, "part.png")
    assert str(caught.value) == "part.png is not a file in base64"
