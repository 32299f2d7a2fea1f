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
from typing import Protocol

from assistant.errors import HistoryError
from assistant.inspection import Inspection
from assistant.records.entries import Query, as_text
from assistant.records.history import History


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
        record = Record(secrets.token_hex(8), replace(inspection, coarse_map=None), lot)
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
        wanted = (
            row
            for row in rows
            if query.product in (None, row.inspection.product or "")
            and (not query.verdicts or (row.inspection.outcome) in query.verdicts)
            and query.lot in (None, row.lot or "")
            and _within(row.inspection.created, query.since, query.until)
        )
        return list(islice(wanted, offset, offset + limit))


class HistoryRecords:
    """The inspections in a history, where they outlive the service."""

    def __init__(self, history: History) -> None:
        self.history = history

    def add(self, inspection: Inspection, lot: str | None = None) -> str:
        """Keep one, with its map."""
        return str(self.history.add(inspection, lot=lot or ""))

    def get(self, id: str) -> Record | None:
        """The one of that id, which is a number here; None where there is none."""
        if not (id.isascii() and id.isdigit() and len(id) < 18):
            return None
        try:
            kept = self.history.get(int(id))
        except HistoryError:
            return None
        return Record(str(kept.id), kept.inspection, kept.lot or None)

    def find(self, query: Query, limit: int = 50, offset: int = 0) -> list[Record]:
        """Those that fit, the newest first."""
        rows = islice(self.history.every(query), offset, offset + limit)
        return [Record(str(kept.id), kept.inspection, kept.lot or None) for kept in rows]


def _within(created: str | None, since: datetime | None, until: datetime | None) -> bool:
    if since is None and until is None:
        return True
    if created is None:
        return False
    when = as_text(datetime.fromisoformat(created))
    return (since is None or as_text(since) <= when) and (until is None or when < as_text(until))
