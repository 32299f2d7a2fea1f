"""The sink that keeps each result in the history, with its map and its preview, once."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from assistant.errors import HistoryError
from assistant.line.sink import Attachments, Away, Letter

if TYPE_CHECKING:
    from PIL.Image import Image

    from assistant.inspection import Inspection
    from assistant.records.history import History


class HistorySink:
    """Keeps results in a history under a lot."""

    needs_attachments = True
    needs_picture = False

    def __init__(self, history: History, lot: str = "") -> None:
        self._history, self._lot = history, lot

    def deliver(self, letter: Letter) -> None:
        """Keep a result; one of which that is not known is looked for first, so that none is there twice."""
        row = letter.event.inspection
        try:
            if letter.doubtful and self._has(row):
                return
            held = letter.attachments()
            kept = replace(row, coarse_map=np.load(io.BytesIO(held.map)) if held.map else None)
            self._history.add(kept, lot=self._lot, preview=_open(held.preview) if held.preview else None)
        except HistoryError as error:
            raise Away(str(error).rstrip(".")) from error

    def close(self) -> None:
        """The history is its owner's to close."""

    def _has(self, row: Inspection) -> bool:
        from assistant.records.entries import Query

        made = datetime.fromisoformat(row.created or "")
        near = Query(since=made, until=made + timedelta(microseconds=1), lot=self._lot)
        written = row.to_dict()
        return any(one.inspection.to_dict() == written for one in self._history.every(near))


def attach(row: Inspection) -> Attachments:
    """The map of an inspection and its overlay, small, as they are kept until the history has them."""
    from assistant.errors import ImageError
    from assistant.overlay import draw_overlay
    from assistant.records.entries import shrink

    if row.status == "error" or row.coarse_map is None:
        return Attachments()
    file = io.BytesIO()
    np.save(file, row.coarse_map)
    try:
        preview = shrink(draw_overlay(row.picture().pixels, row, bar=False))  # what a bar says stands beside it
    except (ImageError, ValueError):
        preview = b""
    return Attachments(file.getvalue(), preview)


def _open(preview: bytes) -> Image:
    from PIL import Image as pillow

    return pillow.open(io.BytesIO(preview))
