"""Writes the results of a run wherever they were asked for, row by row, in one pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from assistant.errors import LooktwiceError
from assistant.images import load_image
from assistant.inspection import Answer, Inspection
from assistant.intake import shown_name


class Step(Protocol):
    """A progress display that counts pictures."""

    def advance(self) -> None: ...


@dataclass(frozen=True)
class Outputs:
    """Where results go; None is nowhere."""

    rows: Path | None = None
    csv: Path | None = None
    overlays: Path | None = None
    report: Path | None = None


def record(
    results: Iterable[Inspection],
    outputs: Outputs,
    show: Callable[[Inspection], None] | None = None,
    step: Step | None = None,
) -> Counter[str]:
    """Write every result to each output and count them by verdict, errors under "error".

    Rows reach the disk one by one, so a run that is stopped leaves whole rows. LooktwiceError where an output
    cannot be written.
    """
    counts: Counter[str] = Counter()
    kept: list[Inspection] = []
    pictures: dict[str, Path] = {}
    taken: set[Path] = set()
    try:
        with ExitStack() as stack:
            rows = _through(results, outputs, stack)
            for row in rows:
                counts[row.verdict or "error"] += 1
                if outputs.overlays:
                    drawn = draw_to(row, outputs.overlays, taken)
                    if drawn:
                        pictures[row.path] = drawn
                        taken.add(drawn)
                if outputs.report:
                    kept.append(row)
                if show:
                    show(row)
                if step:
                    step.advance()
        if outputs.report:
            _report(kept, pictures, outputs.report)
    except BrokenPipeError:
        raise  # whoever read the rows has seen enough
    except OSError as error:
        name = shown_name(str(error.filename or "an output"))
        raise LooktwiceError(f"{name} cannot be written: {error.strerror or 'an output error'}.") from error
    return counts


def draw_to(inspection: Inspection, folder: Path, taken: set[Path]) -> Path | None:
    """Draw an inspection's overlay into a folder and return the file; None for one that was not read."""
    if inspection.status == "error":
        return None
    from assistant.overlay import draw_overlay

    folder.mkdir(parents=True, exist_ok=True)
    stem = Path(shown_name(inspection.path)).stem.replace("/", "_")[:80] or "picture"
    file, number = folder / f"{stem}.png", 2
    while file in taken:
        file, number = folder / f"{stem}-{number}.png", number + 1
    draw_overlay(load_image(inspection.path).pixels, inspection).save(file)
    return file


def _through(results: Iterable[Inspection], outputs: Outputs, stack: ExitStack) -> Iterator[Inspection]:
    from assistant.table import CsvRows, JsonLines

    sinks: list[JsonLines | CsvRows] = []
    if outputs.rows:
        sinks.append(stack.enter_context(JsonLines(outputs.rows)))
    if outputs.csv:
        sinks.append(stack.enter_context(CsvRows(outputs.csv)))
    for row in results:
        for sink in sinks:
            sink.write(row)
        yield row


def _report(rows: list[Inspection], pictures: dict[str, Path], page: Path) -> None:
    from assistant.language import explain
    from assistant.overlay import draw_overlay
    from assistant.report import Picture, write_html

    shown: dict[str, Picture] = dict(pictures)
    for row in sorted(rows, key=lambda r: -(r.score or 0.0))[:500]:
        if row.path not in shown and row.status == "ok":
            small = draw_overlay(load_image(row.path).pixels, row)
            small.thumbnail((640, 640))
            shown[row.path] = small
    answers: dict[str, Answer | str] = {row.path: explain(row) for row in rows}
    write_html(rows, page, pictures=shown, answers=answers)
