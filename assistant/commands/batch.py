"""`looktwice batch`: begins, continues and lists runs."""

from __future__ import annotations

import json
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.commands import console, targets
from assistant.commands.history import GroupName
from assistant.commands.listings import print_table
from assistant.commands.options import (
    BitDepth,
    Bundle,
    Device,
    Levels,
    Mode,
    ProductName,
    References,
    Target,
    ZeroShotLimits,
    open_inspector,
    read_window,
)
from assistant.commands.references import learn_product
from assistant.errors import HistoryError, LooktwiceError
from assistant.images.sources import Census
from assistant.inspection import AskedMode
from assistant.models.card import DEFAULT

if TYPE_CHECKING:
    from assistant.images.window import Window
    from assistant.inspector import Inspector
    from assistant.products.product import Product
    from assistant.records.batch_run import Run
    from assistant.records.history import History


def batch(
    paths: Annotated[
        list[str] | None, typer.Argument(help="Pictures and folders; with --resume a run, the newest by default.")
    ] = None,
    references: References = None,
    product: ProductName = None,
    mode: Mode = "auto",
    lot: Annotated[str, typer.Option("--lot", help="The lot's name, for the history.")] = "",
    group: GroupName = "",
    false_alarms: Target = 0.05,
    zero_shot_limits: ZeroShotLimits = False,
    bit_depth: BitDepth = None,
    levels: Levels = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue a run that was stopped or killed.")] = False,
    anyway: Annotated[bool, typer.Option("--anyway", help="Continue although the product changed since.")] = False,
    list_runs: Annotated[bool, typer.Option("--list", help="List the newest runs.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write the run's rows to this .csv or .jsonl file; - shows them as JSON."),
    ] = None,
    history: Annotated[
        str | None, typer.Option("--history", help="A file or a database's URL; by default your own.")
    ] = None,
    bundle: Bundle = DEFAULT,
    device: Device = None,
) -> None:
    """Inspect many pictures into the history; a run that was stopped or killed goes on with --resume.

    A row is shown once it is kept, and what is kept is never lost or done twice. With --mode mutual all pictures
    are compared with each other first, and again after a stop, and the rows come at the end.
    """
    targets.check_target("--out", out, targets.EXPORT)
    kept = _open(history)
    if list_runs:
        _list(kept.runs.newest())
        return
    if resume:
        if references or product or lot or group or mode != "auto" or bit_depth or levels:
            raise LooktwiceError("A run goes on as it began: leave out everything but --resume and the run.")
        run, inspector, known = _continued(kept, paths or [], device)
    else:
        inspector = open_inspector(bundle, device)
        run, known = _planned(
            inspector,
            kept,
            paths or [],
            references,
            product,
            mode,
            lot,
            group,
            false_alarms,
            zero_shot_limits,
            read_window(bit_depth, levels),
        )
    counts = _show(inspector, kept, run, known, anyway, targets.is_standard(out))
    if out and not targets.is_standard(out):
        from assistant.records.entries import Query

        with targets.written(out, ".jsonl") as file:
            kept.export(Query(run=run.id, order="place"), file)
        console.say_written({"--out": out})
    _show_strangest(kept, run.id)
    if history is None:  # the commands of the history look into no other
        _say_reviews(kept, run.id)
    raise typer.Exit(console.exit_status(counts))


def _show(
    inspector: Inspector, history: History, run: Run, product: Product | None, anyway: bool, as_json: bool
) -> Counter[str]:
    from assistant.records.batches import run_batch
    from assistant.records.drift import DriftWatch

    watch = DriftWatch(history)
    show = console.row_printer(as_json)
    counts: Counter[str] = Counter()
    state: str = run.state
    try:
        with console.progress("Inspecting", run.total) as bar:
            tell = console.comparing(bar, run.total) if run.settings["mode"] == "mutual" else None
            reports = run_batch(inspector, history, run.id, product, tell=tell, anyway=anyway, watch=watch)
            with closing(reports):  # type: ignore[type-var]  # a generator is closed, so that the run is let go
                for now in reports:
                    state = now.state
                    bar.move(now.done / now.total)
                    if now.inspection:
                        counts[now.inspection.outcome] += 1
                        show(now.inspection)
    finally:
        if state != "done":
            console.say(f"Continue with `looktwice batch --resume {run.id}`.")
    for sentence in watch.report():
        console.say(sentence)
    console.print_summary(counts, run.settings["mode"], run.settings["product"] is not None)
    return counts


def _show_strangest(history: History, run: str) -> None:
    from assistant.records.entries import Query

    page = history.search(Query(run=run, verdicts=("unrated",), order="score"), size=console.STRANGEST)
    if page.total > 1:
        console.print_strangest([(k.inspection.score, k.inspection.path) for k in page.rows], page.total)


def _say_reviews(history: History, run: str) -> None:
    from assistant.records.entries import Query

    if waiting := history.search(Query(run=run, verdicts=("review",), signed="no"), size=1).total:
        console.say(
            f"{waiting:,} in review: `looktwice history list --open --run {run}` shows their numbers, for "
            "`looktwice history sign`."
        )


def _planned(
    inspector: Inspector,
    history: History,
    paths: list[str],
    references: list[Path] | None,
    product: str | None,
    mode: AskedMode,
    lot: str,
    group: str,
    false_alarms: float,
    zero_shot_limits: bool,
    window: Window | None,
) -> tuple[Run, Product | None]:
    from assistant.records.batches import plan_batch

    if references and product:
        raise LooktwiceError("Give either --references or --product, not both.")
    more: dict[str, Any] = {}
    known = inspector.load(product) if product else None
    if references:
        more["references"] = [str(path.absolute()) for path in references]
        known = _learn(inspector, more["references"], false_alarms, window)
        if window:
            more["window"] = window.to_dict()
    census = Census()
    run = plan_batch(
        inspector,
        history,
        paths,
        known,
        mode,
        target_false_alarm=false_alarms,
        zero_shot_limits=zero_shot_limits,
        window=None if references else window,
        lot=lot,
        group=group,
        more=more,
        census=census,
    )
    console.say_left_out(census)
    console.say(f"Run {run.id}: {run.total} picture(s).")
    return run, known


def _continued(history: History, ids: list[str], device: str | None) -> tuple[Run, Inspector, Product | None]:
    if len(ids) > 1:
        raise LooktwiceError("One run is continued at a time.")
    if ids:
        run = history.runs.get(ids[0])
    else:
        left = [run for run in history.runs.newest() if run.state in ("running", "stopped")]
        if not left:
            raise HistoryError("There is no run that could be continued.")
        run = left[0]
    if "basis" not in run.settings:
        raise HistoryError(f"The run {run.id} was not begun as a batch.")
    from assistant.records.batches import asked_window

    inspector = open_inspector(run.settings["bundle"], device)
    console.say(f"Run {run.id}: {run.total - run.done} of {run.total} picture(s) are left.")
    references = run.settings.get("references")
    target, window = run.settings["target_false_alarm"], asked_window(run.settings)
    known = _learn(inspector, references, target, window) if references else None
    return run, inspector, known


def _learn(inspector: Inspector, references: list[str], target: float, window: Window | None) -> Product:
    from assistant.products.config import LearnConfig

    config = LearnConfig(target_false_alarm=target, window=window)
    return learn_product(inspector, "references", references, config)


def _open(where: str | None) -> History:
    from assistant.records.history import History, default_history

    return History(where or default_history())


def _list(runs: tuple[Run, ...]) -> None:
    rows = [
        {
            "run": run.id,
            "state": run.state,
            "done": run.done,
            "total": run.total,
            "product": run.settings.get("product") or "",
            "mode": run.settings.get("mode", ""),
            "lot": run.lot,
            "created": run.created.isoformat(timespec="seconds"),
        }
        for run in runs
    ]
    if not sys.stdout.isatty():
        for row in rows:
            print(json.dumps(row))
        return
    from rich.table import Table

    table = Table("run", "state", "done", "product", "mode", "lot", "begun (UTC)")
    for row in rows:
        cells = (row["run"], row["state"], f"{row['done']} of {row['total']}", row["product"], row["mode"])
        table.add_row(*(console.escape(str(cell)) for cell in (*cells, row["lot"], str(row["created"])[:19])))
    print_table(table, "There is no run yet; see `looktwice batch --help`.")
