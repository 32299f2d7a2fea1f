"""Files of a history that a visitor downloads: rows, or a report on a lot."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Literal, get_args

from assistant.errors import LooktwiceError
from assistant.records.entries import Query
from assistant.records.history import History

Ending = Literal["csv", "jsonl", "html", "pdf"]

MOST_KEPT = 20
"""Exports that lie there at once; older ones go."""


class Exports:
    """Writes files of a history into `folder`, which is served to whoever made them."""

    def __init__(self, folder: str, history: History) -> None:
        self._folder = Path(folder)
        self._history = history

    def write(self, query: Query, name: str, ending: Ending, lot: str = "") -> str:
        """Write what a query finds and return the file's path; LooktwiceError where that cannot be.

        `name` is the file's and a report's title, `lot` stands in a report.
        """
        if ending not in get_args(Ending):
            raise LooktwiceError("There is no such format.")
        self._make_room()
        try:
            os.makedirs(self._folder, exist_ok=True)
            target = Path(tempfile.mkdtemp(prefix="export-", dir=self._folder)) / f"{file_name(name)}.{ending}"
            if ending in ("csv", "jsonl"):
                self._history.export(query, target)
            else:
                self._report(query, name, lot, target)
        except OSError as error:
            why = (error.strerror or "an error").lower()
            raise LooktwiceError(f"The file cannot be written: {why}.") from error
        return str(target)

    def _report(self, query: Query, title: str, lot: str, target: Path) -> None:
        from assistant.reports import check_target, entry_of, report_lot, write_report

        check_target(target)
        entries = (entry_of(self._history, kept) for kept in self._history.every(query))
        write_report(report_lot(entries, title, lot=lot), target)

    def _make_room(self) -> None:
        kept = sorted(self._folder.glob("export-*"), key=os.path.getmtime)
        for old in kept[: -MOST_KEPT + 1]:
            shutil.rmtree(old, ignore_errors=True)


def file_name(name: str) -> str:
    """A name as any file system takes it."""
    return re.sub(r"[^\w-]+", "-", name, flags=re.ASCII).strip("-")[:60] or "looktwice"


def show_time(time: datetime) -> str:
    """A time as it is on this machine's clock, to the minute."""
    return f"{time.astimezone():%Y-%m-%d %H:%M}"
