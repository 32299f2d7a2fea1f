"""Decoding processes: pictures that may ask for much work are decoded where the work can be ended.

A thread that decodes cannot be stopped; a process can be killed. A decoding process is started when the first such
picture comes, is told one picture after another, and dies with the program; `decoding_process` is what runs in it.
It is a program of its own and no copy of this one, so a script needs no `if __name__ == "__main__"` for it, and it
may be started in a forked process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import IO, Any, cast

import numpy as np

from assistant.errors import ImageError
from assistant.images.caps import SizeCaps
from assistant.images.effort import MUCH_WORK, asks_little
from assistant.images.memory import Claim

SECONDS = 10.0
"""How long one picture may be decoded, unless the environment's `LOOKTWICE_DECODE_SECONDS` says otherwise."""

MOST = 2
"""Decoding processes at a time, each of 35 MB and what its picture takes."""

_START_SECONDS = 60.0
_LENGTH = 4  # bytes before a message that say how long it is
_PIPE_BYTES = 1 << 20
_INHERITED = ("PATH", "PYTHON", "LD_", "DYLD_", "LC_", "LANG", "TMP", "TEMP", "HOME", "SYSTEM", "WIN")


class Decoders:
    """The decoding processes of one process; threads that ask for more than `most` wait their turn.

    `command` starts one. A forked child has none of its parent's.
    """

    def __init__(self, most: int = MOST, command: Sequence[str] | None = None) -> None:
        self.most = most
        self.ended = 0
        self._command = command
        self._seconds: list[float] = []
        self._stopped = False
        self._start()

    def _start(self) -> None:
        self._process = os.getpid()
        self._changed = threading.Condition()
        self._idle: list[_Decoder] = []
        self._busy: set[_Decoder] = set()

    @property
    def seconds(self) -> float:
        """How long one picture may be decoded; ImageError where the environment says no such time."""
        if self._seconds:
            return self._seconds[-1]
        said = os.environ.get("LOOKTWICE_DECODE_SECONDS", "")
        try:
            seconds = float(said or SECONDS)
        except ValueError:
            seconds = 0.0
        if not 0 < seconds <= 1e6:
            raise ImageError(f"LOOKTWICE_DECODE_SECONDS is {said[:40]!r}, which is no number of seconds")
        return seconds

    @contextmanager
    def guard(self, seconds: float) -> Iterator[None]:
        """Within it every picture that is not decoded in a moment anyway goes to a process, for so long at most.

        At the end of the block, and of all others, the processes are ended.
        """
        self._seconds.append(seconds)
        self._stopped = False
        try:
            yield
        finally:
            self._seconds.remove(seconds)
            self._stopped = False
            if not self._seconds:
                self.end()

    def want(self, data: bytes, work: int | None) -> bool:
        """Whether a file that asks for so much work is to be decoded in a process."""
        if getattr(sys, "frozen", False) or not sys.executable:
            return False  # the program is not Python, and starting it again would start the program
        return not asks_little(data, work) if self._seconds else work is not None and work > MUCH_WORK

    def decode(self, data: bytes, name: str, caps: SizeCaps, claim: Claim) -> dict[str, Any]:
        """The fields of the Planes of a file; ImageError where it cannot be read, or not in time."""
        seconds = self.seconds
        if self._stopped:
            raise ImageError(f"{name} was not decoded, since the program is about to end")
        try:
            with self._decoder() as decoder:
                return decoder.decode(data, name, caps, claim, seconds)
        except OSError as error:
            raise ImageError(f"{name} cannot be decoded: no process can be started for it") from error

    def slow(self) -> int:
        """How many processes have spent more than half of the time that a picture has on the one they are at."""
        now = time.monotonic()
        return sum(now - one.since > self.seconds / 2 for one in list(self._busy) if one.since is not None)

    @property
    def busy(self) -> int:
        """How many processes are at a picture."""
        return len(self._busy)

    def stop(self) -> None:
        """End every process, and start none until the next `guard`: every picture that needs one is an error."""
        self._stopped = True
        self.end()

    def end(self) -> None:
        """End every process, and with it what it is at; the next picture starts a new one."""
        with self._changed:
            for one in (*self._idle, *self._busy):
                one.end()
            self._idle.clear()

    @contextmanager
    def _decoder(self) -> Iterator[_Decoder]:
        if os.getpid() != self._process:  # the parent's processes are the parent's, and so are its locks
            for one in (*self._idle, *self._busy):
                one.forget()
            self._start()
        with self._changed:
            self._changed.wait_for(lambda: len(self._busy) < self.most)
            one = next((idle for idle in self._idle if idle.runs), None) or _Decoder(self._command or _command())
            self._idle = [idle for idle in self._idle if idle is not one and idle.runs]
            self._busy.add(one)
        try:
            yield one
        finally:
            with self._changed:
                self._busy.remove(one)
                self.ended += one.late
                if one.late:
                    one.end()
                elif one.runs:
                    self._idle.append(one)
                self._changed.notify()


class _Gone(Exception):
    """The process has ended."""


class _Decoder:
    """One decoding process, which is used by one thread at a time."""

    def __init__(self, command: Sequence[str]) -> None:
        self.since: float | None = None
        self.late = False
        self._ready = False
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=_environment(),
        )
        self._to, self._from = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)
        _widen(self._to, self._from)

    @property
    def runs(self) -> bool:
        """Whether it can be told another picture."""
        return self._process.poll() is None

    def decode(self, data: bytes, name: str, caps: SizeCaps, claim: Claim, seconds: float) -> dict[str, Any]:
        """As `Decoders.decode`; a process that did not answer in time, or not rightly, has ended afterwards."""
        try:
            if not self._ready:
                with self._within(_START_SECONDS):
                    self._hear()
                self._ready = True
            with self._within(seconds) as spent:
                tell(self._to, {"name": name, "caps": asdict(caps), "seconds": seconds, "bytes": len(data)}, data)
                message = self._hear()
            if "peak" in message:
                claim.take(int(message["peak"]))
                with self._within(seconds - spent[0]):
                    tell(self._to, {})
                    message = self._hear()
                    fields = self._receive(message, caps) if "fields" in message else {}
        except _Gone:
            self.end()
            if self.late:
                raise ImageError(f"{name} takes longer than {seconds:g} s to decode") from None
            raise ImageError(f"{name} cannot be decoded: the process that was at it has ended") from None
        if "error" in message:
            raise ImageError(str(message["error"]))
        return fields

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()

    def forget(self) -> None:
        """Let go of what belongs to the process that this one was forked from."""
        for pipe in (self._to, self._from):
            pipe.close()
        self._process.returncode = 0

    @contextmanager
    def _within(self, seconds: float) -> Iterator[list[float]]:
        """Kill the process unless the block ends in time; gives the seconds that it took, once it has ended."""
        began, spent = time.monotonic(), [0.0]

        def kill() -> None:
            self.late = True
            self._process.kill()

        timer = threading.Timer(max(0.0, seconds), kill)
        timer.daemon = True
        timer.start()
        self.since = began
        try:
            yield spent
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise _Gone from error
        finally:
            timer.cancel()
            timer.join()  # or it kills what is idle
            self.since = None
            spent[0] = time.monotonic() - began

    def _hear(self) -> dict[str, Any]:
        message = hear(self._from)
        if message is None:
            raise _Gone
        return message

    def _receive(self, message: dict[str, Any], caps: SizeCaps) -> dict[str, Any]:
        """The fields of Planes, arrays among them, none larger than a picture can be."""
        fields = {name: tuple(v) if isinstance(v, list) else v for name, v in message["fields"].items()}
        for name, (shape, dtype) in message["arrays"].items():
            kind = np.dtype(dtype)
            if kind.hasobject or len(shape) > 3 or np.prod(shape, dtype=float) > 4 * caps.max_pixels:
                raise ValueError("no array of a picture")
            array = np.empty(shape, kind)
            if not fill(self._from, array.reshape(-1).view(np.uint8).data):
                raise _Gone
            fields[name] = array
        return fields


def tell(pipe: IO[bytes], message: dict[str, Any], *contents: Any) -> None:
    """Write a message, and bytes after it, to an unbuffered pipe."""
    text = json.dumps(message).encode()
    for content in (len(text).to_bytes(_LENGTH, "little") + text, *contents):
        view = memoryview(content).cast("B")
        while view:
            view = view[pipe.write(view) :]


def hear(pipe: IO[bytes]) -> dict[str, Any] | None:
    """The next message from an unbuffered pipe; None at its end."""
    head = bytearray(_LENGTH)
    if not fill(pipe, memoryview(head)):
        return None
    text = bytearray(int.from_bytes(head, "little"))
    if not fill(pipe, memoryview(text)):
        return None
    message = json.loads(text)
    if not isinstance(message, dict):
        raise ValueError("no message")
    return message


def fill(pipe: IO[bytes], view: memoryview) -> bool:
    """Read as many bytes as fit; False where the pipe ends before."""
    while view:
        count = pipe.readinto(view)  # type: ignore[attr-defined]  # an unbuffered pipe
        if not count:
            return False
        view = view[count:]
    return True


def _command() -> list[str]:
    return [sys.executable, "-P", "-m", "assistant.images.decoding_process"]


def _environment() -> dict[str, str]:
    """What a process inherits: what Python needs to start, but nobody's keys, and no threads for arithmetic."""
    kept = {name: value for name, value in os.environ.items() if name.upper().startswith(_INHERITED)}
    paths = os.pathsep.join(os.path.abspath(path) for path in sys.path)
    return kept | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def _widen(*pipes: IO[bytes]) -> None:
    """Let pipes hold a megabyte where the system can."""
    try:
        import fcntl

        for pipe in pipes:
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    except (ImportError, AttributeError, OSError):
        return


DECODERS = Decoders()
