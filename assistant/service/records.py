"""Where the service keeps its inspections: the last ones in memory, or all of them in a history.

No picture is kept here; a history may keep them, see `assistant.records.kept_pictures`.
"""

from __future__ import annotations

import secrets
import threading
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Protocol

from assistant.errors import HistoryError, HistoryFault
from assistant.inspection import Inspection
from assistant.products.audit import AuditLog
from assistant.records.agreement import Agreement, SignOff, agreement_of, current, decide, logged, take_back
from assistant.records.entries import KeptInspection, Query, as_text
from assistant.records.history import History
from assistant.service.waiting import Outbox, Waiting


class StoredInspection(Protocol):
    """One inspection that was kept, with its id, its lot and the sign-off that counts."""

    @property
    def id(self) -> str: ...

    @property
    def inspection(self) -> Inspection: ...

    @property
    def lot(self) -> str | None: ...

    @property
    def sign_off(self) -> SignOff | None: ...


class Records(Protocol):
    """What keeps inspections. It may be called from several threads."""

    def add(self, inspection: Inspection, lot: str | None = None) -> str:
        """Keep one and return its id."""
        ...

    def get(self, id: str) -> StoredInspection | None:
        """The one of that id; None where there is none."""
        ...

    def find(self, query: Query, limit: int = 50, offset: int = 0) -> Sequence[StoredInspection]:
        """Those that fit, the newest first; by product, verdicts, times, lot and sign-off, and nothing else."""
        ...

    def sign(self, id: str, decision: str, reason: str, name: str, *, actor: str, log: AuditLog | None) -> SignOff:
        """Sign one off, see `SignOffs.add`; HistoryFault where it cannot be kept now."""
        ...

    def withdraw(
        self, id: str, name: str, *, sign_off: int | None = None, actor: str, log: AuditLog | None
    ) -> SignOff:
        """Withdraw a sign-off, see `SignOffs.withdraw`."""
        ...

    def sign_offs(self, id: str) -> Sequence[SignOff]:
        """All sign-offs of one, oldest first."""
        ...

    def agreement(self, query: Query) -> Agreement:
        """How many of those that fit are signed off, by verdict."""
        ...


@dataclass(frozen=True)
class Record:
    """An inspection in memory."""

    id: str
    inspection: Inspection
    lot: str | None = None
    sign_off: SignOff | None = None


class MemoryRecords:
    """The last inspections of this process, `most` of them, without their maps."""

    def __init__(self, most: int = 1000) -> None:
        self.most = most
        self._rows: OrderedDict[str, Record] = OrderedDict()
        self._signed: dict[str, tuple[SignOff, ...]] = {}
        self._last = 0
        self._lock = threading.Lock()

    def add(self, inspection: Inspection, lot: str | None = None) -> str:
        """Keep one, and forget the oldest where there are too many."""
        record = Record(secrets.token_hex(8), replace(inspection, coarse_map=None, judged=None), lot)
        with self._lock:
            self._rows[record.id] = record
            while len(self._rows) > self.most:
                self._signed.pop(self._rows.popitem(last=False)[0], None)
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

    def sign(self, id: str, decision: str, reason: str, name: str, *, actor: str, log: AuditLog | None) -> SignOff:
        """Sign one off, as long as it is remembered."""
        given = decide(decision, reason, name, actor)
        with logged(log, "sign off", id, self._held(id).inspection, given, actor), self._lock:
            self._last += 1
            given = replace(given, id=self._last)
            self._note(id, (*self._signed.get(id, ()), given))
        return given

    def withdraw(
        self, id: str, name: str, *, sign_off: int | None = None, actor: str, log: AuditLog | None
    ) -> SignOff:
        """Withdraw a sign-off; it is remembered as withdrawn."""
        done = take_back(self.sign_offs(id), name, sign_off)
        with logged(log, "withdraw sign-off", id, self._held(id).inspection, done, actor), self._lock:
            self._note(id, tuple(done if one.id == done.id else one for one in self._signed.get(id, ())))
        return done

    def sign_offs(self, id: str) -> tuple[SignOff, ...]:
        """All sign-offs of one, oldest first."""
        with self._lock:
            return self._signed.get(id, ())

    def agreement(self, query: Query) -> Agreement:
        """How many of those that fit are signed off, by verdict."""
        return _count(self.find(query, self.most))

    def _held(self, id: str) -> Record:
        if (record := self.get(id)) is None:
            raise HistoryError(f"There is no inspection {id[:80]!r}.")
        return record

    def _note(self, id: str, given: tuple[SignOff, ...]) -> None:
        if id in self._rows:  # it may have been forgotten meanwhile
            self._signed[id] = given
            self._rows[id] = replace(self._rows[id], sign_off=current(given))


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
        number = _number(waits or id)
        if number is None:
            return None
        try:
            return _record(self.history.get(number))
        except HistoryFault:
            raise
        except HistoryError:
            return None

    def find(self, query: Query, limit: int = 50, offset: int = 0) -> list[Record]:
        """Those that fit, the newest first: before those in the history, those that wait for it."""
        waiting = [Record(one.id, one.inspection, one.lot) for one in self.outbox.rows()]
        waiting = [record for record in waiting if _fits(record, query)]
        found = waiting[offset : offset + limit]
        start = max(0, offset - len(waiting))
        rows = islice(self.history.every(query), start, start + limit - len(found))
        return found + list(map(_record, rows))

    def sign(self, id: str, decision: str, reason: str, name: str, *, actor: str, log: AuditLog | None) -> SignOff:
        """Sign one off that is in the history; HistoryFault while it waits for it."""
        return self.history.sign_offs.add(self._id(id), decision, reason, name, actor=actor, log=log)

    def withdraw(
        self, id: str, name: str, *, sign_off: int | None = None, actor: str, log: AuditLog | None
    ) -> SignOff:
        """Withdraw a sign-off, which stays in the history as withdrawn."""
        return self.history.sign_offs.withdraw(self._id(id), name, sign_off=sign_off, actor=actor, log=log)

    def sign_offs(self, id: str) -> tuple[SignOff, ...]:
        """All sign-offs of one, oldest first."""
        if isinstance(self.outbox.find(id), Waiting):
            return ()
        return self.history.sign_offs.of(self._id(id))

    def agreement(self, query: Query) -> Agreement:
        """How many of those in the history that fit are signed off, by verdict."""
        return self.history.sign_offs.agreement(query)

    def _id(self, id: str) -> int:
        """The id in the history of one that is there."""
        waits = self.outbox.find(id)
        if isinstance(waits, Waiting):
            raise HistoryFault(f"The inspection {id} waits for the history, and is signed off once it is there.")
        if (number := _number(waits or id)) is None:
            raise HistoryError(f"There is no inspection {id[:80]!r}.")
        return number

    def close(self) -> None:
        """Keep what waits, if that is possible now. The history stays open."""
        self.outbox.close()


def _record(kept: KeptInspection) -> Record:
    return Record(str(kept.id), kept.inspection, kept.lot or None, kept.sign_off)


def _number(id: str) -> int | None:
    """The number that an id of the history is; None for another text."""
    return int(id) if id.isascii() and id.isdigit() and len(id) < 18 else None


def _count(records: Sequence[Record]) -> Agreement:
    decided = Counter((one.inspection.outcome, one.sign_off.decision if one.sign_off else None) for one in records)
    return agreement_of((outcome, decision, n) for (outcome, decision), n in decided.items())


def _fits(record: Record, query: Query) -> bool:
    inspection = record.inspection
    decision = record.sign_off.decision if record.sign_off else None
    return (
        query.product in (None, inspection.product or "")
        and (not query.verdicts or inspection.outcome in query.verdicts)
        and query.lot in (None, record.lot or "")
        and query.signed in (None, decision or "no", "yes" if decision else None)
        and _within(inspection.created, query.since, query.until)
    )


def _within(created: str | None, since: datetime | None, until: datetime | None) -> bool:
    if since is None and until is None:
        return True
    if created is None:
        return False
    when = as_text(datetime.fromisoformat(created))
    return (since is None or as_text(since) <= when) and (until is None or when < as_text(until))
