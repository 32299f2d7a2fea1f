"""What runs in a decoding process: it is told a picture file, and answers with samples or with a sentence.

Run by `decoders` as `python -m assistant.images.decoding_process`, with a pipe on either side.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import fields
from typing import IO, Any

import numpy as np

from assistant.errors import ImageError
from assistant.images.caps import SizeCaps
from assistant.images.decoders import fill, hear, tell
from assistant.images.decoding import Planes, decode_file


class _AskedClaim:
    """Asks the parent for memory, and waits until it may be taken."""

    def __init__(self, commands: IO[bytes], answers: IO[bytes], seconds: float) -> None:
        self._commands, self._answers, self._seconds = commands, answers, seconds

    def take(self, size: int) -> None:
        _end_after(0)
        tell(self._answers, {"peak": size})
        if hear(self._commands) is None:
            raise SystemExit
        _end_after(self._seconds)


def main() -> None:
    """Decode what is asked for until the parent has ended."""
    for name in ("SIGINT", "SIGTERM"):  # meant for the parent, which ends this process when it is time
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    # Unbuffered, and apart from what anybody may print.
    commands, answers = os.fdopen(os.dup(0), "rb", 0), os.fdopen(os.dup(1), "wb", 0)
    sys.stdout = sys.stderr
    tell(answers, {"ready": True})
    while (asked := hear(commands)) is not None:
        data = bytearray(asked["bytes"])
        if not fill(commands, memoryview(data)):
            return
        _end_after(asked["seconds"])
        claim = _AskedClaim(commands, answers, asked["seconds"])
        try:
            planes = decode_file(bytes(data), asked["name"], SizeCaps(**asked["caps"]), claim)
        except ImageError as error:
            tell(answers, {"error": str(error)})
        else:
            _answer(answers, planes)
        _end_after(0)


def _answer(answers: IO[bytes], planes: Planes) -> None:
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    rest: dict[str, Any] = {}
    for field in fields(planes):
        value = getattr(planes, field.name)
        if isinstance(value, np.ndarray):
            arrays[field.name] = np.ascontiguousarray(value)
        else:
            rest[field.name] = value
    heads = {name: (array.shape, array.dtype.str) for name, array in arrays.items()}
    tell(answers, {"fields": rest, "arrays": heads}, *(a.reshape(-1).view(np.uint8) for a in arrays.values()))


def _end_after(seconds: float) -> None:
    """Have the system end this process after so many seconds, 0 for never; the parent may be gone by then."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds + 1 if seconds else 0)


if __name__ == "__main__":
    main()
