"""`looktwice check`: known good and bad parts before going live, and the limits that would judge them better."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.commands import console, targets
from assistant.commands.kept_limits import keep_limits, keep_way
from assistant.commands.options import Bundle, Device, KeptName, open_inspector
from assistant.detection.check_set import ESCAPE_COST, CheckSet
from assistant.errors import LooktwiceError
from assistant.models.card import DEFAULT

if TYPE_CHECKING:
    from assistant.inspector import Inspector
    from assistant.products.product import Product
    from assistant.products.ways import Chosen

RESULTS = (".html", ".htm", ".pdf", ".json")


def check(
    name: KeptName,
    good: Annotated[list[Path] | None, typer.Option("--good", help="Parts that are known to be good.")] = None,
    bad: Annotated[list[Path] | None, typer.Option("--bad", help="Parts that are known to be defective.")] = None,
    from_history: Annotated[
        bool, typer.Option("--from-history", help="Parts that were signed off in your history, by their scores.")
    ] = False,
    escape_cost: Annotated[
        float,
        typer.Option(
            "--escape-cost", help="One bad part called good costs as much as so many good ones called defective."
        ),
    ] = ESCAPE_COST,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write a report with every wrong one (.html, .pdf), or all as .json."),
    ] = None,
    overlays: Annotated[
        Path | None, typer.Option(help="Draw map and boxes of each wrong one into this folder.")
    ] = None,
    choose: Annotated[
        bool,
        typer.Option(
            "--choose", help="Try other views, tiles and layers on these parts, eight of each kind or more."
        ),
    ] = False,
    references: Annotated[
        list[Path] | None,
        typer.Option("--references", help="With --choose: the product's reference pictures, to try more tiles."),
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Keep what is recommended; teach --undo takes it back.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON on a terminal, too.")] = False,
    bundle: Bundle = DEFAULT,
    device: Device = None,
) -> None:
    """Check a product on parts whose truth is known: what it gets wrong, and what other limits would do.

    Each share has its 90 % interval. With --choose the product is looked at in the way that ranks parts best which
    were held out, if any is better for sure. Nothing is changed without --apply. On a terminal a table is shown,
    into a pipe goes JSON.
    """
    from assistant.reports.check_report import describe_check, describe_choice

    targets.check_target("--out", out, RESULTS)
    if out and out.suffix.lower() != ".json":
        targets.check_report("--out", out)
    if from_history == bool(good or bad):
        raise LooktwiceError("Give parts with --good and --bad, or take the signed-off ones with --from-history.")
    if (choose and from_history) or (references and not choose):
        raise LooktwiceError("--choose tries parts given with --good and --bad, and --references belongs to it.")
    inspector = open_inspector(bundle, device)
    product = inspector.load(name)
    chosen = _try_ways(inspector, product, good or [], bad or [], references or []) if choose else None
    if chosen and chosen.product:
        product = keep_way(inspector, product, chosen) if apply else chosen.product
    if from_history:
        found = _signed(inspector, product, escape_cost)
    else:
        found = _inspected(inspector, product, good or [], bad or [], escape_cost, out, overlays)
    _write(found, product, out, overlays)
    choice = chosen.to_dict() if chosen else None
    row: dict[str, Any] = {"product": name, **found.to_dict(), "choice": choice, "kept": None}
    if apply and found.better.limits != found.now.limits:
        by = f"by {len(found.good)} good and {len(found.bad)} bad parts"
        row["kept"] = asdict(keep_limits(inspector, product, found.calibrated, by))
    if as_json or not sys.stdout.isatty():
        console.print_row(row)
    else:
        _print_table(found)
    said = describe_choice(chosen) if chosen else ()
    for sentence in (*said, *describe_check(found), *_next_step(found, chosen, apply, name)):
        console.say(sentence)
    raise typer.Exit(1 if found.unread else 0)


def _next_step(found: CheckSet, chosen: Chosen | None, apply: bool, name: str) -> Iterator[str]:
    if found.unread:
        yield f"Not read, and not counted: {len(found.unread)}."
    way = "this way and " if chosen and chosen.product else ""
    if not apply and (way or found.better.limits != found.now.limits):
        yield f"Nothing was changed; --apply keeps {way}these limits for {name!r}."


def _try_ways(
    inspector: Inspector,
    product: Product,
    good: Sequence[Path],
    bad: Sequence[Path],
    references: Sequence[Path],
) -> Chosen:
    """What trying other ways on known parts finds."""
    _require_both(good, bad)
    pictures = [console.gather(paths) if paths else [] for paths in (good, bad, references)]
    with console.progress(f"Trying {product.name} in other ways", 1) as bar:
        return inspector.choose(product, *pictures[:2], references=pictures[2], tell=bar.tell)


def _inspected(
    inspector: Inspector,
    product: Product,
    good: Sequence[Path],
    bad: Sequence[Path],
    escape_cost: float,
    out: Path | None,
    overlays: Path | None,
) -> CheckSet:
    from assistant.commands.clashes import check_outputs

    _require_both(good, bad)
    pictures = [console.gather(paths) for paths in (good, bad)]
    check_outputs({"--out": out}, {"--overlays": overlays}, [*pictures[0], *pictures[1]], [*good, *bad])
    with console.progress(f"Checking {product.name}", sum(map(len, pictures))) as bar:

        def watched(paths: Sequence[Path]) -> Iterator[Path]:
            for path in paths:
                yield path
                bar.advance()

        return inspector.check(product, watched(pictures[0]), watched(pictures[1]), escape_cost)


def _require_both(good: Sequence[Path], bad: Sequence[Path]) -> None:
    if not good or not bad:
        raise LooktwiceError("A check set has parts of both kinds: give --good and --bad.")


def _signed(inspector: Inspector, product: Product, escape_cost: float) -> CheckSet:
    from assistant.commands.kept_limits import read_history
    from assistant.records.proposal import check_signed

    prior = inspector.teacher.prior()
    return read_history(lambda history: check_signed(history, product, escape_cost, prior))


def _write(found: CheckSet, product: Product, out: Path | None, overlays: Path | None) -> None:
    """The files that were asked for."""
    from assistant.commands.outputs import Outputs, write_results

    if overlays:
        write_results(found.wrong, Outputs(overlays=overlays))
    if out and out.suffix.lower() == ".json":
        import json

        from assistant.files import write_atomically

        with targets.written(out, ".json") as file:
            content = {"product": product.name, **found.to_dict()}
            write_atomically(file, json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1).encode())
    elif out:
        from assistant.reports import write_report
        from assistant.reports.check_report import report_check

        with targets.written(out, ".html") as file:
            write_report(report_check(found, product.name), file)
    console.say_written({"--out": out}, overlays if found.wrong else None)


def _print_table(found: CheckSet) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "limits", "defect above", "review above", "good called defective", "bad called good", "to a person"
    )
    for one in found.tried:
        shares = map(str, (one.overkill, one.escape, one.review))
        table.add_row(one.name, f"{one.threshold:.4g}", f"{one.review_threshold:.4g}", *shares)
    Console().print(table)
