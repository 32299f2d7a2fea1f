"""One thread that does the batch runs of a server, one after the other, whether or not a page is open."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Literal

from assistant.errors import LooktwiceError, ProductError
from assistant.face.upload_store import UploadStore
from assistant.face.words import sentence
from assistant.inspector import Inspector
from assistant.records.batches import run_batch
from assistant.records.history import History

MOST_WAITING = 20

QueueState = Literal["at work", "waiting"]


@dataclass(frozen=True)
class RunProgress:
    """How far a run is: `done` of `total` pictures; `comparing` in [0, 1] while they are compared first."""

    run: str
    done: int = 0
    total: int = 0
    seconds_left: float | None = None
    comparing: float | None = None
    stopping: bool = False


@dataclass(frozen=True)
class Failure:
    """Why a run came to a halt, in one sentence; `other_basis`: it may be continued anyway."""

    sentence: str
    other_basis: bool


class Worker:
    """Does the batches that are given to it. Its thread lives while there is one, and dies with the server."""

    def __init__(self, inspector: Inspector, history: History, upload_store: UploadStore) -> None:
        self._inspector, self._history, self._upload_store = inspector, history, upload_store
        self._lock = threading.Lock()
        self._queue: deque[tuple[str, bool]] = deque()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._progress: RunProgress | None = None
        self._failures: dict[str, Failure] = {}

    @property
    def progress(self) -> RunProgress | None:
        """How far the run is that is being done; None where there is none."""
        return self._progress

    @property
    def unfinished(self) -> dict[str, QueueState]:
        """The runs that are not over, at one moment: the one "at work" first, then those "waiting", next first."""
        with self._lock:
            now: dict[str, QueueState] = {self._progress.run: "at work"} if self._progress else {}
            return now | {run: "waiting" for run, _ in self._queue}

    def failure(self, run: str) -> Failure | None:
        """Why a run halted here, until it is started again."""
        return self._failures.get(run)

    def start(self, run: str, anyway: bool = False) -> None:
        """Do a run as soon as its turn comes; `anyway` as for `run_batch`. LooktwiceError for too many."""
        with self._lock:
            if run in (queued for queued, _ in self._queue) or (self._progress and self._progress.run == run):
                return
            if len(self._queue) >= MOST_WAITING:
                raise LooktwiceError(f"{MOST_WAITING} runs wait already; let some of them end first.")
            self._failures.pop(run, None)
            self._queue.append((run, anyway))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="batches", daemon=True)
                self._thread.start()

    def cancel(self, run: str) -> None:
        """Stop a run after the picture that it is at; it can be continued."""
        with self._lock:
            self._queue = deque(one for one in self._queue if one[0] != run)
            if self._progress and self._progress.run == run:
                self._progress = replace(self._progress, stopping=True)
                self._stop.set()

    def join(self, timeout: float | None = None) -> None:
        """Wait until nothing is left to do, at most `timeout` seconds."""
        if (thread := self._thread) is not None:
            thread.join(timeout)

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._queue:
                    self._thread = self._progress = None
                    return
                run, anyway = self._queue.popleft()
                self._stop.clear()
                self._progress = RunProgress(run)
            try:
                self._do(run, anyway)
            except Exception as error:
                self._failures[run] = Failure(sentence(error), isinstance(error, ProductError))

    def _do(self, run: str, anyway: bool) -> None:
        def compared(share: float) -> None:
            self._say(run, comparing=share)

        reports = run_batch(
            self._inspector, self._history, run, stop=self._stop.is_set, tell=compared, anyway=anyway
        )
        with closing(reports):  # type: ignore[type-var]  # a generator is closed, so that the run is let go
            for now in reports:
                left = now.seconds_left
                self._say(run, done=now.done, total=now.total, seconds_left=left, comparing=None)
        settled = self._history.runs.get(run)
        if settled.state in ("done", "purged"):
            self._upload_store.drop(settled.settings.get("uploads"))

    def _say(self, run: str, **news: object) -> None:
        with self._lock:
            self._progress = replace(self._progress or RunProgress(run), **news)  # type: ignore[arg-type]
