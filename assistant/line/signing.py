"""How a webhook is signed, so that its receiver knows who sent it, and that nobody changed it or sends it again.

By the Standard Webhooks specification (https://www.standardwebhooks.com): the headers `webhook-id`,
`webhook-timestamp` (UNIX seconds) and `webhook-signature`, "v1," and the base64 of an HMAC-SHA256 over id,
timestamp and body, joined by dots. Libraries of many languages verify it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from pathlib import Path

from assistant.errors import LineError

PREFIX = "whsec_"
"""How a secret begins that is written in base64; any other is taken by its letters, as UTF-8."""

SHORTEST = 16
"""Bytes that a secret has at least."""


def read_secret(variable: str = "", file: str = "") -> bytes:
    """The secret in an environment variable, or in a file; LineError where there is none or it is too short.

    It is never an argument of a command: what is typed there shows in lists of processes.
    """
    if file:
        try:
            text = Path(file).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            raise LineError(f"The secret in {file} cannot be read: {why}.") from error
        where = f"file {file}"
    else:
        text, where = os.environ.get(variable, "").strip(), f"variable {variable}"
        if not text:
            raise LineError(f"There is no secret in the environment variable {variable}.")
    try:
        secret = base64.b64decode(text[len(PREFIX) :], validate=True) if text.startswith(PREFIX) else text.encode()
    except (binascii.Error, ValueError):
        raise LineError(f"The secret in the {where} begins with {PREFIX} and is no base64.") from None
    if len(secret) < SHORTEST:
        raise LineError(f"The secret in the {where} has fewer than {SHORTEST} bytes.")
    return secret


def sign(secret: bytes, id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers that go with a body."""
    signed = b".".join((id.encode(), str(timestamp).encode(), body))
    mark = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    return {"webhook-id": id, "webhook-timestamp": str(timestamp), "webhook-signature": f"v1,{mark}"}
