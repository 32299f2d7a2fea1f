"""Writes what was found in a part into the journal, with all that its sinks will need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from assistant.inspection import Inspection
from assistant.line.delivery import Route
from assistant.line.event import Event, make_event
from assistant.line.history_sink import attach
from assistant.line.journal import Finding, Journal
from assistant.line.listing import Stamp
from assistant.line.sink import Attachments

if TYPE_CHECKING:
    from assistant.records.drift import DriftWatch


@dataclass(frozen=True)
class Kept:
    """What was just kept: the event of a part and its inspection."""

    event: Event
    inspection: Inspection


@dataclass(frozen=True)
class Part:
    """A part as it came: the name of its picture, what it is known by (None for nothing), and its bytes.

    `digest` is the SHA-256 of the bytes, "" where they were never read; `files` hold it, with their stamps.
    """

    source: str
    key: str | None = None
    digest: str = ""
    data: bytes = b""
    files: tuple[tuple[str, Stamp], ...] = ()


class Keeper:
    """Keeps the parts of a line in its journal, and owes each to the sinks that take its outcome.

    `station` and `group` are told with each part; `drift` notes where limits have stopped fitting. `outcomes`
    counts what this keeper has kept.
    """

    def __init__(
        self,
        journal: Journal,
        routes: Sequence[Route],
        station: str = "",
        group: str = "",
        drift: DriftWatch | None = None,
    ) -> None:
        self.journal, self.outcomes = journal, Counter[str]()
        self._routes, self._station, self._group, self._drift = routes, station, group, drift

    def keep(self, part: Part, row: Inspection) -> Kept | None:
        """Keep a part with its result; None where the part is known already."""
        row = replace(
            row, group=self._group, created=row.created or datetime.now(UTC).isoformat(timespec="seconds")
        )
        if self._drift:
            row = self._drift.see(row)
        routes = [route for route in self._routes if route.takes(row.outcome)]

        def tell(id: str, number: int, counts: Mapping[str, int]) -> Event:
            return make_event(id, number, part.source, part.digest, self._station, row, counts)

        finding = Finding(
            part.key,
            row.outcome,
            tell,
            attach(row) if any(route.sink.needs_attachments for route in routes) else Attachments(),
            part.data if any(route.sink.needs_picture for route in routes) else b"",
            part.files,
        )
        event = self.journal.keep(finding, [route.name for route in routes])
        if event is None:
            return None
        self.outcomes[row.outcome] += 1
        return Kept(event, row)
