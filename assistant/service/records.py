"""Where the service keeps its inspections: the last ones in memory, or all of them in a history.

No picture is kept.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Protocol

from assistant.errors import HistoryError, HistoryFault
from assistant.inspection import Inspection
from assistant.records.entries import Query, as_text
from assistant.records.history import History
from assistant.service.waiting import Outbox


class StoredInspection(Protocol):
    """One inspection that was kept, with its id and its lot."""

    @property
    def id(self) -> str: ...

    @property
    def inspection(self) -> Inspection: ...

    @property
    def lot(self) -> str | None: ...


class Records(Protocol):
    """What keeps inspections. It may be called from several threads."""

    def add(self, inspection: Inspection, lot: str | None = None) -> str:
        """Keep one and return its id."""
        ...

    def get(self, id: str) -> StoredInspection | None:
        """The one of that id; None where there is none."""
        ...

    def find(self, query: Query, limit: int = 50, offset: int = 0) -> Sequence[StoredInspection]:
        """Those that fit, the newest first; product, verdicts, times and lot are all that is asked for here."""
        ...


@dataclass(frozen=True)
class Record:
    """An inspection in memory."""

    id: str
    inspection: Inspection
    lot: str | None = None


class MemoryRecords:
    """The last inspections of this process, `most` of them, without their maps."""

    def __init__(self, most: int = 1000) -> None:
        self.most = most
        self._rows: OrderedDict[str, Record] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, inspection: Inspection, lot: str | None = None) -> str:
        """Keep one, and forget the oldest where there are too many."""
        record = Record(secrets.token_hex(8), replace(inspection, coarse_map=None, judged=None), lot)
        with self._lock:
            self._rows[record.id] = record
            while len(self._rows) > self.most:
                self._rows.popitem(last=False)
        return record.id

    def get(self, id: str) -> Record | None:
        """The one of that id; None where there is none any more."""
        with self._lock:
            return self._rows.get(id)

    def find(self, query: Query, limit: int = 50, offset: int = 0) -> list[Record]:
        """Those that fit, the newest first."""
        with self._lock:
            rows = list(reversed(self._rows.values()))
        wanted = (row for row in rows if _fits(row, query))
        return list(islice(wanted, offset, offset + limit))


class HistoryRecords:
    """The inspections in a history, where they outlive the service.

    What is found while the history is away waits for it, in memory and in `waiting`, a file of its own.
    """

    def __init__(self, history: History, waiting: Path | None = None) -> None:
        self.history = history
        self.outbox = Outbox(lambda inspection, lot: str(history.add(inspection, lot=lot or "")), waiting)

    def add(self, inspection: Inspection, lot: str | None = None) -> str:
        """Keep one, with its map; where the history is away, under an id that stands for the one it gets there."""
        return self.outbox.add(inspection, lot)

    def get(self, id: str) -> Record | None:
        """The one of that id, which is a number here; None where there is none, HistoryFault where it is away."""
        waits = self.outbox.find(id)
        if not isinstance(waits, str | None):
            return Record(waits.id, waits.inspection, waits.lot)
        number = waits or id
        if not (number.isascii() and number.isdigit() and len(number) < 18):
            return None
        try:
            kept = self.history.get(int(number))
        except HistoryFault:
            raise
        except HistoryError:
            return None
        return Record(str(kept.id), kept.inspection, kept.lot or None)

    def find(self, query: Query, limit: int = 50, offset: int = 0) -> list[Record]:
        """Those that fit, the newest first: before those in the history, those that wait for it."""
        waiting = [Record(one.id, one.inspection, one.lot) for one in self.outbox.rows()]
        waiting = [record for record in waiting if _fits(record, query)]
        found = waiting[offset : offset + limit]
        start = max(0, offset - len(waiting))
        rows = islice(self.history.every(query), start, start + limit - len(found))
        return found + [Record(str(kept.id), kept.inspection, kept.lot or None) for kept in rows]

    def close(self) -> None:
        """Keep what waits, if that is possible now. The history stays open."""
        self.outbox.close()


def _fits(record: Record, query: Query) -> bool:
    inspection = record.inspection
    return (
        query.product in (None, inspection.product or "")
        and (not query.verdicts or inspection.outcome in query.verdicts)
        and query.lot in (None, record.lot or "")
        and _within(inspection.created, query.since, query.until)
    )


def _within(created: str | None, since: datetime | None, until: datetime | None) -> bool:
    if since is None and until is None:
        return True
    if created is None:
        return False
    when = as_text(datetime.fromisoformat(created))
    return (since is None or as_text(since) <= when) and (until is None or when < as_text(until))
