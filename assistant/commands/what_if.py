"""`looktwice what-if`: what recent inspections in the user's history would have become by other limits."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.commands import console
from assistant.commands.options import KeptName, read_share
from assistant.errors import HistoryError, ProductError

if TYPE_CHECKING:
    from assistant.inspection import Inspection
    from assistant.products.product import Product
    from assistant.records.what_if import Effect

NewTarget = Annotated[
    float | None,
    typer.Option(
        "--false-alarms",
        "--target",
        parser=read_share,
        metavar="SHARE",
        help="Another share of good pictures that may be called defective: 0.02 or 2%.",
    ),
]


def what_if(
    name: KeptName,
    false_alarms: NewTarget = None,
    limit: Annotated[float | None, typer.Option("--limit", help="A score in place of the limit.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON on a terminal, too.")] = False,
) -> None:
    """Show what recent inspections in your history would have become by other limits; nothing is changed.

    A row says how many are good, for review or a defect by the limits of now, and a column what they would be.
    """
    from assistant.products.opened import open_products
    from assistant.records.what_if import other_limits
    from assistant.records.what_if import what_if as effect_of

    product = open_products().load(name)
    other = other_limits(product, false_alarms, limit)
    print_effect(effect_of(product, other, _recent_of(product)), as_json)


def effect_on(before: Product, after: Product) -> Effect:
    """What a change makes of recent inspections; a history that cannot be read is said, and stops nothing."""
    from assistant.records.what_if import what_if as effect_of

    try:
        recent = _recent_of(before)
    except HistoryError as error:
        console.say(str(error))
        recent = []
    return effect_of(before, after.calibration, recent)


def find_outdated(inspections: Iterable[Inspection]) -> Iterator[bool | None]:
    """For each inspection whether its product has changed since; None without a product, or where it is gone."""
    from assistant.products.opened import open_products
    from assistant.records.what_if import judged_earlier

    store = open_products()
    there = set(store.names())
    loaded: dict[str, Product | None] = {}
    for one in inspections:
        name = one.product or ""
        if name in there and name not in loaded:
            try:
                loaded[name] = store.load(name)
            except ProductError:
                loaded[name] = None
        product = loaded.get(name)
        yield judged_earlier(one, product) if product else None


def print_effect(effect: Effect, as_json: bool = False) -> None:
    """What other limits would make of recent inspections: JSON into a pipe or where asked for, else a table."""
    from rich.console import Console
    from rich.table import Table

    from assistant.records.what_if import describe

    if as_json or not sys.stdout.isatty():
        console.print_row(asdict(effect))
        return
    table = Table("now", *(f"would be {name}" for name in effect.verdicts))
    for before, row in effect.verdicts.items():
        table.add_row(before, *(f"{n:,}" for n in row.values()))
    Console().print(table)
    console.say(describe(effect))


def _recent_of(product: Product) -> list[Inspection]:
    """The newest inspections of a product in the user's history; none where nothing was ever kept."""
    from assistant.database.place import is_begun
    from assistant.records.history import History, default_history
    from assistant.records.what_if import recent_inspections

    if not is_begun(default_history()):
        return []
    with closing(History(default_history())) as history:
        return recent_inspections(history, product)
