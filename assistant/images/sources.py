"""Where pictures come from: what a caller hands over, folders walked in order, bytes read without hanging."""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assistant.errors import ImageError
from assistant.images.kinds import EXTENSIONS, OTHER_EXTENSIONS, PEEKED, kind_of

__all__ = [
    "EXTENSIONS",
    "Census",
    "find_images",
    "fit_to_print",
    "is_lazy",
    "read_file",
    "shown_name",
    "walk_sources",
]

_LONGEST_NAME = 255
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def shown_name(text: str) -> str:
    """The last part of a path or of an uploaded name, fit to print in one line: no folder, no control
    characters, nothing that is not text, 255 characters or fewer."""
    base = re.split(r"[/\\]", text.rstrip("/\\"))[-1]
    printable = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in base)
    if len(printable) > _LONGEST_NAME:
        printable = printable[: _LONGEST_NAME - 3] + "..."
    return printable or "the picture"


def fit_to_print(text: str) -> str:
    """A text of somebody else's without what a terminal would obey: control characters become escapes in words.

    Line ends and tabs stay.
    """
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


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
        if isinstance(error, FileNotFoundError) and path.is_symlink():
            raise ImageError(f"{name} is a link to a file that does not exist") from error
        raise _unreadable(name, error) from error
    return data


@dataclass(eq=False)
class Census:
    """What a walk of folders passed over though it looks like a picture: how many of each kind.

    A kind is an extension (".gif"), a format without a fitting extension ("GIF without extension"), or a reason
    ("links out of the folder"). It is complete once the walk has come to its end.
    """

    left_out: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        """Such as "3 .gif, 1 .pgm", the most frequent kind first; empty where nothing was passed over."""
        return ", ".join(f"{count} {kind}" for kind, count in self.left_out.most_common())


def is_lazy(given: Any) -> bool:
    """Whether what was given may be too long to hold: a folder or an iterator, rather than a picture or a list."""
    return isinstance(given, Iterator) or (isinstance(given, str | Path) and Path(given).is_dir())


def walk_sources(given: Any, census: Census | None = None) -> Iterable[Any]:
    """The single pictures, unread, of what a caller hands over; an iterator's come only as they are asked for.

    A picture (path, bytes, Pillow image, array) stands for itself, a folder for the pictures that `find_images`
    finds in it, a list or tuple for its members, folders and iterators among them included. `census` counts what
    folders hold besides.
    """
    if isinstance(given, str | Path):
        return find_images([given], census) if Path(given).is_dir() else [given]
    if isinstance(given, Iterator):
        return given
    if isinstance(given, Sequence) and not isinstance(given, bytes | bytearray):
        return (one for item in given for one in (walk_sources(item, census) if is_lazy(item) else [item]))
    return [given]


def find_images(
    paths: Iterable[str | Path], census: Census | None = None, *, confined: bool = False
) -> Iterator[Path]:
    """Every picture that `paths` name, lazily: files as given, folders walked in natural order.

    A file is yielded whatever its extension, because the user named it. In a folder ("2.png" before "10.png",
    subfolders in their place) files with one of EXTENSIONS in any case are taken, and files without extension
    that begin as a picture does. What else looks like a picture is counted in `census`; hidden names are passed
    over. Links are followed, and no folder is walked twice nor one that holds the given folder; `confined` leaves
    out every link that leads out of it. A folder that may not be listed is yielded itself, and so is a link to
    nothing, so that each becomes an error row and is not left out in silence.

    All paths are looked up at once: ImageError here, before the first picture, for one that does not exist.
    """
    given = [Path(p) for p in ([paths] if isinstance(paths, str | Path) else paths)]
    for path in given:
        try:
            os.lstat(path)  # a link to nothing exists, and is told when it is read
        except (OSError, ValueError) as error:
            typed = os.fspath(path)
            raise _unreadable(shown_name(typed) if confined else fit_to_print(typed), error) from error
    return _walk_all(given, census or Census(), confined)


def _walk_all(given: list[Path], census: Census, confined: bool) -> Iterator[Path]:
    for path in given:
        if path.is_dir():
            yield from _Walk(path, census, confined).pictures()
        else:
            yield path


class _Walk:
    """One walk of a given folder: what was seen, and what is counted."""

    def __init__(self, root: Path, census: Census, confined: bool) -> None:
        self.root, self.census, self.confined = root, census, confined
        self.real_root = os.path.realpath(root)
        self.seen: set[tuple[int, int]] = set()

    def pictures(self) -> Iterator[Path]:
        """The pictures below the folder, in order."""
        # A stack and not recursion: folders may be nested deeper than Python calls.
        waiting: list[Iterator[Path]] = [iter([self.root])]
        while waiting:
            path = next(waiting[-1], None)
            if path is None:
                waiting.pop()
                continue
            status = self._look_at(path)
            if status is None:
                if self._is_broken_picture(path):
                    yield path
            elif stat.S_ISDIR(status.st_mode):
                names = self._enter(path, status)
                if names is None:
                    yield path
                else:
                    waiting.append(map(path.joinpath, names))
            elif self._is_picture(path, status.st_mode):
                yield path

    def _look_at(self, path: Path) -> os.stat_result | None:
        """The status with links resolved; None for what is gone, broken, or outside of a confined walk."""
        try:
            # The root may itself be a link; it was named, so it is inside by definition.
            if self.confined and path.is_symlink() and not _is_inside(os.path.realpath(path), self.real_root):
                if path.suffix.lower() in EXTENSIONS or path.is_dir():
                    self.census.left_out["links out of the folder"] += 1
                return None
            return os.stat(path)
        except OSError:
            return None

    def _enter(self, path: Path, status: os.stat_result) -> list[str] | None:
        """The names in a folder, none where it was walked or holds the root; None where it may not be listed."""
        identity = (status.st_dev, status.st_ino)
        if identity in self.seen or (path.is_symlink() and path != self.root and self._is_above(path)):
            return []
        self.seen.add(identity)
        try:
            names = os.listdir(path)
        except OSError:
            return None
        return [name for name in sorted(names, key=_natural) if not name.startswith(".")]

    def _is_above(self, path: Path) -> bool:
        return _is_inside(self.real_root, os.path.realpath(path))

    def _is_broken_picture(self, path: Path) -> bool:
        return not self.confined and path.is_symlink() and path.suffix.lower() in EXTENSIONS

    def _is_picture(self, path: Path, mode: int) -> bool:
        extension = path.suffix.lower()
        if not stat.S_ISREG(mode):
            if extension in EXTENSIONS:
                self.census.left_out["pipes, devices or sockets"] += 1
            return False
        if extension in EXTENSIONS:
            return True
        if extension in OTHER_EXTENSIONS:
            self.census.left_out[extension] += 1
            return False
        kind, readable = kind_of(_peek(path))
        bare = extension in ("", ".") or extension[1:].isdigit()  # "part", "part.0001"
        if readable and bare:
            return True
        if kind is not None:
            self.census.left_out[f"{kind} without extension" if bare else f"{kind} named {extension}"] += 1
        return False


def _is_inside(path: str, folder: str) -> bool:
    return Path(path).is_relative_to(folder)


def _peek(path: Path) -> bytes:
    """The first bytes of a file, as many as tell its kind; none where it cannot be read."""
    try:
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            return file.read(PEEKED)
    except OSError:
        return b""


def _natural(name: str) -> tuple[list[str | int], str]:
    """Numbers by value and letters without case; the name itself keeps "A.png" and "a.png" in one order."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name


def _check_regular(status: os.stat_result, name: str) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise ImageError(f"{name} is a folder, not a picture")
    if not stat.S_ISREG(status.st_mode):
        raise ImageError(f"{name} is a pipe, a device or a socket, not a picture file")


def _unreadable(name: str, error: OSError | ValueError) -> ImageError:
    if isinstance(error, FileNotFoundError):
        return ImageError(f"{name} does not exist")
    if isinstance(error, OSError) and error.errno:
        why = os.strerror(error.errno).lower()
        return ImageError(f"{name} cannot be opened: {why}")
    return ImageError(f"{name} cannot be the name of a file")
