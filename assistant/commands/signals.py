"""How a command ends when it is told to: once in order, and at once when told again."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

TOLD_BY = ("SIGINT", "SIGTERM", "SIGHUP")


class Told(KeyboardInterrupt):
    """A signal told this program to end; `status` is what it then exits with."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.status = 128 + number


@contextmanager
def ends_when_told() -> Iterator[None]:
    """While the block runs, a first signal raises `Told` in it, so that runs are marked as stopped; another one,
    even after the block, ends the process without a word. Signals that somebody chose to ignore stay ignored."""
    before = {}
    told: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        if told:
            if sys.stderr.isatty():
                os.write(2, b"\x1b[?25h\n")  # a progress bar may have hidden the cursor
            os._exit(128 + number)
        told.append(number)
        raise Told(number)

    if threading.current_thread() is threading.main_thread():
        numbers = [getattr(signal, name) for name in TOLD_BY if hasattr(signal, name)]
        before = {n: signal.getsignal(n) for n in numbers if signal.getsignal(n) is not signal.SIG_IGN}
        for number in before:
            signal.signal(number, end)
    try:
        yield
    except SystemExit as error:
        if told and error.code == 130:  # what typer makes of a KeyboardInterrupt
            raise Told(told[0]) from None
        raise
    finally:
        if not told:
            for number, handler in before.items():
                signal.signal(number, handler)
