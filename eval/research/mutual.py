"""How limits of unlabelled batches hold with few and many defects.

`python -m assistant.eval.research.mutual --scores FILE SPEC ...` scores batches of good and defective pictures
against each other, once, and tells what the limits make of the scores; without a SPEC, of those in the file.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

import numpy as np
import torch
import typer

from assistant.commands import console
from assistant.detection.calibration import log_score
from assistant.detection.contamination import estimate_contamination
from assistant.detection.mutual_limits import INTERVAL, calibrate_mutual
from assistant.detection.near_copies import Sketch, find_groups
from assistant.errors import LooktwiceError
from assistant.eval.datasets import Dataset, open_datasets
from assistant.eval.metrics import verdict_rates
from assistant.files import write_atomically
from assistant.images.reading import read_ahead
from assistant.inspector import Inspector

BATCHES = ((40, 0), (40, 2), (40, 4), (40, 8), (40, 20), (10, 0), (10, 2), (5, 0), (5, 1), (3, 0), (3, 1))
"""Pictures in a batch, and how many of them are defective."""

DRAWS = 2
"""Batches of each kind from each set."""

STEP = 0.02
"""Shares are estimated in steps, and the smallest one is told from none no better than this."""


@dataclass(frozen=True)
class Batch:
    """Scores of pictures against each other; `bad` tells which are defective, `groups` which are near copies."""

    product: str
    draw: int
    scores: tuple[float, ...]
    bad: tuple[bool, ...]
    groups: tuple[int, ...]

    @property
    def kind(self) -> tuple[int, int]:
        """How many pictures, and how many of them defective."""
        return len(self.bad), sum(self.bad)

    @property
    def voices(self) -> list[float]:
        """One score for each group of near copies: what limits are made from."""
        return [*dict(zip(self.groups, self.scores, strict=True)).values()]


@dataclass(frozen=True, eq=False)
class _Seen:
    tokens: torch.Tensor
    rare: torch.Tensor
    vector: torch.Tensor
    sketch: Sketch


def draw_pictures(dataset: Dataset, count: int, defects: int, draw: int) -> list[tuple[Path, bool]]:
    """A batch of good and defective pictures in random order; of one draw, batches share what they can."""
    random = np.random.default_rng(draw)
    good = [s.image for s in (*dataset.train_good, *dataset.test) if s.label == 0]
    bad = [s.image for s in dataset.test if s.label == 1]
    if count - defects > len(good) or defects > len(bad):
        raise LooktwiceError(f"{dataset.name} has too few pictures for {defects} defects among {count}.")
    chosen = [(good[i], False) for i in random.permutation(len(good))[: count - defects]]
    chosen += [(bad[i], True) for i in random.permutation(len(bad))[:defects]]
    return [chosen[i] for i in random.permutation(count)]


@torch.inference_mode()
def measure_batches(inspector: Inspector, dataset: Dataset) -> list[Batch]:
    """Every kind of batch from one set; each picture is encoded once."""
    drawn = [(draw, draw_pictures(dataset, *kind, draw)) for draw in range(DRAWS) for kind in BATCHES]
    paths = list(dict.fromkeys(path for _, pictures in drawn for path, _ in pictures))
    seen = dict(zip(paths, _see(inspector, paths), strict=True))
    batches = []
    for draw, pictures in drawn:
        rows = [seen[path] for path, _ in pictures]
        groups = find_groups([row.sketch for row in rows])
        vectors = torch.stack([row.vector for row in rows])
        tokens, rare = [row.tokens for row in rows], [row.rare for row in rows]
        scored = inspector.detector.mutual(tokens, rare, vectors, groups=groups)
        bad = tuple(defective for _, defective in pictures)
        batches.append(Batch(dataset.name, draw, tuple(row.value for row in scored), bad, tuple(groups)))
    return batches


def _see(inspector: Inspector, paths: Sequence[Path]) -> Iterator[_Seen]:
    detector = inspector.detector
    for entry in read_ahead(paths):
        if entry.image is None:
            raise LooktwiceError(f"A picture cannot be used: {entry.error}")
        [features] = detector.encode([entry.image.pixels])
        tokens = detector.coarse_tokens(features)[0].to(torch.bfloat16)
        rare, vector = detector.score(features, None).map, features.vector[0].clone()
        yield _Seen(tokens, rare, vector, Sketch.of(entry.image.pixels))


def read_batches(path: Path) -> list[Batch]:
    """Batches from a file; none where there is no file."""
    rows: list[dict[str, Any]] = json.loads(path.read_text("utf-8")) if path.is_file() else []
    lists = ("scores", "bad", "groups")
    return [Batch(row["product"], row["draw"], *(tuple(row[name]) for name in lists)) for row in rows]


def tell_rates(batches: Iterable[Batch]) -> Iterator[str]:
    """Lines of a table: for each kind of batch the mean over all of them, in percent, and the worst product.

    Where near copies leave fewer than three different pictures there are no limits, and the batch does not count.
    """
    kinds: defaultdict[tuple[int, int], list[Batch]] = defaultdict(list)
    for batch in batches:
        if len({*batch.groups}) >= 3:
            kinds[batch.kind].append(batch)
    yield "| pictures, defective | overkill | worst set | escape | review | share, interval | held |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for (count, defects), same in sorted(kinds.items(), key=lambda kind: (-kind[0][0], kind[0][1])):
        rates, overkill = [], defaultdict(list)
        for batch in same:
            limits = calibrate_mutual(batch.voices)
            rates.append(verdict_rates(batch.bad, [limits.verdict(score) for score in batch.scores]))
            overkill[batch.product].append(rates[-1].overkill)
        numbers = [fmean(row.overkill for row in rates), max(map(fmean, overkill.values()))]
        numbers += [
            fmean(row.escape for row in rates) if defects else math.nan,
            fmean(row.review for row in rates),
        ]
        shown = " | ".join("–" if math.isnan(value) else f"{100 * value:.1f}" for value in numbers)
        yield f"| {count}, {defects} | {shown} | {_tell_shares(same, defects / count)} |"


def _tell_shares(batches: Sequence[Batch], true: float) -> str:
    """The mean estimate of the share that stands apart, its interval, and how often that holds the true share."""
    found = [estimate_contamination([log_score(score) for score in batch.voices]) for batch in batches]
    rows = [[one.share(quantile) for quantile in INTERVAL] for one in found]
    low, middle, high = (100 * fmean(column) for column in zip(*rows, strict=True))
    held = fmean(row[0] - STEP <= true <= row[2] for row in rows)
    return f"{middle:.0f}, {low:.0f} to {high:.0f} | {100 * held:.0f}"


def main(
    scores: Annotated[Path, typer.Option(help="A file that keeps scores; what is in it is not measured again.")],
    specs: Annotated[list[str] | None, typer.Argument(help="Datasets: elpv:mono, textiles, or folders.")] = None,
    bundle: Annotated[str, typer.Option(help="The model bundle.")] = "pocket",
) -> None:
    """Measure batches of each set, keep their scores, and write what the limits make of them."""
    batches = read_batches(scores)
    missing = [d for d in open_datasets(specs or []) if d.name not in {batch.product for batch in batches}]
    for dataset in missing:
        console.say(f"Measuring {dataset.name}.")
        batches += measure_batches(Inspector.from_pretrained(bundle), dataset)
        write_atomically(scores, json.dumps([asdict(batch) for batch in batches]).encode())
    for line in tell_rates(batches):
        console.say(line)


if __name__ == "__main__":
    typer.run(main)
