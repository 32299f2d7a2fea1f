"""What learning brings to zero-shot: `python -m assistant.eval.learned SPEC ... --detector FILE ...`.

Measures the training-free map, each trained detector's own map and vector, and the ways of joining them, on the
same pictures and features. With several detectors, of different seeds or with parts left out (`NAME=FILE`), each
figure is a mean over the files of one name, and its spread. It never looks at what a detector was trained on: give
it categories that no detector has seen.
"""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor

from assistant.adapters.patches import join_layers, top_mean
from assistant.adapters.rarity import rarity
from assistant.adapters.visual import centre, focus
from assistant.eval.benchmark import SIDE
from assistant.eval.datasets import Dataset, Sample, open_datasets
from assistant.eval.metrics import image_auroc
from assistant.eval.pixels import PixelMetrics
from assistant.images.geometry import to_picture
from assistant.images.load import load_image
from assistant.models.backbone import Backbone, Features
from assistant.models.trained_adapter import WEIGHT, TrainedAdapter

SHARE = 0.01
BINS = 2**14  # bounds the error of pixel metrics near 0.001, and the memory of many variants at once
FREE = "training-free"
METRICS = ("image AUROC", "pixel AUROC", "AUPRO", "pixel AP")

Scored = tuple[Tensor, float]


def variants(
    features: Features, rare: Tensor, learned: TrainedAdapter, shares: Sequence[float]
) -> Iterator[tuple[str, Scored]]:
    """Maps [h, w] and scores of one picture, by the way they come about; `rare` is the training-free map."""
    adapter = learned.adapter
    raw = adapter.evidence(learned.read(features, shares))
    chance = torch.sigmoid(raw)
    calm = centre(raw)
    own = float(top_mean(rare, SHARE)[0])
    strongest = float(chance.amax())
    whole = float(torch.sigmoid(adapter.judge(features.vector))[0])
    directions = learned.directions
    words = float((features.vector @ (directions[1] - directions[0]))[0])
    yield "adapter alone", (chance[0], float(top_mean(chance, SHARE)[0]))
    average = (rare + chance) / 2
    yield "average of maps", (average[0], float(top_mean(average, SHARE)[0]))
    added = (rare + WEIGHT * calm).clamp_min(0)
    yield "evidence added, score moves", (added[0], float(top_mean(added, SHARE)[0]))
    yield "evidence moves the map, score stays (shipped)", (focus(rare, calm, WEIGHT, SHARE)[0], own)
    yield (
        "vector adapter, harmonic with the map's maximum",
        (chance[0], 2 / (1 / max(whole, 1e-9) + 1 / strongest)),
    )
    yield "learned sentences on the vector", (rare[0], words)


class SetFigures:
    """Scores and pixel counts of one variant on one set."""

    def __init__(self) -> None:
        self.scores: list[float] = []
        self.pixels = PixelMetrics(bins=BINS)

    def add(self, sample: Sample, size: tuple[int, int], scored: Scored) -> None:
        """Count one picture of `size` (width, height)."""
        found, score = scored
        self.scores.append(score)
        shrink = min(1.0, SIDE / max(size))
        width, height = (max(1, round(side * shrink)) for side in size)
        mask = sample.load_mask(width, height)
        if mask is not None:
            self.pixels.add(to_picture(found.float().cpu().numpy(), width, height), mask)

    def results(self, labels: Sequence[int]) -> dict[str, float]:
        """The metrics in percent; pixel metrics are left out where nobody outlined the defects."""
        row = {METRICS[0]: 100 * image_auroc(labels, self.scores)}
        found = self.pixels.results()
        if found.regions:
            row |= dict(
                zip(
                    METRICS[1:],
                    (100 * v for v in (found.auroc, found.aupro, found.average_precision)),
                    strict=True,
                )
            )
        return row


@torch.inference_mode()
def measure(
    backbone: Backbone, dataset: Dataset, detectors: Mapping[str, Sequence[TrainedAdapter]]
) -> dict[tuple[str, str], list[dict[str, float]]]:
    """Results of every variant on a set, by (detector's name, variant), one for each file of that name."""
    samples = [sample for sample in dataset.test if sample.label is not None]
    labels = [int(sample.label or 0) for sample in samples]
    tallies: dict[tuple[str, str, int], SetFigures] = defaultdict(SetFigures)
    for sample in samples:
        image = load_image(sample.image)
        features = backbone.encode([image.pixels])[0]
        rare = rarity(join_layers(features.layers, shares=backbone.shares))
        size = (image.width, image.height)
        tallies[FREE, "rarity", 0].add(sample, size, (rare[0], float(top_mean(rare, SHARE)[0])))
        for name, files in detectors.items():
            for number, learned in enumerate(files):
                for variant, scored in variants(features, rare, learned, backbone.shares):
                    tallies[name, variant, number].add(sample, size, scored)
    found: dict[tuple[str, str], list[dict[str, float]]] = defaultdict(list)
    for (name, variant, _), tally in tallies.items():
        found[name, variant].append(tally.results(labels))
    return found


def main(
    datasets: Annotated[list[str], typer.Argument(help="As for `looktwice eval`.")],
    detector: Annotated[list[str], typer.Option(help="FILE or NAME=FILE of trained detectors.")],
    limit: Annotated[int, typer.Option(help="Test pictures a set at most.")] = 160,
    only: Annotated[str, typer.Option(help="Print one variant alone, by the start of its name.")] = "",
    bundle: str = "pocket",
    out: Annotated[Path | None, typer.Option(help="Write all figures as JSON.")] = None,
) -> None:
    """Print what trained detectors bring, as Markdown."""
    backbone = Backbone.load(bundle)
    files: dict[str, list[TrainedAdapter]] = defaultdict(list)
    for spec in detector:
        name, _, path = spec.rpartition("=")
        one = TrainedAdapter.load(Path(path))
        one.adapter.to(backbone.runtime.device)
        on_device = replace(one, directions=one.directions.to(backbone.runtime.device))
        files[name or "learned"].append(on_device)
    everything: dict[str, dict[tuple[str, str], list[dict[str, float]]]] = {}
    for dataset in open_datasets(datasets):
        everything[dataset.name] = measure(backbone, dataset.limit(limit), files)
        typer.echo(f"\n{dataset.name}\n\n{to_markdown(everything[dataset.name], only)}")
    typer.echo(f"\nmean\n\n{to_markdown(mean_of(list(everything.values())), only)}")
    if out:
        rows = {
            name: {" | ".join(key): value for key, value in found.items()} for name, found in everything.items()
        }
        out.write_text(json.dumps(rows, indent=1), encoding="utf-8")


def mean_of(
    sets: Sequence[Mapping[tuple[str, str], list[dict[str, float]]]],
) -> dict[tuple[str, str], list[dict[str, float]]]:
    """Each file's mean over the sets that have the metric."""
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    for key in sets[0]:
        rows = []
        for number in range(len(sets[0][key])):
            per_set = [one[key][number] for one in sets]
            there = {m: [row[m] for row in per_set if m in row] for m in METRICS}
            rows.append({m: statistics.fmean(values) for m, values in there.items() if values})
        found[key] = rows
    return found


def to_markdown(found: Mapping[tuple[str, str], Sequence[Mapping[str, float]]], only: str = "") -> str:
    """A Markdown table: a line for each detector and variant, mean and spread over files."""
    lines = ["| | " + " | ".join(METRICS) + " |", "|---|" + "--:|" * len(METRICS)]
    for (name, variant), rows in found.items():
        if only and name != FREE and not variant.startswith(only):
            continue
        cells = []
        for metric in METRICS:
            values = [row[metric] for row in rows if metric in row]
            spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
            cells.append(f"{statistics.fmean(values):.1f}{spread}" if values else "–")
        lines.append(f"| {name}: {variant} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    typer.run(main)
