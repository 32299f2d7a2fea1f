"""The command line of the store as a whole: `looktwice store VERB`, mounted in `assistant.commands.main`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.commands import console, targets
from assistant.commands.listings import AsJson
from assistant.database.place import Place, default_place, is_begun, is_url, read_place, show_place
from assistant.errors import HistoryError, HistoryFault

if TYPE_CHECKING:
    from assistant.upkeep.clearance import Cleared
    from assistant.upkeep.examination import Examination

store = typer.Typer(
    name="store", help="Where all is kept: look through, carry, clear, migrate.", no_args_is_help=True
)

At = Annotated[
    str | None,
    typer.Option("--store", metavar="PLACE", help="A file or the URL of a database; by default your history."),
]
Archive = Annotated[Path, typer.Argument(help="The file of an export, .zip.")]

ENDINGS = (".zip",)


@store.command()
def check(
    at: At = None,
    mend: Annotated[bool, typer.Option("--mend", help="Remove what belongs to nothing any more.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look the store through: rows that cannot be read, rows that belong to nothing, damage of the file.

    Nothing is changed without --mend. The exit status is 1 where something is left that is not as it should be.
    """
    where = _begun(at)
    from assistant.upkeep.examination import examine

    with console.progress("Looking the store through", 1) as bar:
        found = examine(where, mend=mend, tell=bar.tell)
    if as_json or not sys.stdout.isatty():
        console.print_row({**asdict(found), "sound": found.is_sound})
    else:
        _print_examination(found)
    raise typer.Exit(0 if found.is_sound else 1)


@store.command("export")
def export_all(file: Archive, at: At = None) -> None:
    """Write all that the store holds to one file, for a backup or to carry it to another database."""
    targets.check_target("An export", file, ENDINGS)
    where = _begun(at)
    from assistant.upkeep.archive import export_store

    with console.progress("Writing", 1) as bar, targets.written(file, ".zip") as sink:
        counts = export_store(where, sink, bar.tell)
    lost = counts.pop("missing")
    console.say(f"{_counted(counts)} {'on standard output' if targets.is_standard(file) else f'in {file}'}.")
    if lost:
        console.complain(f"{lost:,} pictures were missing or damaged, and are not in it; `looktwice store check`.")


@store.command("import")
def import_all(
    file: Archive,
    at: At = None,
    pictures: Annotated[
        str,
        typer.Option("--pictures", metavar="PLACE", help="Where whole pictures go: a folder, or an fsspec URL."),
    ] = "beside",
) -> None:
    """Read an export into an empty store, in a file or in a database: all of it or nothing."""
    from assistant.upkeep.archive import import_store

    where = _place(at)
    with console.progress("Reading", 1) as bar:
        counts = import_store(file, where, bar.tell, pictures=_picture_place(pictures))
    console.say(f"{_counted(counts)} in {show_place(where)}, as many as the export says.")


@store.command()
def gc(
    days: Annotated[
        float | None, typer.Option(min=0, help="Inspections older than so many days go, with all of theirs.")
    ] = None,
    picture_days: Annotated[
        float | None,
        typer.Option("--picture-days", min=0, help="Maps, previews and pictures older than so many days go."),
    ] = None,
    picture_mb: Annotated[
        float | None,
        typer.Option("--picture-mb", min=0, help="Megabytes of maps, previews and pictures that stay."),
    ] = None,
    keep_signed: Annotated[
        bool, typer.Option("--keep-signed", help="Inspections that are signed off stay, however old.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and remove nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it without asking.")] = False,
    at: At = None,
) -> None:
    """Remove what is too old or too much: whole inspections, or only their pictures; and files of nobody's.

    Files that no inspection names are what a killed program leaves. Those younger than an hour may wait for their
    row, and stay.
    """
    from assistant.upkeep.clearance import MEGABYTE, Retention, clear, give_room_back

    size = None if picture_mb is None else round(picture_mb * MEGABYTE)
    retention = Retention(days, picture_days, size, keep_signed)
    where = _begun(at)
    would = clear(where, retention, dry=True)
    if dry_run or not (would.inspections or would.pictures or would.files):
        console.say(f"{_say_cleared(would)} would go.")
        return
    if not yes:
        lost = f"{_say_cleared(would)} would go, and there is no way back."
        if not console.has_person():
            raise HistoryError(f"{lost} Nothing was removed; --yes removes it.")
        console.say(lost)
        if not typer.confirm("Remove it?", err=True):
            raise HistoryError("Nothing was removed.")
    console.say(f"{_say_cleared(clear(where, retention))} went.")
    try:
        if not give_room_back(where):
            console.say("The server keeps the room that they took for later rows.")
    except HistoryFault as fault:
        console.say(f"{fault} The file stays as large as it is, and later rows use the room.")


@store.command()
def pictures(
    where: Annotated[
        str | None, typer.Argument(metavar="PLACE", help='"beside" the store, a folder, or an fsspec URL.')
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Keep no more; those that are there stay.")] = False,
    at: At = None,
) -> None:
    """Say where whole pictures are kept, or keep them there from now on, for all who use the store.

    They are named by their content, so that each is there once. Programs that run already go on as they began.
    """
    from contextlib import closing

    from assistant.records.history import History

    if where and off:
        raise HistoryError("Give either a place or --off.")
    with closing(History(_place(at))) as history:
        if where:
            history.pictures.keep(_picture_place(where))
        elif off:
            history.pictures.stop()
        files, keeps = history.pictures.files, history.pictures.settings.keeps
    there = f" in {show_place(files.where)}" if files else ""
    console.say(f"Whole pictures are kept{there}." if keeps else f"No new pictures are kept{there}.")


@store.command()
def share(
    folder: Annotated[Path | None, typer.Argument(help="The folder of products; by default your own.")] = None,
    at: At = None,
) -> None:
    """Copy the products of a folder and the log of their changes into the store, for all stations that use it.

    The store may have none yet. Those stations set $LOOKTWICE_PRODUCTS to its URL; the folder stays as it is.
    """
    from assistant.products.names import default_folder
    from assistant.products.shared_store import SharedProducts
    from assistant.products.store import ProductStore

    names = SharedProducts(_place(at)).take_over(ProductStore(folder or default_folder()))
    console.say(f"{len(names):,} products in {show_place(_place(at))}: {', '.join(names) or 'none'}.")


@store.command()
def migrate(at: At = None) -> None:
    """Move the schema of the store up to the one that this version works with."""
    from contextlib import closing

    from assistant.database.engine import Database
    from assistant.database.schema import move_up

    where = _begun(at)
    with closing(Database(where)) as database:
        before, after = move_up(database)
    if before == after:
        console.say(f"The schema needs nothing: revision {after.revision}.")
    else:
        console.say(f"The schema was revision {before.revision or 'none'} and is {after.revision}.")


def _place(at: str | None) -> Place:
    return read_place(at) if at else default_place()


def _picture_place(named: str) -> str:
    return named if named == "beside" or is_url(named) else str(Path(named).absolute())


def _begun(at: str | None) -> Place:
    where = _place(at)
    if not is_begun(where):
        raise HistoryError(f"There is no store yet: {show_place(where)} is not there.")
    return where


def _counted(rows: dict[str, int]) -> str:
    said = [f"{count:,} {name.removeprefix('looktwice_').replace('_', ' ')}" for name, count in rows.items()]
    return ", ".join(said)


def _say_cleared(cleared: Cleared) -> str:
    size = f" ({cleared.picture_bytes / 1e6:,.1f} MB)" if cleared.pictures else ""
    named = f"file{'s' * (cleared.files != 1)} that no inspection names"
    files = f", {cleared.files:,} {named}" if cleared.files else ""
    gone, others = cleared.inspections, cleared.pictures
    said = f"{gone:,} inspection{'s' * (gone != 1)}, the pictures of {others:,} other{'s' * (others != 1)}"
    return f"{said}{size}{files}"


def _print_examination(found: Examination) -> None:
    console.say(f"{found.place}, revision {found.state.revision or 'none'}: {_counted(found.rows)}.")
    from rich.table import Table

    table = Table("what", "table", "row", "why", "mended")
    for fault in found.faults:
        cells = (fault.kind, fault.table.removeprefix("looktwice_"), fault.row, fault.what)
        table.add_row(*map(console.escape, cells), "yes" if fault.mended else "no")
    from assistant.commands.listings import print_table

    print_table(table, "All rows can be read, and each belongs where it says.")
