"""Streams of parts that were judged by the same limits, and whether those limits still fit them.

A stream are the parts of a product, in the order in which they were inspected, since its limits were last set, or
those of them that somebody gave the same word for a camera, a light or a lot: its group. Each is tested by itself,
see `assistant.detection.drift`. The p-values lie in the history; the state of a test is worked out from them, so
that it is the same after a restart and in every process.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from assistant.detection.drift import CHANGED, RARE, Alarm, DriftTest, has_drifted, is_odd_run
from assistant.errors import HistoryError, told
from assistant.inspection import Inspection
from assistant.language.wording import count
from assistant.records.entries import as_name

if TYPE_CHECKING:
    from assistant.products.product import Product
    from assistant.products.summary import ProductRow
    from assistant.records.history import History

MOST_STREAMS = 500
"""Streams whose tests are held in memory; that of another one is worked out again, or begins anew."""

PATIENCE = 1.0
"""Seconds for which an inspection waits for others that ask the history, before it goes on without."""


@dataclass(frozen=True)
class Stream:
    """Parts of a product that were judged by the same limits, of one group, "" for those without one.

    `limits` is a digest of the limits, and `n` how many good pictures are behind them.
    """

    product: str
    limits: str
    n: int
    group: str = ""

    @property
    def name(self) -> str:
        """The product and its group, for people."""
        return f"{self.product!r}" + (f" in group {self.group!r}" if self.group else "")


@dataclass(frozen=True, kw_only=True)
class StreamState:
    """Whether a product's limits fit a stream of its parts.

    `parts`: how many were judged. `drifted`: whether an alarm holds, `alarms` how many there were, and `evidence`
    in [0, 1] how near one is. With an alarm `since` is when it was raised (UTC), at part number `part`; the `last`
    so many parts score `direction` ("higher" or "lower") than `against` ("good parts" or "earlier parts") did, and
    `sentence` says so.
    """

    product: str
    group: str = ""
    parts: int
    drifted: bool = False
    alarms: int = 0
    evidence: float = 0.0
    since: str | None = None
    part: int | None = None
    last: int | None = None
    direction: str | None = None
    against: str | None = None
    sentence: str = ""


@dataclass(eq=False)
class _Followed:
    """A stream with its test, the id of the last part it knows, and when an alarm was raised.

    Of the parts of this run, `rare` of `seen` have a p-value of `RARE` at most. `times`: when parts were made at
    which a change may have begun.
    """

    stream: Stream
    test: DriftTest
    last: int = 0
    since: str | None = None
    seen: int = 0
    rare: int = 0
    times: dict[int, str] = field(default_factory=dict)

    def add(self, p: float, created: str | None) -> None:
        before = self.test.alarms
        self.test.add(p)
        if self.test.alarms > before:
            self.since = created
        self.times[self.test.parts] = created or ""
        self.times = {part: self.times[part] for part in self.test.begins & self.times.keys()}

    @property
    def began(self) -> str:
        """When the change began that an alarm holds for, "" where that is not known."""
        return self.times.get(self.test.alarm.began, "") if self.test.alarm else ""


class DriftWatch:
    """Follows streams of parts as they are inspected, by the history where they are kept, else by itself.

    `keeps`: whether the history gets what is seen here; where it does not, a stream goes on from what it holds.
    Safe to share between threads. What is inspected while the history is away has no notice.
    """

    def __init__(self, history: History | None = None, *, keeps: bool = True) -> None:
        self._history, self._keeps = history, keeps and history is not None
        self._streams: OrderedDict[tuple[str, str], _Followed] = OrderedDict()
        self._lock = threading.Lock()

    def see(self, inspection: Inspection) -> Inspection:
        """The inspection, before it is kept, with a notice where the limits have stopped fitting its stream."""
        stream = stream_of(inspection)
        if stream is None:
            return inspection
        if not self._lock.acquire(timeout=PATIENCE):
            return inspection
        try:
            followed = self._follow(stream)
            state = _state_of(followed)
            followed.seen += 1
            followed.rare += inspection.p_value <= RARE
            if not self._keeps:
                followed.add(inspection.p_value, inspection.created)
        except HistoryError:
            return inspection
        finally:
            self._lock.release()
        return replace(inspection, notices=(*inspection.notices, state.sentence)) if state.drifted else inspection

    def warned(self, inspection: Inspection) -> Inspection:
        """An inspection of before, with a notice where the limits have stopped fitting its stream by then.

        Nothing is counted. For whoever asks about it: an alarm tells of parts that came before it, too.
        """
        stream = stream_of(inspection)
        if stream is None or has_drifted(inspection.notices) or not self._lock.acquire(timeout=PATIENCE):
            return inspection
        try:
            followed = self._follow(stream)
            state, began = _state_of(followed), followed.began
        except HistoryError:
            return inspection
        finally:
            self._lock.release()
        since = state.drifted and (inspection.created or "")[:19] >= began[:19]  # to the second
        return replace(inspection, notices=(*inspection.notices, state.sentence)) if since else inspection

    def states(self, product: Product | ProductRow) -> list[StreamState]:
        """The streams of a product by its limits of now, by group; HistoryError where they cannot be read."""
        limits = _limits_of(product)
        with self._lock:
            if self._history:
                streams = list(_read_streams(self._history, product.name, limits))
            else:
                held = [followed.stream for followed in self._streams.values()]
                streams = [one for one in held if (one.product, one.limits) == (product.name, limits)]
            return [_state_of(self._follow(one)) for one in sorted(streams, key=lambda one: one.group)]

    def report(self) -> list[str]:
        """What is to be said of the parts that this watch has seen, before anything is said of single ones."""
        said = []
        with self._lock:
            for followed in list(self._streams.values()):
                try:
                    state = _state_of(self._follow(followed.stream))
                except HistoryError:
                    continue
                if state.drifted:
                    said.append(f"{state.sentence[0].upper()}{state.sentence[1:]}.")
                elif is_odd_run(followed.rare, followed.seen):
                    seen = f"{followed.rare} of {count(followed.seen, 'part')} of {followed.stream.name}"
                    rate = f"at most one in {1 / RARE:.0f} of its good parts does"
                    said.append(f"{seen} score as {rate}: unless so many are bad, {CHANGED}.")
        return said

    @property
    def alarms(self) -> int:
        """How many of the streams that are followed have an alarm."""
        return sum(followed.test.alarm is not None for followed in list(self._streams.values()))

    def _follow(self, stream: Stream) -> _Followed:
        """The test of a stream, with all that was kept of it so far."""
        place = stream.product, stream.group
        followed = self._streams.get(place)
        if followed is None or followed.stream != stream:  # limits of before hold no more
            followed = self._streams[place] = _Followed(stream, DriftTest(stream.n))
        self._streams.move_to_end(place)
        if len(self._streams) > MOST_STREAMS:
            self._streams.popitem(last=False)
        if self._history:
            for id, p, created in _read_parts(self._history, stream, followed.last):
                followed.add(p, created)
                followed.last = id
        return followed


def stream_of(inspection: Inspection) -> Stream | None:
    """The stream that an inspection belongs to; None where it was not judged by a product's limits."""
    evidence = inspection.evidence
    if not (inspection.product and evidence and evidence.n and 0 < inspection.p_value <= 1):
        return None
    limits = _digest(inspection.threshold, inspection.review_threshold, inspection.references)
    return Stream(inspection.product, limits, evidence.n, inspection.group)


def in_group(inspections: Iterable[Inspection], group: str) -> Iterator[Inspection]:
    """The inspections with the word that somebody gave their camera, light or lot; "" leaves them as they are."""
    return (replace(one, group=group) if group else one for one in inspections)


def to_part(inspection: Inspection) -> dict[str, Any] | None:
    """The columns of an inspection as a part of its stream, without id and time; None where it is in none."""
    stream = stream_of(inspection)
    return asdict(stream) | {"product": as_name(stream.product), "p_value": inspection.p_value} if stream else None


def as_stream(part: Mapping[str, Any]) -> str:
    """What names the stream of a part, by the columns that `to_part` gives."""
    return " ".join(str(part[name]) for name in ("limits", "n", "group", "product"))


def drift_of(history: History | None, product: Product | ProductRow) -> list[StreamState]:
    """Whether the limits of a product fit what was inspected since they were set, by group; nothing is changed."""
    return DriftWatch(history).states(product)


def _limits_of(product: Product | ProductRow) -> str:
    from assistant.products.product import Product

    if isinstance(product, Product):
        limits = product.calibration
        return _digest(limits.threshold, limits.review_threshold, len(product.references))
    return _digest(product.threshold or math.nan, product.review_threshold or math.nan, product.references)


def _digest(threshold: float, review_threshold: float, references: int) -> str:
    return hashlib.sha256(f"{threshold!r} {review_threshold!r} {references}".encode()).hexdigest()[:32]


def _state_of(followed: _Followed) -> StreamState:
    stream, test, alarm = followed.stream, followed.test, followed.test.alarm
    state = StreamState(
        product=stream.product,
        group=stream.group,
        parts=test.parts,
        alarms=test.alarms,
        evidence=test.evidence,
    )
    if alarm is None:
        return state
    last, now = test.parts - alarm.began + 1, alarm.direction
    return replace(
        state,
        drifted=True,
        since=followed.since,
        part=alarm.part,
        last=last,
        direction=now,
        against=alarm.against,
        sentence=_say_alarm(stream.name, last, alarm),
    )


def _say_alarm(name: str, last: int, alarm: Alarm) -> str:
    s = "" if last == 1 else "s"
    if alarm.direction == "lower":
        return told(f"the last {last} part{s} of {name} score lower than its earlier parts did: {CHANGED}")
    if alarm.against == "good parts":
        return told(
            f"the last {last} part{s} of {name} score higher than its good parts did: "
            f"unless most of them are bad, {CHANGED}"
        )
    return told(
        f"the last {last} part{s} of {name} score higher than its earlier parts did: "
        f"unless most of them are bad, {CHANGED}"
    )


def _read_streams(history: History, product: str, limits: str) -> Iterator[Stream]:
    from assistant.database.tables import P_VALUES

    columns = P_VALUES.c
    wanted = P_VALUES.select().with_only_columns(columns.n, columns["group"]).distinct()
    with history.database.read() as connection:
        asked = wanted.where(columns.product == as_name(product), columns.limits == limits)
        for row in connection.execute(asked).all():
            yield Stream(product, limits, row.n, row[1])


def _read_parts(history: History, stream: Stream, after: int) -> Iterator[tuple[int, float, str]]:
    """The id, p-value and time of each part of a stream after an id, oldest first."""
    from assistant.database.tables import P_VALUES

    columns = P_VALUES.c
    wanted = P_VALUES.select().with_only_columns(columns.inspection, columns.p_value, columns.created)
    same = [columns.product == as_name(stream.product), columns.limits == stream.limits]
    same += [columns["group"] == stream.group, columns.n == stream.n]
    with history.database.read() as connection:
        found = connection.execute(wanted.where(*same, columns.inspection > after).order_by(columns.inspection))
        yield from map(tuple, found)
