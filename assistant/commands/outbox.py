"""`looktwice outbox`: results that a sink has not taken, to be seen, sent again or dropped."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.commands import console
from assistant.commands.listings import AsJson, print_json, print_table
from assistant.errors import LineError

if TYPE_CHECKING:
    from assistant.line.journal import Journal

outbox = typer.Typer(
    name="outbox", help="Results of a watched line that a sink has not taken.", no_args_is_help=True
)

Source = Annotated[str, typer.Argument(help="What is watched, or the file of its journal.")]
Ids = Annotated[list[int] | None, typer.Option("--id", help="Only the letter with this number; may be repeated.")]

LONGEST = 60.0
"""Seconds for which results that are sent again are waited for."""


@outbox.command("list")
def list_letters(source: Source, as_json: AsJson = False) -> None:
    """List the results that were given up, each with the reason, and count those that wait."""
    with _opened(source) as kept:
        dead, waiting = kept.outbox.dead(), kept.outbox.waiting()
    rows = [
        {
            "id": one.id,
            "sink": one.sink,
            "part": one.event.part,
            "verdict": one.event.verdict,
            "source": one.event.body["source"],
            "since": datetime.fromtimestamp(one.created, UTC).isoformat(timespec="seconds"),
            "tries": one.tries,
            "error": one.error,
        }
        for one in dead
    ]
    if as_json:
        print_json(rows)
    elif sys.stdout.isatty():
        from rich.table import Table

        table = Table("id", "sink", "part", "verdict", "picture", "since (UTC)", "tries", "why")
        for row in rows:
            table.add_row(*(console.escape(str(cell)) for cell in row.values()))
        print_table(table, "No result was given up.")
    else:
        for row in rows:
            console.print_row(row)
    for name, count in sorted(waiting.items()):
        console.say(f"{count:,} wait for the sink {name!r}.")


@outbox.command()
def again(source: Source, id: Ids = None) -> None:
    """Send results that were given up again, and those that wait: by the running watch, or here where none runs.

    The exit status is 1 where some are still not taken.
    """
    from assistant.line.delivery import Delivery
    from assistant.line.journal import JournalHeld
    from assistant.line.settings import Surroundings, read_list

    with _opened(source) as kept:
        if not kept.outbox.again(id or ()) and not kept.outbox.waiting():
            console.say("No result was given up, and none waits.")
            return
        try:
            with kept.hold():
                folder = kept.settings("begun")
                sinks = read_list(kept.settings("sinks"))
                station = kept.settings("station") or ""
                around = Surroundings(Path(folder) if folder else None, station, counts=kept.counts())
                routes = [sink.open(around) for sink in sinks]
                delivery = Delivery(kept.outbox, routes, console.say)
                delivery.start()
                until = time.monotonic() + LONGEST
                while not delivery.settled and delivery.failure is None and time.monotonic() < until:
                    time.sleep(0.05)
                delivery.stop()
                left = kept.outbox.waiting().total() + len(kept.outbox.dead())
        except JournalHeld:
            console.say("The watch that is running sends them.")
            return
    console.say(f"{left:,} are still not taken." if left else "All are taken.")
    raise typer.Exit(1 if left else 0)


@outbox.command()
def drop(source: Source, id: Ids = None) -> None:
    """Forget results that were given up; the history keeps its rows."""
    with _opened(source) as kept:
        count = kept.outbox.drop(id or ())
    console.say(f"{count:,} dropped.")


@contextmanager
def _opened(source: str) -> Iterator[Journal]:
    from assistant.line.opening import open_kept
    from assistant.line.places import default_journal, resolve_source

    path = Path(source) if _is_journal(source) else default_journal(resolve_source(source))
    if not path.is_file():
        raise LineError(f"There is no journal of {source}: name what is watched, or its --journal.")
    kept = open_kept(path)
    try:
        yield kept
    finally:
        kept.close()


def _is_journal(source: str) -> bool:
    """Whether a source is the file of a journal; a video is a file too."""
    return source.endswith(".sqlite") and Path(source).is_file()
