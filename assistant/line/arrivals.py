"""A folder that fills: which of its files are whole and may be read, by looking again and again.

It is looked at and not listened to: on network shares nobody is told of what others write there. What a file
looks like from outside, its size and its time, tells whether somebody still writes it.
"""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from assistant.line.listing import PLACE_ERRORS, FolderAway, Listing, Stamp, say_away, stamp_of


@dataclass(frozen=True)
class Arrival:
    """A file that may be read. `last` is one that stayed as it is for so long that nobody will finish it."""

    name: str
    stamp: Stamp
    last: bool


@dataclass
class _Pending:
    """A file that is not known yet: since when it stays as it is, and since when it is gone."""

    stamp: Stamp
    since: float
    unread: bool = False
    gone: float | None = None


class Arrivals:
    """What comes into a folder and its subfolders. `known`: files of before, as they were when they were read.

    A file may be read once it stayed as it is for `settle` seconds; one that turned out not to be whole, once
    more `give_up` seconds after its last change. FolderAway from `look` while the folder cannot be reached.
    """

    def __init__(
        self,
        folder: Path,
        known: Mapping[str, Stamp],
        settle: float,
        give_up: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder, self.settle, self.give_up = folder, settle, max(give_up, settle)
        self.known = dict(known)
        self._clock = clock
        self._pending: dict[str, _Pending] = {}
        self._listing = Listing(folder)

    def look(self) -> list[str]:
        """Look at the folder once; the names of files that went away before they could be read."""
        found = self._listing.read()
        now = self._clock()
        for name, stamp in found.items():
            held = self._pending.get(name)
            if held is not None and held.stamp == stamp:
                held.gone = None
            elif held is not None or self.known.get(name) != stamp:
                self._pending[name] = _Pending(stamp, now)
        return [name for name in list(self._missing(found, now)) if not self._has_moved(name, found)]

    def ready(self) -> list[Arrival]:
        """The files that may be read now, the oldest first."""
        now = self._clock()
        found = []
        for name, held in self._pending.items():
            still = now - held.since
            if held.gone is None and still >= (self.give_up if held.unread else self.settle):
                found.append(Arrival(name, held.stamp, still >= self.give_up))
        return sorted(found, key=lambda one: (one.stamp.mtime_ns, _natural(one.name)))

    @property
    def closed_places(self) -> int:
        """How many folders and files in it could not be looked at the last time, for lack of a right."""
        return self._listing.closed

    @property
    def left_out(self) -> Counter[str]:
        """What looks like a picture and is not read, by kind, at the last look."""
        return self._listing.left_out

    @property
    def waiting(self) -> int:
        """How many files are there that are not known yet."""
        return len(self._pending)

    def take(self, arrival: Arrival) -> None:
        """A file is known from now on, as it was."""
        self.known[arrival.name] = arrival.stamp
        held = self._pending.get(arrival.name)
        if held is not None and held.stamp == arrival.stamp:
            del self._pending[arrival.name]

    def lose(self, name: str) -> None:
        """A file that went away is waited for no longer."""
        self._pending.pop(name, None)

    def postpone(self, arrival: Arrival) -> None:
        """A file is not whole yet: it may be read when it has changed, or when nobody will finish it."""
        held = self._pending.get(arrival.name)
        if held is not None and held.stamp == arrival.stamp:
            held.unread = True

    def disturb(self, arrival: Arrival) -> None:
        """A file changed while it was read: it settles anew."""
        if held := self._pending.get(arrival.name):
            held.since = self._clock()

    def leave_out(self) -> list[tuple[str, Stamp]]:
        """All that is waited for is known from now on, as it is; what that was."""
        old = [(name, held.stamp) for name, held in self._pending.items()]
        self.known.update(old)
        self._pending.clear()
        return old

    def forget_gone(self) -> list[str]:
        """Forget the known files that were not there at the last look; their names."""
        gone = [name for name in self.known if name not in self._listing.last]
        for name in gone:
            del self.known[name]
        return gone

    def stamp(self, name: str) -> Stamp | None:
        """What a file looks like now, None where it is gone; FolderAway where the share is."""
        try:
            return stamp_of(os.stat(self.folder / name))
        except OSError as error:
            if error.errno in PLACE_ERRORS:
                return None
            raise FolderAway(say_away(self.folder, error)) from error

    def _missing(self, found: Mapping[str, Stamp], now: float) -> Iterator[str]:
        for name, held in self._pending.items():
            if name in found:
                continue
            if held.gone is None:
                held.gone = now
            if now - held.gone >= self.settle:
                yield name

    def _has_moved(self, name: str, found: Mapping[str, Stamp]) -> bool:
        """Whether a file lies under another name now, where it is waited for; it is forgotten under this one."""
        old = self._pending[name].stamp
        moved = any(old.inode and one == old and one.inode == old.inode for one in found.values())
        if moved:
            self.lose(name)
        return moved


def _natural(name: str) -> list[str | int]:
    parts = re.split(r"([0-9]+)", name.casefold())
    return [int(part) if i % 2 else part for i, part in enumerate(parts)]
