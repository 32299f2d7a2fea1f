"""Does the same work on several pictures at once, each in a thread with its own share of the cores.

One picture's numbers are too few to keep several cores busy: they wait for each other more than they compute. It
knows nothing of pictures.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TypeVar

import torch

from assistant.processes import Home

Item = TypeVar("Item")
Result = TypeVar("Result")


class PictureThreads:
    """`count` threads, 1 for none; they start with the first work and may be shared between threads."""

    def __init__(self, count: int) -> None:
        if count < 1:
            raise ValueError(f"there is at least one thread, not {count}")
        self.count = count
        self._home = Home()
        self._lock = threading.Lock()

    def map(self, work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """The results in the order of the items; a single item is worked on by the caller, on all cores.

        Closing the iterator leaves out what was not begun. ProcessError in a process that was forked since.
        """
        self._home.check()
        if self.count == 1 or len(items) < 2:
            return map(work, items)
        with self._lock:  # a cached property of two threads might start two pools
            pool = self._pool
        return pool.map(work, items)

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        cores = torch.get_num_threads()
        started = threading.Barrier(self.count + 1)

        def begin() -> None:
            torch.get_num_threads()  # a thread's first question sets its number anew, so it comes before ours
            torch.set_num_threads(max(1, cores // self.count))
            started.wait()

        pool = ThreadPoolExecutor(self.count, "picture", initializer=begin)
        for _ in range(self.count):
            pool.submit(int)
        started.wait()
        # A thread keeps the number it set for itself; those that start later take the one set last.
        torch.set_num_threads(cores)
        return pool
