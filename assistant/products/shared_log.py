"""The audit log of products that are in a database: the same entries and the same chain, a row each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from assistant.database.engine import Database
from assistant.database.locks import LockTimeout, hold_name
from assistant.database.tables import AUDIT
from assistant.errors import AuditError, HistoryFault
from assistant.products.audit import PATIENCE, AuditLog, Writer
from assistant.products.audit_chain import Entry, Verification, check_chain, read_entry

LOCK = "looktwice audit"


class SharedWriter(Writer):
    """Appends to a log in a database that is held; made by `SharedLog.hold`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._last, self._loose, self._ended = _read_last(database), b"", True

    def _write(self, content: bytes) -> None:
        entry = read_entry(content)
        if entry is None:
            raise AuditError("The audit log cannot be written: an entry is none.")
        try:
            with self._database.write() as connection:
                connection.execute(AUDIT.insert().values(n=entry.n, line=content.decode("ascii").rstrip("\n")))
        except IntegrityError as error:
            raise AuditError("The audit log is held by another program; try again.") from error
        except HistoryFault as error:
            raise _unusable(error) from error


class SharedLog(AuditLog):
    """An append-only log in the database of a store; all stations write to it, one at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def hold(self) -> Iterator[Writer]:
        """As `AuditLog.hold`."""
        try:
            held = hold_name(self._database, LOCK, PATIENCE)
            held.__enter__()
        except LockTimeout as error:
            raise AuditError("The audit log is held by another program; try again.") from error
        except HistoryFault as error:
            raise _unusable(error) from error
        try:
            yield SharedWriter(self._database)
        finally:
            held.__exit__(None, None, None)

    def entries(self) -> Iterator[Entry]:
        """The entries, oldest first; rows that are none are for `verify` to tell."""
        yield from (entry for line in self._lines() if (entry := read_entry(line)))

    def verify(self, head: str | None = None) -> Verification:
        """As `AuditLog.verify`; a row is there as a whole or not at all, so that none is torn."""
        return check_chain(self._lines(), head)

    def _lines(self) -> Iterator[bytes]:
        try:
            with self._database.read() as connection:
                asked = select(AUDIT.c.line).order_by(AUDIT.c.n)
                for line in connection.execution_options(yield_per=200).execute(asked).scalars():
                    yield line.encode("ascii", "replace") + b"\n"
        except HistoryFault as error:
            raise _unusable(error) from error


def _read_last(database: Database) -> Entry | None:
    newest = select(func.max(AUDIT.c.n)).scalar_subquery()
    try:
        with database.read() as connection:
            line = connection.execute(select(AUDIT.c.line).where(AUDIT.c.n == newest)).scalar()
    except HistoryFault as error:
        raise _unusable(error) from error
    if line is None:
        return None
    raw = line.encode("ascii", "replace")
    entry = read_entry(raw)
    if entry is None or entry.misfit(raw, entry.n, entry.previous):
        raise AuditError("The audit log is damaged at its end; `looktwice audit verify` says where.")
    return entry


def _unusable(error: HistoryFault) -> AuditError:
    return AuditError(f"The audit log is in a database. {error}")
