"""How often a bundle names the right type of a real defect: `python -m assistant.eval.types DIR ...`.

Reads the outlined defects of data sets whose folders say the type in other words, which `SAME` translates into the
vocabulary. The type is ranked inside the outline, so that finding the defect does not count here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from typing import Annotated

import numpy as np
import typer
from PIL import Image
from rich.console import Console
from rich.table import Table

from assistant.detection.reader import Reader
from assistant.eval.datasets import open_datasets
from assistant.images.load import load_image
from assistant.inspection import UNKNOWN
from assistant.models.backbone import Backbone
from assistant.models.trained_adapter import TrainedAdapter

SAME: dict[str, frozenset[str]] = {
    "broken_large": frozenset({"broken edge", "hole", "missing part"}),
    "broken_small": frozenset({"broken edge", "hole", "missing part"}),
    "contamination": frozenset({"contamination", "stain"}),
    "blowhole": frozenset({"hole", "bubble"}),
    "break": frozenset({"broken edge", "missing part"}),
    "crack": frozenset({"crack", "scratch", "cut"}),
    "uneven": frozenset({"dark area", "color fault", "stain"}),
    "pitting": frozenset({"corrosion"}),
    "pitted": frozenset({"corrosion"}),
}
"""Names of folders, and the words of the vocabulary that are right for them."""


def main(
    datasets: Annotated[list[str], typer.Argument(help="As for `looktwice eval`.")],
    limit: Annotated[int, typer.Option(help="Test pictures a set at most.")] = 160,
    bundle: str = "pocket",
) -> None:
    """Print how often the first of the ranked types is right, wrong, or unknown."""
    backbone = Backbone.load(bundle)
    learned = TrainedAdapter.find(bundle, backbone.digest)
    if learned:  # measured here whether or not they are trusted, which is what this is for
        learned = replace(learned, types=replace(learned.types, trusted=True))
    reader = Reader(backbone, learned)
    table = Table("set: defect", "pictures", "right", "wrong", "unknown", "most often named")
    total: Counter[str] = Counter()
    for dataset in open_datasets(datasets):
        named: dict[str, Counter[str]] = defaultdict(Counter)
        for sample in dataset.limit(limit).test:
            if sample.label != 1 or sample.mask is None or sample.defect not in SAME:
                continue
            image = load_image(sample.image)
            (features,) = backbone.encode([image.pixels])
            reading = reader.read(features)
            rank = reader.ranker(reading)
            if reading is None or reading.types is None or rank is None:
                raise typer.BadParameter(f"the bundle {bundle} cannot name types")
            h, w = reading.types.shape[:2]
            mask = sample.load_mask(image.width, image.height)
            if mask is None:
                continue
            inside = np.asarray(Image.fromarray(mask.astype(np.float32)).resize((w, h), Image.Resampling.BOX))
            named[sample.defect][rank(inside >= min(0.15, float(inside.max())))[0].name] += 1
        for defect, found in sorted(named.items()):
            count = sum(found.values())
            right = sum(n for name, n in found.items() if name in SAME[defect])
            unknown = found[UNKNOWN]
            total.update(right=right, wrong=count - right - unknown, unknown=unknown)
            often = ", ".join(f"{name} {n}" for name, n in found.most_common(3))
            cells = [f"{100 * n / count:.0f} %" for n in (right, count - right - unknown, unknown)]
            table.add_row(f"{dataset.name}: {defect}", str(count), *cells, often)
    Console(width=120).print(table)
    count = max(1, sum(total.values()))
    typer.echo(", ".join(f"{name} {100 * np.float64(n) / count:.0f} %" for name, n in total.items()))


if __name__ == "__main__":
    typer.run(main)
