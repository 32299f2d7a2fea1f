"""The sink that posts each result to a URL, signed, until it is taken."""

from __future__ import annotations

import email.utils
import re
import ssl
import time

import httpx2

from assistant.errors import LineError
from assistant.line.signing import sign
from assistant.line.sink import Away, Letter, Refused

BUSY = (408, 425, 429)
"""Statuses below 500 that say "later" and not "never"."""

LARGEST = 20_000
"""Bytes of an answer that are read; nothing in them counts."""

AGENT = "looktwice"


class Webhook:
    """Posts results to `url` as JSON. `secret` signs them, None for none; `seconds` for each step of the wire.

    Any 2xx takes a result. 408, 425, 429, 5xx and a wire that fails are tried again later; any other answer
    refuses this result. A redirect is not followed, since a signed result is for whom it was addressed to. `ca`:
    a file of certificates to trust in place of the system's. LineError for a URL that cannot be used.
    """

    needs_attachments = needs_picture = False

    def __init__(self, url: str, secret: bytes | None = None, seconds: float = 10.0, ca: str = "") -> None:
        try:
            parts = httpx2.URL(url.strip())
        except httpx2.InvalidURL:
            raise LineError("The URL of a webhook is not a URL.") from None
        if parts.scheme not in ("http", "https") or not parts.host:
            raise LineError("The URL of a webhook begins with https:// or http://.")
        if parts.userinfo:
            raise LineError("The URL of a webhook holds no name and no password: sign with a secret.")
        self.host = f"{parts.host}:{parts.port}" if parts.port else parts.host
        self._url, self._secret = str(parts), secret
        try:
            verify: ssl.SSLContext | bool = ssl.create_default_context(cafile=ca) if ca else True
        except (OSError, ssl.SSLError) as error:
            raise LineError(f"The certificates in {ca} cannot be read.") from error
        self._client = httpx2.Client(timeout=seconds, follow_redirects=False, verify=verify)

    def deliver(self, letter: Letter) -> None:
        """Post a result; Away or Refused where it was not taken."""
        body = letter.event.to_json().encode("ascii")
        headers = {"Content-Type": "application/json", "User-Agent": AGENT}
        if self._secret is not None:
            headers |= sign(self._secret, letter.event.id, int(time.time()), body)
        else:
            headers["webhook-id"] = letter.event.id
        try:
            with self._client.stream("POST", self._url, content=body, headers=headers) as response:
                status, after = response.status_code, response.headers.get("retry-after", "")
                _read_some(response)
        except httpx2.TimeoutException:
            raise Away(f"{self.host} gave no answer in time") from None
        except httpx2.ConnectError as error:
            why = (
                "its certificate is not trusted"
                if "certificate" in str(error).lower()
                else "nothing answers there"
            )
            raise Away(f"{self.host} cannot be reached: {why}") from None
        except (httpx2.HTTPError, httpx2.StreamError):
            raise Away(f"{self.host} broke off") from None
        if 200 <= status < 300:
            return
        if status in BUSY or status >= 500:
            raise Away(f"{self.host} answered with HTTP {status}", _seconds(after))
        if 300 <= status < 400:
            raise Refused(f"{self.host} answered with a redirect (HTTP {status}), which is not followed")
        raise Refused(f"{self.host} refused it with HTTP {status}")

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _read_some(response: httpx2.Response) -> None:
    """Read a short answer to its end, so that the connection can be used again; a long one is cut off."""
    size = 0
    try:
        for chunk in response.iter_raw():
            size += len(chunk)
            if size > LARGEST:
                return
    except (httpx2.HTTPError, httpx2.StreamError):
        return  # the status is what counts, and it was read


def _seconds(after: str) -> float | None:
    """What a Retry-After says, seconds or a date, as seconds from now; None where it says nothing."""
    if re.fullmatch(r"\s*\d{1,6}\s*", after):
        return float(after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(after).timestamp() - time.time()) if after else None
    except (ValueError, TypeError, OverflowError):
        return None
