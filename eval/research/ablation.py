"""What each part of the few-shot map is worth: `python -m assistant.eval.research.ablation SPEC ...`.

Every variant changes one thing about the distance to the nearest patch, alone and blended with rarity, and all of
them see the same features of the same pictures and references. What ships is "as shipped" at `MEMORY_SHARE`.
Choose nothing by sets whose results are reported.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from torch import Tensor

from assistant.commands import console
from assistant.commands.arguments import spread_numbers
from assistant.detection.detector import MEMORY_SHARE, Detector
from assistant.eval.datasets import Dataset, Sample, open_datasets
from assistant.eval.metrics import image_auroc
from assistant.eval.pixels import PixelMetrics
from assistant.eval.research.variants import VARIANTS, Draw, Look, Picture, Variant
from assistant.eval.results import Figure
from assistant.files import write_atomically
from assistant.images.geometry import to_picture
from assistant.images.load import load_image
from assistant.images.views import memory_views
from assistant.models.backbone import Backbone

SIDE = 256
"""Pixel metrics are taken with the longer side at this many pixels at most: variants are compared with each other,
and their maps have some 40 cells a side."""

BINS = 2**14
METRICS = ("image AUROC", "pixel AP", "AUPRO")

Key = tuple[str, float, int]  # variant, the references' share in the map, number of references
Found = dict[Key, list[dict[str, float]]]  # a row of metrics in [0, 1] for each draw


class Tally:
    """Scores and pixel counts of one variant for one draw."""

    def __init__(self) -> None:
        self.scores: list[float] = []
        self.pixels = PixelMetrics(bins=BINS)

    def add(self, score: float, found: Tensor, mask: NDArray[np.bool_] | None) -> None:
        """Count one picture with its map [h, w]; without a mask it counts for the score alone."""
        self.scores.append(score)
        if mask is not None:
            height, width = mask.shape
            self.pixels.add(to_picture(found.float().cpu().numpy(), width, height), mask)

    def row(self, labels: Sequence[int]) -> dict[str, float]:
        """The metrics that the set can tell: no pixels without an outline, nothing where a class is absent."""
        pixels = self.pixels.results()
        found = (image_auroc(labels, self.scores), pixels.average_precision, pixels.aupro)
        return {name: value for name, value in zip(METRICS, found, strict=True) if math.isfinite(value)}


@torch.inference_mode()
def ablate(
    backbone: Backbone,
    dataset: Dataset,
    *,
    shots: Sequence[int] = (1, 4),
    seeds: int = 3,
    memory: Sequence[float] = (1.0, MEMORY_SHARE),
    variants: Mapping[str, Variant] = VARIANTS,
) -> Found:
    """Measure the variants on a set, at each share `memory` of the references in the map, the rest being rarity.

    Every picture is encoded once for all of them. DatasetError where there are fewer references than `shots`.
    """
    look: Look = cache(lambda sample, views: backbone.encode(memory_views(load_image(sample.image).pixels, views)))
    detector = Detector(backbone)
    draws = {(k, s): Draw(detector, dataset.references(k, s), look) for k in shots for s in range(seeds)}
    outlined = any(sample.mask for sample in dataset.test)
    tallies: dict[tuple[Key, int], Tally] = defaultdict(Tally)
    with console.progress(dataset.name, len(dataset.test)) as step:
        for sample in dataset.test:
            pixels = load_image(sample.image).pixels
            picture = Picture(backbone, backbone.encode([pixels])[0])
            mask = _mask(sample, pixels) if outlined else None
            for (k, seed), draw in draws.items():
                for name, variant in variants.items():
                    distance, rare = variant.compare(picture, draw)
                    lifted = float(variant.lift(picture, draw))
                    for share in memory:
                        found = share * distance + (1 - share) * rare
                        tallies[(name, share, k), seed].add(float(variant.score(found)) + lifted, found[0], mask)
            step.advance()
    rows: Found = defaultdict(list)
    for (key, _), tally in tallies.items():
        rows[key].append(tally.row(dataset.labels))
    return rows


def mean_of(sets: Sequence[Found]) -> Found:
    """For each draw, the mean over the sets that have the metric."""
    found: Found = {}
    for key, first in sets[0].items():
        draws = [[one[key][seed] for one in sets] for seed in range(len(first))]
        found[key] = [
            {m: statistics.fmean(row[m] for row in rows if m in row) for m in METRICS if any(m in r for r in rows)}
            for rows in draws
        ]
    return found


def print_table(name: str, found: Found) -> None:
    """Print a line for each variant and share of memory, in percent, ± over draws."""
    shots = list(dict.fromkeys(k for _, _, k in found))
    heads = [f"{metric}\n{k} ref." for metric in METRICS for k in shots]
    table = Table("variant", "memory", *heads, title=f"{name}: percent, ± over draws of references")
    for column in table.columns:
        column.no_wrap = True
    for variant, share in dict.fromkeys((variant, share) for variant, share, _ in found):
        rows = [(metric, found[variant, share, k]) for metric in METRICS for k in shots]
        table.add_row(
            variant, f"{share:g}", *(_cell([row.get(metric) for row in draws]) for metric, draws in rows)
        )
    out = Console()
    out.width = max(out.width, Measurement.get(out, out.options.update(max_width=1000), table).maximum)
    out.print(table)


def main(
    datasets: Annotated[list[str], typer.Argument(help="As for `looktwice eval`.")],
    shots: Annotated[list[int] | None, typer.Option(help="References: --shots 1 4.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Draws of references.")] = 3,
    limit: Annotated[int, typer.Option(help="Test pictures a set at most.")] = 160,
    only: Annotated[list[str] | None, typer.Option(help="A variant, by the start of its name.")] = None,
    memory: Annotated[list[float] | None, typer.Option(help="Shares of the references in the map.")] = None,
    bundle: str = "pocket",
    out: Annotated[Path | None, typer.Option(help="Write all figures as JSON.")] = None,
) -> None:
    """Print what each part of the few-shot map is worth."""
    chosen = {n: v for n, v in VARIANTS.items() if not only or n.startswith(tuple(only))}
    if not chosen:
        raise typer.BadParameter(f"The variants are {', '.join(VARIANTS)}.")
    backbone = Backbone.load(bundle)
    settings = {"bundle": bundle, "limit": limit, "seeds": seeds}
    everything: dict[str, Found] = {}
    for dataset in open_datasets(datasets):
        everything[dataset.name] = ablate(
            backbone,
            dataset.limit(limit),
            shots=shots or (1, 4),
            seeds=seeds,
            memory=memory or (1.0, MEMORY_SHARE),
            variants=chosen,
        )
        print_table(dataset.name, everything[dataset.name])
        if out:
            write_atomically(out, json.dumps(settings | {"sets": _plain(everything)}, indent=1).encode())
    if len(everything) > 1:
        print_table(f"mean of {len(everything)}", mean_of([*everything.values()]))


def _mask(sample: Sample, pixels: NDArray[np.uint8]) -> NDArray[np.bool_] | None:
    height, width = pixels.shape[:2]
    shrink = min(1.0, SIDE / max(height, width))
    return sample.load_mask(max(1, round(width * shrink)), max(1, round(height * shrink)))


def _cell(values: Sequence[float | None]) -> str:
    figure = Figure.of(100 * value for value in values if value is not None)
    if figure is None:
        return "-"
    return f"{figure.mean:.1f} ± {figure.std:.1f}" if len(values) > 1 else f"{figure.mean:.1f}"


def _plain(everything: Mapping[str, Found]) -> dict[str, list[dict[str, object]]]:
    sets = dict(everything) | ({"mean": mean_of([*everything.values()])} if len(everything) > 1 else {})
    return {
        name: [{"variant": v, "memory": share, "shots": k, "draws": rows} for (v, share, k), rows in found.items()]
        for name, found in sets.items()
    }


if __name__ == "__main__":
    sys.argv[1:] = spread_numbers(sys.argv[1:])
    typer.run(main)
