"""What a benchmark found, as rows: kept in a JSON file, printed as a table, written as Markdown.

It knows neither inspectors nor datasets; `assistant.eval.benchmark` makes the rows.
"""

from __future__ import annotations

import json
import math
import statistics
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from assistant.errors import LooktwiceError
from assistant.files import write_atomically
from assistant.inspection import Mode, present_name

SCHEMA = 1


@dataclass(frozen=True)
class Figure:
    """A mean over the draws of references and their sample standard deviation, 0 where there was one draw."""

    mean: float
    std: float = 0.0

    @classmethod
    def of(cls, values: Iterable[float]) -> Figure | None:
        """The figure of some draws; None where one of them could not be worked out (NaN), or there is none."""
        kept = list(values)
        if not kept or not all(map(math.isfinite, kept)):
            return None
        return cls(statistics.fmean(kept), statistics.stdev(kept) if len(kept) > 1 else 0.0)


@dataclass(frozen=True)
class Row:
    """One dataset, one mode, one number of references: what was measured, over `seeds` draws of references.

    All figures are shares in [0, 1], None where the data cannot tell (no masks, or a class is absent).
    `overkill` (good pictures called "defect"), `escape` (defects called "good"), `review` (all pictures sent
    to a person) and `balanced_accuracy` are those of the verdicts at the shipped threshold.
    `overkill_at_2pct_escape` has its threshold set on the test set. `ms` is the median time of one picture:
    in a pass that all rows of a dataset share, so that it is no more than an inspection alone would take.
    `pixel_error` bounds how far a pixel figure may be off. `good` and `defects` count the pictures measured,
    `outlined` those that the pixel figures rest on, `errors` those that could not be read and are left out,
    `uncertain` the disputed ones that were not measured.
    """

    dataset: str
    mode: Mode
    shots: int
    seeds: int
    good: int
    defects: int
    outlined: int = 0
    errors: int = 0
    uncertain: int = 0
    image_auroc: Figure | None = None
    image_ap: Figure | None = None
    f1_max: Figure | None = None
    pixel_auroc: Figure | None = None
    aupro: Figure | None = None
    pixel_ap: Figure | None = None
    overkill: Figure | None = None
    escape: Figure | None = None
    review: Figure | None = None
    balanced_accuracy: Figure | None = None
    overkill_at_2pct_escape: Figure | None = None
    pixel_error: float = 0.0
    ms: float | None = None

    def __post_init__(self) -> None:
        if self.mode not in get_args(Mode):
            raise ValueError(f"no such mode as {self.mode!r}")

    @property
    def way(self) -> str:
        """How the pictures were judged, in a word: "0-shot", "4-shot", "mutual"."""
        return "mutual" if self.mode == "mutual" else f"{self.shots}-shot"

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dict; `from_dict` reverses it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Row:
        """Rebuild from `to_dict`; TypeError on an unknown key. Earlier names are brought up."""
        figures = {name: Figure(**row[name]) for name in FIGURES if row.get(name) is not None}
        return cls(**{**row, "mode": present_name(row["mode"]), **figures})


FIGURES = {
    "image_auroc": "image AUROC",
    "image_ap": "image AP",
    "f1_max": "F1 max",
    "pixel_auroc": "pixel AUROC",
    "aupro": "AUPRO",
    "pixel_ap": "pixel AP",
    "overkill": "overkill",
    "escape": "escape",
    "review": "review",
    "balanced_accuracy": "balanced accuracy",
    "overkill_at_2pct_escape": "overkill at 2 % escape",
}
"""The figures of a `Row` and what a table calls them, in its order."""

HEADS = ("dataset", "mode", *FIGURES.values(), "ms")


def average(rows: Sequence[Row]) -> list[Row]:
    """For each way of judging that several datasets share, the mean over them of every figure they all have."""
    averages = []
    for way in dict.fromkeys((row.mode, row.shots) for row in rows):
        members = [row for row in rows if (row.mode, row.shots) == way]
        if len(members) < 2:
            continue
        found: dict[str, Any] = {}
        for name in FIGURES:
            figures = [getattr(row, name) for row in members]
            found[name] = None if None in figures else Figure(statistics.fmean(f.mean for f in figures))
        good, defects = sum(row.good for row in members), sum(row.defects for row in members)
        averages.append(Row(f"mean of {len(members)}", *way, members[0].seeds, good, defects, **found))
    return averages


def print_table(rows: Sequence[Row]) -> None:
    """Print rows as a table in percent, with the standard deviation over draws, as wide as it needs to be."""
    out = Console()
    table = Table(*(textwrap.fill(head, 12) for head in HEADS), title="Percent, ± over draws of references")
    for number, column in enumerate(table.columns):
        column.no_wrap = True
        column.justify = "left" if number < 2 else "right"
    for row in (*rows, *average(rows)):
        table.add_row(*(escape(cell) for cell in _cells(row)))
    out.width = max(out.width, Measurement.get(out, out.options.update(max_width=1000), table).maximum)
    out.print(table)
    for note in _notes(rows):
        out.print(note, highlight=False)


def to_markdown(rows: Sequence[Row]) -> str:
    """The same table in Markdown, a line each, ending in a newline."""
    lines = [[*HEADS], ["---", "---", *["---:"] * (len(HEADS) - 2)], *map(_cells, (*rows, *average(rows)))]
    table = "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)
    return "\n\n".join([table, *_notes(rows)]) + "\n"


def read_rows(path: Path, settings: Mapping[str, Any]) -> list[Row]:
    """The rows of a results file made under these very settings; none where there is no file.

    LooktwiceError where the file is something else, or was made under other settings: it is not overwritten.
    """
    if not path.is_file():
        return []
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["schema"] != SCHEMA:
            raise ValueError("another schema")
        made_with, rows = kept["settings"], [Row.from_dict(row) for row in kept["rows"]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise LooktwiceError(f"{path.name} holds no results of this version; name another file.") from error
    if differing := sorted(k for k in {*made_with, *settings} if made_with.get(k) != settings.get(k)):
        raise LooktwiceError(
            f"{path.name} holds results of another run (it differs in: {', '.join(differing)}); name another file."
        )
    return rows


def write_rows(path: Path, settings: Mapping[str, Any], rows: Sequence[Row]) -> None:
    """Write rows and the settings they were made under, atomically; LooktwiceError where that fails."""
    content = {"schema": SCHEMA, "settings": dict(settings), "rows": [row.to_dict() for row in rows]}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(content, indent=1, allow_nan=False).encode())
    except OSError as error:
        raise LooktwiceError(f"{path.name} cannot be written: {error.strerror}.") from error


def _cells(row: Row) -> list[str]:
    ms = "" if row.ms is None else f"{row.ms:.0f}"
    return [row.dataset, row.way, *(_percent(getattr(row, name)) for name in FIGURES), ms]


def _percent(figure: Figure | None) -> str:
    if figure is None:
        return "-"
    return f"{100 * figure.mean:.1f}" + (f" ± {100 * figure.std:.1f}" if figure.std else "")


def _notes(rows: Sequence[Row]) -> list[str]:
    """What a reader must know to read the table right."""
    notes = []
    for row in {row.dataset: row for row in rows}.values():
        if row.errors:
            notes.append(f"{row.dataset}: {row.errors} pictures could not be read and are left out.")
        if row.uncertain:
            notes.append(f"{row.dataset}: {row.uncertain} pictures of disputed truth are not measured.")
    return notes
