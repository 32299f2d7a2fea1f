"""What is told of a part: one JSON object, worked out once and the same wherever it is sent."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from assistant.inspection import Inspection

VERSION = 1
"""Raised where a receiver of before could no longer read what is sent."""


@dataclass(frozen=True)
class Event:
    """The result of one part. `id` is the same each time it is sent; `part` counts from 1 in a journal."""

    body: Mapping[str, Any]

    @property
    def id(self) -> str:
        """32 letters and digits that no other event has."""
        return str(self.body["id"])

    @property
    def part(self) -> int:
        """The number of the part in its journal."""
        return int(self.body["part"])

    @property
    def verdict(self) -> str:
        """good, review, defect, unrated, or error for a picture that could not be read."""
        return str(self.body["verdict"])

    @property
    def inspection(self) -> Inspection:
        """The inspection, without its map."""
        return Inspection.from_dict(dict(self.body["inspection"]))

    def to_json(self) -> str:
        """One line of strict JSON in ASCII."""
        return dump(self.body)


def new_id() -> str:
    """An id for an event."""
    return secrets.token_hex(16)


def make_event(
    id: str, part: int, source: str, digest: str, station: str, row: Inspection, counts: Mapping[str, int]
) -> Event:
    """The event of a part.

    `source` is the picture's name in the folder, or the camera and the number of the frame; `digest` the SHA-256
    of its bytes, "" where it was never read; `counts` how many of each outcome there are in the journal, this
    included.
    """
    return Event(
        {
            "version": VERSION,
            "id": id,
            "part": part,
            "station": station,
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "source": source,
            "sha256": digest,
            "product": row.product or "",
            "verdict": row.outcome,
            "counts": dict(counts),
            "inspection": row.to_dict(),
        }
    )


def dump(content: Any) -> str:
    """Strict JSON in ASCII, in one line: half a character of a file's name is an escape there."""
    return json.dumps(content, allow_nan=False)
