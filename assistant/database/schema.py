"""The schema of a store: which one it has, and how it moves up, by the migrations that ship with the program.

Two numbers say what a store holds. The schema number is raised where earlier versions could no longer read or
write what is kept; such a step is made by `looktwice store migrate` alone. The revision, of Alembic, names the
last of all migrations; those that only add something are made when a store is opened, and earlier versions go on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from assistant.database.engine import Database, take_turns
from assistant.database.place import Place
from assistant.database.tables import SETTINGS
from assistant.errors import HistoryError

SCHEMA = 1
"""Raised where an earlier version could no longer read or write what is kept.

A table more is no reason: it is made where it is missing, and whoever does not know it leaves it alone.
"""

REVISIONS = ("0001", "0002", "0003")
"""The migrations that this version knows, oldest first."""

HEAD = REVISIONS[-1]

VERSION_TABLE = "looktwice_revision"
"""Where Alembic notes the revision."""


@dataclass(frozen=True)
class SchemaState:
    """What a store says about itself: its schema number as a text, and its revision; None where it says none."""

    schema: str | None
    revision: str | None

    @property
    def is_newest(self) -> bool:
        """Whether this version has nothing to add."""
        return self.schema == str(SCHEMA) and (self.revision == HEAD or self.is_ahead)

    @property
    def is_ahead(self) -> bool:
        """Whether a newer version has added something, which this one leaves alone."""
        return self.revision is not None and self.revision not in REVISIONS


def read_state(connection: sa.Connection) -> SchemaState:
    """The state of a store; nothing is changed."""
    tables = sa.inspect(connection)
    schema = revision = None
    if tables.has_table(SETTINGS.name):
        asked = sa.select(SETTINGS.c.value).where(SETTINGS.c.name == "schema")
        schema = connection.execute(asked).scalar()
    if tables.has_table(VERSION_TABLE):
        column = sa.table(VERSION_TABLE, sa.column("version_num"))
        revision = connection.execute(sa.select(column.c.version_num)).scalar()
    return SchemaState(schema, revision)


def open_database(where: Place) -> Database:
    """An open store at a file, made where there is none, or at a URL as SQLAlchemy takes it.

    HistoryError, in one sentence without secrets, where it cannot be opened or was written by a newer version.
    """
    database = Database(where)
    try:
        prepare(database)
    except BaseException:
        database.close()
        raise
    return database


def prepare(database: Database) -> None:
    """Make the schema of a new store, or add what is missing; HistoryError for one that cannot be worked with.

    A store that has all is only read.
    """
    with database.read() as connection:
        state = read_state(connection)
    check(state)
    if not state.is_newest:
        move_up(database)


def move_up(database: Database) -> tuple[SchemaState, SchemaState]:
    """Move a store up to the newest schema, all of it or nothing: its state before and after.

    Where several programs do so at once, one does it. HistoryError for a store of a newer version.
    """
    with database.write() as connection:
        take_turns(connection, VERSION_TABLE)
        before = read_state(connection)
        check(before, asked=True)
        if not before.is_newest:
            _run_migrations(connection)
        return before, read_state(connection)


def check(state: SchemaState, *, asked: bool = False) -> None:
    """HistoryError for a store that this version cannot work with; `asked` lets one pass that can be moved up."""
    schema = state.schema
    if schema is None or schema == str(SCHEMA):
        return
    if schema.isdecimal() and int(schema) > SCHEMA:
        raise HistoryError("The history was written by a newer version of looktwice; update this one.")
    if not schema.isdecimal() or not int(schema):
        raise HistoryError(f"The history has schema {schema[:20]!r}, which this version cannot read.")
    if not asked:
        raise HistoryError("The history has an earlier schema: `looktwice store migrate` moves it up.")


def _run_migrations(connection: sa.Connection) -> None:
    try:
        from alembic import command
        from alembic.config import Config
    except ImportError as error:
        raise HistoryError("The history needs Alembic: install looktwice[history].") from error

    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def migrations_folder() -> Path:
    """The folder of the migrations that ship with the program."""
    return Path(__file__).parent / "migrations"
