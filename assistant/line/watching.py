"""Watches a folder: what arrives is read, inspected once, kept in the journal, and handed to the sinks."""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from assistant.errors import ImageError, LineError, told
from assistant.images.caps import DEFAULT_CAPS
from assistant.images.decoding import PictureFile
from assistant.images.sources import read_file, shown_name
from assistant.inspection import Inspection
from assistant.line.arrivals import Arrival, Arrivals
from assistant.line.delivery import Delivery, Say
from assistant.line.keeping import Keeper, Kept, Part
from assistant.line.listing import FolderAway

Look = Callable[[Iterator[PictureFile]], Iterator[Inspection]]
"""Inspects pictures, one after the other, lazily and in their order."""

TOGETHER = 16
"""Pictures that are handed over together before the folder is looked at again."""

LONGEST_PAUSE = 2.0
"""Seconds between two looks for a folder that is away, at most."""

LOOKING = 3.0
"""How much longer than a look the pause after it is at least."""

TIDY = 3600.0
"""Seconds between two times at which what nobody needs to know any more is forgotten."""

KEPT_DAYS = 90.0
"""Days for which a part is known after its file is gone."""


@dataclass(frozen=True)
class Pace:
    """How a folder is looked at, in seconds.

    It is looked at `every` so often. A file is whole once it stays as it is for `settle`; one that cannot be
    read is given up `give_up` after its last change. LineError for what makes no sense.
    """

    every: float = 0.5
    settle: float = 1.0
    give_up: float = 30.0

    def __post_init__(self) -> None:
        if not self.every > 0 or not 0 <= self.settle <= self.give_up:
            raise LineError(
                "A folder is looked at every so many seconds, and a file settles before it is given up."
            )


@dataclass(frozen=True)
class _Read:
    arrival: Arrival
    data: bytes
    digest: str


class FolderWatch:
    """Watches a folder: `look` inspects, `keeper` keeps, `delivery` hands on, `say` tells of the line.

    One part is one content: the same bytes again, under whatever name, are a copy of a part that was inspected,
    and new bytes are a new part, also in a file of an old name. A file that stays unreadable is a part with an
    error, and so is one that went away before it was read. `new_only`: what lies there when the journal is begun
    is left out. `known` counts files whose part was known.
    """

    def __init__(
        self,
        folder: Path,
        look: Look,
        keeper: Keeper,
        delivery: Delivery,
        *,
        say: Say,
        pace: Pace,
        new_only: bool = False,
    ) -> None:
        self.folder, self.keeper, self.delivery, self.journal = folder, keeper, delivery, keeper.journal
        self.known = 0
        self._look, self._say, self._pace, self._new_only = look, say, pace, new_only
        self._arrivals = Arrivals(folder, {}, pace.settle, pace.give_up)
        self._away: float | None = None
        self._gone: list[str] = []
        self._ready: deque[Arrival] = deque()
        self._next_look = time.monotonic()
        self._tidied = time.monotonic()
        self._closed_places = 0

    @property
    def left_out(self) -> Counter[str]:
        """What looks like a picture and is not read, by kind, at the last look."""
        return self._arrivals.left_out

    def run(self, once: bool = False) -> Iterator[Kept]:
        """Each part once it is kept, for as long as somebody asks; with `once` until all that is there is done.

        LineError where the journal or a sink fails for good, or another program watches with the journal.
        """
        with self.journal.hold():
            self._tidy()
            self._arrivals.known.update(self.journal.files())
            self._begin()
            self.delivery.start()
            try:
                yield from self._run(once)
            finally:
                self.delivery.stop()

    def _run(self, once: bool) -> Iterator[Kept]:
        while True:
            if self.delivery.failure:
                raise self.delivery.failure
            if time.monotonic() >= self._next_look:
                if self._see():
                    yield from self._lost()
                    self._ready = deque(self._arrivals.ready())
            if self._ready and self._away is None:
                yield from self._inspect([self._ready.popleft() for _ in range(min(TOGETHER, len(self._ready)))])
            elif once and not self._arrivals.waiting and self._away is None and self.delivery.settled:
                return
            else:
                self._pause()

    def _pause(self) -> None:
        if self._away is not None:
            time.sleep(min(LONGEST_PAUSE, 4 * self._pace.every))
        elif time.monotonic() - self._tidied >= TIDY:
            self.journal.forget(self._arrivals.forget_gone())
            self._tidy()
        else:
            time.sleep(max(0.01, self._next_look - time.monotonic()))

    def _begin(self) -> None:
        """Note that the journal is begun; with `new_only` leave out what lies in the folder now."""
        if self.journal.settings("begun") is None:
            if self._new_only:
                while not self._see():
                    time.sleep(min(LONGEST_PAUSE, 4 * self._pace.every))
                old = self._arrivals.leave_out()
                self.journal.know(old, None)
                self._say(f"{len(old):,} picture(s) that lie there already are left out.")
            self.journal.set("begun", os.path.abspath(self.folder))

    def _tidy(self) -> None:
        self._tidied = time.monotonic()
        self.journal.expire(KEPT_DAYS)

    def _see(self) -> bool:
        """Look at the folder; whether it is there. It is said once that it is away, and that it is back."""
        begun = time.monotonic()
        try:
            self._gone = self._arrivals.look()
        except FolderAway as error:
            self._is_away(error)
            return False
        finally:  # a look at very many files leaves time for other work
            took = time.monotonic() - begun
            self._next_look = time.monotonic() + max(self._pace.every, LOOKING * took)
        if self._away is not None:
            self._say(f"{self.folder} is back after {time.monotonic() - self._away:.0f} seconds.")
            self._away = None
        closed = self._arrivals.closed_places
        if closed > self._closed_places:
            self._say(
                f"{closed} place(s) in {self.folder} may not be looked into: what arrives there is not seen."
            )
        self._closed_places = closed
        return True

    def _is_away(self, error: FolderAway) -> None:
        if self._away is None:
            self._away = time.monotonic()
            self._say(f"{error}. It is waited for.")

    def _lost(self) -> Iterator[Kept]:
        """Keep what went away before it was read, as parts with an error."""
        for name in self._gone:
            self._arrivals.lose(name)
            yield from self._keep_error(Part(name), told(f"{shown_name(name)} was gone before it was read"))

    def _inspect(self, arrivals: list[Arrival]) -> Iterator[Kept]:
        read: deque[_Read] = deque()
        unread: list[tuple[Arrival, str]] = []
        try:
            for row in self._look(self._pictures(arrivals, read, unread)):
                yield from self._judge(read.popleft(), row)
            for arrival, why in unread:
                if arrival.last:
                    part = Part(arrival.name, files=((arrival.name, arrival.stamp),))
                    yield from self._keep_error(part, why)
                    self._arrivals.take(arrival)
                else:
                    self._arrivals.postpone(arrival)
        except FolderAway as error:
            self._is_away(error)

    def _judge(self, one: _Read, row: Inspection) -> Iterator[Kept]:
        """Keep a part, unless its file is not whole yet or was changed meanwhile."""
        arrival = one.arrival
        if row.status == "error" and not arrival.last:
            self._arrivals.postpone(arrival)
        elif self._arrivals.stamp(arrival.name) in (None, arrival.stamp):
            # several broken files may have the same bytes, such as none, and are a part each
            key = one.digest if row.status == "ok" else f"{one.digest} {ascii(arrival.name)}"
            part = Part(arrival.name, key, one.digest, one.data, ((arrival.name, arrival.stamp),))
            if kept := self.keeper.keep(part, row):
                yield kept
            self._arrivals.take(arrival)
        else:
            self._arrivals.disturb(arrival)

    def _keep_error(self, part: Part, why: str) -> Iterator[Kept]:
        row = Inspection(os.path.abspath(self.folder / part.source), "error", why)
        if kept := self.keeper.keep(part, row):
            yield kept

    def _pictures(
        self, arrivals: list[Arrival], read: deque[_Read], unread: list[tuple[Arrival, str]]
    ) -> Iterator[PictureFile]:
        """The files of new parts; each goes to `read` as well, what cannot be read to `unread`."""
        under_way: set[str] = set()
        for arrival in arrivals:
            path = self.folder / arrival.name
            try:
                data = read_file(path, DEFAULT_CAPS.max_bytes)
            except ImageError as error:
                if self._arrivals.stamp(arrival.name) == arrival.stamp:
                    unread.append((arrival, str(error)))
                else:
                    self._arrivals.disturb(arrival)
                continue
            if self._arrivals.stamp(arrival.name) != arrival.stamp:
                self._arrivals.disturb(arrival)  # somebody writes it, or it is gone: the next look says which
                continue
            digest = hashlib.sha256(data).hexdigest()
            if digest in under_way:
                continue  # it will be a copy the next time
            if (part := self.journal.find(digest)) is not None:
                self.journal.know([(arrival.name, arrival.stamp)], part)
                self._arrivals.take(arrival)
                self.known += 1
                continue
            under_way.add(digest)
            read.append(_Read(arrival, data, digest))
            yield PictureFile(os.path.abspath(path), data)
