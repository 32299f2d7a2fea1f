"""The sinks that write files: a line for each result, or a copy of each picture in a folder for its verdict."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from assistant.errors import LineError
from assistant.line.sink import Away, Letter

CHUNK = 65_536


class LineFile:
    """Appends each result to a file as a line of JSON; the file may be moved away at any time, and begins anew."""

    needs_attachments = needs_picture = False

    def __init__(self, path: Path) -> None:
        if path.is_dir():
            raise LineError(f"A sink of lines is a file, and {path} is a folder.")
        self.path = path

    def deliver(self, letter: Letter) -> None:
        """Append a line, on the disk when this returns; one that is the last already is not repeated."""
        line = letter.event.to_json().encode("ascii")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a+b") as file:
                last, torn = _last_line(file) if letter.doubtful else (b"", _is_torn(file))
                if torn:
                    if letter.doubtful and line.startswith(last):
                        file.truncate(file.seek(0, os.SEEK_END) - len(last))  # the half of it that a kill left
                    else:
                        file.write(b"\n")
                elif last == line:
                    return
                file.write(line + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise _away(self.path, error) from error

    def close(self) -> None:
        """Nothing is held open."""


class VerdictFolders:
    """Copies each picture into a folder named after its outcome; an existing file is never replaced.

    `move` removes the picture from where it came once its copy is on the disk, if it still is the same; `source`
    is the folder that its name counts from.
    """

    needs_attachments = False
    needs_picture = True

    def __init__(self, folder: Path, source: Path | None = None, move: bool = False) -> None:
        if folder.exists() and not folder.is_dir():
            raise LineError(f"Pictures are sorted into a folder, and {folder} is a file.")
        if move and source is None:
            raise LineError("Only pictures of a folder can be moved into others.")
        self.folder, self.source, self.move = folder, source, move

    def deliver(self, letter: Letter) -> None:
        """Write the copy, which is whole when this returns; a picture that was never read has none."""
        picture = letter.picture()
        if not picture:
            return
        name = PurePosixPath(str(letter.event.body["source"]))
        home = self.folder / letter.event.verdict
        try:
            (home / name.parent).mkdir(parents=True, exist_ok=True)
            self._write(home / name, picture)
            if self.move and self.source:
                _remove_same(self.source / name, picture)
        except OSError as error:
            raise _away(self.folder, error) from error

    def close(self) -> None:
        """Nothing is held open."""

    def _write(self, path: Path, picture: bytes) -> None:
        number, target = 1, path
        while os.path.lexists(target):
            if _holds(target, picture):
                # it was written before, and the note of it was lost
                _temporary(target, picture).unlink(missing_ok=True)
                return
            number += 1
            target = path.with_name(f"{path.stem}-{number}{path.suffix}")
        _create(target, picture)


def _create(path: Path, content: bytes) -> None:
    """Write a new file whole or not at all, and in no case over another."""
    temporary = _temporary(path, content)
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if os.path.lexists(path):
            raise
        os.rename(temporary, path)
        return
    temporary.unlink()


def _temporary(path: Path, content: bytes) -> Path:
    """Where a file is written first: the same name each time, so that what a kill leaves is found again."""
    return path.with_name(f".looktwice-{hashlib.sha256(content).hexdigest()[:16]}")


def _away(path: Path, error: OSError) -> Away:
    return Away(f"{path.name} cannot be written: {(error.strerror or 'an error').lower()}")


def _is_torn(file: BinaryIO) -> bool:
    """Whether the last line of a file has no end."""
    size = file.seek(0, os.SEEK_END)
    if not size:
        return False
    file.seek(size - 1)
    return bool(file.read(1) != b"\n")


def _last_line(file: BinaryIO) -> tuple[bytes, bool]:
    """The last line of a file without its end, and whether it has none."""
    size = file.seek(0, os.SEEK_END)
    tail, start = b"", size
    while start and b"\n" not in tail[:-1]:
        start = max(0, start - CHUNK)
        file.seek(start)
        tail = file.read(size - start)
    torn = bool(tail) and not tail.endswith(b"\n")
    return tail.removesuffix(b"\n").rpartition(b"\n")[2], torn


def _holds(path: Path, picture: bytes) -> bool:
    try:
        if path.stat().st_size != len(picture):
            return False
        return hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(picture).digest()
    except FileNotFoundError:  # a link to nothing
        return False


def _remove_same(path: Path, picture: bytes) -> None:
    with suppress(FileNotFoundError):
        if _holds(path, picture):
            path.unlink()
