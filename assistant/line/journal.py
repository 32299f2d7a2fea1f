"""The journal of a line: which files and parts it knows, and which results wait to be taken.

A part, its result and a letter to every sink are written in one transaction, so that a program that is killed
has either not inspected a part or owes its result to every sink. SQLAlchemy comes with the extra `line`.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from filelock import FileLock, Timeout

from assistant.errors import LineError
from assistant.files import remove_left_overs, write_atomically
from assistant.line.event import Event, new_id
from assistant.line.journal_tables import (
    CONTENTS,
    COUNTS,
    FILES,
    LETTERS,
    PARTS,
    SETTINGS,
    open_journal,
    transaction,
)
from assistant.line.listing import Stamp
from assistant.line.outbox import Outbox
from assistant.line.sink import Attachments


@dataclass(frozen=True)
class Finding:
    """What is kept of a part: what it is known by (None for nothing), how its event is made, and what goes along.

    `tell` gets the event's id, the part's number and the counts with this part. `picture` is a copy of the
    bytes, b"" where no sink wants it. `files`: those that hold the part, with their stamps.
    """

    key: str | None
    verdict: str
    tell: Callable[[str, int, Mapping[str, int]], Event]
    attachments: Attachments = Attachments()
    picture: bytes = b""
    files: tuple[tuple[str, Stamp], ...] = ()


class JournalHeld(LineError):
    """Another program works with a journal."""


class Journal:
    """The journal in a file. One program watches with it at a time, see `hold`; others may read and send again.

    Safe to share between threads. LineError, in one sentence, where it cannot be opened, read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pictures = path.with_name(f"{path.name}.pictures")
        self._engine = open_journal(path)
        self._lock = threading.Lock()
        self.outbox = Outbox(self._transaction, self.pictures)
        self._held = FileLock(f"{path}.lock")

    @contextmanager
    def hold(self) -> Iterator[None]:
        """While the block runs, nobody else works with this journal; JournalHeld where somebody does."""
        try:
            self._held.acquire(timeout=0)
        except Timeout:
            raise JournalHeld("Another program works with this journal: one line is watched once.") from None
        except OSError as error:
            raise LineError(f"The journal cannot be locked: {error.strerror or 'an error'}.") from error
        try:
            if self.pictures.is_dir():
                remove_left_overs(self.pictures, ())
                self._drop_pictures()
            yield
        finally:
            self._held.release()

    def settings(self, name: str) -> str | None:
        """What is kept under a name, None for nothing."""
        with self._transaction() as connection:
            return connection.execute(sa.select(SETTINGS.c.value).where(SETTINGS.c.name == name)).scalar()

    def set(self, name: str, value: str) -> None:
        """Keep something under a name."""
        with self._transaction() as connection:
            _put(connection, SETTINGS, {"name": name, "value": value})

    def files(self) -> dict[str, Stamp]:
        """The files that are known, by their name in the folder, as they were when they were read."""
        with self._transaction() as connection:
            rows = connection.execute(sa.select(FILES)).all()
        return {os.fsdecode(row.path): Stamp(row.size, row.mtime, int(row.inode)) for row in rows}

    def find(self, key: str) -> int | None:
        """The number of the part that is known by this, None for a new one."""
        with self._transaction() as connection:
            return connection.execute(sa.select(PARTS.c.id).where(PARTS.c.key == key)).scalar()

    def know(self, files: Iterable[tuple[str, Stamp]], part: int | None) -> None:
        """Keep that these files hold a part that is known, None for files that are left out."""
        with self._transaction() as connection:
            for name, stamp in files:
                _put(connection, FILES, _file_row(name, stamp, part))

    def forget(self, names: Sequence[str]) -> None:
        """Forget files that are no longer there; what they held stays known."""
        with self._transaction() as connection:
            for name in names:
                connection.execute(FILES.delete().where(FILES.c.path == os.fsencode(name)))

    def keep(self, finding: Finding, sinks: Iterable[str]) -> Event | None:
        """Keep a part with a letter to each of these sinks, all or nothing; None where the part was known."""
        copy = self._keep_picture(finding.picture) if finding.picture else ""
        now = time.time()
        with self._transaction() as connection:
            row = {"key": finding.key, "verdict": finding.verdict, "created": now}
            done = connection.execute(PARTS.insert().prefix_with("OR IGNORE").values(**row))
            if not done.rowcount:
                return None
            part = int(done.inserted_primary_key[0])  # type: ignore[index]
            event = finding.tell(new_id(), part, _count(connection, finding.verdict))
            for name, stamp in finding.files:
                _put(connection, FILES, _file_row(name, stamp, part))
            usual = {"part": part, "state": "waiting", "tries": 0, "due": 0.0, "created": now, "error": ""}
            letters = [usual | {"sink": sink} for sink in sinks]
            if letters:
                connection.execute(LETTERS.insert(), letters)
                held = finding.attachments
                content = {"event": event.to_json(), "map": held.map, "preview": held.preview, "picture": copy}
                connection.execute(CONTENTS.insert().values(part=part, **content))
        with self.outbox.news:
            self.outbox.news.notify_all()
        return event

    def counts(self) -> dict[str, int]:
        """How many parts of each outcome were inspected."""
        with self._transaction() as connection:
            return _counts(connection)

    def expire(self, days: float) -> int:
        """Forget parts of longer ago whose file is gone and that nobody waits for; how many."""
        old = PARTS.c.created < time.time() - 86_400 * days
        held = sa.select(FILES.c.part).where(FILES.c.part.is_not(None)).union(sa.select(LETTERS.c.part))
        with self._transaction() as connection:
            return int(connection.execute(PARTS.delete().where(old, PARTS.c.id.not_in(held))).rowcount)

    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        with self._lock, transaction(self._engine) as connection:
            yield connection

    def _keep_picture(self, picture: bytes) -> str:
        name = hashlib.sha256(picture).hexdigest()
        try:
            self.pictures.mkdir(exist_ok=True)
            write_atomically(self.pictures / name, picture, private=True)
        except OSError as error:
            why = error.strerror or "an error"
            raise LineError(f"The copy of a picture cannot be written beside the journal: {why}.") from error
        return name

    def _drop_pictures(self) -> None:
        """Remove copies that a killed program left without a letter."""
        with self._transaction() as connection:
            kept = set(connection.execute(sa.select(CONTENTS.c.picture)).scalars())
        for path in self.pictures.iterdir():
            if path.name not in kept:
                with suppress(OSError):
                    path.unlink()


def _file_row(name: str, stamp: Stamp, part: int | None) -> dict[str, object]:
    path = os.fsencode(name)
    return {"path": path, "size": stamp.size, "mtime": stamp.mtime_ns, "inode": str(stamp.inode), "part": part}


def _put(connection: sa.Connection, table: sa.Table, row: Mapping[str, object]) -> None:
    connection.execute(table.insert().prefix_with("OR REPLACE").values(**row))


def _counts(connection: sa.Connection) -> dict[str, int]:
    return {row.verdict: row.parts for row in connection.execute(sa.select(COUNTS).order_by(COUNTS.c.verdict))}


def _count(connection: sa.Connection, verdict: str) -> dict[str, int]:
    """The counts with one more of this verdict."""
    known = _counts(connection)
    _put(connection, COUNTS, {"verdict": verdict, "parts": known.get(verdict, 0) + 1})
    return _counts(connection)
