"""The command line of the history: `looktwice history VERB`, mounted in `assistant.commands.main`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.commands import console, targets
from assistant.commands.annotations import annotate
from assistant.commands.filters import Name, Product, RunName, SignedAs, Since, Until, to_query
from assistant.commands.listings import AsJson, print_json, print_table
from assistant.commands.options import KeptName, ReportFile
from assistant.commands.sign_offs import sign, to_row, withdraw
from assistant.commands.what_if import find_outdated
from assistant.errors import HistoryError
from assistant.images.sources import shown_name
from assistant.records.agreement import describe

if TYPE_CHECKING:
    from assistant.inspection import Inspection
    from assistant.records.agreement import SignOff
    from assistant.records.drift import DriftWatch
    from assistant.records.entries import KeptInspection, Turn
    from assistant.records.history import History

history = typer.Typer(name="history", help="What was inspected, to be found again.", no_args_is_help=True)
for verb in (sign, withdraw, annotate):
    history.command()(verb)

Keep = Annotated[
    bool, typer.Option("--history", help="Keep the results in your history; see `looktwice history`.")
]
LotName = Annotated[str | None, typer.Option("--lot", help="The lot that the pictures belong to.")]
GroupName = Annotated[
    str,
    typer.Option("--group", help="A word for the camera, the light or the lot, each watched for drift by itself."),
]
Verdicts = Annotated[
    list[str] | None, typer.Option("--verdict", help="Only defect, review, good or error; may be repeated.")
]


def open_kept(keep: bool, lot: str | None) -> History | None:
    """The user's history where results are to be kept; HistoryError for a lot that would be kept nowhere."""
    if not keep:
        if lot is not None:
            raise HistoryError("--lot belongs to --history: it names the lot that results are kept under.")
        return None
    from assistant.records.entries import check_lot
    from assistant.records.history import History, default_history

    check_lot(lot or "")
    return History(default_history())


def watch_drift(kept: History | None, compared: bool = True) -> DriftWatch:
    """What watches parts for drift: by the history that keeps them, else going on from what the user's holds.

    Pictures that are not `compared` with good parts do not drift, so nothing is looked up for them.
    """
    from assistant.database.place import is_begun
    from assistant.records.drift import DriftWatch
    from assistant.records.history import History, default_history

    if kept is None and compared and is_begun(default_history()):
        with suppress(HistoryError):
            return DriftWatch(History(default_history()), keeps=False)
    return DriftWatch(kept)


@history.command("list")
def list_kept(
    product: Product = None,
    verdict: Verdicts = None,
    lot: LotName = None,
    since: Since = None,
    until: Until = None,
    text: Name = "",
    run: RunName = None,
    signed: SignedAs = None,
    open: Annotated[
        bool, typer.Option("--open", help="Only what waits for a sign-off: in review, or of another --verdict.")
    ] = False,
    last: Annotated[int, typer.Option("--last", min=1, max=500, help="The newest so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List inspections, newest first: a table on a terminal, JSON rows into a pipe."""
    if open:
        if signed is not None:
            raise HistoryError("Give either --open or --signed.")
        verdict, signed = verdict or ["review"], "no"
    with _opened() as kept:
        query = to_query(product, verdict, lot, since, until, text, run, signed)
        page, disagreed = kept.search(query, size=last), kept.disagreements(query)
    if as_json:
        print_json(_rows(page.rows))
    elif sys.stdout.isatty():
        _print_table(page.rows)
    else:
        for row in _rows(page.rows):
            console.print_row(row)
    if page.total > len(page.rows):
        console.say(f"{page.total:,} fit; the newest {len(page.rows)} are shown.")
    if disagreed:
        from assistant.records.entries import tell_disagreements

        console.say(tell_disagreements(disagreed))


@history.command()
def show(
    id: Annotated[int, typer.Argument(help="The number of an inspection, from `looktwice history list`.")],
    report: ReportFile = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Write the whole picture there, where one was kept.")
    ] = None,
) -> None:
    """Show one inspection with its conversation."""
    from assistant.reports import report_inspection, write_report

    targets.check_report("--report", report)
    with _opened() as kept:
        one, turns, preview, signed = kept.get(id), kept.turns(id), kept.preview(id), kept.sign_offs.of(id)
        told = watch_drift(kept).warned(one.inspection)
        if picture is not None:
            _write_picture(kept, id, picture)
    if targets.is_standard(report):
        pass  # the report is what is shown
    elif sys.stdout.isatty():
        _print_one(one, told, turns, signed)
    else:
        said = [
            {"question": t.question, "answer": t.answer.whole, "source": t.answer.source}
            | {"seen": [asdict(line) for line in t.answer.seen], "disagrees": t.answer.disagrees}
            for t in turns
        ]
        (row,) = _rows([one])
        console.print_row(row | {"turns": said, "sign_offs": to_row(id, signed)["sign_offs"]})
    if report:
        with targets.written(targets.report_file(report), ".html") as file:
            content = report_inspection(told, preview, turns, lot=one.lot, sign_offs=signed)
            write_report(content, file)
        console.say_written({"--report": targets.report_file(report)})


@history.command()
def drift(name: KeptName, as_json: AsJson = False) -> None:
    """Show whether a product's limits still fit what was inspected since they were set, a row for each group."""
    from rich.table import Table

    from assistant.products.opened import open_products
    from assistant.records.drift import drift_of

    product = open_products().load(name)
    with _opened() as kept:
        states = drift_of(kept, product)
    if as_json or not sys.stdout.isatty():
        print_json(map(asdict, states))
    else:
        table = Table("group", "parts", "limits", "since (UTC)", "alarms")
        for one in states:
            fit = "[red]do not fit[/]" if one.drifted else "fit"
            table.add_row(
                console.escape(one.group), f"{one.parts:,}", fit, (one.since or "")[:19], str(one.alarms)
            )
        print_table(table, "No part of it was inspected into the history since its limits were set.")
    for one in states:
        if one.drifted:
            console.say(f"{one.sentence[0].upper()}{one.sentence[1:]}.")


@history.command()
def export(
    file: Annotated[Path, typer.Argument(help="A .csv or .jsonl file; - writes JSON rows to standard output.")],
    product: Product = None,
    verdict: Verdicts = None,
    lot: LotName = None,
    since: Since = None,
    until: Until = None,
    text: Name = "",
    run: RunName = None,
    signed: SignedAs = None,
) -> None:
    """Write inspections as rows of a .csv or .jsonl file."""
    targets.check_target("An export", file, targets.EXPORT)
    with _opened() as kept, targets.written(file, ".jsonl") as sink:
        count = kept.export(to_query(product, verdict, lot, since, until, text, run, signed), sink)
    console.say(f"{count:,} row{'' if count == 1 else 's'} {_where(file)}.")


@history.command()
def report(
    file: Annotated[Path, typer.Argument(help="An .html or .pdf file; - writes HTML to standard output.")],
    product: Product = None,
    verdict: Verdicts = None,
    lot: LotName = None,
    since: Since = None,
    until: Until = None,
    text: Name = "",
    run: RunName = None,
    signed: SignedAs = None,
    title: Annotated[str, typer.Option("--title", help="What stands above it.")] = "Inspection report",
) -> None:
    """Write a report on inspections: a summary, then the highest scores with pictures and conversations."""
    from assistant.products.opened import open_products
    from assistant.reports import entry_of, report_lot, write_report

    targets.check_report("A report", file)
    with _opened() as kept:
        found = kept.every(to_query(product, verdict, lot, since, until, text, run, signed))
        load = lru_cache(maxsize=4)(open_products().load)
        entries = (entry_of(kept, one, load) for one in found)
        content = report_lot(entries, title, lot=lot or "")
        if not content.total:
            raise HistoryError("No inspection in the history fits.")
        with targets.written(targets.report_file(file), ".html") as sink:
            write_report(content, sink)
    console.say(
        f"{content.total:,} inspection{'' if content.total == 1 else 's'} {_where(targets.report_file(file))}."
    )


@history.command()
def summary(
    product: Product = None,
    lot: LotName = None,
    since: Since = None,
    until: Until = None,
    text: Name = "",
    run: RunName = None,
    as_json: AsJson = False,
) -> None:
    """Count inspections by verdict, and how the sign-offs of people agree with them.

    A part that was called a defect and is signed off as good is overkill, one that was called good and is signed
    off as a defect is an escape.
    """
    with _opened() as kept:
        found = kept.sign_offs.agreement(to_query(product, None, lot, since, until, text, run))
    if as_json or not sys.stdout.isatty():
        console.print_row(found.to_dict())
        return
    from rich.table import Table

    table = Table("verdict", "inspected", "signed off", "as good", "as defect")
    for verdict, tally in vars(found).items():
        if tally.inspected:
            numbers = (tally.inspected, tally.signed, tally.good, tally.defect)
            table.add_row(f"[{console.COLOURS[verdict]}]{verdict}[/]", *(f"{n:,}" for n in numbers))
    print_table(table, "No inspection in the history fits.")
    if said := describe(found):
        console.say(said[:1].upper() + said[1:])


def _write_picture(kept: History, id: int, file: Path) -> None:
    from assistant.files import write_atomically

    targets.check_own("--picture", file)
    content = kept.pictures.of(id)
    if content is None:
        raise HistoryError(f"No picture of the inspection {id} was kept; see `looktwice store pictures`.")
    try:
        write_atomically(file, content)
    except OSError as error:
        raise HistoryError(f"{file} cannot be written: {error.strerror or 'an error'}.") from error


def _where(file: Path) -> str:
    return "on standard output" if targets.is_standard(file) else f"in {file}"


@contextmanager
def _opened() -> Iterator[History]:
    from assistant.records.history import History, default_history

    kept = History(default_history())
    try:
        yield kept
    finally:
        kept.close()


def _rows(kept: Sequence[KeptInspection]) -> Iterator[dict[str, Any]]:
    """JSON-ready rows; `outdated` says whether the product has changed since, None where it is gone."""
    from assistant.records.history import to_json_row

    for one, outdated in zip(kept, find_outdated(one.inspection for one in kept), strict=True):
        yield {"id": one.id, "lot": one.lot, "outdated": outdated, **to_json_row(one)}


def _print_table(rows: Sequence[KeptInspection]) -> None:
    from rich.table import Table

    signed = any(one.sign_off for one in rows)
    columns = ("id", "time (UTC)", "lot", "product", "verdict", *["signed as"] * signed)
    table = Table(*columns, "score", "threshold", "picture")
    for one in rows:
        inspection = one.inspection
        verdict = inspection.outcome
        numbers = ("" if value is None else f"{value:.4g}" for value in (inspection.score, inspection.threshold))
        table.add_row(
            str(one.id),
            f"{one.created:%Y-%m-%d %H:%M:%S}",
            console.escape(one.lot),
            console.escape(inspection.product or ""),
            f"[{console.COLOURS[verdict]}]{verdict}[/]",
            *[one.sign_off.decision if one.sign_off else ""] * signed,
            *numbers,
            console.escape(shown_name(inspection.path)),
        )
    print_table(table, "No inspection in the history fits.")


def _print_one(one: KeptInspection, told: Inspection, turns: Sequence[Turn], signed: Sequence[SignOff]) -> None:
    """An inspection in words; `told` is what there is to tell of it now."""
    from rich.console import Console

    from assistant.language.shown_answer import as_text
    from assistant.language.template import explain
    from assistant.reports.words import say_sign_off

    out, verdict = Console(highlight=False), one.inspection.outcome
    name = console.escape(shown_name(one.inspection.path))
    lot = f", lot {console.escape(one.lot)}" if one.lot else ""
    out.print(f"[{console.COLOURS[verdict]}]{verdict}[/] {name}, {one.created:%Y-%m-%d %H:%M:%S} UTC{lot}")
    out.print(console.escape(explain(told).text))
    if any(find_outdated([one.inspection])):
        out.print("The product has changed since: it has other limits now.")
    for sign_off in signed:
        out.print(console.escape(say_sign_off(sign_off)))
    for turn in turns:
        out.print(f"\n[bold]{console.escape(turn.question)}[/]\n{console.escape(as_text(turn.answer))}")
