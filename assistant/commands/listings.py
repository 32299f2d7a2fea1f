"""Lists of what is kept: a table that fits a terminal, whole names into a pipe, or JSON where it is asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from assistant.commands import console
from assistant.commands.console import escape

if TYPE_CHECKING:
    from assistant.products.store import ProductStore
    from assistant.products.summary import ProductRow, ReferenceRow

AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON list to standard output, and nothing else.")]

_PIPE_WIDTH = 100_000
"""Characters in a line where no terminal sets a limit, so that nothing is wrapped or cut."""


def print_table(table: Table, empty: str) -> None:
    """A table on standard output, or on standard error what to say where it has no rows.

    On a terminal long cells go on in the next line; elsewhere each row is one line.
    """
    if not table.row_count:
        console.say(empty)
        return
    for column in table.columns:
        column.overflow = "fold"
    Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH).print(table)


def print_json(rows: Iterable[Mapping[str, Any]]) -> None:
    """One JSON list on standard output, a row a line."""
    lines = ",\n".join(json.dumps(dict(row), ensure_ascii=False, allow_nan=False, default=str) for row in rows)
    console.write_line(f"[{lines}]")


def print_contents(contents: Iterable[ReferenceRow]) -> None:
    """What a product holds: JSON rows into a pipe, a table on a terminal."""
    if not sys.stdout.isatty():
        for row in contents:
            console.print_row(asdict(row))
        return
    table = Table("id", "kind", "name", "label", "score")
    for row in contents:
        score = "" if row.score is None else f"{row.score:.4g}"
        table.add_row(str(row.id), row.kind, escape(row.name), escape(row.label), score)
    print_table(table, "It holds nothing.")


def print_products(store: ProductStore, as_json: bool = False) -> None:
    """The kept products, a row each; one that cannot be read says why.

    "At most" is the share of good parts above the threshold that counting promises, empty where it cannot.
    """
    rows = list(_products(store))
    if as_json:
        print_json(map(asdict, rows))
        return
    windows = any(row.window for row in rows)  # a column for those who have more than 8 bits
    table = Table(
        "product", "good", "defects", "threshold", "target", "at most", "alike", "bundle", "learned", "MB"
    )
    if windows:
        table.add_column("window")
    for row in rows:
        if row.error:
            table.add_row(escape(row.name), *[""] * 8, "")
            console.complain(row.error)
            continue
        table.add_row(
            escape(row.name),
            str(row.references),
            str(row.defects),
            f"{row.threshold:.4g}",
            f"{100 * (row.target_false_alarm or 0):g}%",
            f"{100 * row.upper_rate:.2g}%" if row.upper_rate and row.upper_rate < 1 else "",
            ", ".join([*["registered"] * row.registered, *["in place"] * row.aligned, *["as wholes"] * row.alike]),
            row.bundle,
            (row.created or "")[:10],
            f"{row.bytes / 1e6:.1f}",
            *([str(row.window or "")] if windows else []),
        )
    print_table(table, "No product was learned yet; see `looktwice learn --help`.")


def _products(store: ProductStore) -> Iterator[ProductRow]:
    from assistant.errors import ProductError
    from assistant.products.summary import ProductRow, summary_of

    for name in store.names():
        try:
            yield summary_of(store.load(name))
        except ProductError as error:
            yield ProductRow(name=name, error=str(error))


def print_bundles(as_json: bool = False, names: Sequence[str] | None = None) -> None:
    """The bundles, or those of these names and paths, and their parts: what is there, size, licence, source."""
    from assistant.models.cache import status
    from assistant.models.card import card_names, own_names

    states = [status(name) for name in names or [*card_names(), *own_names()]]
    if as_json:
        print_json(map(asdict, states))
        return
    for state in states:
        size = f", {state.size / 1e6:.0f} MB on disk" if state.size else ""
        hint = "" if state.state == "ready" else f"; run `looktwice pull {state.name}`"
        shown = "not fetched" if state.state == "missing" else state.state
        table = Table(title=f"{state.name}: {shown}{size}{hint}", caption=state.title, title_justify="left")
        for column in ("part", "here", "download", "licence", "source"):
            table.add_column(column)
        for part in state.parts:
            download = f"{part.download_size / 1e6:.0f} MB" if part.download_size else "?"
            table.add_row(part.part, "yes" if part.present else "no", download, part.licence, part.source)
        print_table(table, f"The bundle {state.name} has no parts.")
        if state.note:
            print(f"  {state.note}\n")
