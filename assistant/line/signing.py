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


def read_hidden(variable: str = "", file: str = "") -> str:
    """What stands in a file, or else in an environment variable; LineError where there is nothing.

    It is never an argument of a command: what is typed there shows in lists of processes.
    """
    if not file:
        text = os.environ.get(variable, "").strip()
        if not text:
            raise LineError(f"There is no secret in the environment variable {variable}.")
        return text
    try:
        return Path(file).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise LineError(f"The secret in {file} cannot be read: {why}.") from error


def read_secret(variable: str = "", file: str = "") -> bytes:
    """The secret of a webhook, as `read_hidden` finds it; LineError where it is too short."""
    text, where = read_hidden(variable, file), f"file {file}" if file else f"variable {variable}"
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
