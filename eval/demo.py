"""The demonstration: learn mono-crystalline solar cells from four good ones and inspect others.

It uses the public `Inspector` only, on pictures from the ELPV dataset package, and measures nothing that it
does not print.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table

from assistant.commands import console
from assistant.commands.outputs import Outputs, write_results
from assistant.eval.datasets import Dataset, Sample, read_elpv
from assistant.eval.metrics import image_auroc
from assistant.inspection import Inspection
from assistant.language import explain

if TYPE_CHECKING:
    from assistant.inspector import Inspector

QUESTION = "Where is it, how large, and how sure are you?"


@dataclass(frozen=True)
class Sheet:
    """The cells of a demonstration: four good ones to learn from, and others with their truth."""

    references: tuple[Sample, ...]
    cells: tuple[Sample, ...]


def choose_cells(dataset: Dataset, references: int = 4, each: int = 16, seed: int = 0) -> Sheet:
    """A seeded draw: `references` good cells, then `each` good and `each` defective ones from the test part."""
    draw = np.random.default_rng(seed)
    chosen: list[Sample] = []
    for label in (0, 1):
        pool = [sample for sample in dataset.test if sample.label == label]
        chosen += [pool[int(i)] for i in sorted(draw.choice(len(pool), size=each, replace=False))]
    return Sheet(tuple(dataset.references(references, seed)), tuple(chosen))


def run_demo(inspector: Inspector, folder: Path) -> None:
    """Learn, inspect, print the table and one explained cell; write overlays, rows and a page to `folder`."""
    sheet = choose_cells(read_elpv("mono"))
    paths = [sample.image for sample in sheet.cells]
    folder.mkdir(parents=True, exist_ok=True)
    with console.progress("Learning four good cells", 1) as step:
        product = inspector.learn("mono solar cell", [r.image for r in sheet.references], tell=step.tell)
    inspector.save(product)
    console.print_product(product)
    outputs = Outputs(folder / "results.jsonl", None, folder / "overlays", folder / "index.html")
    results: list[Inspection] = []
    with console.progress("Inspecting", len(paths)) as step:
        write_results(inspector.inspect(iter(paths), product), outputs, results.append, step.advance)
    out = Console()
    out.print(_table(results, sheet.cells))
    out.print(_accuracy(results, sheet.cells), highlight=False)
    _explain_one(inspector, results, out)
    out.print(f"\nOverlays, results.jsonl and index.html are in {folder}.", highlight=False)
    out.print("To open the chat: `make app`, or `looktwice app`.", highlight=False)


def _table(results: Sequence[Inspection], cells: Sequence[Sample]) -> Table:
    table = Table("cell", "score", "p-value", "verdict", "region", "truth", title="Solar cells it has never seen")
    for row, cell in sorted(zip(results, cells, strict=True), key=lambda pair: -pair[0].score):
        first = row.regions[0] if row.regions else None
        table.add_row(
            cell.image.name,
            f"{row.score:.3f}",
            f"{row.p_value:.2g}",
            f"[{console.COLOURS[row.outcome]}]{row.verdict}[/]",
            f"{first.id} {first.position}, {100 * first.area_fraction:.1f} %" if first else "-",
            "defect" if cell.label else "good",
        )
    return table


def _accuracy(results: Sequence[Inspection], cells: Sequence[Sample]) -> str:
    """What the verdicts are worth, in words: a review is neither right nor wrong, it goes to a person."""
    pairs = [(row.verdict, bool(cell.label), row.score) for row, cell in zip(results, cells, strict=True)]
    decided = [(verdict == "defect", bad) for verdict, bad, _ in pairs if verdict != "review"]
    right = sum(said == bad for said, bad in decided)
    goods = [verdict for verdict, bad, _ in pairs if not bad]
    bads = [verdict for verdict, bad, _ in pairs if bad]
    auroc = image_auroc([int(bad) for _, bad, _ in pairs], [score for _, _, score in pairs])
    return (
        f"Decided {len(decided)} of {len(pairs)} cells, {right} of them right "
        f"({100 * right / max(1, len(decided)):.0f} %); {len(pairs) - len(decided)} for review. "
        f"Good cells called defective: {goods.count('defect')} of {len(goods)}. "
        f"Defective cells called good: {bads.count('good')} of {len(bads)}. Image AUROC {auroc:.3f}."
    )


def _explain_one(inspector: Inspector, results: Sequence[Inspection], out: Console) -> None:
    found = [row for row in results if row.verdict == "defect" and row.regions]
    if not found:
        return
    row = max(found, key=lambda one: one.score)
    first = explain(row)
    out.print(f"\n[bold]{Path(row.path).name}[/]")
    out.print(first.text, highlight=False, markup=False)
    out.print(f"\n[bold]You:[/] {QUESTION}")
    reply = inspector.ask(row, QUESTION, [("What do you see?", first.text)])
    out.print(f"looktwice: {reply.text}", highlight=False, markup=False)
