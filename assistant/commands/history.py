"""The command line of the history: `looktwice history VERB`, mounted in `assistant.commands.main`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from assistant.commands import console, targets
from assistant.commands.listings import AsJson, print_json, print_table
from assistant.commands.options import ReportFile, complete_product
from assistant.commands.what_if import find_outdated
from assistant.errors import HistoryError
from assistant.images.sources import shown_name

if TYPE_CHECKING:
    from assistant.inspection import Outcome
    from assistant.records.entries import KeptInspection, Query, Turn
    from assistant.records.history import History

history = typer.Typer(name="history", help="What was inspected, to be found again.", no_args_is_help=True)

Keep = Annotated[
    bool, typer.Option("--history", help="Keep the results in your history; see `looktwice history`.")
]
LotName = Annotated[str | None, typer.Option("--lot", help="The lot that the pictures belong to.")]
Product = Annotated[
    str | None, typer.Option("--product", autocompletion=complete_product, help="Only this product.")
]
Verdicts = Annotated[
    list[str] | None, typer.Option("--verdict", help="Only defect, review, good or error; may be repeated.")
]
Since = Annotated[datetime | None, typer.Option("--since", help="From this day or time (UTC) on.")]
Until = Annotated[datetime | None, typer.Option("--until", help="Before this day or time (UTC).")]
Name = Annotated[str, typer.Option("--text", help="Part of the file's name.")]


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


@history.command("list")
def list_kept(
    product: Product = None,
    verdict: Verdicts = None,
    lot: LotName = None,
    since: Since = None,
    until: Until = None,
    text: Name = "",
    last: Annotated[int, typer.Option("--last", min=1, max=500, help="The newest so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List inspections, newest first: a table on a terminal, JSON rows into a pipe."""
    with _opened() as kept:
        page = kept.search(_query(product, verdict, lot, since, until, text), size=last)
    if as_json:
        print_json(_rows(page.rows))
    elif sys.stdout.isatty():
        _print_table(page.rows)
    else:
        for row in _rows(page.rows):
            console.print_row(row)
    if page.total > len(page.rows):
        console.say(f"{page.total:,} fit; the newest {len(page.rows)} are shown.")


@history.command()
def show(
    id: Annotated[int, typer.Argument(help="The number of an inspection, from `looktwice history list`.")],
    report: ReportFile = None,
) -> None:
    """Show one inspection with its conversation."""
    from assistant.reports import report_inspection, write_report

    targets.check_report("--report", report)
    with _opened() as kept:
        one, turns, preview = kept.get(id), kept.turns(id), kept.preview(id)
    if targets.is_standard(report):
        pass  # the report is what is shown
    elif sys.stdout.isatty():
        _print_one(one, turns)
    else:
        said = [{"question": t.question, "answer": t.answer.text, "source": t.answer.source} for t in turns]
        (row,) = _rows([one])
        console.print_row(row | {"turns": said})
    if report:
        with targets.written(targets.report_file(report), ".html") as file:
            write_report(report_inspection(one.inspection, preview, turns, lot=one.lot), file)
        console.say_written({"--report": targets.report_file(report)})


@history.command()
def export(
    file: Annotated[Path, typer.Argument(help="A .csv or .jsonl file; - writes JSON rows to standard output.")],
    product: Product = None,
    verdict: Verdicts = None,
    lot: LotName = None,
    since: Since = None,
    until: Until = None,
    text: Name = "",
) -> None:
    """Write inspections as rows of a .csv or .jsonl file."""
    targets.check_target("An export", file, targets.EXPORT)
    with _opened() as kept, targets.written(file, ".jsonl") as sink:
        count = kept.export(_query(product, verdict, lot, since, until, text), sink)
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
    title: Annotated[str, typer.Option("--title", help="What stands above it.")] = "Inspection report",
) -> None:
    """Write a report on inspections: a summary, then the highest scores with pictures and conversations."""
    from assistant.reports import Entry, report_lot, write_report

    targets.check_report("A report", file)
    with _opened() as kept:
        entries = (
            Entry(one.inspection, partial(kept.preview, one.id), partial(kept.turns, one.id))
            for one in kept.every(_query(product, verdict, lot, since, until, text))
        )
        content = report_lot(entries, title, lot=lot or "")
        if not content.total:
            raise HistoryError("No inspection in the history fits.")
        with targets.written(targets.report_file(file), ".html") as sink:
            write_report(content, sink)
    console.say(
        f"{content.total:,} inspection{'' if content.total == 1 else 's'} {_where(targets.report_file(file))}."
    )


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


def _query(
    product: str | None,
    verdicts: list[str] | None,
    lot: str | None,
    since: datetime | None,
    until: datetime | None,
    text: str,
) -> Query:
    from assistant.records.entries import Query

    chosen = cast("tuple[Outcome, ...]", tuple(verdicts or ()))
    return Query(product, chosen, since, until, lot, text)


def _rows(kept: Sequence[KeptInspection]) -> Iterator[dict[str, Any]]:
    """JSON-ready rows; `outdated` says whether the product has changed since, None where it is gone."""
    for one, outdated in zip(kept, find_outdated(one.inspection for one in kept), strict=True):
        yield {"id": one.id, "lot": one.lot, "outdated": outdated, **one.inspection.to_dict()}


def _print_table(rows: Sequence[KeptInspection]) -> None:
    from rich.table import Table

    table = Table("id", "time (UTC)", "lot", "product", "verdict", "score", "threshold", "picture")
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
            *numbers,
            console.escape(shown_name(inspection.path)),
        )
    print_table(table, "No inspection in the history fits.")


def _print_one(one: KeptInspection, turns: Sequence[Turn]) -> None:
    from rich.console import Console

    from assistant.language.template import explain

    out, verdict = Console(highlight=False), one.inspection.outcome
    name = console.escape(shown_name(one.inspection.path))
    lot = f", lot {console.escape(one.lot)}" if one.lot else ""
    out.print(f"[{console.COLOURS[verdict]}]{verdict}[/] {name}, {one.created:%Y-%m-%d %H:%M:%S} UTC{lot}")
    out.print(console.escape(explain(one.inspection).text))
    if any(find_outdated([one.inspection])):
        out.print("The product has changed since: it has other limits now.")
    for turn in turns:
        out.print(f"\n[bold]{console.escape(turn.question)}[/]\n{console.escape(turn.answer.text)}")
