"""What a report says, as data: pictures from the worst down, counts, limits and their origins, a histogram.

`assistant.reports.html_report` and `assistant.reports.pdf_report` lay out the same content.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from assistant.inspection import UNRATED, Evidence, Inspection, rank_unrated
from assistant.products.pairs import draw_pairs, find_product
from assistant.products.product import Product
from assistant.records.agreement import Agreement, SignOff, agreement_of, current, describe
from assistant.records.entries import KeptInspection, Turn
from assistant.reports.pictures import Picture
from assistant.reports.words import LABELS, kind_of, say_origin, say_setting, say_size, say_time

if TYPE_CHECKING:
    from assistant.records.history import History

MOST_SHOWN = 200
"""Pictures of a lot that are shown in full, those with the highest scores; the others are rows of a table."""

MOST_VALUES = 12
BINS = 32


Pairs: TypeAlias = Mapping[str, Picture]


@dataclass(frozen=True, eq=False)
class Entry:
    """One inspection of a report: `picture` is its overlay, `original` the picture without it, where there is one.

    `turns` is the conversation, or a function that fetches it when the inspection is shown in full. `sign_offs` is
    what people decided. `pairs` are regions beside good parts, by their ids, or a function that draws them.
    """

    inspection: Inspection
    picture: Picture = None
    turns: Sequence[Turn] | Callable[[], Sequence[Turn]] = ()
    original: Picture = None
    sign_offs: Sequence[SignOff] = ()
    pairs: Pairs | Callable[[], Pairs] = field(default_factory=dict)

    @property
    def beside(self) -> Pairs:
        """The pairs, drawn."""
        return self.pairs() if callable(self.pairs) else self.pairs

    @property
    def signed(self) -> SignOff | None:
        """The sign-off that counts."""
        return current(self.sign_offs)

    @property
    def conversation(self) -> Sequence[Turn]:
        """The turns, fetched."""
        return self.turns() if callable(self.turns) else self.turns


@dataclass(frozen=True)
class Limit:
    """A threshold that some of the pictures were judged by, and where it comes from."""

    product: str
    threshold: float
    review: float
    evidence: Evidence | None
    pictures: int


@dataclass(frozen=True)
class Histogram:
    """Scores by verdict: `edges` has one more than `bars`, each {verdict: pictures}; `limits`: thresholds."""

    edges: tuple[float, ...]
    bars: tuple[dict[str, int], ...]
    limits: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Report:
    """A report on one inspection (`single`) or on a lot.

    `full` are shown with picture and words and `rest` as rows of a table, both from the highest score down;
    `unread` are pictures that could not be read, by name. `written` is when the report was made.
    """

    title: str
    full: tuple[Entry, ...]
    rest: tuple[Entry, ...]
    unread: tuple[Entry, ...]
    notes: tuple[str, ...]
    written: datetime
    lot: str = ""
    single: bool = False

    @cached_property
    def read(self) -> tuple[Inspection, ...]:
        """The inspections of all pictures that could be read, from the highest score down."""
        return tuple(entry.inspection for entry in (*self.full, *self.rest))

    @property
    def total(self) -> int:
        """How many pictures there are, those that could not be read included."""
        return len(self.read) + len(self.unread)

    @cached_property
    def counts(self) -> list[tuple[str, int]]:
        """How many pictures of each key of `LABELS`, the worst first; "unrated" and "error" only if any."""
        number = Counter(kind_of(entry.inspection) for entry in self._every)
        return [(kind, number[kind]) for kind in LABELS if number[kind] or kind in ("defect", "review", "good")]

    @property
    def _every(self) -> tuple[Entry, ...]:
        return (*self.full, *self.rest, *self.unread)

    @cached_property
    def agreement(self) -> Agreement:
        """What of the pictures is signed off."""
        decided = ((entry.inspection.outcome, entry.signed) for entry in self._every)
        return agreement_of((outcome, signed.decision if signed else None, 1) for outcome, signed in decided)

    @cached_property
    def facts(self) -> list[tuple[str, str]]:
        """What the pictures have in common, or their different values; a single picture's own facts."""
        read, times = self.read, sorted(one.created for one in self.read if one.created)
        said = [("Lot", self.lot), ("Product", _values(one.product for one in read))]
        said.append(("Judged", _values(map(say_setting, read))))
        if self.single:
            said.append(("Picture size", _values(map(say_size, read))))
        if self.single and read and read[0].evidence:
            said.append(("Origin of the threshold", say_origin(read[0].evidence)))
        if self.single and read:
            said.append(("Counted", "; ".join(map(str, read[0].counts))))
        said += [("Model bundle", _values(one.bundle for one in read))]
        said += [("Weights (hash)", _values(one.weights for one in read))]
        said.append(("Inspected", " to ".join(dict.fromkeys(map(say_time, (*times[:1], *times[-1:]))))))
        if self.unread and not self.single:
            said.append(("Not read", f"{len(self.unread)} of {self.total}"))
        said.append(("Report written", f"{self.written:%Y-%m-%d %H:%M:%S} UTC by looktwice {_version()}"))
        return [(name, value) for name, value in said if value]

    @cached_property
    def limits(self) -> list[Limit]:
        """The thresholds that the pictures were judged by, those of most pictures first, twelve at most."""
        pictures = Counter(
            (one.product or "", one.threshold, one.review_threshold, one.evidence) for one in self._decided
        )
        return [Limit(*judged, pictures=n) for judged, n in pictures.most_common(MOST_VALUES)]

    @cached_property
    def more_limits(self) -> int:
        """How many different thresholds `limits` leaves out."""
        judged = {(one.product, one.threshold, one.review_threshold, one.evidence) for one in self._decided}
        return len(judged) - len(self.limits)

    @property
    def _decided(self) -> list[Inspection]:
        """The inspections that limits decided."""
        return [one for one in self.read if one.verdict != "unrated"]

    @cached_property
    def span(self) -> tuple[float, float]:
        """The range of scores and limits, with some room: the scale that all score bars share."""
        values = [one.score for one in self.read]
        values += [v for one in self._decided for v in (one.threshold, one.review_threshold)]
        low, high = min(values, default=0.0), max(values, default=1.0)
        room = 0.05 * (high - low) or 1.0
        return low - room, high + room

    @cached_property
    def histogram(self) -> Histogram | None:
        """The scores on the scale of `span`; None for fewer than two pictures."""
        if len(self.read) < 2:
            return None
        edges = np.linspace(*self.span, BINS + 1)
        bars: list[dict[str, int]] = [{} for _ in range(BINS)]
        for one in self.read:
            place = int(np.clip(np.searchsorted(edges, one.score, side="right") - 1, 0, BINS - 1))
            bars[place][kind_of(one)] = bars[place].get(kind_of(one), 0) + 1
        limits = dict.fromkeys(limit.threshold for limit in self.limits)
        return Histogram(tuple(map(float, edges)), tuple(bars), tuple(limits))

    @cached_property
    def remarks(self) -> list[str]:
        """The notes, and what the report leaves out."""
        said = list(self.notes)
        if self.agreement.signed and not self.single:
            said.append(describe(self.agreement))
        if unrated := len(self.read) - len(self._decided):
            said.append(f"{unrated:,} unrated: {UNRATED}.")
        if self.rest:
            said.append(
                f"The {len(self.full):,} pictures with the highest scores are shown in full, "
                f"the other {len(self.rest):,} as rows of the table at the end."
            )
        if self.more_limits:
            said.append(f"{self.more_limits} more thresholds of fewer pictures are in the inspections themselves.")
        return said


class Lot:
    """Gathers the inspections of a lot, in any order, for a report.

    Of what is added only the `most_shown` highest scores keep picture, conversation and map, so that a lot of
    thousands takes little memory.
    """

    def __init__(self, most_shown: int = MOST_SHOWN) -> None:
        self._most = most_shown
        self._full: list[tuple[float, int, Entry]] = []
        self._rest: list[tuple[float, int, Entry]] = []
        self._unread: list[Entry] = []

    def shows(self, inspection: Inspection) -> bool:
        """Whether an inspection would be shown in full, were there no more to come."""
        score = inspection.score
        return inspection.status == "ok" and (len(self._full) < self._most or score > self._full[0][0])

    def add(self, entry: Entry | Inspection) -> None:
        """One more inspection."""
        entry = entry if isinstance(entry, Entry) else Entry(entry)
        one = entry.inspection
        if one.status == "error":
            self._unread.append(entry)
            return
        # Of equal scores the first to come is shown, so that the same lot gives the same report.
        ranked = (one.score, -len(self._full) - len(self._rest), entry)
        if len(self._full) < self._most:
            heapq.heappush(self._full, ranked)
            return
        score, order, lowest = heapq.heappushpop(self._full, ranked)
        bare = replace(lowest.inspection, coarse_map=None, judged=None)
        self._rest.append((score, order, Entry(bare, sign_offs=lowest.sign_offs)))

    def report(self, title: str = "Inspection report", *, lot: str = "", notes: Sequence[str] = ()) -> Report:
        """The report on all that was added."""
        parts = (sorted(part, key=lambda one: one[:2], reverse=True) for part in (self._full, self._rest))
        entries = [entry for part in parts for *_, entry in part]
        ranked = rank_unrated([entry.inspection for entry in entries])
        entries = [replace(entry, inspection=one) for entry, one in zip(entries, ranked, strict=True)]
        return Report(
            title=title,
            full=tuple(entries[: len(self._full)]),
            rest=tuple(entries[len(self._full) :]),
            unread=tuple(sorted(self._unread, key=lambda entry: entry.inspection.path)),
            notes=tuple(notes),
            written=datetime.now(UTC),
            lot=lot,
        )


def entry_of(history: History, kept: KeptInspection, load: Callable[[str], Product] | None = None) -> Entry:
    """An inspection of a history, whose preview and conversation are fetched where they are shown.

    `load` gives products by name, whose good parts are shown beside regions where the picture is still there.
    """
    return Entry(
        kept.inspection,
        partial(history.preview, kept.id) if kept.has_preview else None,
        partial(history.turns, kept.id),
        sign_offs=(kept.sign_off,) if kept.sign_off else (),
        pairs=partial(_pairs_of, kept.inspection, load) if load else {},
    )


def _pairs_of(inspection: Inspection, load: Callable[[str], Product]) -> Pairs:
    return draw_pairs(inspection, find_product(inspection, load), most=1)


def report_lot(
    entries: Iterable[Entry | Inspection],
    title: str = "Inspection report",
    *,
    lot: str = "",
    notes: Sequence[str] = (),
    most_shown: int = MOST_SHOWN,
) -> Report:
    """The report on many inspections, worst first: a summary, the highest scores in full, the others as rows."""
    gathered = Lot(most_shown)
    for entry in entries:
        gathered.add(entry)
    return gathered.report(title, lot=lot, notes=notes)


def report_inspection(
    inspection: Inspection,
    picture: Picture = None,
    turns: Sequence[Turn] = (),
    *,
    original: Picture = None,
    lot: str = "",
    sign_offs: Sequence[SignOff] = (),
    pairs: Pairs | Callable[[], Pairs] | None = None,
) -> Report:
    """The report on one inspection: `picture` is its overlay, `original` is shown beside it, `turns` below.

    `pairs` are its regions beside good parts, see `assistant.products.pairs.draw_pairs`.
    """
    entry = Entry(inspection, picture, tuple(turns), original, sign_offs, pairs or {})
    is_read = inspection.status == "ok"
    return Report(
        title="Inspection",
        full=(entry,) if is_read else (),
        rest=(),
        unread=() if is_read else (entry,),
        notes=(),
        written=datetime.now(UTC),
        lot=lot,
        single=True,
    )


def _values(values: Iterable[str | None]) -> str:
    """The different values, those of most pictures first, each with its number of pictures where they differ."""
    pictures = Counter(value for value in values if value)
    if len(pictures) < 2:
        return next(iter(pictures), "")
    said = "; ".join(f"{value} ({n:,})" for value, n in pictures.most_common(MOST_VALUES))
    return said + (f"; {len(pictures) - MOST_VALUES} more" if len(pictures) > MOST_VALUES else "")


def _version() -> str:
    import assistant

    return assistant.__version__
