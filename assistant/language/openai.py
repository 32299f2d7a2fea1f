"""A language model behind an OpenAI-compatible endpoint: vLLM, the llama.cpp server, Ollama, or a hosted one.

It speaks chat completions with pictures as data URLs and an answer streamed as server-sent events, the part of
the protocol that all of them share. The other side is not trusted: time and size are capped, redirects are not
followed, and what it says in an error is not passed on, since some of them repeat the key.
"""

from __future__ import annotations

import base64
import io
import ipaddress
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
from PIL import Image

from assistant.errors import ExplainerError
from assistant.language.captioned_pictures import View, show
from assistant.language.explainer import Prompt
from assistant.prompts.instruct import Message, lay_out

KEY_VARIABLE = "LOOKTWICE_OPENAI_KEY"
"""The environment variable that holds the key, unless another is named."""

ANSWER = 512
"""Tokens that an answer may take."""

LARGEST = 4_000_000  # bytes of an answer as it is sent, some 300 of them for each token
QUALITY = 90  # of the JPEG pictures
LETTERS = 3  # of English text to a token, on the safe side


@dataclass(frozen=True)
class Patience:
    """How many seconds to wait: to connect, for the next piece of an answer, and for all of it."""

    connect: float = 10.0
    read: float = 90.0
    total: float = 300.0


class OpenAIExplainer:
    """A model of an OpenAI-compatible endpoint. Safe to share between threads.

    `url` is the base, as in "http://localhost:8000/v1"; plain http only to this machine. `key_variable` names the
    environment variable with the key; where it is not set, none is sent. `context` is how many tokens the model
    reads, which the protocol does not tell. ExplainerError for a URL or a key that cannot be used.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key_variable: str = KEY_VARIABLE,
        context: int = 8192,
        patience: Patience | None = None,
        answer_tokens: int = ANSWER,
    ) -> None:
        self._url, self._host, self._here = _check_url(url)
        if not model.strip():
            raise ExplainerError("Say which model of the endpoint to use, as in http://localhost:8000/v1#model.")
        self._model, self._context, self._answer = model, context, answer_tokens
        self._patience = patience or Patience()
        self._key_variable, self._key = key_variable, _read_key(key_variable)

    def __repr__(self) -> str:
        return f"OpenAIExplainer({self._host!r}, {self._model!r})"

    @property
    def name(self) -> str:
        """Who wrote an answer: the model and the host."""
        return f"{self._model} at {self._host}"

    @property
    def context(self) -> int:
        """How many tokens fit, pictures, question and answer together."""
        return self._context

    def count(self, text: str) -> int:
        """How many tokens a text takes at most; the endpoint's own count is not known."""
        return -(-len(text.encode()) // LETTERS)

    def stream(self, prompt: Prompt) -> Iterator[str]:
        """Pieces of the answer as they come; closing the iterator closes the connection.

        ExplainerError, one sentence without the key, where the endpoint cannot be reached, refuses, is too slow,
        breaks off or does not speak the protocol.
        """
        views = show(prompt.subjects)
        layout = lay_out(prompt.evidence, [caption for caption, _ in views], prompt.question, prompt.history)
        body = {
            "model": self._model,
            "messages": [_turn_of(message, views) for message in layout],
            "stream": True,
            "temperature": 0,
            "max_tokens": self._answer,
        }
        deadline = time.monotonic() + self._patience.total
        try:
            with self._client() as client:
                for attempt in (body, _newer(body)):
                    with client.stream("POST", f"{self._url}/chat/completions", json=attempt) as response:
                        if response.status_code == 400 and attempt is body:
                            continue
                        yield from self._read(response, deadline)
                        return
        except httpx2.TimeoutException:
            raise ExplainerError(f"{self.name} took too long to answer.") from None
        except (httpx2.HTTPError, httpx2.StreamError):
            # What went wrong on the wire holds the request, and the request holds the key.
            raise ExplainerError(f"{self.name} cannot be reached, or broke off.") from None

    def _client(self) -> httpx2.Client:
        wait = self._patience
        return httpx2.Client(
            headers={"Accept": "text/event-stream", "Accept-Encoding": "identity"}
            | ({"Authorization": f"Bearer {self._key}"} if self._key else {}),
            timeout=httpx2.Timeout(wait.read, connect=wait.connect),
            follow_redirects=False,
            trust_env=not self._here,  # what stays on this machine goes through nobody's proxy
        )

    def _read(self, response: httpx2.Response, deadline: float) -> Iterator[str]:
        """The pieces of text in a response, whether it is streamed or comes at once."""
        if response.status_code != 200:
            raise ExplainerError(f"{self.name} {self._refusal(response.status_code)}.")
        lines = self._lines(response, deadline)
        if response.headers.get("content-type", "").startswith("application/json"):
            yield _said(_parsed("".join(lines), self.name), "message", self.name)[0]
            return
        ended = False
        for line in lines:
            if not line.startswith("data:"):
                continue
            data = line.removeprefix("data:").strip()
            if data == "[DONE]":
                ended = True
                break
            piece, last = _said(_parsed(data, self.name), "delta", self.name)
            ended = ended or last
            if piece:
                yield piece
        if not ended:
            raise ExplainerError(f"{self.name} broke off in the middle of its answer.")

    def _lines(self, response: httpx2.Response, deadline: float) -> Iterator[str]:
        """The lines of a response, while time and size allow."""
        rest, size = b"", 0
        for chunk in response.iter_raw():
            size += len(chunk)
            if size > LARGEST:
                raise ExplainerError(f"The answer of {self.name} is too long.")
            if time.monotonic() > deadline:
                raise ExplainerError(f"{self.name} took too long to answer.")
            *whole, rest = (rest + chunk).split(b"\n")
            yield from (line.decode("utf-8", "replace").rstrip("\r") for line in whole)
        yield rest.decode("utf-8", "replace")

    def _refusal(self, status: int) -> str:
        if 300 <= status < 400:
            return "sends the request elsewhere, which is not followed"
        if status in (401, 403):
            return (
                f"refused the key in {self._key_variable}"
                if self._key
                else f"asks for a key: set {self._key_variable}"
            )
        if status == 404:
            return "is not there: check the URL and the name of the model"
        if status == 429:
            return "has had too many requests: try again later"
        if status in (400, 413, 415, 422):
            return f"did not accept the request (HTTP {status}): the model may read no pictures, or not as many"
        return f"answered with HTTP {status}"


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


def _newer(body: dict[str, Any]) -> dict[str, Any]:
    """The same request as newer hosted models want it, which refuse the older words for it."""
    kept = {name: value for name, value in body.items() if name not in ("temperature", "max_tokens")}
    return kept | {"max_completion_tokens": body["max_tokens"]}


def _turn_of(message: Message, views: list[View]) -> dict[str, Any]:
    if not any(isinstance(part, int) for part in message.parts):
        return {"role": message.role, "content": "\n".join(map(str, message.parts))}
    parts = [
        {"type": "image_url", "image_url": {"url": _data_url(views[part][1])}}
        if isinstance(part, int)
        else {"type": "text", "text": part}
        for part in message.parts
    ]
    return {"role": message.role, "content": parts}


def _data_url(picture: Image.Image) -> str:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"


def _parsed(data: str, name: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise ExplainerError(f"{name} does not speak the protocol of chat completions.") from None


def _said(event: Any, where: str, name: str) -> tuple[str, bool]:
    """The text of an event, and whether it is the last; an event without a choice says nothing."""
    if not isinstance(event, dict) or event.get("error"):
        raise ExplainerError(f"{name} reports an error instead of an answer.")
    try:
        choices = event.get("choices") or []
        choice = choices[0] if choices else {}
        text = (choice.get(where) or {}).get("content") or ""
        if not isinstance(text, str):
            raise TypeError("content is not text")
        return text, choice.get("finish_reason") is not None
    except (AttributeError, KeyError, TypeError):
        raise ExplainerError(f"{name} does not speak the protocol of chat completions.") from None
