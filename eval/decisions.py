"""What thresholds do on labelled pictures, and whether one product or bundle is better than another.

What `looktwice eval decisions` runs: AUPIMO, overkill against escape with intervals, and a paired bootstrap.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from assistant.commands import console
from assistant.errors import LooktwiceError
from assistant.eval.aupimo import Aupimo
from assistant.eval.benchmark import mask_of
from assistant.eval.datasets import Dataset
from assistant.eval.decision_curves import CurvePoint, Rate, at_escape, decision_curve
from assistant.eval.metrics import image_auroc
from assistant.eval.paired import Difference, Side, compare
from assistant.files import write_atomically
from assistant.images.geometry import to_picture
from assistant.products.config import LearnConfig

if TYPE_CHECKING:
    from assistant.inspector import Inspector
    from assistant.products.product import Product

ESCAPES = (0.0, 0.01, 0.02, 0.05, 0.1)
"""The shares of defects that may pass, at which a table shows the least overkill."""

SCHEMA = 1


@dataclass(frozen=True)
class Contender:
    """Who judges: an inspector, and a product that is kept; None learns one from references of each data set."""

    name: str
    inspector: Inspector
    product: Product | None = None


@dataclass
class Decided:
    """What one contender says of the pictures of a data set: `labels` [N], scores and verdicts in their order."""

    name: str
    threshold: float
    labels: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    verdicts: list[str] = field(default_factory=list)
    aupimo: float = float("nan")
    unread: int = 0

    @property
    def curve(self) -> tuple[CurvePoint, ...]:
        """Overkill and escape for every threshold."""
        return decision_curve(self.labels, self.scores)

    def rate(self, label: int, verdict: str) -> Rate:
        """How many pictures of a label got a verdict, with the interval of that share."""
        said = [v for one, v in zip(self.labels, self.verdicts, strict=True) if one == label]
        return Rate.of(said.count(verdict), len(said))

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dict; what cannot be told is null."""
        return {
            "name": self.name,
            "good": self.labels.count(0),
            "defects": self.labels.count(1),
            "unread": self.unread,
            "threshold": self.threshold,
            "image_auroc": _number(image_auroc(self.labels, self.scores)),
            "aupimo": _number(self.aupimo),
            "overkill": _rate(self.rate(0, "defect")),
            "escape": _rate(self.rate(1, "good")),
            "curve": [point.to_dict() for point in self.curve],
        }


def measure_decisions(
    datasets: Sequence[Dataset],
    contenders: Sequence[Contender],
    *,
    shots: int = 4,
    config: LearnConfig | None = None,
    limit: int | None = None,
    tell: Callable[[str], None] | None = None,
) -> Iterator[tuple[str, list[Decided], tuple[Difference, ...]]]:
    """For each data set its name, what each contender says, and the differences where there are two of them.

    A contender without a product learns one from the same `shots` random references as the others. `limit` caps
    the test pictures of a set. LooktwiceError where the request makes no sense.
    """
    if not 1 <= len(contenders) <= 2:
        raise LooktwiceError("One product or bundle is measured, or two are compared.")
    if shots < 1:
        raise LooktwiceError("Decisions take references: one good picture at least.")
    for dataset in datasets:
        dataset.references(shots if any(one.product is None for one in contenders) else 0)
    for dataset in datasets:
        cut = dataset if limit is None else dataset.limit(limit)
        if tell:
            tell(f"{cut.name}: {len(cut.test)} pictures, {', '.join(one.name for one in contenders)}.")
        decided = [_decide(cut, one, shots, config or LearnConfig()) for one in contenders]
        yield cut.name, decided, _differences(decided)


def print_decisions(name: str, decided: Sequence[Decided], differences: Sequence[Difference]) -> None:
    """Print what was found on one data set: as decided, by threshold, and compared."""
    out = Console()
    shipped = Table(*("", "AUROC", "AUPIMO", "overkill", "escape", "review"), title=f"{escape(name)}, as decided")
    points = Table(*("", "escape at most", "threshold", "overkill", "escape"), title="By threshold")
    for one in decided:
        reviews = Rate.of(one.verdicts.count("review"), len(one.verdicts))
        rates = one.rate(0, "defect"), one.rate(1, "good"), reviews
        areas = map(_percent, (image_auroc(one.labels, one.scores), one.aupimo))
        shipped.add_row(escape(one.name), *areas, *map(str, rates))
        for most in ESCAPES:
            if point := at_escape(one.curve, most):
                told = (f"{point.threshold:.4g}", str(point.overkill), str(point.escape))
                points.add_row(escape(one.name), f"{100 * most:.0f} %", *told)
    tables = [shipped, points]
    if differences:
        first, second = (escape(one.name) for one in decided)
        compared = Table("", first, second, "difference", "p", title=f"{second} less {first}, the same pictures")
        for row in differences:
            interval = f"{100 * row.difference:+.1f} ({100 * row.low:+.1f} to {100 * row.high:+.1f})"
            compared.add_row(row.figure, *map(_percent, (row.first, row.second)), interval, f"{row.p:.2g}")
        tables.append(compared)
    for table in tables:
        out.print(table)
    out.print("In percent; intervals hold with 95 % confidence, each by itself.", highlight=False)
    if unread := max(one.unread for one in decided):
        out.print(f"{name}: {unread} pictures could not be read and are left out.", highlight=False)


def write_decisions(
    path: Path, found: Sequence[tuple[str, Sequence[Decided], Sequence[Difference]]], settings: dict[str, Any]
) -> None:
    """Write all that was found as JSON, curves included; what cannot be told is null."""
    rows = [
        {
            "dataset": name,
            "sides": [one.to_dict() for one in decided],
            "differences": [
                {key: _number(value) if key != "figure" else value for key, value in asdict(row).items()}
                for row in differences
            ],
        }
        for name, decided, differences in found
    ]
    content = {"schema": SCHEMA, "settings": settings, "rows": rows}
    write_atomically(path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())


def _decide(dataset: Dataset, one: Contender, shots: int, config: LearnConfig) -> Decided:
    product = one.product
    if product is None:
        product = one.inspector.learn("references", [s.image for s in dataset.references(shots)], config)
    decided = Decided(one.name, product.calibration.threshold)
    measure = Aupimo(sum(sample.label == 0 for sample in dataset.test))
    outlined = any(sample.mask for sample in dataset.test)
    with console.progress(f"{dataset.name}, {one.name}", len(dataset.test)) as step:
        results = one.inspector.inspect((sample.image for sample in dataset.test), product)
        for sample, found in zip(dataset.test, results, strict=True):
            step.advance()
            if found.coarse_map is None or found.verdict is None:
                decided.unread += 1
                continue
            decided.labels.append(int(sample.label == 1))
            decided.scores.append(found.score)
            decided.verdicts.append(found.verdict)
            if outlined and (mask := mask_of(sample, found)) is not None:
                if sample.label == 1 and not mask.any():
                    continue  # an outline so thin that it is lost on the smaller copy does not make a part good
                height, width = mask.shape
                measure.add(to_picture(found.coarse_map, width, height), mask)
    decided.aupimo = measure.results().mean
    return decided


def _differences(decided: Sequence[Decided]) -> tuple[Difference, ...]:
    if len(decided) < 2:
        return ()
    first, second = decided
    if first.labels != second.labels or not {0, 1} <= set(first.labels):
        raise LooktwiceError("Two products or bundles are compared on good and defective pictures that both read.")
    sides = [Side(one.scores, one.verdicts) for one in decided]
    return compare(first.labels, *sides)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}" if share == share else "-"


def _number(value: float) -> float | None:
    return value if value == value else None


def _rate(rate: Rate) -> dict[str, Any] | None:
    return asdict(rate) | {"share": rate.share} if rate.total else None
