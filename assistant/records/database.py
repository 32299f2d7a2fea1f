"""The database of a history: its six tables, how it is opened, and the SQL of a query.

SQLAlchemy comes with the extra `history`; this module is loaded only where a history is opened.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import LONGBLOB, LONGTEXT

from assistant.errors import HistoryError, HistoryFault
from assistant.files import make_private
from assistant.records.entries import Order, Query, as_name, as_searched, as_text, check_lot

SCHEMA = 1
"""Raised where an earlier version could no longer read or write what is kept.

A table more is no reason: it is made where it is missing, and whoever does not know it leaves it alone.
"""

SQLITE_WAIT_MS = 30_000
"""Milliseconds to wait for another program that is writing."""

_META = sa.MetaData()
_TEXT = sa.Text().with_variant(LONGTEXT(), "mysql", "mariadb")
_BYTES = sa.LargeBinary().with_variant(LONGBLOB(), "mysql", "mariadb")
_TIME = sa.String(32)  # UTC with microseconds, always of the same length: their order is that of time
_NAME = sa.String(255)

SETTINGS = sa.Table(
    "looktwice_settings",
    _META,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("value", sa.String(255), nullable=False),
)
RUNS = sa.Table(
    "looktwice_runs",
    _META,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("sources", _TEXT, nullable=False),
    sa.Column("settings", _TEXT, nullable=False),
    sa.Column("lot", _NAME, nullable=False),
    sa.Column("created", _TIME, nullable=False, index=True),
    sa.Column("owner", _NAME, nullable=False),
    sa.Column("held_until", _TIME, nullable=False),
)
INSPECTIONS = sa.Table(
    "looktwice_inspections",
    _META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", _TEXT, nullable=False),  # as it is shown, in one case, to be searched
    sa.Column("verdict", sa.String(16), nullable=False, index=True),
    sa.Column("score", sa.Double),
    sa.Column("product", _NAME, nullable=False, index=True),
    sa.Column("lot", _NAME, nullable=False, index=True),
    sa.Column("created", _TIME, nullable=False, index=True),
    sa.Column("run", sa.ForeignKey(RUNS.c.id)),
    sa.Column("place", sa.Integer),
    sa.Column("row", _TEXT, nullable=False),
    sa.Column("map", _BYTES),
    sa.Column("map_height", sa.Integer),
    sa.Column("map_width", sa.Integer),
    sa.Column("map_peak", sa.Double),
    sa.Column("preview", _BYTES),
    sa.UniqueConstraint("run", "place"),
    sqlite_autoincrement=True,  # an id that was purged is never given to another
)
TURNS = sa.Table(
    "looktwice_turns",
    _META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("inspection", sa.ForeignKey(INSPECTIONS.c.id), nullable=False, index=True),
    sa.Column("question", _TEXT, nullable=False),
    sa.Column("answer", _TEXT, nullable=False),
    sa.Column("created", _TIME, nullable=False),
)

SIGN_OFFS = sa.Table(
    "looktwice_sign_offs",
    _META,
    sa.Column("id", sa.Integer, primary_key=True),
    # an earlier version, which does not know this table, removes inspections with what belongs to them too
    sa.Column("inspection", sa.ForeignKey(INSPECTIONS.c.id, ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("decision", sa.String(16), nullable=False),
    sa.Column("reason", _TEXT, nullable=False),
    sa.Column("name", _NAME, nullable=False),
    sa.Column("actor", _NAME, nullable=False),
    sa.Column("created", _TIME, nullable=False),
    sa.Column("withdrawn", _TIME),
    sa.Column("withdrawn_by", _NAME, nullable=False),
    sqlite_autoincrement=True,  # the audit log names them
)
SIGN_OFF = "sign_off_"
"""How the columns of the sign-off that counts begin in the rows of `find_rows`."""

P_VALUES = sa.Table(
    "looktwice_p_values",
    _META,
    sa.Column("inspection", sa.ForeignKey(INSPECTIONS.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("product", _NAME, nullable=False),
    sa.Column("limits", sa.String(32), nullable=False),
    sa.Column("n", sa.Integer, nullable=False),
    sa.Column("group", _NAME, nullable=False),
    sa.Column("p_value", sa.Double, nullable=False),
    sa.Column("created", _TIME, nullable=False),
    sa.Index("looktwice_p_values_stream", "product", "limits", "group", "inspection"),
)
"""Streams of parts that were judged by the same limits, see `assistant.records.drift`."""


class Database:
    """An open history. `where` is a file, made where there is none, or a URL as SQLAlchemy takes it.

    Safe to share between threads and programs. HistoryError, in one sentence without secrets, where it cannot be
    opened or was written by a newer version.
    """

    def __init__(self, where: str | Path) -> None:
        try:
            self.engine = _open(where)
            with self.write() as connection:
                _META.create_all(connection)
                _check_schema(connection)
        except (sa.exc.ArgumentError, ImportError) as error:
            raise HistoryError("The history's address is none that can be opened here.") from error
        except sa.exc.IntegrityError:  # another program made it at the same moment
            with self.write() as connection:
                _check_schema(connection)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection that sees one state of the history; HistoryError where it cannot be read."""
        with _in_plain_words(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A connection whose changes are all made when the block ends, or none; IntegrityError is let through."""
        with _in_plain_words(), self.engine.execution_options(looktwice_write=True).begin() as connection:
            yield connection

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def conditions(query: Query) -> list[sa.ColumnElement[bool]]:
    """What a query asks of the columns of `INSPECTIONS`."""
    columns = INSPECTIONS.c
    asked: list[sa.ColumnElement[bool]] = []
    if query.product is not None:
        asked.append(columns.product == as_name(query.product))
    if query.lot is not None:
        asked.append(columns.lot == check_lot(query.lot))
    if query.verdicts:
        asked.append(columns.verdict.in_(query.verdicts))
    if query.since:
        asked.append(columns.created >= as_text(query.since))
    if query.until:
        asked.append(columns.created < as_text(query.until))
    if query.run is not None:
        asked.append(columns.run == query.run)
    if query.signed is not None:
        decision = standing("decision")
        wanted = {"no": decision.is_(None), "yes": decision.is_not(None)}
        asked.append(wanted.get(query.signed, decision == query.signed))
    if query.text:
        asked.append(columns.name.contains(as_searched(query.text), autoescape=True))
    return asked


def standing(column: str) -> sa.ScalarSelect[Any]:
    """A column of the sign-off that counts of a row of `INSPECTIONS`, null where there is none."""
    mine = SIGN_OFFS.alias()
    given = sa.select(mine.c[column]).where(mine.c.inspection == INSPECTIONS.c.id, mine.c.withdrawn.is_(None))
    return given.order_by(mine.c.id.desc()).limit(1).correlate(INSPECTIONS).scalar_subquery()


def find_rows(connection: sa.Connection, query: Query, start: int = 0, count: int | None = None) -> Iterator[Any]:
    """The rows that a query finds, each with the sign-off that counts, no maps or previews, from `start` on."""
    columns = INSPECTIONS.c
    wanted = [columns[name] for name in ("id", "row", "created", "lot", "run", "place")]
    orders: dict[Order, list[sa.ColumnElement[Any]]] = {
        "newest": [columns.created.desc(), columns.id.desc()],
        "oldest": [columns.created, columns.id],
        "score": [columns.score.is_(None), columns.score.desc(), columns.id],
        "place": [columns.place, columns.id],
    }
    signed = (column.label(f"{SIGN_OFF}{column.name}") for column in SIGN_OFFS.c)
    chosen = sa.select(*wanted, columns.preview.is_not(None).label("has_preview"), *signed)
    chosen = chosen.select_from(INSPECTIONS.outerjoin(SIGN_OFFS, SIGN_OFFS.c.id == standing("id")))
    chosen = chosen.where(*conditions(query)).order_by(*orders[query.order]).offset(start).limit(count)
    yield from connection.execution_options(yield_per=200).execute(chosen)


def _open(where: str | Path) -> sa.Engine:
    if isinstance(where, str) and "://" in where:
        url = sa.make_url(where)
    else:
        path = Path(where).expanduser()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            why = error.strerror or "an error"
            raise HistoryError(f"The history's folder cannot be made: {why}.") from error
        url = sa.URL.create("sqlite", database=os.path.abspath(path))
    engine = sa.create_engine(url, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        if url.database and url.database != ":memory:" and not url.database.startswith("file:"):
            with suppress(OSError):  # SQLite says why in its own words
                make_private(Path(url.database))  # and gives the files beside it the same mode
        sa.event.listen(engine, "connect", _set_up_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


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


def _check_schema(connection: sa.Connection) -> None:
    name, value = SETTINGS.c.name, SETTINGS.c.value
    schema = connection.execute(sa.select(value).where(name == "schema")).scalar()
    if schema is None:
        connection.execute(SETTINGS.insert().values(name="schema", value=str(SCHEMA)))
    elif schema != str(SCHEMA):
        newer = schema.isdecimal() and int(schema) > SCHEMA
        raise HistoryError(
            "The history was written by a newer version of looktwice; update this one."
            if newer
            else f"The history has schema {schema[:20]!r}, which this version cannot read."
        )


@contextmanager
def _in_plain_words() -> Iterator[None]:
    try:
        yield
    except sa.exc.IntegrityError:
        raise
    except sa.exc.TimeoutError as error:  # all connections are in use, by those who wait for the database
        raise HistoryFault("The history does not answer.") from error
    except sa.exc.DBAPIError as error:
        # SQLite's own words name no place; those of a server may, and stay in the traceback.
        is_file = type(error.orig).__module__ == "sqlite3"
        why = str(error.orig) if is_file else type(error.orig).__name__
        raise HistoryFault(f"The history cannot be read or written: {why}.") from error
