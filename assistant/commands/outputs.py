"""Writes the results of a run wherever they were asked for, row by row, in one pass: files, history, report."""

from __future__ import annotations

import heapq
import io
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.commands import console, targets
from assistant.errors import ImageError, LooktwiceError
from assistant.files import write_atomically
from assistant.images.sources import shown_name
from assistant.inspection import Answer, Inspection
from assistant.products.pairs import SHOWN, draw_pairs
from assistant.records.entries import Turn
from assistant.reports import (
    THUMBNAIL_SIDE,
    Entry,
    Lot,
    as_jpeg,
    draw_from_file,
    read_from_file,
    report_inspection,
    write_report,
)

if TYPE_CHECKING:
    from PIL.Image import Image

    from assistant.annotations import AnnotationWriter
    from assistant.products.product import Product
    from assistant.records.drift import DriftWatch
    from assistant.records.history import History


PAIR_SIDE = 720
"""The longer side of a region beside a good part, in a report on many."""

SHOWN_IN_LOT = 1
"""Regions of a picture that are shown beside good parts there, the strongest."""


@dataclass(frozen=True)
class Outputs:
    """Where results go; None is nowhere. LooktwiceError for a file that could not be written.

    Rows of the history are kept under the name `lot`, each with its overlay. `pairs` is a folder for regions
    beside good parts of `product`, the one that pictures are compared with. `annotations` writes regions for other
    programs.
    """

    rows: Path | None = None
    csv: Path | None = None
    overlays: Path | None = None
    report: Path | None = None
    history: History | None = None
    lot: str = ""
    pairs: Path | None = None
    product: Product | None = None
    annotations: AnnotationWriter | None = None

    def __post_init__(self) -> None:
        targets.check_target("--out", self.rows, targets.ROWS)
        targets.check_target("--csv", self.csv, targets.TABLE)
        targets.check_report("--report", self.report)

    @property
    def files(self) -> dict[str, Path | None]:
        """The files that are written, by the options that name them."""
        return {
            "--out": self.rows,
            "--csv": self.csv,
            "--report": self.report and targets.report_file(self.report),
        }

    @property
    def folders(self) -> dict[str, Path | None]:
        """The folders that are drawn into, by the options that name them."""
        annotated = self.annotations.folder if self.annotations else None
        return {"--overlays": self.overlays, "--pairs": self.pairs, "--annotations": annotated}

    @property
    def printed(self) -> bool:
        """Whether rows are shown on standard output: they were asked for there, or nothing else goes there."""
        if self.rows:
            return targets.is_standard(self.rows)
        return not (targets.is_standard(self.csv) or targets.is_standard(self.report))

    @contextmanager
    def opened(self) -> Iterator[Outputs]:
        """Where to write while the block runs: as asked for, and to files in place of streams."""
        with ExitStack() as stack:
            places = [
                path and stack.enter_context(targets.written(path, ending))
                for path, ending in (
                    (None if self.printed else self.rows, ".jsonl"),
                    (self.csv, ".csv"),
                    (self.report and targets.report_file(self.report), ".html"),
                )
            ]
            yield replace(self, rows=places[0], csv=places[1], report=places[2])


def write_results(
    results: Iterable[Inspection],
    outputs: Outputs,
    show: Callable[[Inspection], None] | None = None,
    advance: Callable[[], None] | None = None,
    watch: DriftWatch | None = None,
) -> Counter[str]:
    """Write every result to each output and count them by verdict, errors under "error".

    `show` gets each result, `advance` is called after each, and `watch` notes where limits have stopped fitting.
    Rows reach the disk one by one, so a run that is stopped leaves whole rows; the ranks of unrated pictures are
    filled in at the end, when they are known. LooktwiceError where an output
    cannot be written.
    """
    counts: Counter[str] = Counter()
    unrated: list[tuple[float, str]] = []
    lot = Lot()
    taken: set[Path] = set()
    try:
        with ExitStack() as stack:
            rows = _through(map(watch.see, results) if watch else results, outputs, stack)
            labels = stack.enter_context(outputs.annotations) if outputs.annotations else None
            for row in rows:
                counts[row.outcome] += 1
                if row.verdict == "unrated":
                    unrated.append((row.score, row.path))
                shown = bool(outputs.report) and lot.shows(row)
                overlay = _draw(row) if shown or outputs.overlays or outputs.history else None
                file = _keep(row, overlay, outputs, taken)
                pairs = _draw_pairs(row, outputs, None if outputs.pairs else SHOWN_IN_LOT if shown else 0)
                _save_pairs(pairs, row, outputs.pairs, taken)
                if outputs.report:
                    beside = {name: as_jpeg(one, PAIR_SIDE) for name, one in [*pairs.items()][:SHOWN_IN_LOT]}
                    small = file or as_jpeg(overlay, THUMBNAIL_SIDE) if shown else None
                    lot.add(Entry(row, small, pairs=beside if shown else {}))
                if labels:
                    labels.add(row)
                if show:
                    show(row)
                if advance:
                    advance()
        if labels:
            say_annotations(labels)
        if len(unrated) > 1:
            _rank(unrated, outputs)
        if outputs.report:
            write_report(lot.report(lot=outputs.lot), outputs.report)
    except BrokenPipeError:
        raise  # whoever read the rows has seen enough
    except OSError as error:
        name = shown_name(str(error.filename or "an output"))
        raise LooktwiceError(f"{name} cannot be written: {error.strerror or 'an output error'}.") from error
    return counts


def report_answer(row: Inspection, question: str, said: Answer, outputs: Outputs) -> None:
    """Write the report on one inspection with a question and its answer, where one is asked for."""
    with outputs.opened() as outputs:
        if not outputs.report:
            return
        turn = Turn(question, said, datetime.now(UTC))
        pairs = draw_pairs(row, outputs.product, most=SHOWN)
        content = report_inspection(row, draw_from_file(row), [turn], original=read_from_file(row), pairs=pairs)
        write_report(content, outputs.report)


def say_annotations(writer: AnnotationWriter) -> None:
    """Say what was annotated, and what was left out."""
    for sentence in writer.report.sentences():
        console.say(sentence)


def _keep(row: Inspection, overlay: Image | None, outputs: Outputs, taken: set[Path]) -> Path | None:
    """Hand a result with its overlay to those who keep it; the file of the overlay, where there is one."""
    if outputs.history:
        found = replace(row, path=os.path.abspath(row.path))  # a relative path leads nowhere later
        outputs.history.add(found, lot=outputs.lot, preview=overlay)
    return _save(overlay, row, outputs.overlays, taken) if overlay and outputs.overlays else None


def _rank(unrated: Sequence[tuple[float, str]], outputs: Outputs) -> None:
    """Fill in, at the end of a run, which place each unrated picture has, and show the strangest."""
    from assistant.records.rows import write_ranks

    scores = sorted(score for score, _ in unrated)
    for file in (outputs.rows, outputs.csv):
        if file and file.is_file():  # a pipe cannot be written twice
            write_ranks(file, scores)
    console.print_strangest(heapq.nlargest(console.STRANGEST, unrated), len(unrated))


def _draw(row: Inspection) -> Image | None:
    """The overlay of a result; None for an error, and where what was judged is held no more and has changed."""
    if row.status == "error":
        return None
    try:
        return row.overlay()
    except ImageError as error:
        console.say(f"No overlay of {shown_name(row.path)}: {error}.")
        return None


def _draw_pairs(row: Inspection, outputs: Outputs, most: int | None) -> dict[str, Image]:
    """Regions of a result beside good parts, at most of so many; none where pictures are not compared with any."""
    return draw_pairs(row, outputs.product, most=most) if outputs.product and most != 0 else {}


def _save_pairs(pairs: dict[str, Image], row: Inspection, folder: Path | None, taken: set[Path]) -> None:
    """A file for each pair, named by picture and region."""
    if folder:
        for region, drawn in pairs.items():
            _save(drawn, row, folder, taken, f"-{region}")


def _save(picture: Image, row: Inspection, folder: Path, taken: set[Path], end: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    stem = Path(shown_name(row.path)).stem.replace("/", "_")[:80] or "picture"
    file, number = folder / f"{stem}{end}.png", 2
    while file in taken:
        file, number = folder / f"{stem}-{number}{end}.png", number + 1
    content = io.BytesIO()
    picture.save(content, "PNG")
    write_atomically(file, content.getvalue())  # a link of that name is replaced and not followed
    taken.add(file)
    return file


def _through(results: Iterable[Inspection], outputs: Outputs, stack: ExitStack) -> Iterator[Inspection]:
    from assistant.records.rows import CsvRows, JsonLines

    sinks: list[JsonLines | CsvRows] = []
    if outputs.rows:
        sinks.append(stack.enter_context(JsonLines(outputs.rows)))
    if outputs.csv:
        sinks.append(stack.enter_context(CsvRows(outputs.csv)))
    for row in results:
        for sink in sinks:
            sink.write(row)
        yield row
