"""What learning brings where patches and text are aligned: `python -m assistant.eval.research.aligned`.

No tower of that kind can be had without a hub, so this asks one that was built to be aligned (`aligned_tower`), on
generated textures. Detectors are trained on some kinds with pasted anomalies, and asked about other kinds with
drawn ones: nothing that is tested, neither kind nor sort of defect, was learned. It shows whether what was learned
is read and carries over at all, and says nothing of how well real towers do.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from assistant.detection.config import ScoringConfig
from assistant.detection.detector import Detector
from assistant.eval.metrics import image_auroc
from assistant.eval.pixels import PixelMetrics
from assistant.eval.research.aligned_tower import SIDE, load_aligned
from assistant.models.backbone import Backbone, Features
from assistant.models.trained_adapter import TrainedAdapter
from assistant.training.dataset import Example, TrainingData
from assistant.training.detector_training import TrainConfig, train_detector
from assistant.training.picture_features import ViewConfig
from assistant.training.synthesis import simulate

PASTED = ("texture", "seamless patch", "cut paste", "scar")
DRAWN = ("scratch", "crack", "stain", "hole", "burn", "particles")
FIRST_UNSEEN = 1000  # the number of the first kind that is tested

ALONE = ScoringConfig(text_share=1.0, text_whole=0.0)
UNTRAINED = {
    "rarity alone": ScoringConfig(text_share=0.0),
    "prompt ensemble alone": ALONE,
    "prompt ensemble and rarity, mean (nothing trained)": ScoringConfig(),
}
TRAINED = {
    "alone": ALONE,
    "mean with rarity": ScoringConfig(text_fusion="mean", text_whole=0.0),
    "harmonic with rarity": ScoringConfig(text_whole=0.0),
    "harmonic with rarity and the whole (as trained)": ScoringConfig(),
}

Row = dict[str, tuple[float, float]]
"""Image AUROC, the mean over kinds, and pixel AP, in percent, by the name of a way."""


@dataclass(frozen=True, eq=False)
class Shown:
    """A test picture of a `kind`, what the tower sees of it, and its outline [H, W], empty for a good one."""

    kind: int
    features: Features
    mask: NDArray[np.bool_]


def draw_texture(kind: int, number: int, side: int = SIDE) -> NDArray[np.uint8]:
    """A good picture [side, side, 3] of a kind of texture: waves of its own period, angle, tones and grain."""
    own, this = np.random.default_rng(1000 + kind), np.random.default_rng([kind, number])
    period, angle, depth = own.uniform(6, 24), own.uniform(0, np.pi), own.uniform(10, 50)
    tone, tint, mix, grain = own.uniform(60, 190, 3), own.uniform(0.5, 1, 3), own.uniform(), own.uniform(2, 8)
    y, x = np.mgrid[:side, :side] + this.uniform(0, 100, 2)[:, None, None]
    along, across = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    stretched = period * own.uniform(0.7, 1.5)
    wave = (1 - mix) * np.sin(2 * np.pi * along / period) + mix * np.cos(2 * np.pi * across / stretched)
    pixels = tone + depth * wave[..., None] * tint + this.normal(0, grain, (side, side, 1))
    return np.asarray(pixels.clip(0, 255).astype(np.uint8))


def write_kinds(folder: Path, kinds: int, each: int = 4) -> TrainingData:
    """Good pictures of so many kinds to train from, as files in a folder."""
    examples = []
    for kind in range(kinds):
        for number in range(each):
            path = folder / f"kind{kind}-{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(draw_texture(kind, number)).save(path)
            examples.append(Example(path, f"kind{kind}", 0))
    return TrainingData(tuple(examples))


def draw_unseen(backbone: Backbone, kinds: int, each: int = 12) -> list[Shown]:
    """Pictures of kinds that nobody trained on, every second one with a drawn defect, as the tower sees them."""
    shown = []
    for kind in range(FIRST_UNSEEN, FIRST_UNSEEN + kinds):
        for number in range(each):
            pixels, random = draw_texture(kind, number), np.random.default_rng([kind, number, 1])
            mask = np.zeros(pixels.shape[:2], bool)
            if number % 2:
                made = simulate(pixels, random, kind=str(random.choice(DRAWN)))
                pixels, mask = made.pixels, made.mask
            shown.append(Shown(kind, backbone.encode([pixels])[0], mask))
    return shown


def measure(
    backbone: Backbone, shown: Sequence[Shown], learned: TrainedAdapter | None, config: ScoringConfig
) -> tuple[float, float]:
    """Image AUROC, the mean over kinds, and pixel AP, in percent, of zero-shot scores."""
    detector, pixels = Detector(backbone, config), PixelMetrics()
    detector.words.__dict__["learned"] = learned  # in place of the one that is kept for the bundle
    scores: dict[int, list[tuple[int, float]]] = {}
    for one in shown:
        scored = detector.score(one.features, None)
        scores.setdefault(one.kind, []).append((int(one.mask.any()), scored.value))
        pixels.add(_grow(scored.map, one.mask.shape), one.mask)
    areas = [image_auroc(*zip(*rows, strict=True)) for rows in scores.values()]
    return 100 * statistics.fmean(areas), 100 * pixels.results().average_precision


def compare(seed: int, folder: Path, *, kinds: int = 24, unseen: int = 12, epochs: int = 6) -> Iterator[Row]:
    """One tower's figures: first without anything trained, then for each kind of words that can be learned."""
    backbone = load_aligned(seed)
    shown, data = draw_unseen(backbone, unseen), write_kinds(folder / "pictures", kinds)
    yield {name: measure(backbone, shown, None, config) for name, config in UNTRAINED.items()}
    views = ViewConfig(anomalies=PASTED, seed=seed)
    for words in ("sentences", "layers"):
        config = TrainConfig(epochs=epochs, rate=3e-3, width=32, seed=seed, words=words, views=views)
        learned = train_detector(backbone, data, folder / f"work{seed}", config)
        yield {f"{words}, {name}": measure(backbone, shown, learned, scoring) for name, scoring in TRAINED.items()}


def to_markdown(rows: Sequence[Row]) -> str:
    """A table of the mean and the spread over towers of each way."""
    lines = ["| | image AUROC | pixel AP |", "|---|--:|--:|"]
    for name in rows[0]:
        cells = [_spread([row[name][i] for row in rows]) for i in range(2)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _spread(values: Sequence[float]) -> str:
    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.1f}{spread}"


def _grow(found: Tensor, shape: tuple[int, ...]) -> NDArray[np.float32]:
    grown = interpolate(found[None, None], shape, mode="bilinear", align_corners=False)[0, 0]
    return np.asarray(grown.numpy(), np.float32)


def main(seeds: Annotated[int, typer.Option(help="Towers that are built and trained for.")] = 3) -> None:
    """Print what learning brings on towers that were built to be aligned, as Markdown."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(seeds):
            found: Row = {}
            for part in compare(seed, Path(folder)):
                found |= part
            rows.append(found)
            typer.echo(f"Tower {seed} is done.", err=True)
    typer.echo(to_markdown(rows))


if __name__ == "__main__":
    torch.set_num_threads(1)
    typer.run(main)
