"""Whether references that lie near each other in a folder show how far other moments lie from theirs.

`python -m assistant.eval.research.bursts SPEC ...` draws consecutive references of every dataset and scores each
twice: without its neighbours in the folder, and without as many others drawn at random. Where parts change along
the folder, the first is higher. If that told how far parts of other moments lie, limits could follow it.
Patches are looked up anywhere, as without alignment, strength and the picture as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import Tensor

from assistant.adapters.patches import top_mean
from assistant.adapters.rarity import rarity
from assistant.adapters.similarity import nearest
from assistant.detection.detector import Detector
from assistant.eval.datasets import Dataset, open_datasets
from assistant.eval.draws import evenly
from assistant.images.load import load_image
from assistant.inspector import Inspector

NUMBERS = (10, 20)
POOL, OTHERS, DRAWS, SUBSETS = 32, 16, 6, 3
"""Pictures that references are drawn from, others that are scored, draws, and random subsets beside each."""

app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class Burst:
    """Log-scores of one draw: `drift`, how much higher references are without neighbours than without others.

    `excess`: how much higher other good pictures are than references without themselves; `spread` of the latter.
    """

    product: str
    references: int
    drift: float
    excess: float
    spread: float


class Pairs:
    """How far each picture's patches are from those of each reference alone, so that any draw is scored at once.

    `distances` [N, R, P], `rare` [N, P]; the first R of the N pictures are those that references are drawn from.
    """

    def __init__(self, detector: Detector, tokens: Sequence[Tensor], pool: int) -> None:
        self.share = detector.config.memory_share
        self.top = detector.config.top_share
        flat = [one.reshape(-1, one.shape[-1]) for one in tokens]
        most = max(map(len, flat))
        self.rare = torch.zeros(len(flat), most)
        self.distances = torch.zeros(len(flat), pool, most)
        for i, (grid, rows) in enumerate(zip(tokens, flat, strict=True)):
            self.rare[i, : len(rows)] = rarity(grid[None])[0].flatten()
            for j in range(pool):
                self.distances[i, j, : len(rows)] = (1 - nearest(rows, flat[j]).float()).clamp_min(0)

    def log_score(self, picture: int, references: Sequence[int]) -> float:
        """The logarithm of a picture's score against these references."""
        distance = self.distances[picture, list(references)].amin(dim=0)
        blended = self.share * distance + (1 - self.share) * self.rare[picture]
        return float(top_mean(blended[None], self.top)[0].clamp_min(1e-9).log())


def draw_bursts(
    product: str,
    log_score: Callable[[int, Sequence[int]], float],
    pool: int,
    others: Sequence[int],
    generator: np.random.Generator,
) -> Iterator[Burst]:
    """Consecutive draws from the first `pool` pictures, and how the `others` score against them."""
    for n in (n for n in NUMBERS if n <= pool - 2):
        reach = max(1, n // 5)
        for start in np.unique(np.linspace(0, pool - n, DRAWS).astype(int)).tolist():
            drawn = list(range(start, start + n))
            alone = [log_score(i, [j for j in drawn if j != i]) for i in drawn]
            gaps = []
            for i in drawn:
                rest = [j for j in drawn if j != i]
                far = [j for j in rest if abs(j - i) > reach]
                subsets = [generator.permutation(rest)[: len(far)].tolist() for _ in range(SUBSETS)]
                gaps.append(log_score(i, far) - float(np.mean([log_score(i, subset) for subset in subsets])))
            after = [log_score(i, drawn) for i in others]
            excess, spread = np.mean(after) - np.mean(alone), np.std(alone, ddof=1)
            yield Burst(product, n, float(np.mean(gaps)), float(excess), float(spread))


def measure(detector: Detector, dataset: Dataset) -> Iterator[Burst]:
    """The bursts of a dataset: references from its first good pictures, the others from its good test pictures."""
    pool = [sample.image for sample in dataset.train_good][:POOL]
    others = evenly([sample.image for sample in dataset.test if not sample.label], OTHERS)
    tokens = [detector.tokens(one)[0] for p in (*pool, *others) for one in detector.encode([load_image(p).pixels])]
    pairs = Pairs(detector, tokens, len(pool))
    later = range(len(pool), len(tokens))
    yield from draw_bursts(dataset.name, pairs.log_score, len(pool), later, np.random.default_rng(0))


def correlate(bursts: Sequence[Burst]) -> tuple[float, float]:
    """How what can be seen goes with `excess`, in [-1, 1]: drift, and spread."""
    drift, excess, spread = (_column(bursts, name) for name in ("drift", "excess", "spread"))
    return float(np.corrcoef(drift, excess)[0, 1]), float(np.corrcoef(spread, excess)[0, 1])


@app.command()
@torch.inference_mode()
def main(specs: Annotated[list[str], typer.Argument(help="Datasets, as in `looktwice eval`.")]) -> None:
    """Draw, score and correlate, all datasets together and for each number of references."""
    detector = Inspector.from_pretrained("pocket").detector
    bursts = [burst for dataset in open_datasets(specs) for burst in measure(detector, dataset)]
    table = Table("references", "draws", "drift and excess", "spread and excess", title="Correlation over draws")
    for n in NUMBERS:
        some = [burst for burst in bursts if burst.references == n]
        if len(some) > 2:
            table.add_row(str(n), str(len(some)), *(f"{value:.2f}" for value in correlate(some)))
    Console().print(table)


def _column(bursts: Sequence[Burst], name: str) -> NDArray[np.float64]:
    return np.array([getattr(burst, name) for burst in bursts])


if __name__ == "__main__":
    app()
