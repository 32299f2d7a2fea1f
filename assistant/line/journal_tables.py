"""The tables of a journal, and how its file is opened."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from assistant.errors import LineError
from assistant.files import make_private

SCHEMA = 1

META = sa.MetaData()

SETTINGS = sa.Table(
    "settings", META, sa.Column("name", sa.String, primary_key=True), sa.Column("value", sa.String, nullable=False)
)
FILES = sa.Table(
    "files",
    META,
    sa.Column("path", sa.LargeBinary, primary_key=True),  # names need not be text
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("mtime", sa.Integer, nullable=False),
    sa.Column("inode", sa.String, nullable=False),
    sa.Column("part", sa.Integer, index=True),  # null where it was left out
)
PARTS = sa.Table(
    "parts",
    META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("key", sa.String, unique=True),  # null where nothing was read
    sa.Column("verdict", sa.String, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sqlite_autoincrement=True,  # a number is never given twice
)
COUNTS = sa.Table(
    "counts",
    META,
    sa.Column("verdict", sa.String, primary_key=True),
    sa.Column("parts", sa.Integer, nullable=False),
)
CONTENTS = sa.Table(
    "contents",
    META,
    sa.Column("part", sa.Integer, primary_key=True),
    sa.Column("event", sa.Text, nullable=False),
    sa.Column("map", sa.LargeBinary, nullable=False),
    sa.Column("preview", sa.LargeBinary, nullable=False),
    sa.Column("picture", sa.String, nullable=False),  # the name of its copy, "" for none
)
LETTERS = sa.Table(
    "letters",
    META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("sink", sa.String, nullable=False),
    sa.Column("part", sa.Integer, nullable=False, index=True),
    sa.Column("state", sa.String, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("due", sa.Float, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Index("letters_next", "sink", "state", "id"),
    sqlite_autoincrement=True,
)


def open_journal(path: Path) -> sa.Engine:
    """The journal in a file of the user's alone, made where there is none; LineError where it cannot be opened."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LineError(f"The journal's folder cannot be made: {error.strerror or 'an error'}.") from error
    with suppress(OSError):  # SQLite says why in its own words
        make_private(path)
    engine = sa.create_engine(sa.URL.create("sqlite", database=os.path.abspath(path)), hide_parameters=True)
    sa.event.listen(engine, "connect", _set_up)
    sa.event.listen(engine, "begin", _begin)
    with transaction(engine) as connection:
        META.create_all(connection)
        found = connection.execute(sa.select(SETTINGS.c.value).where(SETTINGS.c.name == "schema")).scalar()
        if found is None:
            connection.execute(SETTINGS.insert().values(name="schema", value=str(SCHEMA)))
        elif found != str(SCHEMA):
            raise LineError("The journal was written by another version of looktwice.")
    return engine


@contextmanager
def transaction(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection whose changes are all made when the block ends, or none; LineError in one sentence."""
    try:
        with engine.begin() as connection:
            yield connection
    except sa.exc.DBAPIError as error:
        raise LineError(f"The journal cannot be read or written: {error.orig}.") from error


def _set_up(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where we say, see `_begin`
    cursor = connection.cursor()
    try:
        for pragma in ("busy_timeout = 30000", "journal_mode = WAL", "synchronous = FULL"):
            cursor.execute(f"PRAGMA {pragma}")
    finally:
        cursor.close()


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")  # one that began as a reader would be refused without waiting
