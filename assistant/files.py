"""Writes a file whole or not at all, and keeps what is private to its owner."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

PRIVATE = 0o600
"""The mode of files that hold pictures, conversations or names of people: for their owner alone."""

_LEFT_OVER = re.compile(r"\.(.+)\.[0-9a-f]{16}", re.DOTALL)


def write_atomically(path: Path, content: bytes, *, private: bool = False) -> Path:
    """Write a file through a temporary one in the same folder: old or new, never a mixture.

    The file is readable by whom the user's own files are; where it is `private`, by the user alone, whatever the
    umask. OSError where the folder cannot be written to.
    """
    with written_whole(path, private=private) as file:
        file.write(content)
    return path


@contextmanager
def written_whole(path: Path, *, private: bool = False) -> Iterator[BinaryIO]:
    """As `write_atomically`, for what is written bit by bit while the block runs; nothing is there if it fails."""
    temporary = path.with_name(f".{path.name[:40]}.{secrets.token_hex(8)}")
    try:
        with open(temporary, "x+b", opener=_open_private if private else None) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def make_private(path: Path) -> None:
    """Make an empty file for its owner alone; one that is there stays as it is. OSError where none can be."""
    with suppress(FileExistsError):
        os.close(_open_private(os.fspath(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL))


def remove_left_overs(folder: Path, suffixes: Iterable[str]) -> None:
    """Remove what killed writers of files with these endings left in a folder; call it while nobody writes there.

    Longer names than a temporary one repeats are told by the part of them that it does.
    """
    for path in folder.glob(".*"):
        left = _LEFT_OVER.fullmatch(path.name)
        if left and (len(left[1]) == 40 or left[1].endswith(tuple(suffixes))):
            with suppress(OSError):
                path.unlink()


def _open_private(path: str, flags: int) -> int:
    """As `os.open`, of a file for its owner alone, whatever the umask."""
    file = os.open(path, flags, PRIVATE)
    if hasattr(os, "fchmod"):
        os.fchmod(file, PRIVATE)
    return file
