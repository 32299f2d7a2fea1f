"""A store as one file that says itself what is in it, and back: from SQLite to PostgreSQL or the other way.

It is a ZIP archive. `tables/NAME.jsonl` has the rows of a table, one JSON object a line: texts, numbers and null
as they are, bytes in base64. `pictures/DIGEST` are whole pictures, where the store keeps them. `manifest.json`,
written last, says which tables and columns there are, how many rows each has, and the last id that was given.
`README.txt` says the same in words.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib import metadata
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from assistant.database.place import Place
from assistant.database.schema import SCHEMA, open_database, read_state
from assistant.database.tables import TABLES
from assistant.errors import HistoryError
from assistant.files import written_whole
from assistant.progress import Tell, say_nothing
from assistant.records.kept_pictures import KeptPictures
from assistant.records.pictures import BESIDE
from assistant.upkeep.archive_pictures import read_pictures, write_pictures

FORMAT = "looktwice-store"
VERSION = 1
"""The format of an export; raised where an earlier version could not read what is written."""

_TYPES: dict[str, tuple[type, ...]] = {"bytes": (str,), "text": (str,), "integer": (int,), "real": (float, int)}

CHUNK = 200
"""Rows that are read or written at a time."""

_MANIFEST = "manifest.json"
_README = """This is everything that a store of looktwice holds.

manifest.json says which tables there are, the type of each of their columns, how many rows they have, and the
last id that was given in each. tables/NAME.jsonl holds the rows, one JSON object a line; "bytes" are in base64,
times are texts in UTC. pictures/ holds the files of whole pictures, named by the SHA-256 of their content, where
the store keeps them; the manifest lists those that were missing or damaged. `looktwice store import FILE` reads it
into an empty store, in a file or in PostgreSQL.
"""


def export_store(where: Place, file: Path, tell: Tell = say_nothing) -> dict[str, int]:
    """Write all that a store holds to a file, whole or not at all, and return the rows of each table.

    With them `pictures`, and of these `missing`, or damaged. It is the state of one moment; others may write
    meanwhile. The file is its owner's alone. HistoryError where the store cannot be read or the file not written.
    """
    database = open_database(where)
    try:
        with (
            written_whole(file, private=True) as sink,
            zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            archive.writestr("README.txt", _README)
            with database.read() as connection:
                tables = {table.name: _write_table(connection, table, archive, tell) for table in TABLES}
                state = read_state(connection)
                pictures = write_pictures(connection, KeptPictures(database, where).files, archive, tell)
            manifest = {
                "format": FORMAT,
                "version": VERSION,
                "program": metadata.version("looktwice"),
                "made": datetime.now(UTC).isoformat(timespec="seconds"),
                "schema": int(state.schema or SCHEMA),
                "revision": state.revision,
                "tables": tables,
                "pictures": pictures,
            }
            archive.writestr(_MANIFEST, json.dumps(manifest, indent=1))
    except OSError as error:
        raise HistoryError(f"The export cannot be written: {error.strerror or 'an error'}.") from error
    finally:
        database.close()
    return {name: table["rows"] for name, table in tables.items()} | {
        "pictures": pictures["files"],
        "missing": len(pictures["missing"]),
    }


def import_store(file: Path, where: Place, tell: Tell = say_nothing, *, pictures: str = BESIDE) -> dict[str, int]:
    """Fill an empty store from an export, all of it or nothing, and return the rows of each table.

    `pictures`: where whole pictures are to be, as for `KeptPictures.keep`; nothing is there where the export has
    none. What was written is counted and compared with what the export says. HistoryError where the store holds
    anything, the file is no whole export, or a newer version made it.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            manifest = _read_manifest(archive, file)
            database = open_database(where)
            try:
                with database.read() as connection:
                    _check_empty(connection)
                kept = read_pictures(archive, manifest.get("pictures"), database, where, pictures, tell)
                with database.write(alone=TABLES) as connection:
                    _check_empty(connection)
                    return _fill(connection, archive, manifest, tell) | {"pictures": kept}
            except sa.exc.IntegrityError as error:
                raise _damaged(file) from error
            finally:
                database.close()
    except (zipfile.BadZipFile, EOFError, KeyError, TypeError, ValueError, binascii.Error) as error:
        raise _damaged(file) from error
    except OSError as error:
        raise HistoryError(f"{file} cannot be read: {error.strerror or 'an error'}.") from error


def _write_table(
    connection: sa.Connection, table: sa.Table, archive: zipfile.ZipFile, tell: Tell
) -> dict[str, Any]:
    total = int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar() or 0)
    count = 0
    with archive.open(f"tables/{table.name}.jsonl", "w", force_zip64=True) as raw:
        ordered = sa.select(table).order_by(*table.primary_key.columns)
        for row in connection.execution_options(yield_per=CHUNK).execute(ordered):
            line = {name: _to_json(value) for name, value in row._mapping.items()}
            raw.write(json.dumps(line, allow_nan=False).encode() + b"\n")
            count += 1
            if count % CHUNK == 0:
                tell(f"Writing {table.name}", count / max(total, 1))
    columns = {column.name: _type_name(column) for column in table.columns}
    return {"rows": count, "last_id": _last_id(connection, table), "columns": columns}


def _read_manifest(archive: zipfile.ZipFile, file: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(archive.read(_MANIFEST))
    if manifest["format"] != FORMAT:
        raise _damaged(file)
    known = {table.name: {column.name for column in table.columns} for table in TABLES}
    tables = manifest["tables"]
    unknown = [name for name, table in tables.items() if set(table["columns"]) - known.get(name, set())]
    if manifest["version"] > VERSION or manifest["schema"] > SCHEMA or unknown:
        raise HistoryError(f"{file} was written by a newer version of looktwice; update this one.")
    return manifest


def _check_empty(connection: sa.Connection) -> None:
    for table in TABLES:
        if connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).scalar():
            raise HistoryError("The store holds something already: an export is read into an empty one.")


def _fill(
    connection: sa.Connection, archive: zipfile.ZipFile, manifest: dict[str, Any], tell: Tell
) -> dict[str, int]:
    counts = {}
    for table in TABLES:
        told = manifest["tables"].get(table.name)
        if told is None:  # an export from before there was such a table
            counts[table.name] = 0
            continue
        kinds = {column.name: _type_name(column) for column in table.columns}
        with archive.open(f"tables/{table.name}.jsonl") as raw:
            rows = (_from_json(json.loads(line), kinds) for line in io.TextIOWrapper(raw, "utf-8"))
            for done, chunk in enumerate(_chunks(rows)):
                connection.execute(table.insert(), chunk)
                tell(f"Reading {table.name}", min(1.0, done * CHUNK / max(told["rows"], 1)))
        counted = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar()
        counts[table.name] = int(counted or 0)
        if counts[table.name] != told["rows"]:
            raise HistoryError(
                f"The export says {told['rows']:,} rows of {table.name} and holds {counts[table.name]:,}: "
                "nothing was imported."
            )
        _go_on_from(connection, table, int(told["last_id"] or 0))
    return counts


def _chunks(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    rows = iter(rows)
    while chunk := list(islice(rows, CHUNK)):
        yield chunk


def _to_json(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes | memoryview) else value


def _from_json(row: dict[str, Any], kinds: dict[str, str]) -> dict[str, Any]:
    if set(row) - set(kinds):
        raise ValueError("a row with unknown columns")
    wrong = [name for name, value in row.items() if value is not None and type(value) not in _TYPES[kinds[name]]]
    if wrong:
        raise ValueError(f"a row with another type of {wrong[0]}")
    raw = {name: base64.b64decode(value, validate=True) for name, value in row.items()
           if value is not None and kinds[name] == "bytes"}  # fmt: skip
    return dict.fromkeys(kinds) | row | raw


def _type_name(column: sa.Column[Any]) -> str:
    kind = column.type
    if isinstance(kind, sa.LargeBinary):
        return "bytes"
    if isinstance(kind, sa.Integer):
        return "integer"
    return "real" if isinstance(kind, sa.Float) else "text"


def _counts_up(table: sa.Table) -> bool:
    """Whether the database gives the ids of a table, and gives none twice."""
    return bool(table.dialect_options["sqlite"]["autoincrement"])


def _last_id(connection: sa.Connection, table: sa.Table) -> int | None:
    """The last id that was given, of a row that may be gone; None where the database gives none."""
    if not _counts_up(table):
        return None
    highest = int(connection.execute(sa.select(sa.func.max(table.c.id))).scalar() or 0)
    if connection.dialect.name == "sqlite":
        asked = sa.text("SELECT seq FROM sqlite_sequence WHERE name = :name")
        return max(highest, int(connection.execute(asked, {"name": table.name}).scalar() or 0))
    asked = sa.text("SELECT pg_sequence_last_value(pg_get_serial_sequence(:name, 'id')::regclass)")
    return max(highest, int(connection.execute(asked, {"name": table.name}).scalar() or 0))


def _go_on_from(connection: sa.Connection, table: sa.Table, last: int) -> None:
    """Let the ids of a table go on after the last one that was given, and after the highest there is."""
    if "id" not in table.c or not isinstance(table.c.id.type, sa.Integer):
        return
    last = max(last, int(connection.execute(sa.select(sa.func.max(table.c.id))).scalar() or 0))
    if connection.dialect.name == "postgresql" and last:
        asked = sa.text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :last)")
        connection.execute(asked, {"name": table.name, "last": last})
    elif connection.dialect.name == "sqlite" and _counts_up(table):
        named = {"name": table.name, "last": last}
        connection.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = :name"), named)
        connection.execute(sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :last)"), named)


def _damaged(file: Path) -> HistoryError:
    return HistoryError(f"{file} is no export of a store, or is damaged: nothing was imported.")
