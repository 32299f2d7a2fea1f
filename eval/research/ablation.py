"""What each part of the few-shot score is worth: `python -m assistant.eval.research.ablation SPEC ...`.

Every variant is a `LearnConfig` that changes one thing about the plain nearest neighbour, alone and blended with
rarity, and all of them see the same features of the same pictures and references. Choose nothing by sets whose
results are reported.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
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
from assistant.detection.config import SHIPPED
from assistant.detection.detector import Detector
from assistant.eval.datasets import Dataset, Sample, open_datasets
from assistant.eval.metrics import image_auroc
from assistant.eval.pixels import PixelMetrics
from assistant.eval.results import Figure
from assistant.files import write_atomically
from assistant.images.geometry import to_picture
from assistant.images.load import load_image
from assistant.models.backbone import Backbone
from assistant.products.config import LearnConfig
from assistant.products.learning import learn_product
from assistant.products.product import Product

SIDE = 256
"""Pixel metrics are taken with the longer side at this many pixels at most: variants are compared with each other,
and their maps have some 40 cells a side."""

BINS = 2**14
METRICS = ("image AUROC", "pixel AP", "AUPRO")

Key = tuple[str, float, int]  # variant, the references' share in the map, number of references
Figures = dict[Key, list[dict[str, float]]]  # a row of metrics in [0, 1] for each draw

PLAIN = replace(SHIPPED, strength_weight=0.0, whole_weight=0.0)


def variants_for(shares: Sequence[float]) -> dict[str, LearnConfig]:
    """The variants by name, one thing each beside the plain one, for a tower whose layers have these shares."""
    finer = [share / sum(shares[:-1]) for share in shares[:-1]] if len(shares) > 1 else [1.0]
    alike = [1 / len(finer)] * len(finer)
    left_out = [0.0] * (len(shares) - len(finer))
    scorings = {
        "nearest neighbour": PLAIN,
        "maximum for the top 1 %": replace(PLAIN, top_share=1e-9),
        "neighbourhood 3x3": replace(PLAIN, neighbourhood=3),
        "layers not normalised": replace(PLAIN, scale_layers=False),
        "coarsest layer left out": replace(PLAIN, layer_shares=(*finer, *left_out)),
        "coarsest layer left out, others alike": replace(PLAIN, layer_shares=(*alike, *left_out)),
        "strength": replace(PLAIN, strength_weight=SHIPPED.strength_weight),
        "whole": replace(PLAIN, whole_weight=SHIPPED.whole_weight),
    }
    learned = {name: LearnConfig(aligned=False, scoring=scoring) for name, scoring in scorings.items()}
    return learned | {
        "flips": LearnConfig(views="flips", aligned=False, scoring=PLAIN),
        "turns": LearnConfig(views="turns", aligned=False, scoring=PLAIN),
        "alignment on": LearnConfig(aligned=True, scoring=PLAIN),
        "alignment auto": LearnConfig(scoring=PLAIN),
        "as shipped": LearnConfig(scoring=SHIPPED),
    }


class Measured:
    """Scores and pixel counts of one variant for one draw."""

    def __init__(self) -> None:
        self.scores: list[float] = []
        self.pixels = PixelMetrics(bins=BINS)

    def add(self, score: float, anomaly: Tensor, mask: NDArray[np.bool_] | None) -> None:
        """Count one picture with its map [h, w]; without a mask it counts for the score alone."""
        self.scores.append(score)
        if mask is not None:
            height, width = mask.shape
            self.pixels.add(to_picture(anomaly.float().cpu().numpy(), width, height), mask)

    def row(self, labels: Sequence[int]) -> dict[str, float]:
        """The metrics that the set can tell: no pixels without an outline, nothing where a class is absent."""
        pixels = self.pixels.results()
        values = (image_auroc(labels, self.scores), pixels.average_precision, pixels.aupro)
        return {name: value for name, value in zip(METRICS, values, strict=True) if math.isfinite(value)}


@torch.inference_mode()
def ablate(
    detector: Detector,
    dataset: Dataset,
    *,
    shots: Sequence[int] = (1, 4),
    seeds: int = 3,
    memory: Sequence[float] = (1.0, SHIPPED.memory_share),
    variants: Mapping[str, LearnConfig] | None = None,
) -> Figures:
    """Measure the variants on a set, at each share `memory` of the references in the map, the rest being rarity.

    Every test picture is encoded once for all of them. DatasetError where there are fewer references than `shots`.
    """
    if variants is None:
        variants = variants_for(shares_of(detector))
    draws = [(k, s) for k in shots for s in range(seeds)]
    products: dict[tuple[Key, int], Product] = {}
    for k, seed in draws:
        pictures = [load_image(sample.image) for sample in dataset.references(k, seed)]
        for name, config in variants.items():
            product = learn_product(detector, "ablation", pictures, config)
            for share in memory:  # limits play no part here, so that one product serves all shares
                scoring = replace(product.scoring, memory_share=share)
                products[(name, share, k), seed] = replace(product, scoring=scoring)
    outlined = any(sample.mask for sample in dataset.test)
    measured: dict[tuple[Key, int], Measured] = defaultdict(Measured)
    with console.progress(dataset.name, len(dataset.test)) as step:
        for sample in dataset.test:
            pixels = load_image(sample.image).pixels
            (features,) = detector.encode([pixels])
            mask = _mask(sample, pixels) if outlined else None
            for way, product in products.items():
                scored = detector.score(features, product)
                measured[way].add(scored.value, scored.map, mask)
            step.advance()
    rows: Figures = defaultdict(list)
    for (key, _), one in measured.items():
        rows[key].append(one.row(dataset.labels))
    return rows


def shares_of(detector: Detector) -> tuple[float, ...]:
    """How much each layer says: the card's shares, or all alike."""
    backbone = detector.backbone
    count = len((backbone.patch_tower or backbone).part.layers)
    return tuple(backbone.shares) or (1 / count,) * count


def mean_of(sets: Sequence[Figures]) -> Figures:
    """For each draw, the mean over the sets that have the metric."""
    means: Figures = {}
    for key, first in sets[0].items():
        draws = [[one[key][seed] for one in sets] for seed in range(len(first))]
        means[key] = [
            {m: statistics.fmean(row[m] for row in rows if m in row) for m in METRICS if any(m in r for r in rows)}
            for rows in draws
        ]
    return means


def print_table(name: str, figures: Figures) -> None:
    """Print a line for each variant and share of memory, in percent, ± over draws."""
    shots = list(dict.fromkeys(k for _, _, k in figures))
    heads = [f"{metric}\n{k} ref." for metric in METRICS for k in shots]
    table = Table("variant", "memory", *heads, title=f"{name}: percent, ± over draws of references")
    for column in table.columns:
        column.no_wrap = True
    for variant, share in dict.fromkeys((variant, share) for variant, share, _ in figures):
        rows = [(metric, figures[variant, share, k]) for metric in METRICS for k in shots]
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
    names = variants_for((1.0,))
    wanted = {name for name in names if not only or name.startswith(tuple(only))}
    if not wanted:
        raise typer.BadParameter(f"The variants are {', '.join(names)}.")
    detector = Detector(Backbone.load(bundle))
    variants = {name: way for name, way in variants_for(shares_of(detector)).items() if name in wanted}
    settings = {"bundle": bundle, "limit": limit, "seeds": seeds}
    everything: dict[str, Figures] = {}
    for dataset in open_datasets(datasets):
        everything[dataset.name] = ablate(
            detector,
            dataset.limit(limit),
            shots=shots or (1, 4),
            seeds=seeds,
            memory=memory or (1.0, SHIPPED.memory_share),
            variants=variants,
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


def _plain(everything: Mapping[str, Figures]) -> dict[str, list[dict[str, object]]]:
    sets = dict(everything) | ({"mean": mean_of([*everything.values()])} if len(everything) > 1 else {})
    return {
        name: [
            {"variant": v, "memory": share, "shots": k, "draws": rows} for (v, share, k), rows in figures.items()
        ]
        for name, figures in sets.items()
    }


if __name__ == "__main__":
    sys.argv[1:] = spread_numbers(sys.argv[1:])
    typer.run(main)
