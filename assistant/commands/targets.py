"""Where a command writes: a file whose ending fits, or standard output; checked before any work is done."""

from __future__ import annotations

import codecs
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from assistant.errors import LooktwiceError

ROWS = (".jsonl", ".json", ".ndjson", ".txt", "")
TABLE = (".csv", "")
EXPORT = (".csv", ".jsonl")
RESULTS = (".json", "")
ANSWERS = (".jsonl", ".json", "")
"""The endings of what commands write, the usual one first; "" is a name without ending."""

Place = TypeVar("Place", Path, Path | None)

_STANDARD = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


def is_standard(path: Path | None) -> bool:
    """Whether a path stands for standard output."""
    return path is not None and str(path) in _STANDARD


def check_target(option: str, path: Path | None, endings: Sequence[str]) -> None:
    """LooktwiceError where a file could not be written or its ending names another format; None is no file.

    `option` is what named it, for the sentence. Standard output, pipes and devices have no ending to go by.
    """
    if path is None or _is_stream(path):
        return
    check_own(option, path)
    if path.is_dir():
        raise LooktwiceError(f"{option} writes a file, and {path} is a folder.")
    if path.suffix.lower() not in endings:
        named = [ending for ending in endings if ending]
        listed = " or ".join([", ".join(named[:-1]), named[-1]] if named[1:] else named)
        raise LooktwiceError(f"{option} writes a file that ends in {listed}, and {path.name} does not.")
    folder = next(one for one in path.absolute().parents if os.path.lexists(one))
    if not folder.is_dir():
        raise LooktwiceError(f"{option} cannot write {path}: {folder} is no folder.")
    if not os.access(folder, os.W_OK):
        raise LooktwiceError(f"{option} cannot write {path}: the folder {folder} may not be written to.")


def check_own(option: str, path: Path) -> None:
    """LooktwiceError where a file would take the place of what is kept: products and their log, history, keys."""
    from assistant.database.place import is_url
    from assistant.products.names import LOG, SUFFIX, default_folder
    from assistant.records.history import default_history
    from assistant.service.keys import default_path

    products = default_folder()
    kept = [products / LOG, default_path(), *products.glob(f"*{SUFFIX}")]
    if not is_url(where := default_history()):
        kept.append(Path(where))
    if any(os.path.realpath(path) == os.path.realpath(one) or _is_one_file(path, one) for one in kept):
        raise LooktwiceError(f"{option} would replace {path.name}, which looktwice keeps: name another file.")


def check_report(option: str, path: Path | None) -> None:
    """As `check_target`, of a report: .html, a folder for one, or .pdf where its extra is installed."""
    if path is None or is_standard(path):
        return
    from assistant.reports import FORMATS
    from assistant.reports import check_target as check_format

    file = check_format(path)
    check_target(option, file, FORMATS)


def report_file(path: Path) -> Path:
    """The file of a report: in a folder it has a name of its own."""
    if _is_stream(path):
        return path
    from assistant.reports import check_target as check_format

    return check_format(path)


@contextmanager
def written(path: Place, ending: str) -> Iterator[Place]:
    """The file to write to, in a folder that is there; None where none was asked for.

    For standard output, a pipe or a device it is a temporary one with this ending, which is copied there when the
    block ends, well or not; a table goes without its byte-order mark, since programs read it. LooktwiceError where
    either cannot be written.
    """
    if path is None:
        yield None
        return
    if not _is_stream(path):
        with _told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="looktwice-") as folder:
        file = Path(folder) / f"output{path.suffix or ending}"
        try:
            yield file
        finally:
            if file.is_file():
                with _told(path):
                    _copy(file, path)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise  # whoever read has seen enough
    except OSError as error:
        raise LooktwiceError(f"{path} cannot be written: {error.strerror or 'an output error'}.") from error


def _copy(file: Path, path: Path) -> None:
    content = file.open("rb")
    if content.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
        content.seek(0)
    with content:
        if is_standard(path):
            shutil.copyfileobj(content, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        else:
            with path.open("wb") as sink:
                shutil.copyfileobj(content, sink)


def _is_one_file(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return False


def _is_stream(path: Path) -> bool:
    """Whether a path is standard output, or leads to a pipe or a device, which nothing may take the place of."""
    if is_standard(path):
        return True
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)
