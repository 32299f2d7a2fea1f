"""How much clients may use: requests a second for each key, and requests and bytes in flight.

Everything is counted before a byte of a picture is decoded.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

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


@dataclass
class InFlight:
    """What is in flight: requests, and bytes of their bodies."""

    most_requests: int
    most_bytes: int
    requests: int = 0
    bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @contextmanager
    def request(self) -> Iterator[bool]:
        """Count a request while the block runs; False where there are too many, and it is not counted."""
        with self._lock:
            fits = self.requests < self.most_requests
            self.requests += fits
        try:
            yield fits
        finally:
            with self._lock:
                self.requests -= fits

    def add(self, count: int) -> bool:
        """Count bytes that came in, negative ones when they are let go; False where they are too many."""
        with self._lock:
            if count > 0 and self.bytes + count > self.most_bytes:
                return False
            self.bytes += count
            return True
