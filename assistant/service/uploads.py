"""Pictures as they arrive: multipart files or base64 in JSON, counted and kept in memory, decoded elsewhere."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from fastapi import Request
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from assistant.errors import ImageError
from assistant.images.encoded import PIECE, decode_pieces
from assistant.images.load import PictureFile
from assistant.images.sources import shown_name
from assistant.service.bodies import parse_json, take_body
from assistant.service.problems import Problem

T = TypeVar("T")
Options = TypeVar("Options", bound=BaseModel)
MOST_FIELDS = 32


@dataclass(frozen=True)
class Picture:
    """A file that was sent: its base name, fit to print, its bytes, and what is wrong with how it was sent."""

    name: str
    data: bytes
    fault: str | None = None

    def checked(self) -> bytes:
        """Its bytes; ImageError where they did not arrive as a file."""
        if self.fault:
            raise ImageError(self.fault)
        return self.data

    def named(self) -> PictureFile:
        """The file with its name, not decoded yet; ImageError where it did not arrive as a file."""
        return PictureFile(self.name, self.checked())


@dataclass(frozen=True)
class Upload(Generic[Options]):
    """A request's options, and its pictures by field."""

    options: Options
    pictures: dict[str, list[Picture]]

    def one(self, field: str) -> Picture | None:
        """The picture of a field that has at most one."""
        pictures = self.pictures.get(field, [])
        if len(pictures) > 1:
            raise Problem(422, f"{field} is a single picture")
        return pictures[0] if pictures else None


async def read_upload(request: Request, options: type[Options], body: type[Options], most: int) -> Upload[Options]:
    """The options and pictures of a request, in either form.

    `body` is `options` with fields of pictures. At most `most` pictures; Problem for what does not fit.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in ("application/json", "multipart/form-data"):
        raise Problem(415, "Send pictures as multipart/form-data, or in base64 as application/json")
    raw = await take_body(request)
    if kind == "application/json":
        return await run_in_threadpool(_from_json, raw, options, body, most)
    return await run_in_threadpool(_from_form, request.headers, raw, options, body, most)


def _from_json(raw: bytearray, options: type[Options], body: type[Options], most: int) -> Upload[Options]:
    sent = parse_json(raw, body)
    pictures: dict[str, list[Picture]] = {}
    count = 0
    for field in _picture_fields(options, body):
        value = getattr(sent.content, field)
        rows = value if isinstance(value, list) else [value] if value is not None else []
        count += len(rows)
        _check_count(count, most)
        pictures[field] = [decode(row.name, i, sent.pieces(row.data)) for i, row in enumerate(rows)]
    return Upload(sent.content, pictures)


def _from_form(
    headers: Headers, raw: bytearray, options: type[Options], body: type[Options], most: int
) -> Upload[Options]:
    parser = _MemoryParser(headers, _stream(raw), max_files=most + 1, max_fields=MOST_FIELDS, max_part_size=10_000)
    try:
        form = _finish(parser.parse())
    except (MultiPartException, UnicodeError, LookupError, ValueError) as error:
        if parser.too_many:
            _check_count(most + 1, most)
        raise Problem(400, "The multipart body cannot be read") from error
    wanted = _picture_fields(options, body)
    pictures: dict[str, list[Picture]] = {field: [] for field in wanted}
    fields: dict[str, str] = {}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            if name not in wanted:
                raise Problem(422, f"{name[:40]} is no field for a picture; these are: {', '.join(wanted)}")
            data = value.file.read()
            value.file.close()
            pictures[name].append(Picture(_shown(value.filename, len(pictures[name])), data))
        elif name in fields:
            raise Problem(422, f"{name[:40]} is given twice")
        elif name in wanted:
            raise Problem(422, f"{name} is a file with a file name, and not text")
        else:
            fields[name] = value
    _check_count(sum(map(len, pictures.values())), most)
    if missing := [field for field in wanted if body.model_fields[field].is_required() and not pictures[field]]:
        raise Problem(422, f"There is no picture in the field {missing[0]}")
    return Upload(options.model_validate(fields, strict=False), pictures)


class _MemoryParser(MultiPartParser):
    """Keeps every file in memory, so that no picture touches a disk; the size of a body is capped before."""

    spool_max_size = 1 << 40

    @property
    def too_many(self) -> bool:
        """Whether it stopped because of the number of files."""
        return self._current_files > self.max_files


def _picture_fields(options: type[BaseModel], body: type[BaseModel]) -> Sequence[str]:
    return [name for name in body.model_fields if name not in options.model_fields]


def _check_count(count: int, most: int) -> None:
    if count > most:
        raise Problem(422, f"A request may have at most {most} pictures")


def decode(name: str, number: int, pieces: Iterable[bytes]) -> Picture:
    """A picture from its base64, which comes in pieces; what is no base64 is told as its fault."""
    shown = _shown(name, number)
    try:
        return Picture(shown, decode_pieces(pieces, shown))
    except ImageError as error:
        return Picture(shown, b"", str(error))


async def _stream(raw: bytearray) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(raw), PIECE):
        yield bytes(raw[start : start + PIECE])


def _finish(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that has nothing to wait for."""
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise RuntimeError("reading from memory does not wait")


def _shown(name: str | None, number: int) -> str:
    return shown_name(name) if name else f"picture {number + 1}"
