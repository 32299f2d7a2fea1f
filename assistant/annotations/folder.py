"""The folder that annotations are written into: new, empty, or that of earlier annotations that may go."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from assistant.errors import LooktwiceError
from assistant.files import write_atomically
from assistant.images.sources import shown_name

MARKER = ".looktwice-annotations"
"""The list of what was written into a folder, a name a line; its first line is this one's."""

LONGEST_STEM = 180
"""Bytes of a name without its ending: with an ending and a number, every file system takes it."""


class AnnotationFolder:
    """A folder of annotations; it knows what it holds, so that only that is ever replaced.

    LooktwiceError where the folder holds anything else, or earlier annotations that were not to be replaced.
    """

    def __init__(self, path: Path, *, replace: bool = False) -> None:
        self.path = path
        self._replace = replace
        self._taken: set[str] = set()
        self.check()

    def check(self) -> None:
        """LooktwiceError where nothing may be written here."""
        if not os.path.lexists(self.path):
            return
        if not self.path.is_dir():
            raise LooktwiceError(f"Annotations are written into a folder, and {self.path} is a file.")
        if not any(self.path.iterdir()):
            return
        if not (self.path / MARKER).is_file():
            raise LooktwiceError(
                f"{self.path} holds other files: name a folder for the annotations that is new or empty."
            )
        if not self._replace:
            raise LooktwiceError(
                f"{self.path} holds annotations already: name another folder, or say that they may be replaced."
            )

    def open(self) -> None:
        """Make the folder, without the annotations of before."""
        with _told(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            for name in self._held():
                (self.path / name).unlink(missing_ok=True)
            write_atomically(self.path / MARKER, b"")

    def write(self, name: PurePosixPath, content: bytes) -> None:
        """Write a file of the folder, whole, and note that it is one."""
        file = self.path / name
        with _told(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            with (self.path / MARKER).open("ab") as marker:  # first, so that no file is left that nobody knows of
                marker.write(os.fsencode(name) + b"\0\n")
            write_atomically(file, content)

    def unique(self, name: PurePosixPath) -> PurePosixPath:
        """This name, or with a number where another file without its ending has it, whatever the case."""
        stem, number = _short(name.stem), 1
        while True:
            fresh = name.with_name(f"{stem}{name.suffix}" if number == 1 else f"{stem}-{number}{name.suffix}")
            key = str(fresh.with_suffix("")).casefold()
            if key not in self._taken:
                self._taken.add(key)
                return fresh
            number += 1

    def _held(self) -> list[Path]:
        marker = self.path / MARKER
        if not marker.is_file():
            return []
        names = [Path(os.fsdecode(line)) for line in marker.read_bytes().split(b"\0\n") if line]
        return [name for name in names if not name.is_absolute() and ".." not in name.parts]


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = (error.strerror or "an output error").lower()
        raise LooktwiceError(f"{shown_name(str(path))} cannot be written: {why}.") from error


def _short(stem: str) -> str:
    encoded = os.fsencode(stem)
    return stem if len(encoded) <= LONGEST_STEM else encoded[:LONGEST_STEM].decode("utf-8", "ignore")
