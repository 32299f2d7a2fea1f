"""Hands results to sinks: a thread for each, in order, again with growing pauses until they are taken."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from assistant.errors import LineError
from assistant.line.outbox import Outbox
from assistant.line.sink import Away, Letter, Refused, Sink

Say = Callable[[str], None]
"""Told a sentence for whoever looks after the line."""

IDLE = 1.0
"""Seconds between two looks into the journal where nothing new is said: other programs write there too."""


LONGEST_ASKED = 3600.0
"""Seconds that a receiver may ask to be left alone for."""


@dataclass(frozen=True)
class Patience:
    """How often a sink is tried again.

    The first pause is `first` seconds, each after it twice as long up to `longest`, and of each a random share
    of up to a half is left out. A result that was refused `refusals` times, or that a sink did not take for
    `hours`, is given up.
    """

    first: float = 1.0
    longest: float = 60.0
    refusals: int = 5
    hours: float = 72.0

    def __post_init__(self) -> None:
        if not 0 < self.first <= self.longest or self.refusals < 1 or not self.hours > 0:
            raise LineError("Pauses between tries are positive and grow, and something is tried once at least.")

    def pause(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row, from 1 on."""
        whole = min(self.longest, self.first * 2.0 ** min(failures - 1, 30))
        return whole * random.uniform(0.5, 1.0)  # noqa: S311  nothing secret rests on it


@dataclass(frozen=True)
class Route:
    """A sink by its name, the outcomes that go there (none for all), and its patience."""

    name: str
    sink: Sink
    verdicts: frozenset[str] = frozenset()
    patience: Patience = Patience()

    def takes(self, verdict: str) -> bool:
        """Whether results with this outcome go there."""
        return not self.verdicts or verdict in self.verdicts


class Delivery:
    """Delivers what an outbox holds to these sinks. `say` hears of those that are away or back."""

    def __init__(self, outbox: Outbox, routes: Iterable[Route], say: Say) -> None:
        self.outbox, self.routes = outbox, tuple(routes)
        self._carriers = [_Carrier(outbox, route, say) for route in self.routes]

    def start(self) -> None:
        """Begin to deliver."""
        for carrier in self._carriers:
            carrier.start()

    @property
    def failure(self) -> Exception | None:
        """What ended a thread that nothing should end, None while all of them work."""
        return next((one.failure for one in self._carriers if one.failure), None)

    @property
    def settled(self) -> bool:
        """Whether every sink has taken all, or has been tried since `start` and is away or refuses."""
        owed = self.outbox.waiting()
        return all(not owed[one.route.name] or one.tried for one in self._carriers)

    def stop(self, seconds: float = 5.0, patience: float = 30.0) -> None:
        """End: what waits is handed on first to sinks that take it, for so many seconds at most.

        Then each sink has `patience` to finish the result that it is at: nobody may deliver beside it.
        """
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.failure is None and not self.settled:
            time.sleep(0.01)
        for carrier in self._carriers:
            carrier.end()
        for carrier in self._carriers:
            carrier.join(patience)
        for route in self.routes:
            route.sink.close()


class _Carrier(threading.Thread):
    """Delivers to one sink."""

    def __init__(self, outbox: Outbox, route: Route, say: Say) -> None:
        super().__init__(name=f"deliver {route.name}", daemon=True)
        self.outbox, self.route, self.say = outbox, route, say
        self.failure: Exception | None = None
        self.tried = False
        self._ended = threading.Event()
        self._failures = 0
        self._doubtful = True  # a program before this one may have delivered the first letter and not noted it

    def end(self) -> None:
        """End soon."""
        self._ended.set()
        with self.outbox.news:
            self.outbox.news.notify_all()

    def run(self) -> None:
        """Deliver until it is ended."""
        try:
            while not self._ended.is_set():
                with self.outbox.news:  # what comes after the look is heard of while waiting
                    letter = self.outbox.next(self.route.name)
                    if letter is None and not self._ended.is_set():
                        self.outbox.news.wait(IDLE)
                if letter is not None and not self._ended.is_set():
                    self._deliver(replace(letter, doubtful=self._doubtful))
        except Exception as error:  # told to whoever watches the line, which ends by it
            self.failure = error

    def _deliver(self, letter: Letter) -> None:
        patience = self.route.patience
        try:
            self.route.sink.deliver(letter)
        except Refused as error:
            self._doubtful = False
            self._refused(letter, str(error))
        except Away as error:
            self._doubtful = self.tried = True
            self._failures += 1
            if self._failures == 1:
                self.say(f"The sink {self.route.name!r} is away: {error}. Results wait for it.")
            if self.outbox.age(letter) > 3600 * patience.hours:
                self.outbox.bury(letter, str(error))
                return
            self._ended.wait(max(patience.pause(self._failures), min(error.after or 0.0, LONGEST_ASKED)))
        else:
            self.outbox.delivered(letter)
            self._doubtful = False
            if self._failures:
                self._failures = 0
                self.say(f"The sink {self.route.name!r} is back.")
            self.tried = False

    def _refused(self, letter: Letter, why: str) -> None:
        if letter.tries + 1 >= self.route.patience.refusals:
            self.outbox.bury(letter, why)
            self.say(
                f"The sink {self.route.name!r} does not take part {letter.event.part}: {why}. It is given up."
            )
        else:
            self.tried = True
            self.outbox.put_off(letter, self.route.patience.pause(letter.tries + 1), why)
