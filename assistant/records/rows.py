"""Files of inspections, a row each: CSV for spreadsheets, JSON lines for programs.

Both are written row by row, so that a stopped run leaves whole rows. Cells are safe to open in a spreadsheet:
text that would run as a formula is marked as text, and what a terminal would obey is written out.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from assistant.files import write_atomically
from assistant.images.sources import fit_to_print
from assistant.inspection import Inspection, rank_score, say_rank

Row = Inspection | Mapping[str, Any]

COLUMNS = (
    "path",
    "status",
    "error",
    "verdict",
    "score",
    "threshold",
    "review_threshold",
    "p_value",
    "rank",
    "mode",
    "product",
    "group",
    "references",
    "counts",
    "region_count",
    "regions",
    "width",
    "height",
    "bundle",
    "weights",
    "created",
    "ms",
    "schema",
)

_FORMULA_STARTS = "=+-@＝＋－＠"


class CsvRows:
    """A CSV file (UTF-8 with its mark, comma, CRLF, header first), written row by row in a `with` block.

    An `Inspection` becomes one flat row, see `flatten`; a mapping is taken as it is, keys outside `columns`
    left out. None and numbers that are not finite are empty cells, lists and dicts are JSON. Text that starts
    like a formula gets a leading apostrophe; numbers keep their sign. The mark tells spreadsheets that letters
    are UTF-8.
    """

    def __init__(self, file: str | Path, columns: Iterable[str] = COLUMNS) -> None:
        self._names = tuple(columns)
        self._sink = Path(file).open("w", encoding="utf-8-sig", errors="backslashreplace", newline="")
        self._writer = csv.writer(self._sink)
        self._writer.writerow([_cell(name) for name in self._names])

    def write(self, row: Row) -> None:
        """Append one row and flush it."""
        flat = flatten(row) if isinstance(row, Inspection) else row
        self._writer.writerow([_cell(flat.get(name)) for name in self._names])
        self._sink.flush()

    def __enter__(self) -> CsvRows:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sink.close()


def write_csv(rows: Iterable[Row], file: str | Path, columns: Iterable[str] = COLUMNS) -> int:
    """Write rows with `CsvRows` and return how many there were."""
    count = 0
    with CsvRows(file, columns) as table:
        for row in rows:
            table.write(row)
            count += 1
    return count


def flatten(inspection: Inspection) -> dict[str, Any]:
    """One row of plain cells; regions become words such as "R1 top left slight 10,20,30,40"."""
    kept = inspection.to_dict()
    row = {name: kept.get(name) for name in COLUMNS}
    row["rank"] = inspection.standing
    row["counts"] = "; ".join(map(str, inspection.counts))
    row["region_count"] = len(inspection.regions) if inspection.status == "ok" else None
    row["regions"] = "; ".join(
        f"{region.id} {region.position} {region.severity} {','.join(map(str, region.box))}"
        for region in inspection.regions
    )
    return row


class JsonLines:
    """A file of JSON rows, one a line, each on its way to the disk before the next is worked out.

    Use it in a `with` block: `write` appends a row and flushes it, leaving the block syncs the file. An
    existing file is replaced. ValueError for a row that is not strict JSON (NaN, infinity); it leaves the
    rows before it whole.
    """

    def __init__(self, file: str | Path) -> None:
        # Undecodable bytes of a file name become \udcXX, which is a JSON escape and reads back the same.
        self._sink = Path(file).open("w", encoding="utf-8", errors="backslashreplace", newline="\n")

    def write(self, row: Row) -> None:
        """Append one row, as `Inspection.to_json` writes it or as a mapping stands."""
        if isinstance(row, Inspection):
            line = row.to_json()
        else:
            line = json.dumps(dict(row), ensure_ascii=False, allow_nan=False)
        self._sink.write(line + "\n")
        self._sink.flush()

    def close(self) -> None:
        """Flush, sync to the disk and close; closing twice is no error."""
        if not self._sink.closed:
            self._sink.flush()
            os.fsync(self._sink.fileno())
            self._sink.close()

    def __enter__(self) -> JsonLines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def write_jsonl(rows: Iterable[Row], file: str | Path) -> int:
    """Write rows with `JsonLines` and return how many there were; rows before an error stay in the file."""
    count = 0
    with JsonLines(file) as lines:
        for row in rows:
            lines.write(row)
            count += 1
    return count


def write_ranks(file: str | Path, scores: Sequence[float]) -> None:
    """Fill in the ranks of a finished run, in the file of `JsonLines` or `CsvRows` that holds its rows.

    `scores` are those of its unrated pictures, sorted. The file is replaced whole, or stays as it was.
    """
    file = Path(file).resolve()  # a link stays one
    text = file.read_bytes().decode("utf-8-sig")
    if text.startswith("{"):
        rows = map(json.loads, text.removesuffix("\n").split("\n"))
        ranked = "".join(json.dumps(_ranked(row, scores), ensure_ascii=False) + "\n" for row in rows)
        write_atomically(file, ranked.encode("utf-8", errors="backslashreplace"))
        return
    cells = csv.DictReader(io.StringIO(text, newline=""))
    table = io.StringIO(newline="")
    writer = csv.DictWriter(table, cells.fieldnames or ())
    writer.writeheader()
    writer.writerows({**row, "rank": say_rank(_ranked(row, scores)["rank"])} for row in cells)
    write_atomically(file, table.getvalue().encode("utf-8-sig"))


def _ranked(row: dict[str, Any], scores: Sequence[float]) -> dict[str, Any]:
    return row | {"rank": rank_score(float(row["score"]), scores) if row["verdict"] == "unrated" else None}


def _cell(value: Any) -> str | int | float:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return _as_text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))
    return value


def _as_text(text: str) -> str:
    # A spreadsheet may drop blanks and invisible characters, however many, before it looks for a formula.
    start = next((letter for letter in text if letter.isprintable() and not letter.isspace()), "")
    risky = text[:1] in ("\t", "\r", "\n") or (start and start in _FORMULA_STARTS)
    plain = fit_to_print(text)
    return f"'{plain}" if risky else plain
