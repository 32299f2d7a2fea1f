"""Whole pictures of inspections, as files named by their content: in a folder, or wherever fsspec reaches.

A file is written before the row that names it is committed, so that no row is ever without its file; a program
that is killed in between leaves a file that no row names, which `looktwice store gc` finds. Each picture is one.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.database.place import Place, beside, is_url
from assistant.errors import HistoryFault, ImageError, LooktwiceError
from assistant.files import write_atomically

if TYPE_CHECKING:
    from assistant.inspection import Inspection

BESIDE = "beside"
"""The place of pictures that lie beside the file of their store, wherever that is moved."""

ENDING = ".kept"

_NAME = re.compile(r"[0-9a-f]{64}")


class DamagedPicture(HistoryFault):
    """A file whose content is not what its name says."""


@dataclass(frozen=True)
class KeptFile:
    """A file of a picture: its name, the SHA-256 of its content, its bytes, and when it was last wanted."""

    digest: str
    size: int
    touched: float


class PictureFiles:
    """The files of pictures in one place: a folder, or a URL of fsspec such as s3://bucket/folder.

    HistoryFault, in one sentence without secrets, where it cannot be read or written.
    """

    def __init__(self, where: Place) -> None:
        self.where = where
        self._folder = None if is_url(where) else Path(where)
        self._remote: Any = None

    def put(self, content: bytes) -> str:
        """Keep a file and return its digest; one that is there is only marked as wanted just now."""
        digest = hashlib.sha256(content).hexdigest()
        with _in_plain_words():
            if self._folder is not None:
                self._put_in_folder(self._folder / digest[:2] / digest, content)
            else:  # written again where it is there: elsewhere nothing else says that it is wanted
                system, root = self._open()
                system.makedirs(f"{root}/{digest[:2]}", exist_ok=True)
                system.pipe_file(f"{root}/{digest[:2]}/{digest}", content)
        return digest

    def has(self, digest: str, size: int) -> bool:
        """Whether a file is there, with all its bytes."""
        with _in_plain_words():
            try:
                return bool(self._size(digest) == size)
            except FileNotFoundError:
                return False

    def get(self, digest: str) -> bytes | None:
        """The content of a file; None where it is not there, DamagedPicture where it is another."""
        with _in_plain_words():
            try:
                if self._folder is not None:
                    content = (self._folder / digest[:2] / digest).read_bytes()
                else:
                    system, root = self._open()
                    content = system.cat_file(f"{root}/{digest[:2]}/{digest}")
            except FileNotFoundError:
                return None
        if hashlib.sha256(content).hexdigest() != digest:
            raise DamagedPicture(f"The picture {digest[:12]} is damaged.")
        return bytes(content)

    def remove(self, digest: str) -> None:
        """Remove a file; nothing happens where there is none."""
        with _in_plain_words():
            if self._folder is not None:
                (self._folder / digest[:2] / digest).unlink(missing_ok=True)
                return
            system, root = self._open()
            with suppress(FileNotFoundError):
                system.rm_file(f"{root}/{digest[:2]}/{digest}")

    def every(self) -> Iterator[KeptFile]:
        """All files; those of other names are somebody else's and left out."""
        with _in_plain_words():
            if self._folder is not None:
                for path in self._folder.glob("??/*"):
                    with suppress(FileNotFoundError):  # it went in between
                        seen = path.stat()
                        if _NAME.fullmatch(path.name):
                            yield KeptFile(path.name, seen.st_size, seen.st_mtime)
                return
            system, root = self._open()
            for found, about in system.find(root, detail=True).items():
                name = found.rsplit("/", 1)[-1]
                if _NAME.fullmatch(name):
                    yield KeptFile(name, int(about["size"] or 0), _touched(about))

    def _put_in_folder(self, path: Path, content: bytes) -> None:
        try:
            if path.stat().st_size == len(content):
                os.utime(path)
                return
        except FileNotFoundError:
            pass
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, content, private=True)

    def _size(self, digest: str) -> int:
        if self._folder is not None:
            return (self._folder / digest[:2] / digest).stat().st_size
        system, root = self._open()
        return int(system.size(f"{root}/{digest[:2]}/{digest}"))

    def _open(self) -> tuple[Any, str]:
        if self._remote is None:
            import fsspec

            system, root = fsspec.core.url_to_fs(str(self.where), use_listings_cache=False)
            self._remote = system, root.rstrip("/")
        system, root = self._remote
        return system, root


def place_of(named: str, store: Place) -> Place:
    """Where pictures are, by what a store says of them: beside itself, in a folder, or at a URL."""
    if named == BESIDE:
        return beside(store, ENDING)
    return named if is_url(named) else Path(named)


def content_of(inspection: Inspection) -> bytes | None:
    """The picture of an inspection as a file; None for one that could not be read or is no longer held.

    The very file where it still decodes into what was judged, else those pixels as PNG, which loses none of them.
    """
    if inspection.status == "error" or inspection.judged is None:
        return None
    from assistant.images.digest import digest_of
    from assistant.images.load import load_image

    try:
        judged = inspection.picture()
        if source := inspection.judged.source:
            content = Path(source).read_bytes()
            again = load_image(content, window=judged.window)
            if digest_of(again.pixels) == digest_of(judged.pixels):
                return content
    except ImageError:
        return None
    except OSError:
        pass  # it went meanwhile, and what was judged is held
    from PIL import Image

    sink = io.BytesIO()
    Image.fromarray(judged.pixels).save(sink, "PNG", compress_level=1)
    return sink.getvalue()


def _touched(about: dict[str, Any]) -> float:
    for name in ("mtime", "LastModified", "last_modified", "updated", "created", "modified"):
        when = about.get(name)
        if isinstance(when, datetime):
            return when.timestamp()
        if isinstance(when, int | float):
            return float(when)
    return time.time()  # nobody knows: as if it were new


@contextmanager
def _in_plain_words() -> Iterator[None]:
    """What fails in the block is told in one sentence, without the place."""
    try:
        yield
    except (LooktwiceError, GeneratorExit):
        raise
    except (ImportError, ValueError) as error:
        raise HistoryFault("The address of the pictures is none that can be opened here.") from error
    except OSError as error:
        why = (error.strerror or "an error").lower()
        raise HistoryFault(f"The pictures of the history cannot be read or written: {why}.") from error
    except Exception as error:  # of a client of some cloud: each has errors of its own
        why = type(error).__name__
        raise HistoryFault(f"The pictures of the history cannot be read or written: {why}.") from error
