"""Triggers: what says that a camera's picture is to be inspected now."""

from __future__ import annotations

import queue
from concurrent.futures import Future
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from assistant.errors import LineError
from assistant.line.event import Event

When = Literal["every", "change", "call"]
"""Every n-th frame; when the picture has changed and is still again; when somebody calls for it."""

STILL = 3
"""Frames in a row that are alike before a picture counts as still."""

ADAPT = 0.05
"""The share by which the empty station follows the light with each still frame of it."""

SMALL = (48, 64)
"""Rows and columns of the sketch that frames are compared by."""

MOST_CALLS = 16
"""Calls that wait to be answered at most."""


class Calls:
    """Calls for an inspection, from any thread; each is answered by the event of the part."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[Future[Event]] = queue.Queue(MOST_CALLS)

    def call(self) -> Future[Event]:
        """Call for an inspection of what a camera shows from now on; LineError where too many wait already."""
        answer: Future[Event] = Future()
        try:
            self._waiting.put_nowait(answer)
        except queue.Full:
            raise LineError("Too many calls for an inspection wait already.") from None
        return answer

    def take(self, seconds: float) -> Future[Event] | None:
        """The oldest call, waited for so long; None where there is none."""
        try:
            return self._waiting.get(timeout=seconds)
        except queue.Empty:
            return None

    def refuse(self, why: str) -> None:
        """Answer all that wait with an error."""
        while (answer := self.take(0.001)) is not None:
            answer.set_exception(LineError(why))


class ChangeTrigger:
    """Says of each frame whether it is to be inspected: it has changed by `change`, a share of full brightness in
    the mean of a small grey sketch, and is still again. What is seen first is the empty station, and never a
    part.
    """

    def __init__(self, change: float = 0.02) -> None:
        if not 0 < change < 1:
            raise LineError("A change is a share of full brightness between 0 and 1.")
        self.change = change
        self._empty: NDArray[np.float32] | None = None
        self._taken: NDArray[np.float32] | None = None
        self._last: NDArray[np.float32] | None = None
        self._still = 0

    def see(self, pixels: NDArray[np.uint8]) -> bool:
        """Whether a frame [H, W, 3] is to be inspected."""
        now = sketch(pixels)
        moved = self._last is None or _differ(now, self._last) > self.change / 4
        self._still, self._last = 0 if moved else self._still + 1, now
        if self._still < STILL - 1:
            return False
        if self._empty is None:
            self._empty = now
        if _differ(now, self._empty) <= self.change:
            self._empty += np.float32(ADAPT) * (now - self._empty)
            self._taken = None
            return False
        if self._taken is not None and _differ(now, self._taken) <= self.change:
            return False
        self._taken = now
        return True


def sketch(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A small grey picture [48, 64] in [0, 1] of a frame [H, W, 3], by the mean of its cells."""
    height, width = pixels.shape[:2]
    grey = pixels.mean(axis=2, dtype=np.float32) / 255
    rows = np.linspace(0, height, SMALL[0], endpoint=False).astype(int)
    columns = np.linspace(0, width, SMALL[1], endpoint=False).astype(int)
    summed = np.add.reduceat(np.add.reduceat(grey, rows, axis=0), columns, axis=1)
    heights, widths = np.diff([*rows, height]), np.diff([*columns, width])
    return (summed / np.maximum(1, heights[:, None] * widths[None])).astype(np.float32)


def check_when(when: str) -> When:
    """A trigger by its name; LineError for another word."""
    if when not in get_args(When):
        raise LineError(f"A trigger is every, change or call, not {when[:40]!r}.")
    return when  # type: ignore[return-value]


def _differ(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(np.abs(one - other).mean())
