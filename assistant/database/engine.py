"""An open database of a store: its connections, its transactions, and its faults in one sentence.

SQLAlchemy comes with the extra `history`; this module is loaded only where a store is opened.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from assistant.database.faults import explain
from assistant.database.place import Place, full_url, is_url
from assistant.errors import HistoryError, HistoryFault, told
from assistant.files import make_private

SQLITE_WAIT_MS = 30_000
"""Milliseconds to wait for another program that is writing."""

SERVER_WAIT = {
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # milliseconds
}
"""Seconds after which a server counts as away, for whatever of these the URL does not say itself."""


class Database:
    """The database of a store as it is, whatever its schema; see `assistant.database.schema.open_database`.

    Safe to share between threads and programs. HistoryError, in one sentence without secrets, where it cannot be
    opened.
    """

    def __init__(self, where: Place) -> None:
        try:
            self.engine = _open(where)
        except (sa.exc.ArgumentError, ValueError) as error:
            raise HistoryError("The history's address is none that can be opened here.") from error
        except ImportError as error:
            raise HistoryError(_missing_driver(where)) from error

    @property
    def is_server(self) -> bool:
        """Whether it is PostgreSQL."""
        return self.engine.dialect.name == "postgresql"

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection that sees one state of the history; HistoryError where it cannot be read."""
        with _in_plain_words(), self._for_reading().connect() as connection:
            yield connection

    @contextmanager
    def write(self, alone: Sequence[sa.Table] = ()) -> Iterator[sa.Connection]:
        """A connection whose changes are all made when the block ends, or none; IntegrityError is let through.

        `alone`: tables that nobody else writes to meanwhile. In a file nobody writes to any.
        """
        with _in_plain_words(), self.engine.execution_options(looktwice_write=True).begin() as connection:
            if alone and self.is_server:
                names = ", ".join(f'"{table.name}"' for table in alone)
                connection.exec_driver_sql(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")
            yield connection

    @contextmanager
    def apart(self) -> Iterator[sa.Connection]:
        """A connection to a server of its own, without a transaction, closed when the block ends."""
        with _in_plain_words():
            connection = self.engine.execution_options(isolation_level="AUTOCOMMIT").connect()
            try:
                yield connection
            finally:
                connection.invalidate()  # what was set or locked on it goes with it
                connection.close()

    def compact(self) -> None:
        """Make a file as small as what it holds; HistoryFault where it is in use or the disk too full for that."""
        with _in_plain_words(), self.engine.connect() as connection:
            raw = connection.connection.driver_connection
            try:
                raw.execute("VACUUM")  # type: ignore[union-attr]
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
            except Exception as error:
                why = explain(error)
                raise HistoryFault(f"The history cannot be made smaller: {why}.") from error

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()

    def _for_reading(self) -> sa.Engine:
        if not self.is_server:
            return self.engine
        return self.engine.execution_options(isolation_level="REPEATABLE READ")


def take_turns(connection: sa.Connection, name: str) -> None:
    """Wait until no other transaction holds the name, and hold it to the end of this one; a file is held whole."""
    if connection.dialect.name == "postgresql":
        number = sa.func.hashtextextended(name, 0)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))


def _open(where: Place) -> sa.Engine:
    if is_url(where):
        url = sa.make_url(full_url(str(where)))
    else:
        path = Path(where).expanduser()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            why = error.strerror or "an error"
            raise HistoryError(f"The history's folder cannot be made: {why}.") from error
        url = sa.URL.create("sqlite", database=os.path.abspath(path))
    if url.get_backend_name() == "postgresql":
        waits = {name: value for name, value in SERVER_WAIT.items() if name not in url.query}
        return sa.create_engine(url, hide_parameters=True, pool_pre_ping=True, connect_args=waits)
    engine = sa.create_engine(url, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        if url.database and url.database != ":memory:" and not url.database.startswith("file:"):
            with suppress(OSError):  # SQLite says why in its own words
                make_private(Path(url.database))  # and gives the files beside it the same mode
        sa.event.listen(engine, "connect", _set_up_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _missing_driver(where: Place) -> str:
    if str(where).startswith("postgres"):
        return told("A history in PostgreSQL needs psycopg: install looktwice[postgres].")
    return told("The history's address is none that can be opened here.")


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where we say, see `_begin_sqlite`
    cursor = connection.cursor()
    try:
        cursor.execute(f"PRAGMA busy_timeout = {SQLITE_WAIT_MS}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")  # a row that was kept outlives a power cut too
        cursor.execute("PRAGMA foreign_keys = ON")
    finally:
        cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    # A writer takes the lock at once: one that began as a reader would be refused without waiting.
    write = connection.get_execution_options().get("looktwice_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


@contextmanager
def _in_plain_words() -> Iterator[None]:
    try:
        yield
    except sa.exc.IntegrityError:
        raise
    except sa.exc.TimeoutError as error:  # all connections are in use, by those who wait for the database
        raise HistoryFault("The history does not answer.") from error
    except sa.exc.DBAPIError as error:
        why = explain(error.orig)
        raise HistoryFault(f"The history cannot be read or written: {why}.") from error
