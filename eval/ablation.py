"""What each part of the few-shot map is worth: `python -m assistant.eval.ablation elpv:mono DIR ...`.

Prints image AUROC at one and four references for naive and shipped choices of layer shares and of the
memory's share in the map, all on the same pictures, references and features.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor

from assistant.adapters.dictionary import Dictionary
from assistant.adapters.patches import join_layers, top_mean
from assistant.adapters.rarity import rarity
from assistant.backbone import Backbone, Features
from assistant.eval.datasets import Dataset, open_datasets
from assistant.eval.metrics import image_auroc
from assistant.images import load_image

SHARES: dict[str, tuple[float, ...]] = {
    "stride 8 and 16, alike": (0.5, 0.5),
    "stride 8 and 16": (0.3, 0.7),
    "stride 8, 16 and 32": (0.25, 0.6, 0.15),
}
MEMORY = (1.0, 0.8, 0.6)
SHOTS = (1, 4)

Key = tuple[str, float, int]


def ablate(backbone: Backbone, dataset: Dataset, seeds: int = 3) -> dict[Key, float]:
    """Mean image AUROC over draws of references, by (layers, memory's share, shots)."""
    samples = [sample for sample in dataset.test if sample.label is not None]
    labels = [int(sample.label or 0) for sample in samples]
    seen = backbone.encode([load_image(sample.image).pixels for sample in samples])
    draws = [
        backbone.encode([load_image(r.image).pixels for r in dataset.references(max(SHOTS), seed)])
        for seed in range(seeds)
    ]
    found: dict[Key, list[float]] = defaultdict(list)
    for name, shares in SHARES.items():
        tokens = [_tokens(features, shares) for features in seen]
        rare = [rarity(one) for one in tokens]
        for draw in draws:
            patches = [_tokens(features, shares)[0].flatten(0, 1) for features in draw]
            for shots in SHOTS:
                memory = Dictionary.build(dict(enumerate(patches[:shots])))
                far = [memory.lookup(one) for one in tokens]
                for share in MEMORY:
                    scores = [float(top_mean(share * d + (1 - share) * r)) for d, r in zip(far, rare, strict=True)]
                    found[name, share, shots].append(image_auroc(labels, scores))
    return {key: statistics.fmean(values) for key, values in found.items()}


def main(
    datasets: Annotated[list[str], typer.Argument(help="As for `looktwice eval`.")],
    limit: Annotated[int, typer.Option(help="Test pictures a set at most.")] = 160,
    bundle: str = "pocket",
) -> None:
    """Print the ablation of the few-shot map."""
    backbone = Backbone.load(bundle)
    table = Table(
        "dataset", "layers", *(f"memory {share:g}" for share in MEMORY), title="Image AUROC, 1 / 4 shots"
    )
    for dataset in open_datasets(datasets):
        found = ablate(backbone, dataset.limit(limit))
        for name in SHARES:
            cells = [" / ".join(f"{100 * found[name, share, k]:.1f}" for k in SHOTS) for share in MEMORY]
            table.add_row(dataset.name, name, *cells)
    Console().print(table)


def _tokens(features: Features, shares: tuple[float, ...]) -> Tensor:
    layers = features.layers[: len(shares)]
    return join_layers(layers, shares=shares)


if __name__ == "__main__":
    typer.run(main)
