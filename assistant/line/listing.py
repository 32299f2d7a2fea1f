"""What lies in a folder and its subfolders, with what each file looks like from outside."""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from assistant.errors import LooktwiceError
from assistant.images.kinds import EXTENSIONS, OTHER_EXTENSIONS, PEEKED, kind_of

PLACE_ERRORS = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
"""What is wrong with one place of a folder; anything else is wrong with the share that it lies on."""


class FolderAway(LooktwiceError):
    """A folder, or the share that it lies on, cannot be reached now."""


@dataclass(frozen=True)
class Stamp:
    """What a file looks like from outside: bytes, time of its last change in ns, and its number on its disk."""

    size: int
    mtime_ns: int
    inode: int = field(compare=False)  # a share may give another one after it was away


class Listing:
    """The pictures in a folder and its subfolders, with what they look like; hidden names are passed over.

    What is a picture is told as `find_images` tells it; `left_out` counts by kind what looks like one and is not
    read. Links are followed, and no folder is walked twice.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.left_out: Counter[str] = Counter()
        self.closed = 0
        self.last: dict[str, Stamp] = {}
        self._device: int | None = None
        self._kinds: dict[tuple[str, Stamp], bool] = {}

    def read(self) -> dict[str, Stamp]:
        """Every picture by its name in the folder, with slashes; FolderAway where the folder cannot be reached."""
        try:
            root = os.stat(self.folder)
            if not stat.S_ISDIR(root.st_mode):
                raise FolderAway(f"{self.folder} is no folder now")
            entries = list(os.scandir(self.folder))
        except OSError as error:
            raise FolderAway(say_away(self.folder, error)) from error
        if self._device not in (None, root.st_dev) and not entries:
            raise FolderAway(f"{self.folder} is empty: the share that was mounted there is gone")
        self.left_out, self.closed = Counter(), 0
        seen = {(root.st_dev, root.st_ino)}
        self.last = dict(self._walk("", entries, seen))
        self._device = root.st_dev
        return self.last

    def _walk(
        self, prefix: str, entries: list[os.DirEntry[str]], seen: set[tuple[int, int]]
    ) -> Iterator[tuple[str, Stamp]]:
        # a list and not recursion: folders may be nested deeper than Python calls
        waiting = [(prefix, entries)]
        while waiting:
            prefix, entries = waiting.pop()
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                name = f"{prefix}{entry.name}"
                try:
                    status = entry.stat()
                    if stat.S_ISDIR(status.st_mode):
                        if (status.st_dev, status.st_ino) not in seen:
                            seen.add((status.st_dev, status.st_ino))
                            waiting.append((f"{name}/", list(os.scandir(entry.path))))
                        continue
                except OSError as error:
                    if error.errno not in PLACE_ERRORS:
                        raise FolderAway(say_away(self.folder, error)) from error
                    if error.errno in (errno.EACCES, errno.EPERM):
                        self.closed += 1
                    continue
                if stat.S_ISREG(status.st_mode) and self._is_picture(name, entry.path, stamp_of(status)):
                    yield name, stamp_of(status)

    def _is_picture(self, name: str, path: str, stamp: Stamp) -> bool:
        extension = os.path.splitext(name)[1].lower()
        if extension in EXTENSIONS:
            return True
        if extension in OTHER_EXTENSIONS:
            self.left_out[extension] += 1
            return False
        if extension not in ("", ".") and not extension[1:].isdigit():
            return False
        known = self._kinds.get((name, stamp))
        if known is None:
            if len(self._kinds) > 100_000:
                self._kinds.clear()
            known = self._kinds[name, stamp] = kind_of(_peek(path))[1]
        return known


def _peek(path: str) -> bytes:
    try:
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            return file.read(PEEKED)
    except OSError:
        return b""


def stamp_of(status: os.stat_result) -> Stamp:
    """What a file looks like, from its status."""
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ino)


def say_away(folder: Path, error: OSError) -> str:
    """That a folder cannot be reached, and why."""
    return f"{folder} cannot be reached: {(error.strerror or 'an error').lower()}"
