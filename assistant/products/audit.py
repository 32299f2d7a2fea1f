"""The audit log: who changed what, when, from what to what, in a file that only grows.

One JSON entry a line. Each carries the hash of the one before it and its own, so that a line that was changed,
moved or taken out no longer fits. Lines cut off at the end leave a chain that fits: only a head hash that was
kept elsewhere tells, see `verify`. It knows entries and hashes, and not what a product is.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, get_args

from assistant.errors import AuditError
from assistant.files import make_private
from assistant.products.audit_chain import (
    START,
    Action,
    Entry,
    Facts,
    Verification,
    check_chain,
    describe_torn,
    read_entry,
)

PATIENCE = 30.0
"""Seconds to wait for another program that is writing."""

_BLOCK = 1 << 16


class Writer:
    """Appends to a log that is held; made by `AuditLog.hold`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last, self._loose, self._ended = _read_end(path)

    def append(
        self,
        action: Action,
        product: str | None = None,
        *,
        actor: str | None = None,
        before: Facts | None = None,
        after: Facts | None = None,
        details: Facts | None = None,
    ) -> Entry:
        """Write an entry, on the disk when this returns; AuditError where it cannot be.

        `actor` is the user of this program by default. ValueError for facts that are not strict JSON.
        """
        if action not in get_args(Action) or actor == "":
            raise ValueError(f"no such action or actor as {action!r}, {actor!r}")
        content = b"" if self._ended else b"\n"
        last = self._last
        if self._loose:
            last = self._make(last, "torn line", None, None, None, describe_torn(self._loose), os_user())
            content += last.line + b"\n"
        entry = self._make(last, action, product, before, after, details or {}, actor or os_user())
        self._write(content + entry.line + b"\n")
        self._last, self._loose, self._ended = entry, b"", True
        return entry

    @contextmanager
    def recording(
        self,
        action: Action,
        product: str | None,
        *,
        actor: str | None = None,
        before: Facts | None = None,
        after: Facts | None = None,
        details: Facts | None = None,
    ) -> Iterator[Entry]:
        """Write an entry, then let the block make the change; where the block fails, a second entry says so."""
        entry = self.append(action, product, actor=actor, before=before, after=after, details=details)
        try:
            yield entry
        except BaseException as error:
            with suppress(AuditError):  # the reason why the change failed is the one to tell
                why = {"entry": entry.n, "why": type(error).__name__}
                self.append("failed", product, actor=actor, before=before, after=before, details=why)
            raise

    def _make(
        self,
        last: Entry | None,
        action: Action,
        product: str | None,
        before: Facts | None,
        after: Facts | None,
        details: Facts,
        actor: str,
    ) -> Entry:
        n, previous = (last.n + 1, last.hash) if last else (1, START)
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        return Entry(n, time, actor, action, product, before, after, details, previous).sealed()

    def _write(self, content: bytes) -> None:
        try:
            fresh = not self.path.exists()
            make_private(self.path)
            with open(self.path, "ab", buffering=0) as file:
                while content:
                    content = content[file.write(content) :]
                os.fsync(file.fileno())
            if fresh:
                _sync_folder(self.path.parent)
        except OSError as error:
            raise _unwritable(error) from error


class AuditLog:
    """An append-only log in one file; several programs may write to it, one at a time."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @contextmanager
    def hold(self) -> Iterator[Writer]:
        """The only writer while the block runs; AuditError where the log cannot be had or its end is damaged."""
        from filelock import FileLock, Timeout

        # The lock has a file of its own: opening one to lock it empties it. Each call has its own lock, so that
        # threads wait for one another as programs do.
        lock = FileLock(self.path.with_name(f".{self.path.stem}.lock"), timeout=PATIENCE)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout as error:
            raise AuditError("The audit log is held by another program; try again.") from error
        except OSError as error:
            raise _unwritable(error) from error
        try:
            yield Writer(self.path)
        finally:
            lock.release()

    def append(
        self,
        action: Action,
        product: str | None = None,
        *,
        actor: str | None = None,
        before: Facts | None = None,
        after: Facts | None = None,
        details: Facts | None = None,
    ) -> Entry:
        """Write one entry, see `Writer.append`."""
        with self.hold() as writer:
            return writer.append(action, product, actor=actor, before=before, after=after, details=details)

    def entries(self) -> Iterator[Entry]:
        """The entries, oldest first; lines that are none are for `verify` to tell."""
        with _open(self.path) as lines:
            yield from (entry for line in lines if (entry := read_entry(line)))

    def verify(self, head: str | None = None) -> Verification:
        """Check every entry against its hash and the one before it, and that the head hash `head` is among them.

        With a head that was kept elsewhere, it also finds out that the log was cut off or written anew.
        """
        found = self._check(head)
        if found.torn and self.path.exists():  # it may just be growing: look again while nobody writes
            with suppress(AuditError), self.hold():
                found = self._check(head)
        return found

    def _check(self, head: str | None) -> Verification:
        with _open(self.path) as lines:
            return check_chain(lines, head)


def os_user() -> str:
    """Who runs this program, by the system's word and not by a variable: "user NAME"."""
    try:
        import pwd

        return f"user {pwd.getpwuid(os.getuid()).pw_name}"
    except (ImportError, KeyError):  # another system, or a user without a name
        with suppress(OSError):
            return f"user {os.getlogin()}"
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "user unknown"


def _read_end(path: Path) -> tuple[Entry | None, bytes, bool]:
    """The last entry, the unfinished bytes after it, and whether the file ends with a line's end."""
    try:
        with _open(path) as file:
            content = _from_last_entry(file)
    except OSError as error:
        raise _unwritable(error) from error
    if not content:
        return None, b"", True
    first, end, rest = content.partition(b"\n")
    last = read_entry(first)
    loose, ended = (rest, not rest and bool(end)) if last else (content, False)
    if loose.endswith(b"\n") or (last and last.misfit(first, last.n, last.previous)):
        raise AuditError("The audit log is damaged at its end; `looktwice audit verify` says where.")
    return last, loose, ended


def _from_last_entry(file: BinaryIO) -> bytes:
    """The end of a log from its last entry on; the whole of a log without one."""
    size = file.seek(0, os.SEEK_END)
    span = _BLOCK
    while True:
        start = max(0, size - span)
        file.seek(start)
        content = file.read()
        lines = content.split(b"\n")
        for i in range(len(lines) - 1, 0 if start else -1, -1):  # the first one may lack its beginning
            if read_entry(lines[i]):
                return b"\n".join(lines[i:])
        if not start:
            return content
        span *= 4


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    """The log for reading; as empty where it was not begun yet."""
    try:
        file: BinaryIO = open(path, "rb")
    except FileNotFoundError:
        file = io.BytesIO()
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise AuditError(f"The audit log cannot be read: {why}.") from error
    with file:
        yield file


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":  # elsewhere a folder cannot be opened
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _unwritable(error: OSError) -> AuditError:
    why = error.strerror or type(error).__name__
    return AuditError(f"The audit log cannot be written: {why}.")
