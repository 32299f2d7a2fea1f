"""The SQL of a query: which inspections it finds, in what order, and the sign-off that counts of each.

SQLAlchemy comes with the extra `history`; this module is loaded only where a history is opened.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from assistant.database.tables import INSPECTIONS, SIGN_OFFS
from assistant.records.entries import Order, Query, as_name, as_searched, as_text, check_lot

SIGN_OFF = "sign_off_"
"""How the columns of the sign-off that counts begin in the rows of `find_rows`."""


def conditions(query: Query) -> list[sa.ColumnElement[bool]]:
    """What a query asks of the columns of `INSPECTIONS`."""
    columns = INSPECTIONS.c
    asked: list[sa.ColumnElement[bool]] = []
    if query.product is not None:
        asked.append(columns.product == as_name(query.product))
    if query.lot is not None:
        asked.append(columns.lot == check_lot(query.lot))
    if query.verdicts:
        asked.append(columns.verdict.in_(query.verdicts))
    if query.since:
        asked.append(columns.created >= as_text(query.since))
    if query.until:
        asked.append(columns.created < as_text(query.until))
    if query.run is not None:
        asked.append(columns.run == as_name(query.run))
    if query.signed is not None:
        decision = standing("decision")
        wanted = {"no": decision.is_(None), "yes": decision.is_not(None)}
        asked.append(wanted.get(query.signed, decision == query.signed))
    if query.text:
        asked.append(columns.name.contains(as_searched(query.text), autoescape=True))
    return asked


def standing(column: str) -> sa.ScalarSelect[Any]:
    """A column of the sign-off that counts of a row of `INSPECTIONS`, null where there is none."""
    mine = SIGN_OFFS.alias()
    given = sa.select(mine.c[column]).where(mine.c.inspection == INSPECTIONS.c.id, mine.c.withdrawn.is_(None))
    return given.order_by(mine.c.id.desc()).limit(1).correlate(INSPECTIONS).scalar_subquery()


def find_rows(connection: sa.Connection, query: Query, start: int = 0, count: int | None = None) -> Iterator[Any]:
    """The rows that a query finds, each with the sign-off that counts, no maps or previews, from `start` on."""
    columns = INSPECTIONS.c
    wanted = [columns[name] for name in ("id", "row", "created", "lot", "run", "place")]
    orders: dict[Order, list[sa.ColumnElement[Any]]] = {
        "newest": [columns.created.desc(), columns.id.desc()],
        "oldest": [columns.created, columns.id],
        "score": [columns.score.is_(None), columns.score.desc(), columns.id],
        "place": [columns.place, columns.id],
    }
    signed = (column.label(f"{SIGN_OFF}{column.name}") for column in SIGN_OFFS.c)
    chosen = sa.select(*wanted, columns.preview.is_not(None).label("has_preview"), *signed)
    chosen = chosen.select_from(INSPECTIONS.outerjoin(SIGN_OFFS, SIGN_OFFS.c.id == standing("id")))
    chosen = chosen.where(*conditions(query)).order_by(*orders[query.order]).offset(start).limit(count)
    yield from connection.execution_options(yield_per=200).execute(chosen)
