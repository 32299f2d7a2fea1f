"""How much clients may use: requests a second for each key, and requests and bytes in flight.

Everything is counted before a byte of a picture is decoded.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

MOST_CALLERS = 10_000


@dataclass
class _Bucket:
    tokens: float
    seen: float


class CallerRates:
    """A token bucket for each caller: `rate` requests a second, `burst` at once."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate, self.burst, self._clock = rate, burst, clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, caller: str) -> float:
        """Count one request: 0 where it may go on, else the seconds until one may."""
        now = self._clock()
        with self._lock:
            bucket = self._buckets.setdefault(caller, _Bucket(self.burst, now))
            self._buckets.move_to_end(caller)
            if len(self._buckets) > MOST_CALLERS:
                self._buckets.popitem(last=False)
            bucket.tokens = min(self.burst, bucket.tokens + (now - bucket.seen) * self.rate)
            bucket.seen = now
            if bucket.tokens < 1:
                return (1 - bucket.tokens) / self.rate
            bucket.tokens -= 1
            return 0.0


class InFlight:
    """What is in flight: requests and bytes of their bodies, each counted for the key that they came with.

    A key takes at most half of what the others leave, so that there is room for one more key; "" is everybody
    where no key is asked for, and may take all. A single request of `largest` bytes always fits a key's share.
    """

    def __init__(self, most_requests: int, most_bytes: int, largest: int = 0) -> None:
        self.most_requests, self.most_bytes, self.largest = most_requests, most_bytes, largest
        self._requests: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def requests(self) -> int:
        """Requests in flight."""
        with self._lock:
            return self._requests.total()

    @property
    def bytes(self) -> int:
        """Bytes of their bodies that have come in."""
        with self._lock:
            return self._bytes.total()

    @contextmanager
    def request(self, caller: str = "") -> Iterator[bool]:
        """Count a request while the block runs; False where there are too many, and it is not counted."""
        with self._lock:
            fits = self._requests[caller] < _share(self._requests, caller, self.most_requests, 1)
            self._count(self._requests, caller, int(fits))
        try:
            yield fits
        finally:
            with self._lock:
                self._count(self._requests, caller, -int(fits))

    def add(self, count: int, caller: str = "") -> bool:
        """Count bytes that came in, negative ones when they are let go; False where they are too many."""
        with self._lock:
            share = _share(self._bytes, caller, self.most_bytes, self.largest)
            if count > 0 and self._bytes[caller] + count > share:
                return False
            self._count(self._bytes, caller, count)
            return True

    @staticmethod
    def _count(counter: Counter[str], caller: str, count: int) -> None:
        counter[caller] += count
        if not counter[caller]:
            del counter[caller]


def _share(counter: Counter[str], caller: str, most: int, least: int) -> int:
    """What a caller may have of something of which there is `most`: `least` at least, as long as that is left."""
    left = most - (counter.total() - counter[caller])
    return left if not caller else min(left, max(least, left // 2))
