"""`looktwice history sign`, `withdraw`: what a person decided about parts in the user's history."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.commands import console
from assistant.records.agreement import SignOff, current

if TYPE_CHECKING:
    from assistant.products.audit import AuditLog
    from assistant.records.history import History

Ids = Annotated[list[int], typer.Argument(help="Numbers of inspections, from `looktwice history list`.")]
By = Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who decided; by default you.")]


def sign(
    ids: Ids,
    decision: Annotated[str, typer.Option("--as", metavar="good|defect", help="What the part is.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, in a line.")],
    by: By = None,
) -> None:
    """Sign parts off as good or as a defect. The verdict stays as it is; the newest sign-off of a part counts."""
    with closing(_history()) as history:
        for id in ids:
            history.sign_offs.add(id, decision, reason, by or _user(), log=_log())
            _show(history, id)


def withdraw(ids: Ids, by: By = None) -> None:
    """Withdraw the sign-off that counts of each part; it stays to be seen, and the one before it counts again."""
    with closing(_history()) as history:
        for id in ids:
            history.sign_offs.withdraw(id, by or _user(), log=_log())
            _show(history, id)


def _show(history: History, id: int) -> None:
    """How a part stands after a change: JSON into a pipe, a sentence on a terminal."""
    given = history.sign_offs.of(id)
    if not sys.stdout.isatty():
        console.print_row(to_row(id, given))
        return
    from assistant.reports.words import say_sign_off

    counts = current(given)
    console.say(f"{id}: {say_sign_off(counts)}" if counts else f"{id}: not signed off.")


def to_row(id: int, given: Sequence[SignOff]) -> dict[str, object]:
    """The sign-offs of a part as a JSON row: the one that counts, and all of them, oldest first."""
    counts = current(given)
    return {"id": id, "sign_off": counts and counts.to_dict(), "sign_offs": [one.to_dict() for one in given]}


def _history() -> History:
    from assistant.records.history import History, default_history

    return History(default_history())


def _log() -> AuditLog:
    from assistant.products.opened import open_products

    return open_products().log


def _user() -> str:
    from assistant.products.audit import os_user

    return os_user().removeprefix("user ")
