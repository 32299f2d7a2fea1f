"""The runs of a history: what a batch is to inspect, how, what of it is done, and who works on it.

The rows of a run are inspections of the history, each at its place; a place is filled once.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, func, select

from assistant.database.engine import Database
from assistant.database.tables import INSPECTIONS, RUNS
from assistant.errors import HistoryError
from assistant.inspection import present_name
from assistant.records.entries import as_name, as_text, check_lot

State = Literal["running", "stopped", "done", "purged"]

HOLD = 60.0
"""Seconds without a new row after which a run counts as left behind by whoever worked on it."""


@dataclass(frozen=True)
class Run:
    """A batch run. `done` of its `total` places are filled; `sources` are the pictures, by place.

    "stopped" can be claimed again, and so can "running" where its owner is gone; "purged" lost rows for good.
    """

    id: str
    state: State
    total: int
    done: int
    sources: tuple[str, ...]
    settings: dict[str, Any]
    lot: str
    created: datetime
    owner: str


class Runs:
    """The batch runs of a history."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(
        self,
        sources: Sequence[str],
        settings: dict[str, Any] | None = None,
        lot: str = "",
        owner: str | None = None,
    ) -> Run:
        """A new run over pictures by their paths, held by `owner`; ValueError for settings that are not JSON."""
        id, now = secrets.token_hex(8), datetime.now(UTC)
        values = {
            "id": id,
            "state": "running",
            "total": len(sources),
            "sources": json.dumps(list(map(str, sources))),
            "settings": json.dumps(settings or {}, allow_nan=False),
            "lot": check_lot(lot),
            "created": as_text(now),
            "owner": as_name(owner or default_owner()),
            "held_until": as_text(now + timedelta(seconds=HOLD)),
        }
        with self._database.write() as connection:
            connection.execute(RUNS.insert().values(**values))
        return self.get(id)

    def get(self, id: str) -> Run:
        """A run as it stands; HistoryError where there is none with this id."""
        with self._database.read() as connection:
            return _get(connection, id)

    def newest(self, count: int = 50) -> tuple[Run, ...]:
        """The newest runs, newest first."""
        ordered = _counted().order_by(RUNS.c.created.desc(), RUNS.c.id).limit(count)
        with self._database.read() as connection:
            return tuple(map(_run, connection.execute(ordered)))

    def rest(self, id: str) -> list[tuple[int, str]]:
        """(place, source) of every picture of a run that has no row yet."""
        with self._database.read() as connection:
            run = _get(connection, id)
            filled = set(connection.execute(select(INSPECTIONS.c.place).where(INSPECTIONS.c.run == id)).scalars())
        return [(place, source) for place, source in enumerate(run.sources) if place not in filled]

    def claim(self, id: str, owner: str | None = None) -> Run:
        """Take a run to continue it; HistoryError where it is done, purged, or another owner works on it.

        Owners are told apart by name: a program that starts again under the same name goes on at once, and so does
        one on the machine where the owner was killed. Others wait until `HOLD` seconds passed without a row.
        """
        name, now = as_name(owner or default_owner()), datetime.now(UTC)
        with self._database.write() as connection:
            run = _get(connection, id)
            if run.state in ("done", "purged"):
                raise HistoryError(
                    f"The run {id} is done and cannot be continued."
                    if run.state == "done"
                    else f"The run {id} is purged and cannot be continued."
                )
            held = as_text(now + timedelta(seconds=HOLD))
            free = (RUNS.c.state == "stopped") | (RUNS.c.owner == name) | (RUNS.c.held_until < as_text(now))
            if _is_gone(run.owner):
                free |= RUNS.c.owner == run.owner
            taken = RUNS.update().where(RUNS.c.id == id, free)
            if not connection.execute(taken.values(state="running", owner=name, held_until=held)).rowcount:
                raise HistoryError(f"The run {id} is being worked on elsewhere.")
            return _get(connection, id)

    def finish(self, id: str) -> Run:
        """The run is over for now: "done" where every place has its row, else "stopped"."""
        with self._database.write() as connection:
            run = _get(connection, id)
            if run.state != "purged":
                state = "done" if run.done == run.total else "stopped"
                connection.execute(RUNS.update().where(RUNS.c.id == id).values(state=state))
            return _get(connection, id)

    def renew(self, connection: Connection, id: str) -> None:
        """Say, with a new row, that somebody still works on a run."""
        until = as_text(datetime.now(UTC) + timedelta(seconds=HOLD))
        connection.execute(RUNS.update().where(RUNS.c.id == id).values(held_until=until))

    def held(self, connection: Connection) -> list[str]:
        """The ids of the runs that somebody works on."""
        now = as_text(datetime.now(UTC))
        at_work = select(RUNS.c.id).where(RUNS.c.state == "running", RUNS.c.held_until >= now)
        return list(connection.execute(at_work).scalars())

    def purge(self, connection: Connection, lost: Sequence[str], spared: Sequence[str], end: str) -> None:
        """Mark the runs that lost rows, and remove those from before `end` that have none left."""
        for id in lost:
            connection.execute(RUNS.update().where(RUNS.c.id == id).values(state="purged"))
        left = select(INSPECTIONS.c.run).where(INSPECTIONS.c.run.is_not(None))
        empty = RUNS.delete().where(RUNS.c.created < end, RUNS.c.id.not_in(left))
        connection.execute(empty.where(RUNS.c.id.not_in(spared)) if spared else empty)


def default_owner() -> str:
    """This machine's name, and the number of this program on it."""
    return f"{_machine()} {os.getpid()}"


def _machine() -> str:
    return socket.gethostname().replace(" ", "-")[:200] or "this-machine"


def _is_gone(owner: str) -> bool:
    """Whether an owner was a program on this machine that no longer runs; False where nobody can tell."""
    machine, _, rest = owner.partition(" ")
    number = rest.split(" ")[0]
    if os.name != "posix" or machine != _machine() or not number.isdecimal():
        return False  # elsewhere than on POSIX, asking for a program by signal 0 would end it
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _counted() -> Any:
    done = select(func.count()).where(INSPECTIONS.c.run == RUNS.c.id).scalar_subquery()
    return select(*RUNS.c, done.label("done"))


def _get(connection: Connection, id: str) -> Run:
    row = connection.execute(_counted().where(RUNS.c.id == as_name(id))).one_or_none()
    if row is None:
        raise HistoryError(f"There is no run {id[:40]!r}.")
    return _run(row)


def _run(row: Row[Any]) -> Run:
    settings = json.loads(row.settings)
    if "mode" in settings:
        settings["mode"] = present_name(settings["mode"])
    return Run(
        id=row.id,
        state=row.state,
        total=row.total,
        done=row.done,
        sources=tuple(json.loads(row.sources)),
        settings=settings,
        lot=row.lot,
        created=datetime.fromisoformat(row.created),
        owner=row.owner,
    )
