"""What commands choose inspections of the history by."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, cast

import typer

from assistant.commands.options import complete_product

if TYPE_CHECKING:
    from assistant.inspection import Outcome
    from assistant.records.entries import Query, Signed

Product = Annotated[
    str | None, typer.Option("--product", autocompletion=complete_product, help="Only this product.")
]
Since = Annotated[datetime | None, typer.Option("--since", help="From this day or time (UTC) on.")]
Until = Annotated[datetime | None, typer.Option("--until", help="Before this day or time (UTC).")]
Name = Annotated[str, typer.Option("--text", help="Part of the file's name.")]
RunName = Annotated[str | None, typer.Option("--run", help="Only this run, see `looktwice batch --list`.")]
SignedAs = Annotated[
    str | None, typer.Option("--signed", metavar="yes|no|good|defect", help="Only what is signed off, or as what.")
]


def to_query(
    product: str | None,
    verdicts: list[str] | None,
    lot: str | None,
    since: datetime | None,
    until: datetime | None,
    text: str,
    run: str | None = None,
    signed: str | None = None,
) -> Query:
    """The query that these options come to."""
    from assistant.records.entries import Query

    chosen = cast("tuple[Outcome, ...]", tuple(verdicts or ()))
    return Query(product, chosen, since, until, lot, text, run, signed=cast("Signed | None", signed))
