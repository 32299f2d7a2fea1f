"""Looks a store through: rows that cannot be read, rows that belong to nothing, and a damaged file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, get_args

import sqlalchemy as sa

from assistant.database.engine import Database
from assistant.database.place import Place, show_place
from assistant.database.schema import SchemaState, open_database, read_state
from assistant.database.tables import (
    AUDIT,
    HISTORY,
    INSPECTIONS,
    P_VALUES,
    PRODUCTS,
    RUNS,
    SIGN_OFFS,
    TABLES,
    TURNS,
)
from assistant.errors import HistoryError, LooktwiceError
from assistant.products.audit_chain import read_entry
from assistant.products.product import Product
from assistant.progress import Tell, say_nothing
from assistant.records.batch_run import State
from assistant.records.entries import from_row, read_answer, read_map
from assistant.records.kept_pictures import KeptPictures
from assistant.records.pictures import PictureFiles
from assistant.records.retention import find_unnamed, remove_unnamed
from assistant.records.sign_offs import read_sign_off

MOST_FAULTS = 10_000
"""Faults that are told apart; of a store in ruins the first so many."""

MISSING_TABLE = "table"
DAMAGE = "damage"
BROKEN = "row"
STRAY = "stray"
MISSING_FILE = "file missing"
UNNAMED_FILE = "file unnamed"


@dataclass(frozen=True)
class Fault:
    """Something that is not as it should be.

    `kind`: "damage" of the file, a "table" that is not there, a "row" that cannot be read, a "stray" row, which
    belongs to something that is gone, a "file missing" that a row names, or a "file unnamed" by any. `mended` says
    whether it is so no more.
    """

    kind: str
    table: str
    row: str
    what: str
    mended: bool = False


@dataclass(frozen=True)
class Examination:
    """What was found out about a store: where it is, its schema, how many rows each table has, and its faults."""

    place: str
    state: SchemaState
    rows: dict[str, int]
    faults: tuple[Fault, ...]

    @property
    def is_sound(self) -> bool:
        """Whether there is no fault that was not mended."""
        return all(fault.mended for fault in self.faults)


def examine(where: Place, *, mend: bool = False, tell: Tell = say_nothing) -> Examination:
    """Look a store through; no row and no file is changed unless `mend`.

    `mend` removes stray conversations, sign-offs and p-values, and files that no inspection names, and makes
    inspections of a run that is gone inspections of none. Rows that cannot be read stay, for whoever can read
    them, and so do those whose file is missing: it may come back. HistoryError where there is no store, or it
    cannot be read at all.
    """
    database = open_database(where)
    try:
        with database.read() as connection:
            state = read_state(connection)
            faults = list(_limited(_damage(connection)))
            rows, broken = _look_through(connection, tell)
            faults += broken
        files = KeptPictures(database, where).files
        if files:
            faults += _limited(_look_for_files(database, files))
        if mend:
            faults = _mend(database, files, faults)
    finally:
        database.close()
    return Examination(show_place(where), state, rows, tuple(faults))


def _damage(connection: sa.Connection) -> Iterator[Fault]:
    if connection.dialect.name == "sqlite":
        for (said,) in connection.exec_driver_sql(f"PRAGMA integrity_check({MOST_FAULTS})"):
            if said != "ok":
                yield Fault(DAMAGE, "", "", str(said).replace("\n", " "))


def _look_through(connection: sa.Connection, tell: Tell) -> tuple[dict[str, int], list[Fault]]:
    there = sa.inspect(connection)
    counts: dict[str, int] = {}
    faults: list[Fault] = []
    for table in TABLES:
        if not there.has_table(table.name):
            faults.append(Fault(MISSING_TABLE, table.name, "", "The table is missing."))
            continue
        counts[table.name] = int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar() or 0)
    total, done = sum(counts.values()) or 1, 0
    for table in TABLES:
        if table.name not in counts:
            continue
        for row in connection.execution_options(yield_per=200).execute(sa.select(table)):
            done += 1
            if done % 200 == 0:
                tell(f"Reading {table.name}", done / total)
            if why := _unreadable(_READERS[table.name], row):
                faults.append(Fault(BROKEN, table.name, str(row[0]), why))
        faults += _limited(_strays(connection, table, counts))
    return counts, faults[:MOST_FAULTS]


def _limited(found: Iterator[Fault]) -> Iterator[Fault]:
    yield from (fault for _, fault in zip(range(MOST_FAULTS), found, strict=False))


def _strays(connection: sa.Connection, table: sa.Table, there: dict[str, int]) -> Iterator[Fault]:
    """The rows that name one of another table which is not there."""
    [key] = table.primary_key.columns
    for column in table.columns:
        for foreign in column.foreign_keys:
            other = foreign.column
            if other.table.name not in there:
                continue
            lost = column.is_not(None) & ~sa.exists().where(other == column)
            for row in connection.execute(sa.select(key, column).where(lost)):
                yield Fault(
                    STRAY, table.name, str(row[0]), f"It belongs to {column.name} {row[1]}, which is gone."
                )


def _unreadable(read: Callable[[Any], None], row: Any) -> str:
    """Why a row cannot be read; "" for one that can."""
    try:
        read(row)
    except LooktwiceError as error:
        return str(error)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        return f"It cannot be read: {type(error).__name__}."
    return ""


def _read_inspection(row: Any) -> None:
    inspection = from_row(row).inspection
    if inspection.outcome != row.verdict:
        raise HistoryError(f"It is listed as {row.verdict!r} and says {inspection.outcome!r}.")
    read_map(row)
    if row.preview is not None and not (row.preview[:2] == b"\xff\xd8" and row.preview[-2:] == b"\xff\xd9"):
        raise HistoryError("Its preview is no whole JPEG.")


def _read_run(row: Any) -> None:
    sources, settings = json.loads(row.sources), json.loads(row.settings)
    if len(sources) != row.total or not isinstance(settings, dict) or row.state not in get_args(State):
        raise HistoryError("Its pictures, settings or state are none.")


def _read_turn(row: Any) -> None:
    if not isinstance(json.loads(row.question), str):
        raise HistoryError("Its question is no text.")
    read_answer(json.loads(row.answer))


def _read_p_value(row: Any) -> None:
    if not 0 <= row.p_value <= 1:
        raise HistoryError(f"Its p-value is {row.p_value:g}.")


def _read_product(row: Any) -> None:
    if Product.unpacked(row.content, row.past, row.name).name != row.name:
        raise HistoryError("It holds another product.")


def _read_entry(row: Any) -> None:
    entry = read_entry(row.line.encode("ascii", "replace"))
    if entry is None or entry.n != row.n:
        raise HistoryError("It is no entry; `looktwice audit verify` says more.")


_READERS: dict[str, Callable[[Any], Any]] = {
    RUNS.name: _read_run,
    INSPECTIONS.name: _read_inspection,
    TURNS.name: _read_turn,
    SIGN_OFFS.name: read_sign_off,
    P_VALUES.name: _read_p_value,
    PRODUCTS.name: _read_product,
    AUDIT.name: _read_entry,
}


def _look_for_files(database: Database, files: PictureFiles) -> Iterator[Fault]:
    """The rows whose file is not there or not whole, and the files that no row names."""
    sizes = {file.digest: file.size for file in files.every()}
    asked = sa.select(INSPECTIONS.c.id, INSPECTIONS.c.picture, INSPECTIONS.c.picture_size)
    with database.read() as connection:
        for row in connection.execute(asked.where(INSPECTIONS.c.picture.is_not(None)).order_by(INSPECTIONS.c.id)):
            if sizes.get(row.picture) != row.picture_size:
                why = "not whole" if row.picture in sizes else "missing"
                yield Fault(MISSING_FILE, INSPECTIONS.name, str(row.id), f"The picture {row.picture} is {why}.")
    for file in find_unnamed(database, files):
        yield Fault(UNNAMED_FILE, "", file.digest, "No inspection names this picture.")


def _mend(database: Database, files: PictureFiles | None, faults: list[Fault]) -> list[Fault]:
    """The faults, of which strays and unnamed files are mended, all rows or none."""
    with database.write(alone=HISTORY) as connection:
        for table in (TURNS, SIGN_OFFS, P_VALUES):
            gone = ~sa.exists().where(INSPECTIONS.c.id == table.c.inspection)
            connection.execute(table.delete().where(gone))
        alone = INSPECTIONS.c.run.is_not(None) & ~sa.exists().where(RUNS.c.id == INSPECTIONS.c.run)
        connection.execute(INSPECTIONS.update().where(alone).values(run=None, place=None))
    if files:
        remove_unnamed(database, files, find_unnamed(database, files))
    return [replace(one, mended=True) if one.kind in (STRAY, UNNAMED_FILE) else one for one in faults]
