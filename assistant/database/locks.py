"""Locks by name that hold across programs and stations, for as long as a person takes to teach."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import sqlalchemy as sa

from assistant.database.engine import Database


class LockTimeout(Exception):
    """Somebody else held the name for too long."""


@contextmanager
def hold_name(database: Database, name: str, seconds: float) -> Iterator[None]:
    """While the block runs, nobody else holds that name in this database; LockTimeout after so many seconds.

    A server lets go of it when the connection goes, a file when the program does. HistoryFault where the database
    is away.
    """
    if database.is_server:
        with _hold_on_server(database, name, seconds):
            yield
        return
    from filelock import FileLock, Timeout

    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    lock = FileLock(f"{database.engine.url.database}.{digest}.lock", timeout=seconds)
    try:
        lock.acquire()
    except Timeout as error:
        raise LockTimeout(name) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _hold_on_server(database: Database, name: str, seconds: float) -> Iterator[None]:
    number = sa.func.hashtextextended(name, 0)
    with database.apart() as connection:
        connection.exec_driver_sql(f"SET lock_timeout = {max(1, round(seconds * 1000))}")
        try:
            connection.execute(sa.select(sa.func.pg_advisory_lock(number)))
        except sa.exc.OperationalError as error:
            if getattr(error.orig, "sqlstate", "") == "55P03":
                raise LockTimeout(name) from error
            raise
        try:
            yield
        finally:
            with suppress(sa.exc.DBAPIError):  # where the connection went, so did the lock
                connection.execute(sa.select(sa.func.pg_advisory_unlock(number)))
