"""Where pictures come from: what a caller hands over, folders walked in order, bytes read without hanging.

It knows file systems and nothing of picture formats: `assistant.images.load` decodes.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from assistant.errors import ImageError

EXTENSIONS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})
_LONGEST_NAME = 255


def shown_name(text: str) -> str:
    """The last part of a path or of an uploaded name, fit to print in one line: no folder, no control
    characters, nothing that is not text, 255 characters or fewer."""
    base = re.split(r"[/\\]", text.rstrip("/\\"))[-1]
    printable = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in base)
    if len(printable) > _LONGEST_NAME:
        printable = printable[: _LONGEST_NAME - 3] + "..."
    return printable or "the picture"


def read_file(path: Path, max_bytes: int) -> bytes:
    """The bytes of a regular file of at most `max_bytes`.

    ImageError for anything else that a path can name: a folder, a pipe, a device, a socket, nothing at all.
    """
    name = shown_name(os.fspath(path))
    # A pipe without a writer blocks whoever opens it, and some devices act on being opened: look first, and
    # open without waiting in case the file was swapped in between.
    flags = os.O_RDONLY
    for flag in ("O_NONBLOCK", "O_NOCTTY", "O_BINARY"):  # each missing on some system
        flags |= getattr(os, flag, 0)
    try:
        _check_regular(os.stat(path), name)
        with open(os.open(path, flags), "rb") as file:
            _check_regular(os.fstat(file.fileno()), name)
            data = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from error
    return data


def is_lazy(given: Any) -> bool:
    """Whether what was given may be too long to hold: a folder or an iterator, rather than a picture or a list."""
    return isinstance(given, Iterator) or (isinstance(given, str | Path) and Path(given).is_dir())


def walk_sources(given: Any) -> Iterable[Any]:
    """The single pictures, unread, of what a caller hands over; an iterator's come only as they are asked for.

    A picture (path, bytes, Pillow image, array) stands for itself, a folder for the pictures that `find_images`
    finds in it, a list or tuple for its members, folders and iterators among them included.
    """
    if isinstance(given, str | Path):
        return find_images([given]) if Path(given).is_dir() else [given]
    if isinstance(given, Iterator):
        return given
    if isinstance(given, Sequence) and not isinstance(given, bytes | bytearray):
        return (one for item in given for one in (walk_sources(item) if is_lazy(item) else [item]))
    return [given]


def find_images(paths: Iterable[str | Path]) -> Iterator[Path]:
    """Every picture that `paths` name, lazily: files as given, folders walked in natural order.

    A file is yielded whatever its extension, because the user named it. In a folder ("2.png" before
    "10.png", subfolders in their place) only EXTENSIONS in any case are taken; hidden names, pipes, devices
    and sockets are passed over. A link is followed where it stays inside the given folder, and no folder is
    walked twice. A folder that may not be listed is yielded itself, so that it becomes an error row and is
    not left out in silence.

    All paths are looked up at once: ImageError here, before the first picture, for one that does not exist.
    """
    given = [Path(p) for p in ([paths] if isinstance(paths, str | Path) else paths)]
    for path in given:
        try:
            os.stat(path)
        except (OSError, ValueError) as error:
            raise _unreadable(shown_name(os.fspath(path)), error) from error
    return _walk_all(given)


def _walk_all(given: list[Path]) -> Iterator[Path]:
    for path in given:
        if path.is_dir():
            yield from _walk(path)
        else:
            yield path


def _walk(root: Path) -> Iterator[Path]:
    real_root = os.path.realpath(root)
    seen: set[tuple[int, int]] = set()
    waiting: list[Iterator[Path]] = [
        iter([root])
    ]  # a stack and not recursion: folders may be nested deeper than Python calls
    while waiting:
        path = next(waiting[-1], None)
        if path is None:
            waiting.pop()
            continue
        mode, identity = _look_at(path, real_root)
        if stat.S_ISDIR(mode) and identity not in seen:
            seen.add(identity)
            try:
                names = os.listdir(path)
            except OSError:
                yield path
                continue
            shown = [name for name in sorted(names, key=_natural) if not name.startswith(".")]
            waiting.append(map(path.joinpath, shown))
        elif stat.S_ISREG(mode) and path.suffix.lower() in EXTENSIONS:
            yield path


def _look_at(path: Path, real_root: str) -> tuple[int, tuple[int, int]]:
    """File mode and identity, links resolved; mode 0 for what is gone, broken or outside the root."""
    try:
        if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(real_root):
            # The root may itself be a link; it was named, so it is inside by definition.
            return 0, (0, 0)
        found = os.stat(path)
    except OSError:
        return 0, (0, 0)
    return found.st_mode, (found.st_dev, found.st_ino)


def _natural(name: str) -> tuple[list[str | int], str]:
    """Numbers by value and letters without case; the name itself keeps "A.png" and "a.png" in one order."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name


def _check_regular(found: os.stat_result, name: str) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise ImageError(f"{name} is a folder, not a picture")
    if not stat.S_ISREG(found.st_mode):
        raise ImageError(f"{name} is a pipe, a device or a socket, not a picture file")


def _unreadable(name: str, error: OSError | ValueError) -> ImageError:
    if isinstance(error, FileNotFoundError):
        return ImageError(f"{name} does not exist")
    if isinstance(error, OSError) and error.errno:
        return ImageError(f"{name} cannot be opened: {os.strerror(error.errno).lower()}")
    return ImageError(f"{name} cannot be the name of a file")
