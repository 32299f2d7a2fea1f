"""Bodies of requests: taken in whole, then read in a thread, never on the event loop.

A JSON body may be large only by its pictures. Their base64 stays where it is while the rest, at most `MOST_TEXT`
bytes, is parsed: so neither deep nor wide nonsense costs more time or memory than its bytes.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Generic, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool

from assistant.images.encoded import PIECE
from assistant.service.gate import MOST_TEXT
from assistant.service.problems import Problem

Model = TypeVar("Model", bound=BaseModel)

SHORT = 256
"""Bytes of a picture's base64 that is parsed with the rest."""

_TOO_MUCH = f"A request may have at most {MOST_TEXT} bytes of JSON beside its pictures"


async def take_body(request: Request) -> bytearray:
    """All bytes of a body, which the gate counts as they come in."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
    return body


async def read_json(request: Request, model: type[Model]) -> Json[Model]:
    """What a request says in JSON; Problem or a validation error for anything else."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(415, "Send this as application/json")
    body = await take_body(request)
    try:
        return await run_in_threadpool(parse_json, body, model)
    except ValidationError as error:
        faults = [fault | {"loc": ("body", *fault["loc"])} for fault in error.errors(include_context=False)]
        raise RequestValidationError(faults) from error


class Json(Generic[Model]):
    """A body that was parsed: `content`, in which the base64 of pictures may be a mark for where it lies."""

    def __init__(self, content: Model, raw: bytearray, mark: str, places: list[tuple[int, int]]) -> None:
        self.content = content
        self._raw, self._mark, self._places = raw, mark, places

    def pieces(self, data: str) -> Iterator[bytes]:
        """The text of a picture, piece by piece, as it was sent or at the place that a mark names."""
        if not data.startswith(self._mark):
            for start in range(0, len(data), PIECE):
                yield data[start : start + PIECE].encode("ascii", "replace")
            return
        start, end = self._places[int(data.removeprefix(self._mark))]
        while start < end:
            stop = min(start + PIECE, end)
            piece = bytes(self._raw[start:stop])
            if b"\\" in piece:
                piece, stop = _unescape(self._raw, start, stop, end)
            yield piece
            start = stop


def parse_json(raw: bytearray, model: type[Model]) -> Json[Model]:
    """A body as `model`; ValidationError, or Problem where it has too much beside its pictures."""
    mark = secrets.token_hex(8)
    text, places = _set_pictures_aside(raw, f"{mark}:")
    return Json(model.model_validate_json(text), raw, f"{mark}:", places)


def _set_pictures_aside(raw: bytearray, mark: str) -> tuple[bytes, list[tuple[int, int]]]:
    """The JSON with marks in place of long values of "data", and where these lie in it."""
    text, places, at, quotes = bytearray(), list[tuple[int, int]](), 0, 0
    while (start := raw.find(b'"', at)) >= 0:
        _append(text, raw, at, start)
        end = start
        while True:
            before, end = end + 1, raw.find(b'"', end + 1)
            quotes += 1
            if quotes > MOST_TEXT:
                raise Problem(413, _TOO_MUCH)
            if end < 0 or not _is_escaped(raw, before, end):
                break
        if end < 0:
            _append(text, raw, start, len(raw))
            return bytes(text), places
        if end - start > SHORT and _names_data(text):
            text += f'"{mark}{len(places)}"'.encode()
            places.append((start + 1, end))
        else:
            _append(text, raw, start, end + 1)
        at = end + 1
    _append(text, raw, at, len(raw))
    return bytes(text), places


def _append(text: bytearray, raw: bytearray, start: int, end: int) -> None:
    if len(text) + end - start > MOST_TEXT:
        raise Problem(413, _TOO_MUCH)
    text += raw[start:end]


def _is_escaped(raw: bytearray, start: int, end: int) -> bool:
    """Whether an odd number of backslashes stands before a place."""
    if end == start or raw[end - 1] != 0x5C:
        return False
    part = raw[start:end]
    return (len(part) - len(part.rstrip(b"\\"))) % 2 == 1


def _names_data(text: bytearray) -> bool:
    """Whether what comes next is the value of "data"."""
    tail = bytes(text[-100:]).rstrip()
    return tail.endswith(b":") and tail[:-1].rstrip().endswith(b'"data"')


def _unescape(raw: bytearray, start: int, stop: int, end: int) -> tuple[bytes, int]:
    """A piece of a string without its escapes, and where it ends: no escape is cut in two."""
    last = raw.rfind(b"\\", start, stop)
    if last > stop - 6:
        run = raw[start : last + 1]
        odd = (len(run) - len(run.rstrip(b"\\"))) % 2
        stop = (
            min(end, last + 6) if odd and raw[last + 1 : last + 2] == b"u" else min(end, max(stop, last + 1 + odd))
        )
    try:
        plain: str = json.loads(b'"' + raw[start:stop] + b'"', strict=False)
    except ValueError:
        return b"!", end  # which is no base64
    return plain.encode("ascii", "replace"), stop
