"""Inspections on their way into a store that may be away: they wait in memory and in a file, and none is lost.

One thread writes, in order. As long as the store answers, whoever adds an inspection waits for its id there. When
it does not, the inspection gets an id of its own, is noted in the file, and is kept as soon as that is possible,
if need be by the next process. The file has a line of JSON for each that waits, and for each that was kept then.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from assistant.errors import HistoryFault
from assistant.files import write_atomically
from assistant.inspection import Inspection

PREFIX = "w-"
"""How the id of an inspection begins that waits, or did."""

MOST = 10_000
"""Inspections that wait, and ids that are remembered of those that did."""

log = logging.getLogger("looktwice.service")


@dataclass(frozen=True)
class Waiting:
    """An inspection that waits, with its lot, under an id of its own."""

    inspection: Inspection
    lot: str | None = None
    id: str = field(default_factory=lambda: PREFIX + secrets.token_hex(8))


class Outbox:
    """What is to be kept by `keep`, which returns an id, and raises HistoryFault while the store is away.

    `patience`: seconds without any progress after which nobody waits for the store; `pause`: between two tries.
    `file` belongs to this process; another one takes a file of its own beside it.
    """

    def __init__(
        self,
        keep: Callable[[Inspection, str | None], str],
        file: Path | None = None,
        *,
        patience: float = 2.0,
        pause: float = 1.0,
    ) -> None:
        self._keep, self._patience, self._pause = keep, patience, pause
        self._waiting: OrderedDict[str, Waiting] = OrderedDict()
        self._kept: OrderedDict[str, str] = OrderedDict()
        self._noted: set[str] = set()
        self._away = self._stopping = False
        self._progress = time.monotonic()
        self._changed = threading.Condition()
        self._worker: threading.Thread | None = None
        self._note = Note.open(file) if file else None
        if self._note:
            rows, self._kept = self._note.begin()
            self._waiting.update({row.id: row for row in rows})
            self._noted.update(self._waiting)
        if self._waiting:
            self._away = True  # until they are written
            self._start()

    def add(self, inspection: Inspection, lot: str | None = None) -> str:
        """Keep an inspection and return its id in the store, or one of its own where the store is away."""
        row = Waiting(inspection, lot)
        with self._changed:
            since = time.monotonic()
            if len(self._waiting) >= MOST:
                log.error("an inspection is not kept: %d wait already", MOST)
                return row.id
            self._waiting[row.id] = row
            self._start()
            self._changed.notify_all()
            while row.id in self._waiting:
                left = max(since, self._progress) + self._patience - time.monotonic()
                if self._away or self._stopping or left <= 0:
                    self._away = True
                    self._noted.add(row.id)
                    if self._note:
                        self._note.write(_as_line(row))
                    return row.id
                self._changed.wait(left)
            return self._kept.get(row.id, row.id)

    def find(self, id: str) -> Waiting | str | None:
        """The inspection of an id while it waits, its id in the store since then; None for any other."""
        with self._changed:
            return self._waiting.get(id) or self._kept.get(id)

    def rows(self) -> list[Waiting]:
        """Those that wait for a store that is away, the newest first."""
        with self._changed:
            return [row for row in reversed(self._waiting.values()) if row.id in self._noted]

    def close(self, wait: float = 5.0) -> None:
        """Try once more to keep what waits, for so many seconds; what is left is in the file."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._worker:
            self._worker.join(wait)
        if left := len(self._waiting):
            where = "are kept at the next start" if self._note else "are lost: they have no file to wait in"
            log.error("%d inspections did not get into the history and %s", left, where)
        if self._note:
            self._note.close()

    def _start(self) -> None:
        if self._worker is None:
            self._worker = threading.Thread(target=self._work, name="records", daemon=True)
            self._worker.start()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._stopping:
                    self._changed.wait()
                if not self._waiting:
                    return
                row = next(iter(self._waiting.values()))
            try:
                id = self._keep(row.inspection, row.lot)
            except HistoryFault as error:
                if self._rest(error):
                    return
                continue
            except Exception as error:  # this one will never be kept, and holds up no other
                log.error("the inspection %s cannot be kept", row.id, exc_info=error)
                id = ""
            self._settle(row, id)

    def _rest(self, error: HistoryFault) -> bool:
        """Wait for the next try; whether there is none."""
        with self._changed:
            if not self._away:
                log.error("inspections wait: %s", error)
            self._away = True
            self._changed.notify_all()
            if not self._stopping:
                self._changed.wait_for(lambda: self._stopping, self._pause)
                return False
            return True

    def _settle(self, row: Waiting, id: str) -> None:
        with self._changed:
            del self._waiting[row.id]
            if id:
                self._kept[row.id] = id
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)
            if row.id in self._noted:
                self._noted.discard(row.id)
                if self._note:
                    self._note.write({"id": row.id, "kept": id})
            self._progress = time.monotonic()
            self._away &= bool(self._waiting)
            self._changed.notify_all()


class Note:
    """The file of an outbox, only its owner's to read."""

    def __init__(self, path: Path, lock: Any) -> None:
        self.path, self._lock = path, lock

    @classmethod
    def open(cls, path: Path) -> Note | None:
        """The file, or the next one beside it that no process uses; None where none can be had."""
        from filelock import FileLock, Timeout

        for number in range(16):
            file = path.with_name(f"{path.name}.{number}") if number else path
            lock = FileLock(f"{file}.lock", thread_local=False)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                lock.acquire(timeout=0)
            except Timeout:
                continue
            except OSError as error:
                log.error("inspections can wait in memory only: %s", error.strerror)
                return None
            return cls(file, lock)
        return None

    def begin(self) -> tuple[list[Waiting], OrderedDict[str, str]]:
        """What waits in the file, and the ids of what did; the file then has no more than these."""
        waiting: OrderedDict[str, Waiting] = OrderedDict()
        kept: OrderedDict[str, str] = OrderedDict()
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return [], kept
        except OSError as error:
            log.error("what waits for the history cannot be read: %s", error.strerror)
            return [], kept
        for line in lines:
            try:
                row = json.loads(line)
                if "kept" in row:
                    waiting.pop(row["id"], None)
                    kept[row["id"]] = row["kept"]
                else:
                    waiting[row["id"]] = _from_line(row)
            except (ValueError, TypeError, KeyError, AttributeError) as error:  # cut short by a crash
                log.error("a line of what waits for the history is damaged", exc_info=error)
        known = OrderedDict(list((id, to) for id, to in kept.items() if to)[-MOST:])
        self._replace([*({"id": id, "kept": to} for id, to in known.items()), *map(_as_line, waiting.values())])
        return list(waiting.values()), known

    def write(self, row: dict[str, Any]) -> None:
        """Add a line that outlives a power cut."""
        try:
            file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(file, json.dumps(row).encode() + b"\n")
                os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            log.error("an inspection waits in memory only: %s", error.strerror)

    def _replace(self, rows: list[dict[str, Any]]) -> None:
        try:
            write_atomically(self.path, b"".join(json.dumps(row).encode() + b"\n" for row in rows))
            self.path.chmod(0o600)
        except OSError as error:
            log.error("the file of what waits stays as long as it is: %s", error.strerror)

    def close(self) -> None:
        """Leave the file to others."""
        self._lock.release()


def _as_line(row: Waiting) -> dict[str, Any]:
    line: dict[str, Any] = {"id": row.id, "lot": row.lot, "row": row.inspection.to_dict()}
    if (coarse := row.inspection.coarse_map) is not None:
        line["map"] = base64.b64encode(coarse.astype("<f4").tobytes()).decode()
        line["shape"] = coarse.shape
    return line


def _from_line(line: dict[str, Any]) -> Waiting:
    inspection = Inspection.from_dict(line["row"])
    if "map" in line:
        coarse = np.frombuffer(base64.b64decode(line["map"]), "<f4").reshape(line["shape"])
        inspection = replace(inspection, coarse_map=coarse.astype(np.float32))
    return Waiting(inspection, line["lot"], line["id"])
