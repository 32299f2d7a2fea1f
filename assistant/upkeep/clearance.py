"""Removes what a store need not keep any longer: old inspections, and pictures that are old or too many."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from assistant.database.place import Place
from assistant.errors import HistoryError
from assistant.records.entries import as_text
from assistant.records.history import History
from assistant.records.retention import (
    count_old,
    find_pictures,
    find_unnamed,
    remove_old,
    remove_unnamed,
    strip_pictures,
)

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Retention:
    """What a store keeps; None sets no limit.

    `days`: inspections younger than that, with all that belongs to them. `picture_days`: maps, previews and whole
    pictures younger than that. `picture_bytes`: the newest of those that take so many bytes together, each picture
    counted as often as an inspection names it. Without limits only unnamed files go. `keep_signed` keeps
    inspections that are signed off, however old. HistoryError for a limit below zero.
    """

    days: float | None = None
    picture_days: float | None = None
    picture_bytes: int | None = None
    keep_signed: bool = False

    def __post_init__(self) -> None:
        limits = [limit for limit in (self.days, self.picture_days, self.picture_bytes) if limit is not None]
        if not all(0 <= limit < 1e15 for limit in limits):
            raise HistoryError("What is kept has a limit of zero days or bytes or more.")


@dataclass(frozen=True)
class Cleared:
    """What went, or would go: inspections, others whose pictures went, and the bytes that those took.

    `files`: files of pictures that no inspection names, after what went or before what would go.
    """

    inspections: int
    pictures: int
    picture_bytes: int
    files: int = 0


def clear(where: Place, retention: Retention, *, dry: bool = False, now: datetime | None = None) -> Cleared:
    """Remove what `retention` does not keep, and unnamed files, and return how much it was; `dry` only counts.

    Inspections go all at once or not at all, and then pictures. A run that somebody works on keeps its
    inspections. HistoryError where the store cannot be written.
    """
    now = now or datetime.now(UTC)
    with closing(History(where)) as history:
        database, runs = history.database, history.runs
        inspections = 0
        if retention.days is not None:
            end = _before(now, retention.days)
            remove = count_old if dry else remove_old
            inspections = remove(database, runs, end, retention.keep_signed)
        pictures, size = 0, 0
        if retention.picture_days is not None or retention.picture_bytes is not None:
            end_of_pictures = None if retention.picture_days is None else _before(now, retention.picture_days)
            ids, size = find_pictures(database, end_of_pictures, retention.picture_bytes)
            pictures = len(ids) if dry else strip_pictures(database, ids)
        files = history.pictures.files
        unnamed = find_unnamed(database, files) if files else []
        count = len(unnamed) if dry or not files else remove_unnamed(database, files, unnamed)
    return Cleared(inspections, pictures, size, count)


def give_room_back(where: Place) -> bool:
    """Make a file as small as what it holds; False for a server, which keeps the room for later rows.

    Nobody can write meanwhile. HistoryFault where it is in use or there is no room to work in.
    """
    with closing(History(where)) as history:
        if history.database.is_server:
            return False
        history.database.compact()
    return True


def _before(now: datetime, days: float) -> str:
    try:
        return as_text(now - timedelta(days=days))
    except OverflowError:
        return ""  # nothing is as old
