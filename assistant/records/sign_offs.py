"""The sign-offs of a history: given, withdrawn, counted, and offered as labels.

What one is, and which of several counts, is in `assistant.records.agreement`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import IntegrityError

from assistant.database.engine import Database
from assistant.database.tables import INSPECTIONS, SIGN_OFFS
from assistant.errors import HistoryError, HistoryFault
from assistant.inspection import Inspection
from assistant.products.product import Product
from assistant.records.agreement import (
    Agreement,
    Decision,
    SignOff,
    agreement_of,
    check_decision,
    decide,
    logged,
    take_back,
)
from assistant.records.entries import KeptInspection, Query, as_text, from_any_row
from assistant.records.queries import SIGN_OFF, conditions, standing
from assistant.records.what_if import asked_of, judged_earlier

if TYPE_CHECKING:
    from assistant.products.audit import AuditLog
    from assistant.records.history import History


class SignOffs:
    """What people decided about the inspections of a history. Nothing here changes an inspection."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, id: int, decision: str, reason: str, name: str, *, actor: str | None = None, log: AuditLog | None
    ) -> SignOff:
        """Sign an inspection off as "good" or "defect", and return the sign-off, which counts from now on.

        `name`: who decided. `actor`: who asks for it, by default the user of this program. `log`: the audit log
        that notes it first. HistoryError for no such inspection or decision, and for no reason or name.
        """
        given = decide(decision, reason, name, _actor(actor))
        inspection = self._inspection(id)
        values = given.to_dict() | {"inspection": id, "created": as_text(given.created)}
        del values["id"]
        try:
            with logged(log, "sign off", id, inspection, given, given.actor), self._database.write() as connection:
                done = connection.execute(SIGN_OFFS.insert().values(**values))
                return replace(given, id=int(done.inserted_primary_key[0]))  # type: ignore[index]
        except IntegrityError as error:  # purged at this moment
            raise _missing(id) from error

    def withdraw(
        self,
        id: int,
        name: str,
        *,
        sign_off: int | None = None,
        actor: str | None = None,
        log: AuditLog | None,
    ) -> SignOff:
        """Withdraw a sign-off of an inspection, by default the one that counts; it is kept as withdrawn.

        The newest of those that are left counts then. `name`, `actor` and `log` as for `add`. HistoryError where
        there is none that stands.
        """
        inspection, actor = self._inspection(id), _actor(actor)
        done = take_back(self.of(id), name, sign_off)
        change = SIGN_OFFS.update().where(SIGN_OFFS.c.id == done.id, SIGN_OFFS.c.withdrawn.is_(None))
        values = {"withdrawn": as_text(done.withdrawn or done.created), "withdrawn_by": done.withdrawn_by}
        with (
            logged(log, "withdraw sign-off", id, inspection, done, actor),
            self._database.write() as connection,
        ):
            if not connection.execute(change.values(**values)).rowcount:
                raise HistoryError(f"The sign-off {done.id} was withdrawn elsewhere.")
        return done

    def of(self, id: int) -> tuple[SignOff, ...]:
        """All sign-offs of an inspection, oldest first, those that were withdrawn included."""
        with self._database.read() as connection:
            return read_sign_offs(connection, id)

    def agreement(self, query: Query | None = None) -> Agreement:
        """How many of the inspections that a query finds are signed off, as what, by verdict."""
        decision = standing("decision").label("decision")
        found = select(INSPECTIONS.c.verdict, decision).where(*conditions(query or Query())).subquery()
        grouped = select(*found.c, func.count()).group_by(*found.c)
        with self._database.read() as connection:
            return agreement_of((row[0], row[1], int(row[2])) for row in connection.execute(grouped))

    def _inspection(self, id: int) -> Inspection:
        """An inspection that is there, readable or not."""
        wanted = [INSPECTIONS.c[name] for name in ("id", "row", "created", "lot", "run", "place")]
        with self._database.read() as connection:
            row = connection.execute(select(*wanted).where(INSPECTIONS.c.id == id)).one_or_none()
        if row is None:
            raise _missing(id)
        return from_any_row(row).inspection


@dataclass(frozen=True)
class Labelled:
    """A signed-off inspection as an example: its score, and what a person says that the part is.

    `earlier`: the product has changed since it was judged, so that its score does not compare with others of now.
    `path` is where its picture lies; None where it is gone, or was handed in and never had a place. What is stored
    of it is an overlay, `History.preview(kept.id)`: to look at, and not to score.
    """

    kept: KeptInspection
    label: Decision
    earlier: bool

    @property
    def score(self) -> float:
        """The score that it got then."""
        return self.kept.inspection.score

    @property
    def path(self) -> Path | None:
        """The picture, where it still lies there."""
        return lies_at(self.kept.inspection)


def lies_at(inspection: Inspection) -> Path | None:
    """Where the picture of a kept inspection still lies; None where it is gone, or never had a place."""
    path = inspection.path  # a relative one was so to a folder that nobody knows any more
    return Path(path) if os.path.isabs(path) and os.path.isfile(path) else None


def labels_of(history: History, product: Product) -> Iterator[Labelled]:
    """The signed-off inspections of a product as labels, newest first; the errors are the history's.

    A picture that could not be read has no score and is left out. One that was inspected and signed off several
    times, with the same score, comes once.
    """
    seen: set[tuple[str, float]] = set()
    for kept in history.every(replace(asked_of(product), signed="yes")):
        one = kept.inspection
        if one.status == "error" or kept.sign_off is None or (one.path, one.score) in seen:
            continue
        seen.add((one.path, one.score))
        yield Labelled(kept, kept.sign_off.decision, judged_earlier(one, product))


def read_sign_offs(connection: Connection, id: int) -> tuple[SignOff, ...]:
    """All sign-offs of an inspection, oldest first."""
    rows = connection.execute(SIGN_OFFS.select().where(SIGN_OFFS.c.inspection == id).order_by(SIGN_OFFS.c.id))
    return tuple(read_sign_off(row) for row in rows)


def read_standing(row: Any) -> SignOff | None:
    """The sign-off that counts of a row of `find_rows`; one that is damaged hides no row, and counts as none."""
    try:
        return None if getattr(row, f"{SIGN_OFF}id") is None else read_sign_off(row, SIGN_OFF)
    except HistoryFault:
        return None


def read_sign_off(row: Any, prefix: str = "") -> SignOff:
    """The sign-off of a row; HistoryFault where it is damaged."""

    def cell(name: str) -> Any:
        return getattr(row, prefix + name)

    try:
        withdrawn = cell("withdrawn")
        return SignOff(
            id=cell("id"),
            decision=check_decision(cell("decision")),
            reason=cell("reason"),
            name=cell("name"),
            actor=cell("actor"),
            created=datetime.fromisoformat(cell("created")),
            withdrawn=datetime.fromisoformat(withdrawn) if withdrawn else None,
            withdrawn_by=cell("withdrawn_by"),
        )
    except (ValueError, TypeError, HistoryError) as error:
        raise HistoryFault(f"The sign-off {cell('id')} is damaged and cannot be read.") from error


def _actor(actor: str | None) -> str:
    from assistant.products.audit import os_user

    return (actor or os_user())[:255]


def _missing(id: int) -> HistoryError:
    return HistoryError(f"There is no inspection {id} in the history.")
