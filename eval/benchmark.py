"""Measures an inspector on labelled pictures: what `looktwice eval` runs.

It goes through `Inspector.learn` and `inspect` alone, with the shipped limits and verdicts, so that it
measures what users get. Every test picture is encoded once for all draws of references. It knows nothing of
how a score comes about.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

from assistant.commands import console
from assistant.errors import CalibrationError, LooktwiceError
from assistant.eval.datasets import Dataset, Sample
from assistant.eval.metrics import average_precision, f1_max, image_auroc, overkill_at_escape, verdict_rates
from assistant.eval.pixels import PixelMetrics
from assistant.eval.results import Figure, Row, average, print_table, read_rows, to_markdown, write_rows
from assistant.images.geometry import to_picture
from assistant.inspection import Inspection, Mode
from assistant.products.config import LearnConfig

if TYPE_CHECKING:
    from assistant.inspector import Inspector
    from assistant.products.product import Product

__all__ = ["Figure", "Row", "average", "print_table", "run_benchmark", "to_markdown"]

SIDE = 512
"""Pixel metrics are taken at the picture's size, or with its longer side at this many pixels where it has more:
the map is resized bilinearly, the mask to the nearest pixel."""

Tell = Callable[[str], None]
Drawn = Literal["random", "first"]
"""How references are drawn: at random, or one after the other as they lie in the folder, the first ones first."""


def run_benchmark(
    inspector: Inspector,
    datasets: Sequence[Dataset],
    *,
    shots: Sequence[int] = (0, 1, 4),
    seeds: int = 3,
    mutual: bool = False,
    limit: int | None = None,
    views: str = "plain",
    memory: str = "nearest",
    zero_shot_limits: bool = False,
    draw: Drawn = "random",
    out: Path | None = None,
    tell: Tell | None = None,
) -> list[Row]:
    """Measure every dataset at every number of references, over `seeds` draws of them.

    0 in `shots` is zero-shot, which has no draw and so one seed; `mutual` adds mutual mode. `limit` caps the
    test pictures of a dataset, classes in proportion. `views` and `memory` are those of `Inspector.learn`. `draw`
    "first" takes the first references of the folder, then the next: what a person drags in, often of one moment.
    Zero-shot pictures are unrated, and so without overkill and escape, unless `zero_shot_limits` decide. Rows
    come by dataset, in the order of `shots`, mutual last. With `out`, the rows are written there after each
    dataset, and those found there already, made under the same settings, are taken over; the settings cover
    weights, limits and version, and not what a developer changes in the code between two runs. `tell` hears a
    sentence a dataset. LooktwiceError where the request makes no sense.
    """
    wanted = _ways(shots, seeds, mutual)
    cut = [dataset if limit is None else dataset.limit(limit) for dataset in datasets]
    _check(cut, wanted)
    settings = _settings(inspector, seeds, limit, views)
    config = LearnConfig(views=views, memory=memory)
    if memory != "nearest":
        settings["memory"] = f"{memory} {inspector.detector.trained.digest}"
    if zero_shot_limits:
        settings["zero_shot_limits"] = True
    if draw != "random":
        settings["draw"] = draw
    kept = read_rows(out, settings) if out else []
    rows: list[Row] = []
    for dataset in cut:
        done = {way: row for row in kept if (way := _way_of(row, dataset)) in wanted}
        missing = [way for way in wanted if way not in done]
        if tell:
            tell(f"{dataset.name}: {len(dataset.test)} pictures, {len(missing)} of {len(wanted)} rows to measure.")
        found = _measure(inspector, dataset, missing, config, draw, zero_shot_limits)
        fresh = dict(zip(missing, found, strict=True))
        rows += [(done | fresh)[way] for way in wanted]
        if out and fresh:
            known = {(row.dataset, row.mode, row.shots) for row in rows}
            others = [row for row in kept if (row.dataset, row.mode, row.shots) not in known]
            write_rows(out, settings, [*rows, *others])
    return rows


@dataclass(frozen=True)
class Way:
    """One way of judging: a mode, a number of references, a number of draws of them."""

    mode: Mode
    shots: int
    seeds: int


@dataclass
class DrawFigures:
    """What one pass over a test set brought together."""

    labels: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    verdicts: list[str] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)
    pixels: PixelMetrics = field(default_factory=PixelMetrics)
    errors: int = 0

    def add(self, sample: Sample, found: Inspection, mask: Any) -> None:
        """Count one picture. `mask` [h, w] is None where nobody outlined the defect, or nobody asked."""
        if found.coarse_map is None or found.verdict is None:
            self.errors += 1
            return
        self.labels.append(int(sample.label == 1))
        self.scores.append(found.score)
        self.verdicts.append(found.verdict)
        self.ms.append(found.ms or 0.0)
        if mask is not None:
            height, width = mask.shape
            self.pixels.add(to_picture(found.coarse_map, width, height), mask)


def _ways(shots: Sequence[int], seeds: int, mutual: bool) -> list[Way]:
    if seeds < 1:
        raise LooktwiceError("A benchmark needs at least one seed.")
    if any(k < 0 for k in shots):
        raise LooktwiceError("A number of references is zero or more.")
    ways = [Way("few-shot", k, seeds) if k else Way("zero-shot", 0, 1) for k in dict.fromkeys(shots)]
    return [*ways, *([Way("mutual", 0, 1)] if mutual else [])]


def _check(datasets: Sequence[Dataset], ways: Sequence[Way]) -> None:
    names = [dataset.name for dataset in datasets]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise LooktwiceError(f"Two datasets are called {twice[0]}, and their results could not be told apart.")
    for dataset in datasets:
        dataset.references(max((way.shots for way in ways), default=0))  # too few are known before hours of work


def _settings(inspector: Inspector, seeds: int, limit: int | None, views: str) -> dict[str, Any]:
    try:
        limits = json.dumps({**asdict(inspector.limits), "own": None}, sort_keys=True)
    except CalibrationError:
        limits = ""
    return {
        "version": version("looktwice"),
        "bundle": inspector.backbone.card.name,
        "weights": inspector.backbone.digest,
        "limits": hashlib.sha256(limits.encode()).hexdigest()[:16],
        "seeds": seeds,
        "limit": limit,
        "views": views,
    }


def _way_of(row: Row, dataset: Dataset) -> Way | None:
    """The way that a kept row was measured, where it is about this dataset in its present extent."""
    same = row.dataset == dataset.name and row.good + row.defects + row.errors == len(dataset.test)
    return Way(row.mode, row.shots, row.seeds) if same else None


def _measure(
    inspector: Inspector,
    dataset: Dataset,
    ways: Sequence[Way],
    config: LearnConfig,
    draw: Drawn,
    zero_shot_limits: bool,
) -> Iterator[Row]:
    """A row for each way, in their order."""
    drawn = [way for way in ways if way.mode != "mutual"]
    tallies: dict[Way, list[DrawFigures]] = {way: [DrawFigures() for _ in range(way.seeds)] for way in ways}
    pictures = [sample.image for sample in dataset.test]
    if drawn:
        products = _products(inspector, dataset, drawn, config, draw)
        with console.progress(dataset.name, len(pictures)) as step:
            found = inspector.inspect_many(iter(pictures), products, zero_shot_limits=zero_shot_limits)
            _count(dataset, found, [tally for way in drawn for tally in tallies[way]], step.advance)
    for way in (way for way in ways if way.mode == "mutual"):
        with console.progress(f"{dataset.name}, mutual", len(pictures)) as step:
            tell = console.comparing(step, len(pictures))
            together = inspector.inspect(iter(pictures), mode="mutual", tell=tell)
            _count(dataset, ([row] for row in together), tallies[way], step.advance)
    return (_row(dataset, way, tallies[way]) for way in ways)


def _products(
    inspector: Inspector, dataset: Dataset, ways: Sequence[Way], config: LearnConfig, draw: Drawn
) -> list[Product | None]:
    """The products that the pictures are compared with: a draw of references each, None for zero-shot."""
    name = re.sub(r"[^\w .\-]", " ", dataset.name).strip(" .-")[:80] or "product"
    references = dataset.consecutive if draw == "first" else dataset.references
    return [
        inspector.learn(name, [s.image for s in references(way.shots, seed)], config) if way.shots else None
        for way in ways
        for seed in range(way.seeds)
    ]


def _count(
    dataset: Dataset,
    found: Iterable[list[Inspection]],
    tallies: Sequence[DrawFigures],
    advance: Callable[[], None],
) -> None:
    outlined = any(sample.mask for sample in dataset.test)
    for sample, results in zip(dataset.test, found, strict=True):
        mask = mask_of(sample, results[0]) if outlined else None
        for tally, result in zip(tallies, results, strict=True):
            tally.add(sample, result, mask)
        advance()


def mask_of(sample: Sample, found: Inspection) -> Any:
    """Where the picture is defective, on a copy of at most `SIDE` pixels; see there."""
    if found.status == "error":
        return None
    shrink = min(1.0, SIDE / max(found.width, found.height))
    return sample.load_mask(max(1, round(found.width * shrink)), max(1, round(found.height * shrink)))


def _row(dataset: Dataset, way: Way, tallies: Sequence[DrawFigures]) -> Row:
    first = tallies[0]  # the draws differ in references, not in the pictures tested
    pixels = [tally.pixels.results() for tally in tallies]
    rates = [verdict_rates(tally.labels, tally.verdicts) for tally in tallies]
    pairs = [(tally.labels, tally.scores) for tally in tallies]
    times = [ms for tally in tallies for ms in tally.ms]
    return Row(
        dataset=dataset.name,
        mode=way.mode,
        shots=way.shots,
        seeds=way.seeds,
        good=first.labels.count(0),
        defects=first.labels.count(1),
        outlined=pixels[0].pictures,
        errors=first.errors,
        uncertain=len(dataset.uncertain),
        image_auroc=Figure.of(image_auroc(*pair) for pair in pairs),
        image_ap=Figure.of(average_precision(*pair) for pair in pairs),
        f1_max=Figure.of(f1_max(*pair)[0] for pair in pairs),
        pixel_auroc=Figure.of(p.auroc for p in pixels),
        aupro=Figure.of(p.aupro for p in pixels),
        pixel_ap=Figure.of(p.average_precision for p in pixels),
        overkill=Figure.of(r.overkill for r in rates),
        escape=Figure.of(r.escape for r in rates),
        review=Figure.of(r.review for r in rates),
        balanced_accuracy=Figure.of(r.balanced_accuracy for r in rates),
        overkill_at_2pct_escape=Figure.of(overkill_at_escape(*pair, 0.02) for pair in pairs),
        pixel_error=max(p.error for p in pixels),
        ms=median(times) if times else None,
    )
