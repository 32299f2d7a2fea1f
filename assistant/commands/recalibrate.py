"""`looktwice recalibrate`: limits from unlabelled parts, mostly good, shown before they are kept."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.commands import console
from assistant.commands.kept_limits import keep_limits, read_history
from assistant.commands.options import Bundle, Device, KeptName, open_inspector
from assistant.commands.what_if import effect_on
from assistant.errors import LooktwiceError
from assistant.models.card import DEFAULT

if TYPE_CHECKING:
    from assistant.inspection import Inspection
    from assistant.inspector import Inspector
    from assistant.products.product import Product
    from assistant.records.proposal import Proposal

WIDEST = 40
"""Characters of the longest bar of a histogram."""


def recalibrate(
    name: KeptName,
    parts: Annotated[
        list[Path] | None,
        typer.Option(
            "--from", help="Parts that nobody sorted, at most a fifth of them defective; may be repeated."
        ),
    ] = None,
    from_history: Annotated[
        bool, typer.Option("--from-history", help="The parts in your history that were inspected with it.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Keep the limits without asking.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON on a terminal, too.")] = False,
    bundle: Bundle = DEFAULT,
    device: Device = None,
) -> None:
    """Set a product's limits by parts from production that nobody sorted, most of which are good.

    What the limits would be and do is shown first. They are kept with --yes, or where you say so on a terminal;
    teach --undo takes them back.
    """
    from assistant.records.proposal import propose_from_history
    from assistant.records.what_if import describe

    if from_history == bool(parts):
        raise LooktwiceError("Give parts with --from, or take those of your history with --from-history.")
    inspector = open_inspector(bundle, device)
    product = inspector.load(name)
    if from_history:
        found = read_history(lambda history: propose_from_history(history, product, inspector.teacher.prior()))
    else:
        found = _from_pictures(inspector, product, parts or [])
    recent = effect_on(product, replace(product, calibration=found.calibration))
    for line in draw_histogram(found):
        console.say(line)
    console.say(f"Limits {found.calibration.evidence.origin}.")
    would_be = ", ".join(f"{n} {verdict}" for verdict, n in found.would_be.items())
    left_out = f" Left out: {found.left_out} signed off as defective." if found.left_out else ""
    console.say(f"Of these {found.parts} parts: {would_be}.{left_out} {describe(recent)}")
    keep = yes or (console.has_person() and typer.confirm("Keep these limits?", err=True))
    if keep:
        keep_limits(inspector, product, found.calibration, found.name)
    else:
        console.say("Nothing was changed; --yes keeps these limits.")
    if as_json or not sys.stdout.isatty():
        console.print_row(found.to_dict() | {"recent": asdict(recent), "kept": keep})


def draw_histogram(found: Proposal) -> Iterator[str]:
    """The scores of the parts as lines of text, a bar each, with the new limits where they lie."""
    from assistant.records.proposal import Bin

    limits = found.calibration
    marks = {"review": limits.review_threshold, "defect": limits.threshold}
    most, last = max(one.parts for one in found.bins), found.bins[-1]
    for one in (*found.bins, Bin(last.high, math.inf, 0)):
        here = [name for name, limit in marks.items() if one.low <= limit < one.high]
        if one is found.bins[0]:
            here = [name for name, limit in marks.items() if limit < one.high]
        if one.parts or here or one.high < math.inf:
            bar = "#" * -(-WIDEST * one.parts // most)
            yield f"{one.low:8.4f} {one.parts:5d} {bar}" + "".join(f"  <- {name} from here" for name in here)


def _from_pictures(inspector: Inspector, product: Product, paths: Sequence[Path]) -> Proposal:
    from assistant.records.proposal import propose

    pictures = console.gather(paths)
    rows: list[Inspection] = []
    with console.progress(f"Inspecting for {product.name}", len(pictures)) as bar:
        for row in inspector.inspect(iter(pictures), product):
            rows.append(row)
            bar.advance()
    if unread := sum(row.status == "error" for row in rows):
        console.say(f"Not read, and not counted: {unread}.")
    return propose(product, rows, inspector.teacher.prior())
