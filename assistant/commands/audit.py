"""The command line of the audit log: `looktwice audit VERB`, mounted in `assistant.commands.main`."""

from __future__ import annotations

import json
import sys
from collections import deque
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.commands import console
from assistant.commands.listings import AsJson, print_json, print_table
from assistant.commands.options import complete_product

if TYPE_CHECKING:
    from assistant.products.audit_chain import Entry
    from assistant.products.store import ProductStore

audit = typer.Typer(name="audit", help="Who changed which product, when, from what to what.", no_args_is_help=True)

_SIGN_OFF = ("inspection", "picture", "verdict", "decision", "reason", "by")

Folder = Annotated[
    str | None, typer.Option("--products", help="Folder or URL of the products; by default your own.")
]


@audit.command()
def show(
    product: Annotated[
        str | None,
        typer.Option("--product", autocompletion=complete_product, help="Only what was done to this one."),
    ] = None,
    last: Annotated[int, typer.Option("--last", min=0, help="The newest entries; 0 for all.")] = 20,
    products: Folder = None,
    as_json: AsJson = False,
) -> None:
    """List the changes, oldest first: a table on a terminal, the entries as they are kept into a pipe."""
    store = _store(products)
    chosen = (entry for entry in store.log.entries() if product in (None, _product(entry)))
    entries = deque(chosen, last or None)
    if as_json:
        print_json(json.loads(entry.line) for entry in entries)
    elif sys.stdout.isatty():
        _print_table(entries)
    else:
        for entry in entries:
            sys.stdout.write(entry.line.decode() + "\n")
    if fault := store.log.verify().fault:
        console.complain(f"{fault} The log cannot be trusted from there on.")


@audit.command()
def verify(
    head: Annotated[
        str | None, typer.Option("--head", help="A head hash that was kept elsewhere; it must be in the log.")
    ] = None,
    products: Folder = None,
) -> None:
    """Check the chain of hashes, and that the products are as the log left them; prints the head hash.

    Keep the head hash where those who can write to the log cannot: only with it does one see that entries were
    cut off at the end. The exit status is 1 where something does not fit.
    """
    store = _store(products)
    chain = store.log.verify(head.strip().lower() if head else None)
    print(chain.head)
    for line in chain.torn:
        console.say(f"Line {line} is the beginning of an entry that a crash cut off; that change was not made.")
    strays = list(store.strays()) if chain.ok else []
    for sentence in [chain.fault, *strays] if chain.fault else strays:
        console.complain(sentence)
    if chain.ok:
        console.say(f"All {chain.entries} entries fit. The head hash is above: keep it elsewhere.")
    raise typer.Exit(1 if chain.fault or strays else 0)


def _store(where: str | None) -> ProductStore:
    from assistant.database.place import read_place
    from assistant.products.opened import open_products

    return open_products(read_place(where) if where else None)


def _print_table(entries: deque[Entry]) -> None:
    from rich.table import Table

    table = Table("n", "time (UTC)", "who", "what", "product", "change")
    for entry in entries:
        cells = (entry.time[:19], entry.actor, entry.action, _product(entry) or "", describe(entry))
        table.add_row(str(entry.n), *(console.escape(_printable(cell)) for cell in cells))
    print_table(table, "Nothing was changed yet.")


def _product(entry: Entry) -> str | None:
    """The product that was changed, or whose part somebody decided about."""
    return entry.product or entry.details.get("product")


def describe(entry: Entry) -> str:
    """What an entry says in short: the pictures by name, and every plain fact that is another than before."""
    parts: list[str] = []
    for change in (*entry.details.get("changes", ()), *entry.details.get("taken_back", ())):
        parts.append(f"{change['what']} {change['name']} {change['label']}".strip())
    before, after = entry.before or {}, entry.after or {}
    for name in ("references", "defects", "target", "threshold", "review_threshold", "method"):
        if before.get(name) != after.get(name):
            parts.append(f"{name} {_short(before.get(name))} -> {_short(after.get(name))}")
    for name in ("roi", "ignore"):
        if before.get(name) != after.get(name):
            parts.append(f"{name} {_extent(before.get(name))} -> {_extent(after.get(name))}")
    parts += [
        f"{name} {_short(entry.details[name])}"
        for name in ("entry", "why", "key", "role", "bytes", *_SIGN_OFF)
        if name in entry.details
    ]
    return "; ".join(parts)


def _short(value: Any) -> str:
    return "none" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _extent(mask: dict[str, Any] | None) -> str:
    return "none" if mask is None else f"{100 * mask['share']:.3g} % ({mask['sha256'][:8]})"


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
