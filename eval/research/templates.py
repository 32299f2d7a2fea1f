"""A board against its own template: `python -m assistant.eval.research.templates DIR ...`, for DeepPCB.

Each board with defects is inspected with the one reference that a maker has of it: the aligned template. The set
has no good board beside the templates. What stands in for one is the same scan **mended**: inside each annotated
box it shows the template. All that scanning does to a board is still in it, but where the template was put, it is
too good: take the false alarms as a lower estimate, and the AUROC as an upper one.

An annotated box is **hit** where its centre lies in the box of a region that was found, or the two boxes meet at
an IoU above 0.1. A region that hits no box is **false**. The limit of one reference has to allow for parts that
lie and shine a little otherwise, which aligned scans never do; so regions are counted twice, at that limit and at
the one that calls 5 % of the mended boards defective.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from assistant.commands import console
from assistant.detection.regions import find_regions
from assistant.eval.datasets import Dataset, DatasetError, Sample, open_datasets
from assistant.eval.metrics import image_auroc
from assistant.images.load import load_image
from assistant.inspection import Inspection
from assistant.inspector import Inspector

LEAST_IOU = 0.1
FALSE_ALARMS = 0.05
MARGIN = 4
"""Pixels around a box that are mended too: annotations are not exact."""

WAYS: dict[str, dict[str, Any]] = {
    "aligned": {"aligned": True},
    "not aligned": {"aligned": False},
    "trained": {"aligned": False, "memory": "trained"},
}
"""How a template is learned, by name; a trained memory looks at whole pictures only."""

Box = tuple[int, int, int, int]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Board:
    """A board with defects, its template, and the boxes (x0, y0, x1, y1) around its defects."""

    test: Sample
    template: Sample
    boxes: tuple[Box, ...]


@dataclass
class BoardFigures:
    """What was found with one way of learning: for each board, in itself and in its mended self."""

    rows: list[tuple[Inspection, Inspection, tuple[Box, ...]]] = field(default_factory=list)

    def add(self, spoiled: Inspection, mended: Inspection, boxes: tuple[Box, ...]) -> None:
        """Count a board with these boxes."""
        if bad := next((found for found in (spoiled, mended) if found.status == "error"), None):
            raise DatasetError(f"{bad.path} cannot be read: {bad.error}")
        self.rows.append((spoiled, mended, boxes))

    def figures(self) -> dict[str, float]:
        """Scores over boards, and what regions find: at the product's own limit, and at one from mended boards."""
        spoiled = [float(found.score) for found, _, _ in self.rows]
        mended = [float(found.score) for _, found, _ in self.rows]
        labels = [1] * len(spoiled) + [0] * len(mended)
        own = [([region.box for region in row[0].regions], row[2]) for row in self.rows]
        limit = float(np.quantile(mended, 1 - FALSE_ALARMS))
        other = [(_boxes_above(row[0], limit), row[2]) for row in self.rows]
        return {
            "image AUROC": image_auroc(labels, spoiled + mended),
            "above its mended self": fmean(a > b for a, b in zip(spoiled, mended, strict=True)),
            "called defect": fmean(row[0].verdict == "defect" for row in self.rows),
            "mended, called defect": fmean(row[1].verdict == "defect" for row in self.rows),
            "boxes hit": _hit_rate(own),
            "false regions a board": _false_regions(own),
            "limit from mended boards: boxes hit": _hit_rate(other),
            "limit from mended boards: false regions a board": _false_regions(other),
            "limit from mended boards: regions a board": fmean(len(regions) for regions, _ in other),
        }


def read_boards(dataset: Dataset, limit: int | None = None) -> list[Board]:
    """The boards that have a template and boxes, at most `limit`, spread evenly over the set.

    DatasetError where there are none, or `boxes.json` beside train and test is missing or damaged.
    """
    pairs = [(s, t) for s in dataset.test if s.label == 1 and (t := dataset.template_of(s)) is not None]
    if not pairs:
        raise DatasetError(f"{dataset.name} has no boards with templates: NNN_test.jpg and NNN_temp.jpg.")
    boxes = _read_boxes(pairs[0][0].image.parents[2] / "boxes.json")
    boards = [
        Board(test, template, boxes[name])
        for test, template in pairs
        if boxes.get(name := test.image.stem.removesuffix("_test"))
    ]
    if not boards:
        raise DatasetError(f"No board of {dataset.name} has a box.")
    count = min(limit or len(boards), len(boards))
    return [boards[i * len(boards) // count] for i in range(count)]


def mend(board: Pixels, template: Pixels, boxes: Iterable[Box], margin: int = MARGIN) -> Pixels:
    """A copy of a board that shows its template inside the boxes and `margin` pixels around: [H, W, 3] uint8."""
    if board.shape != template.shape:
        raise DatasetError("A board and its template have different sizes.")
    mended = board.copy()
    for x0, y0, x1, y1 in boxes:
        place = slice(max(0, y0 - margin), y1 + margin), slice(max(0, x0 - margin), x1 + margin)
        mended[place] = template[place]
    return mended


def is_hit(box: Box, region: Box, least: float = LEAST_IOU) -> bool:
    """Whether a region finds an annotated box: it holds the box's centre, or their IoU is above `least`."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    if region[0] <= x < region[2] and region[1] <= y < region[3]:
        return True
    wide = min(box[2], region[2]) - max(box[0], region[0])
    tall = min(box[3], region[3]) - max(box[1], region[1])
    shared = max(0, wide) * max(0, tall)
    return shared > least * (_area(box) + _area(region) - shared)


def ways_of(tiles: int) -> dict[str, dict[str, Any]]:
    """The ways to learn a template that allow so many tiles."""
    return {name: how | {"tiles": tiles} for name, how in WAYS.items() if tiles == 1 or "memory" not in how}


def inspect_boards(
    inspector: Inspector, boards: Iterable[Board], tiles: int = 1
) -> Iterator[dict[str, tuple[Inspection, Inspection]]]:
    """Each board and its mended self, by the way in which its template was learned."""
    ways = ways_of(tiles)
    for board in boards:
        pixels, template = load_image(board.test.image).pixels, load_image(board.template.image).pixels
        products = [inspector.learn("board", [template], **how) for how in ways.values()]
        pictures = [pixels, mend(pixels, template, board.boxes)]
        spoiled, mended = inspector.inspect_many(pictures, products)
        yield {way: (spoiled[i], mended[i]) for i, way in enumerate(ways)}


def measure_templates(
    inspector: Inspector, dataset: Dataset, limit: int | None, tiles: int = 1
) -> dict[str, BoardFigures]:
    """What templates find, by the way in which they were learned."""
    tallies = {way: BoardFigures() for way in ways_of(tiles)}
    boards = read_boards(dataset, limit)
    with console.progress(dataset.name, len(boards)) as step:
        for done, (board, found) in enumerate(
            zip(boards, inspect_boards(inspector, boards, tiles), strict=True), 1
        ):
            for way, rows in found.items():
                tallies[way].add(*rows, board.boxes)
            step.tell(f"{done} boards", done / len(boards))
    return tallies


def main(
    datasets: Annotated[list[str], typer.Argument(help="DeepPCB in the MVTec layout, with boxes.json.")],
    limit: Annotated[int | None, typer.Option(min=1, help="Boards at most.")] = None,
    tiles: Annotated[int, typer.Option(help="Tiles along each side; see `looktwice learn --tiles`.")] = 1,
    bundle: str = "pocket",
) -> None:
    """Print what the template finds as the one reference of its board."""
    inspector = Inspector.from_pretrained(bundle)
    for dataset in open_datasets(datasets):
        tallies = measure_templates(inspector, dataset, limit, tiles)
        figures = {way: tally.figures() for way, tally in tallies.items()}
        boards = len(tallies["aligned"].rows)
        table = Table("", *figures, title=f"{dataset.name}, {boards} boards, {tiles} tiles a side")
        for name in figures["aligned"]:
            table.add_row(name, *(f"{found[name]:.3f}" for found in figures.values()))
        Console().print(table)


def _boxes_above(found: Inspection, limit: float) -> list[Box]:
    if found.coarse_map is None:
        return []
    regions = find_regions(found.coarse_map, limit, found.width, found.height, lambda peak: 1.0)
    return [region.box for region in regions]


def _hit_rate(rows: Sequence[tuple[list[Box], tuple[Box, ...]]]) -> float:
    return fmean(any(is_hit(box, region) for region in regions) for regions, boxes in rows for box in boxes)


def _false_regions(rows: Sequence[tuple[list[Box], tuple[Box, ...]]]) -> float:
    return fmean(sum(not any(is_hit(box, r) for box in boxes) for r in regions) for regions, boxes in rows)


def _read_boxes(path: Path) -> dict[str, tuple[Box, ...]]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return {name: tuple(_box(box) for box in row["boxes"]) for name, row in rows.items()}
    except FileNotFoundError:
        raise DatasetError(f"There is no file {path}, which says where the defects are.") from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DatasetError(f"The file {path} is damaged: it names no boxes.") from error


def _box(row: Sequence[object]) -> Box:
    x0, y0, x1, y1 = (int(str(value)) for value in row[:4])
    return x0, y0, x1, y1


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


if __name__ == "__main__":
    typer.run(main)
