"""What known defects are worth: `python -m assistant.eval.known DIR ...`.

Four references, then one, two and four defects given as examples with their outlines, and four without. Every
other test picture is inspected with each product: image AUROC, and how often a defect is called by the label
of its own kind at a region that meets its outline. The examples are in no test.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from statistics import fmean
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from assistant.commands import console
from assistant.eval.datasets import Dataset, Sample, open_datasets
from assistant.eval.metrics import image_auroc
from assistant.images.load import load_image
from assistant.inspection import Inspection
from assistant.inspector import Inspector
from assistant.products.product import Product

REFERENCES = 4
WAYS = (("no example", 0, True), ("1", 1, True), ("2", 2, True), ("4", 4, True), ("4, no outlines", 4, False))


@dataclass
class KnownFigures:
    """What one product found in one test set."""

    labels: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    rejected: list[bool] = field(default_factory=list)
    named: list[bool] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    misnamed: list[bool] = field(default_factory=list)

    def add(self, sample: Sample, found: Inspection) -> None:
        """Count one picture."""
        if found.status == "error":
            return
        known = [(r.box, r.defect_types[0].name) for r in found.regions if _is_known(r.defect_types)]
        self.labels.append(int(sample.label == 1))
        self.scores.append(found.score)
        if sample.label == 0:
            self.rejected.append(found.verdict == "defect")
            self.misnamed.append(bool(known))
            return
        mask = sample.load_mask(found.width, found.height)
        met = [name for box, name in known if mask is not None and _meets(mask, box)]
        self.named.append(bool(met))
        self.right.append(sample.defect in met)

    def figures(self) -> tuple[float, ...]:
        """Image AUROC, recall of the label, any label, good ones with a label, good ones called defect."""
        shares = (fmean(map(float, row)) for row in (self.right, self.named, self.misnamed, self.rejected))
        return image_auroc(self.labels, self.scores), *shares


def measure_known(inspector: Inspector, dataset: Dataset, seeds: int) -> dict[str, tuple[float, ...]]:
    """Mean figures over draws of references and examples, by way."""
    found: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for seed in range(seeds):
        outlined = [s for s in dataset.test if s.label == 1 and s.mask is not None]
        examples = random.Random(seed).sample(outlined, max(n for _, n, _ in WAYS))
        rest = [s for s in dataset.test if s not in examples]
        base = inspector.learn("references", [s.image for s in dataset.references(REFERENCES, seed)])
        products = [_teach(inspector, base, examples[:n], masked) for _, n, masked in WAYS]
        tallies = [KnownFigures() for _ in WAYS]
        for sample, rows in zip(rest, inspector.inspect_many([s.image for s in rest], products), strict=True):
            for tally, row in zip(tallies, rows, strict=True):
                tally.add(sample, row)
        for (name, _, _), tally in zip(WAYS, tallies, strict=True):
            found[name].append(tally.figures())
    return {name: tuple(map(fmean, zip(*rows, strict=True))) for name, rows in found.items()}


def main(
    datasets: Annotated[list[str], typer.Argument(help="Folders in the MVTec layout, with outlines.")],
    limit: Annotated[int, typer.Option(help="Test pictures a set at most.")] = 160,
    seeds: Annotated[int, typer.Option(min=1, help="Draws of references and examples.")] = 2,
    bundle: str = "pocket",
) -> None:
    """Print what examples of defects are worth."""
    inspector = Inspector.from_pretrained(bundle)
    table = Table(
        "dataset", "examples", "image AUROC", "own label", "any label", "good: any label", "good: defect"
    )
    for dataset in open_datasets(datasets):
        console.say(f"{dataset.name} ...")
        for name, figures in measure_known(inspector, dataset.limit(limit), seeds).items():
            table.add_row(dataset.name, name, *(f"{100 * value:.1f}" for value in figures))
    Console().print(table)


def _teach(inspector: Inspector, product: Product, examples: list[Sample], masked: bool) -> Product:
    for sample in examples:
        picture = load_image(sample.image)
        mask = sample.load_mask(picture.width, picture.height) if masked else None
        product = inspector.teach(product, sample.image, as_="defect", label=sample.defect, mask=mask)
    return product


def _is_known(types: tuple[object, ...]) -> bool:
    return bool(types) and getattr(types[0], "source", "") == "known"


def _meets(mask: NDArray[np.bool_], box: tuple[int, int, int, int]) -> bool:
    x0, y0, x1, y1 = box
    return bool(mask[y0:y1, x0:x1].any())


if __name__ == "__main__":
    typer.run(main)
