"""The wire to an OpenAI-compatible endpoint: a request, its answer in pieces, a sentence for what goes wrong.

The other side is not trusted: time and size are capped, redirects are not followed, and what it says in an error
is only looked through for a few words and never passed on, since some errors repeat the key.
"""

from __future__ import annotations

import email.utils
import ipaddress
import json
import os
import re
import ssl
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from assistant.errors import ExplainerError, told

KEY_VARIABLE = "LOOKTWICE_OPENAI_KEY"
"""The environment variable that holds the key, unless another is named."""

LARGEST = 4_000_000  # bytes of an answer as it is sent, some 300 of them for each token
LARGEST_ERROR = 20_000  # bytes of an error that are looked through
STEP = 0.2  # seconds between two looks at whether anybody still waits

_BUSY = (429, 503)
_TOO_LONG = re.compile(
    r"context|too long|too many tokens|token limit|max_model_len|n_ctx|maximum.{0,20}length", re.I
)


@dataclass(frozen=True)
class Patience:
    """How many seconds to wait: to connect, for the first text or the next piece of it, and for all of it."""

    connect: float = 10.0
    first: float = 30.0
    total: float = 120.0


@dataclass
class Wait:
    """How long one question may still take, over all the requests that it needs."""

    patience: Patience
    begun: float = field(default_factory=time.monotonic)
    retried: bool = False

    @property
    def left(self) -> float:
        """Seconds that are left until the first text has to be there."""
        return self.begun + self.patience.first - time.monotonic()


@dataclass(frozen=True)
class Piece:
    """What one event brought: text of the answer, whether it was thought and not said, why it ended, and odds.

    `odds` are the likeliest first tokens with their logarithms, as the protocol has them; empty where not offered.
    """

    text: str = ""
    thought: bool = False
    ended: str = ""
    odds: tuple[Mapping[str, Any], ...] = ()

    @property
    def is_said(self) -> bool:
        """Whether it brings text of the answer."""
        return bool(self.text) and not self.thought


class EndpointError(ExplainerError):
    """What went wrong at an endpoint, in one sentence.

    `status` is its HTTP status, 0 for none. `ended` is "length" where an answer reached its longest, and "context"
    where the request was longer than the model reads.
    """

    def __init__(self, sentence: str, status: int = 0, ended: str = "") -> None:
        super().__init__(sentence)
        self.status, self.ended = status, ended

    @property
    def refused(self) -> bool:
        """Whether the request as it was made is refused, so that another wording of it may be taken."""
        return self.status in (400, 415, 422, 501) and not self.ended


class Endpoint:
    """An endpoint by its base URL, as in "http://localhost:8000/v1"; plain http only to this machine.

    `name`, the model and the host, is what sentences call it. `key_variable` names the environment variable with
    the key; where it is not set, none is sent. ExplainerError for a URL or a key that cannot be used.
    """

    def __init__(self, url: str, model: str, key_variable: str, patience: Patience) -> None:
        self.url, self.host, self._here = _check_url(url)
        self.name = f"{model} at {self.host}"
        self.patience = patience
        self._key_variable, self._key = key_variable, _read_key(key_variable)

    def ask(self, body: Mapping[str, Any], wait: Wait) -> Iterator[Piece]:
        """The pieces of an answer as they come, an empty one while a busy endpoint is waited for.

        EndpointError where it cannot be reached, refuses, is too slow, breaks off, or does not speak the protocol.
        An endpoint that is busy and says for how long is asked once more. Closing it closes the connection.
        """
        while (pause := (yield from self._try(body, wait))) is not None:
            wait.retried, until = True, time.monotonic() + pause
            while (left := until - time.monotonic()) > 0:
                yield Piece()
                time.sleep(min(STEP, left))

    def _try(self, body: Mapping[str, Any], wait: Wait) -> Generator[Piece, None, float | None]:
        """The pieces of an answer; gives the seconds after which to try again, or None."""
        read, said = max(0.05, wait.left), False
        try:
            with (
                self._client(read) as client,
                client.stream("POST", f"{self.url}/chat/completions", json=dict(body)) as response,
            ):
                if (pause := self._pause(response, wait)) is not None:
                    return pause
                for piece in self._read(response, wait):
                    said = said or piece.is_said
                    yield piece
        except httpx2.ConnectTimeout:
            raise self._error(
                told(f"{self.name} cannot be reached: no connection within {self.patience.connect:g} seconds")
            ) from None
        except httpx2.ConnectError as error:
            if _distrusts(error):
                raise self._error(told(f"{self.name} cannot be reached: its certificate is not trusted")) from None
            raise self._error(told(f"{self.name} cannot be reached: nothing answers there")) from None
        except httpx2.TimeoutException:
            if said:
                raise self._error(
                    told(f"{self.name} sent nothing more for {read:.0f} seconds, so its answer is cut short")
                ) from None
            raise self._error(
                told(f"{self.name} gave no answer within {self.patience.first:g} seconds: it sent nothing")
            ) from None
        except (httpx2.HTTPError, httpx2.StreamError):
            # What went wrong on the wire holds the request, and the request holds the key.
            if said:
                raise self._error(told(f"{self.name} broke off in the middle of its answer")) from None
            raise self._error(told(f"{self.name} cannot be reached, or broke off")) from None
        return None

    def _client(self, read: float) -> httpx2.Client:
        return httpx2.Client(
            headers={"Accept": "text/event-stream, application/json", "Accept-Encoding": "identity"}
            | ({"Authorization": f"Bearer {self._key}"} if self._key else {}),
            timeout=httpx2.Timeout(read, connect=min(self.patience.connect, read)),
            follow_redirects=False,
            trust_env=not self._here,  # what stays on this machine goes through nobody's proxy
        )

    def _pause(self, response: httpx2.Response, wait: Wait) -> float | None:
        """Seconds that a busy endpoint asks for, where that is worth it; None where the response is to be read."""
        if response.status_code not in _BUSY or wait.retried:
            return None
        asked = _seconds(response.headers.get("retry-after", ""))
        if asked is None:
            return None
        if asked >= wait.left:
            raise self._error(
                told(f"{self.name} is busy, and asks to be left alone for {asked:.0f} seconds"),
                response.status_code,
            )
        return asked

    def _read(self, response: httpx2.Response, wait: Wait) -> Iterator[Piece]:
        """The pieces in a response, whether it is streamed or comes at once."""
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.status_code != 200:
            raise self._refusal(response, kind)
        if kind == "text/html":
            raise self._error(
                told(
                    f"{self.name} answers with a web page, not as a language model: check the URL, which often "
                    "ends in /v1"
                )
            )
        deadline, said, thought, ended = wait.begun + self.patience.total, False, False, ""
        for piece in self._pieces(response, kind):
            thought, said = thought or piece.thought, said or piece.is_said
            ended = ended or piece.ended
            if not said and wait.left < 0:
                was = told("it was still thinking") if thought else told("it sent signs of life, but no text")
                raise self._error(
                    told(f"{self.name} gave no answer within {self.patience.first:g} seconds: {was}")
                )
            if time.monotonic() > deadline:
                raise self._error(
                    told(
                        f"{self.name} was not done after {self.patience.total:g} seconds, so its answer is cut "
                        "short"
                    )
                )
            yield piece
        self._check_end(ended, said, thought)

    def _check_end(self, ended: str, said: bool, thought: bool) -> None:
        """EndpointError where an answer did not end as one that is whole."""
        if ended == "length":
            raise self._error(
                told(f"{self.name} reached the longest answer that it may give, so its answer is cut short"),
                0,
                ended,
            )
        if ended == "content_filter":
            raise self._error(told(f"{self.name} was stopped by a filter of whoever runs it"))
        if not ended:
            if said:
                raise self._error(told(f"{self.name} broke off in the middle of its answer"))
            raise self._error(told(f"{self.name} broke off in the middle of its answer, before the first word"))
        if not said:
            if thought:
                raise self._error(told(f"{self.name} thought, but gave no answer"))
            raise self._error(told(f"{self.name} gave an empty answer"))

    def _pieces(self, response: httpx2.Response, kind: str) -> Iterator[Piece]:
        lines = self._lines(response)
        if kind == "application/json":
            yield self._piece("".join(filter(None, lines)), "message")
            return
        for line in lines:
            data = line.removeprefix("data:").strip() if line is not None else ""
            if line is None or not line.startswith("data:"):
                yield Piece()
            elif data == "[DONE]":
                yield Piece(ended="stop")
                return
            else:
                yield self._piece(data, "delta")

    def _piece(self, data: str, where: str) -> Piece:
        """What an event says; one without a choice says nothing."""
        try:
            event = json.loads(data)
            if event.get("error"):
                raise self._error(told(f"{self.name} reports an error instead of an answer"))
            choices = event.get("choices") or []
            choice = choices[0] if choices else {}
            part = choice.get(where) or {}
            text, thought = part.get("content") or "", part.get("reasoning_content") or part.get("reasoning") or ""
            if part.get("refusal"):
                raise self._error(told(f"{self.name} declined to answer"))
            if not isinstance(text, str):
                raise TypeError("content is not text")
            odds = (choice.get("logprobs") or {}).get("content") or []
            return Piece(text, bool(thought) and not text, str(choice.get("finish_reason") or ""), tuple(odds))
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
            raise self._error(told(f"{self.name} does not speak the protocol of chat completions")) from None

    def _lines(self, response: httpx2.Response) -> Iterator[str | None]:
        """The lines of a response while its size allows, and None for each chunk that brings no whole line."""
        rest, size = b"", 0
        for chunk in response.iter_raw():
            size += len(chunk)
            if size > LARGEST:
                raise self._error(told(f"{self.name} sends an answer that is too long to be one"))
            *whole, rest = (rest + chunk).split(b"\n")
            yield from (line.decode("utf-8", "replace").rstrip("\r") for line in whole)
            if not whole:
                yield None
        yield rest.decode("utf-8", "replace")

    def _refusal(self, response: httpx2.Response, kind: str) -> EndpointError:
        status = response.status_code
        too_long = status in (400, 413, 422) and bool(_TOO_LONG.search(_look_through(response)))
        if 300 <= status < 400:
            what = told(
                f"{self.name} sends the request elsewhere, which is not followed: give the URL where it ends up"
            )
        elif status in (401, 403):
            what = (
                told(f"{self.name} refused the key in {self._key_variable}")
                if self._key
                else told(f"{self.name} asks for a key: set {self._key_variable}")
            )
        elif status == 402:
            what = told(f"{self.name} asks to be paid first")
        elif status in (404, 405):
            what = told(f"{self.name} is not there: check the URL and the name of the model")
        elif status == 413 and not too_long:
            what = told(f"{self.name} takes no request as large as this one")
        elif too_long:
            what = told(
                f"{self.name} cannot read as much as this: question, record and pictures are longer than its "
                "context"
            )
        elif status in (400, 415, 422):
            what = told(
                f"{self.name} did not accept the request (HTTP {status}): the model may read no pictures, or not "
                "as many"
            )
        elif status == 429:
            what = told(f"{self.name} has had too many requests: try again later")
        elif status in (502, 503, 504):
            what = told(f"{self.name} is not ready, or has too much to do (HTTP {status}): try again later")
        elif status >= 500:
            what = told(f"{self.name} failed by itself (HTTP {status})")
        else:
            what = told(f"{self.name} answered with HTTP {status}")
        return self._error(what, status, "context" if too_long else "")

    def _error(self, what: str, status: int = 0, ended: str = "") -> EndpointError:
        return EndpointError(f"{what}.", status, ended)


def _distrusts(error: httpx2.ConnectError) -> bool:
    return isinstance(error.__context__, ssl.SSLError) or "certificate" in str(error).lower()


def _look_through(response: httpx2.Response) -> str:
    """The beginning of what an error says; it is searched for words and never shown."""
    text = b""
    try:
        for chunk in response.iter_raw():
            text += chunk
            if len(text) > LARGEST_ERROR:
                break
    except (httpx2.HTTPError, httpx2.StreamError):
        pass
    return text[:LARGEST_ERROR].decode("utf-8", "replace")


def _seconds(after: str) -> float | None:
    """What a Retry-After says, seconds or a date, as seconds from now; None where it says nothing."""
    if re.fullmatch(r"\s*\d{1,6}(?:\.\d+)?\s*", after):
        return float(after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(after).timestamp() - time.time()) if after else None
    except (ValueError, TypeError, OverflowError):
        return None


def _check_url(url: str) -> tuple[str, str, bool]:
    """The base URL without a slash at its end, its host with the port, and whether that is this machine.

    It is read by the library that will connect: two parsers may disagree on what the host is.
    """
    try:
        parts = httpx2.URL(url.strip())
    except httpx2.InvalidURL:
        raise ExplainerError("The URL of the endpoint is not a URL.") from None
    if parts.scheme not in ("http", "https") or not parts.host:
        raise ExplainerError("The URL of an endpoint begins with https:// or, on this machine, http://.")
    if parts.userinfo or parts.query or parts.fragment:
        raise ExplainerError("The URL of an endpoint holds no name, key, query or fragment.")
    here = _is_loopback(parts.host)
    if parts.scheme == "http" and not here:
        raise ExplainerError("Plain http is for this machine only: use https for an endpoint elsewhere.")
    return str(parts).rstrip("/"), f"{parts.host}:{parts.port}" if parts.port else parts.host, here


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read_key(variable: str) -> str:
    key = os.environ.get(variable, "").strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ExplainerError(f"The key in {variable} holds characters that no key has.")
    return key
