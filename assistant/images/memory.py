"""The memory that decoding may take in one process and its decoding processes, whatever number of threads decode.

Large pictures are decoded one after another; small ones share a pool of their own and never wait for a large
one. So decoding takes at most one large picture (1 GB at the 50 million pixels of the caps) and `POOL_BYTES`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

LARGE_BYTES = 256_000_000
"""A picture that takes more than this while it is decoded is large: one of 25 million pixels of 8-bit colour."""

POOL_BYTES = 512_000_000
"""What all small pictures together take at most while they are decoded."""


class Budget(Protocol):
    """Where decoding says how much memory it takes, and waits until it may."""

    def take(self, size: int) -> None:
        """Wait until `size` bytes may be taken."""


class DecodingMemory:
    """Counts the bytes that threads decode into and lets them wait their turn; a forked child starts afresh."""

    def __init__(self, large: int = LARGE_BYTES, pool: int = POOL_BYTES) -> None:
        if not 0 < large <= pool:
            raise ValueError(f"a pool of {pool} bytes does not hold a picture of {large}")
        self.large, self.pool = large, pool
        self._start()

    @contextmanager
    def claim(self) -> Iterator[Claim]:
        """A claim that takes nothing yet; what it takes is given back at the end of the block."""
        claim = Claim(self)
        try:
            yield claim
        finally:
            claim.release()

    def _start(self) -> None:
        self._process = os.getpid()
        self._turn = threading.Lock()
        self._room = threading.Condition()
        self._used = 0

    def _take(self, size: int) -> tuple[threading.Lock | None, int]:
        if os.getpid() != self._process:  # the locks of the parent may be held by threads that are not here
            self._start()
        if size > self.large:
            self._turn.acquire()
            return self._turn, 0
        with self._room:
            self._room.wait_for(lambda: self._used + size <= self.pool)
            self._used += size
        return None, size

    def _give_back(self, turn: threading.Lock | None, size: int) -> None:
        if turn is not None:
            turn.release()
            return
        with self._room:
            self._used -= size
            self._room.notify_all()


class Claim:
    """What one thread decodes into."""

    def __init__(self, memory: DecodingMemory) -> None:
        self._memory = memory
        self._held: tuple[threading.Lock | None, int] | None = None
        self._process = os.getpid()

    def take(self, size: int) -> None:
        """Wait until `size` bytes may be taken; only the first call counts."""
        if self._held is None:
            self._held = self._memory._take(size)

    def release(self) -> None:
        """Give back what was taken."""
        if self._held is not None and os.getpid() == self._process:
            self._memory._give_back(*self._held)
        self._held = None


MEMORY = DecodingMemory()
