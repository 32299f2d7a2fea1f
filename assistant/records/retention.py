"""How long inspections are kept, and how much room their pictures take: what is older, or too much, goes.

The pictures are the maps and previews in the rows, and whole pictures where those are kept; an inspection that
lost them keeps its row, its verdict, its conversation and its sign-offs.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, exists, func, select

from assistant.database.engine import Database
from assistant.database.tables import HISTORY, INSPECTIONS, P_VALUES, SIGN_OFFS, TURNS
from assistant.records.batch_run import Runs
from assistant.records.pictures import KeptFile, PictureFiles

PICTURES: dict[str, Any] = dict.fromkeys(
    ("map", "map_height", "map_width", "map_peak", "preview", "picture", "picture_size")
)
"""The columns of an inspection that a picture is kept in, without one."""

GRACE = 3600.0
"""Seconds in which a file may wait for its row; only an older one is left behind by somebody."""

CHUNK = 500
"""Ids that a statement names at most."""


def count_old(database: Database, runs: Runs, end: str, keep_signed: bool = False) -> int:
    """How many inspections `remove_old` would remove."""
    with database.read() as connection:
        counted = (
            select(func.count()).select_from(INSPECTIONS).where(_old(runs.held(connection), end, keep_signed))
        )
        return int(connection.execute(counted).scalar() or 0)


def remove_old(database: Database, runs: Runs, end: str, keep_signed: bool = False) -> int:
    """Remove what was inspected before a time, see `History.purge`."""
    with database.write(alone=HISTORY) as connection:
        spared = runs.held(connection)
        old = _old(spared, end, keep_signed)
        ids = select(INSPECTIONS.c.id).where(old)
        for belonging in (TURNS, P_VALUES, SIGN_OFFS):
            connection.execute(belonging.delete().where(belonging.c.inspection.in_(ids)))
        lost = connection.execute(select(INSPECTIONS.c.run).where(old).distinct()).scalars().all()
        count = int(connection.execute(INSPECTIONS.delete().where(old)).rowcount)
        runs.purge(connection, [run for run in lost if run is not None], spared, end)
    return count


def find_pictures(database: Database, end: str | None, most_bytes: int | None) -> tuple[list[int], int]:
    """The inspections whose pictures are older than a time, or too much together, and how many bytes those take.

    The newest pictures that fit into `most_bytes` stay, whatever is older goes.
    """
    with database.read() as connection:
        return _chosen(connection, end, most_bytes)


def strip_pictures(database: Database, ids: Sequence[int]) -> int:
    """Take the pictures out of inspections, all or none, and return of how many."""
    count = 0
    with database.write() as connection:
        for start in range(0, len(ids), CHUNK):
            among = INSPECTIONS.c.id.in_(ids[start : start + CHUNK])
            count += int(connection.execute(INSPECTIONS.update().where(among).values(**PICTURES)).rowcount)
    return count


def _old(spared: Sequence[str], end: str, keep_signed: bool) -> ColumnElement[bool]:
    old = INSPECTIONS.c.created < end
    if spared:
        old &= INSPECTIONS.c.run.is_(None) | INSPECTIONS.c.run.not_in(spared)
    if keep_signed:
        old &= ~exists().where(SIGN_OFFS.c.inspection == INSPECTIONS.c.id, SIGN_OFFS.c.withdrawn.is_(None))
    return old


def _chosen(connection: Connection, end: str | None, most_bytes: int | None) -> tuple[list[int], int]:
    columns = INSPECTIONS.c
    size = func.coalesce(func.length(columns.map), 0) + func.coalesce(func.length(columns.preview), 0)
    size += func.coalesce(columns.picture_size, 0)
    asked: Select[Any] = select(columns.id, columns.created, size.label("size"))
    asked = asked.where(columns.map.is_not(None) | columns.preview.is_not(None) | columns.picture.is_not(None))
    kept = gone = 0
    ids: list[int] = []
    for row in connection.execute(asked.order_by(columns.created.desc(), columns.id.desc())):
        too_old = end is not None and row.created < end
        too_much = most_bytes is not None and kept + row.size > most_bytes
        if too_old or too_much or (ids and most_bytes is not None):  # nothing older than what went is kept
            ids.append(row.id)
            gone += row.size
        else:
            kept += row.size
    return ids, gone


def find_unnamed(database: Database, files: PictureFiles, grace: float = GRACE) -> list[KeptFile]:
    """The files of pictures that no inspection names, those that were written just now aside."""
    end = time.time() - grace
    with database.read() as connection:
        named = set(connection.execute(select(INSPECTIONS.c.picture).distinct()).scalars())
    return [file for file in files.every() if file.digest not in named and file.touched <= end]


def remove_unnamed(database: Database, files: PictureFiles, found: Sequence[KeptFile]) -> int:
    """Remove files that no inspection names, and return how many; one that is wanted by now stays.

    Nobody writes a row meanwhile, and whoever has written its file looks again whether it is there.
    """
    count = 0
    for start in range(0, len(found), CHUNK):
        chunk = {file.digest: file for file in found[start : start + CHUNK]}
        with database.write(alone=[INSPECTIONS]) as connection:
            asked = select(INSPECTIONS.c.picture).where(INSPECTIONS.c.picture.in_(list(chunk)))
            for digest in set(chunk) - set(connection.execute(asked).scalars()):
                files.remove(digest)
                count += 1
    return count
