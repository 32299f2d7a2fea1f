"""Gathered requests: pictures of several clients are inspected together, and each gets the results of its own.

Pictures are gathered for a few milliseconds, or until enough are there, and inspected by one thread or a few.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from assistant.errors import LooktwiceError
from assistant.images.decoding import Planes
from assistant.images.window import Window
from assistant.inspection import AskedMode, Inspection
from assistant.inspector import Inspector
from assistant.products.product import Product
from assistant.service.preparing import Preparer

PATIENCE = 5.0
"""Seconds that a thread has for what it is at once the service has ended."""


class QueueFull(Exception):
    """No more pictures may wait, or the gatherer has stopped."""


@dataclass(frozen=True, eq=False)
class InspectArguments:
    """How pictures are to be inspected; the arguments of `Inspector.inspect`."""

    product: Product | None = None
    mode: AskedMode = "auto"
    target: float = 0.05
    zero_shot_limits: bool = False
    window: Window | None = None

    @property
    def kind(self) -> tuple[int, str, float, bool, Window | None]:
        """What pictures have in common that may be inspected in one call."""
        return id(self.product), self.mode, self.target, self.zero_shot_limits, self.window


@dataclass(eq=False)
class Task:
    """Files to inspect in one call: a single picture, or in mutual mode all that are compared with each other.

    A file that was decoded before stands as its samples.
    """

    files: tuple[bytes | Planes, ...]
    arguments: InspectArguments
    since: float = 0.0
    result: Future[list[Inspection]] = field(default_factory=Future)


class Gatherer:
    """Gathers tasks and inspects them; one that was cancelled while it waited is left out.

    `most` pictures at most go together, gathered for `wait` seconds from when the first of them came. `tell` is
    called with the number of pictures of each call.
    """

    def __init__(
        self,
        inspector: Inspector,
        *,
        most: int = 8,
        wait: float = 0.01,
        queue: int = 256,
        threads: int = 1,
        tell: Callable[[int], None] | None = None,
    ) -> None:
        self.inspector, self.most, self.wait, self.queue, self.threads = inspector, most, wait, queue, threads
        self._tell = tell
        self._waiting: deque[Task] = deque()
        self._changed = threading.Condition()
        self._workers: list[threading.Thread] = []
        self._refusing = self._stopping = False
        self._since: dict[str, float] = {}
        self._preparer = Preparer(self._add)

    @property
    def waiting(self) -> int:
        """Pictures that wait."""
        with self._changed:
            return self._count() + self._preparer.waiting

    def slow(self, seconds: float) -> int:
        """How many threads have been inspecting for more than so many seconds without an end."""
        now = time.monotonic()
        return sum(now - since > seconds for since in list(self._since.values()))

    def submit(self, tasks: Sequence[Task]) -> list[Future[list[Inspection]]]:
        """Queue tasks, all of them or, with QueueFull, none. A future may be cancelled while it waits."""
        slow = list(filter(self._preparer.wants, tasks))
        with self._changed:
            count = sum(len(task.files) for task in tasks)
            if self._refusing or self._count() + self._preparer.waiting + count > self.queue:
                raise QueueFull
            self._start()
            self._preparer.add(slow)
            for task in tasks:
                if task not in slow:
                    self._add(task)
        return [task.result for task in tasks]

    def stop(self) -> None:
        """Take no more tasks, finish those that wait and are decoded, and end the threads that are not stuck."""
        with self._changed:
            self._refusing = True
        self._preparer.stop()
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for worker in self._workers:
            worker.join(PATIENCE)

    def _add(self, task: Task) -> None:
        with self._changed:
            task.since = time.monotonic()
            self._waiting.append(task)
            self._changed.notify_all()

    def _start(self) -> None:
        while len(self._workers) < self.threads:
            worker = threading.Thread(target=self._work, name=f"inspect-{len(self._workers)}", daemon=True)
            self._workers.append(worker)
            worker.start()

    def _count(self) -> int:
        return sum(len(task.files) for task in self._waiting if not task.result.cancelled())

    def _work(self) -> None:
        while (tasks := self._gather()) is not None:
            groups: dict[object, list[Task]] = {}
            for task in tasks:
                # mutual mode compares the pictures of one request and of no other
                alone = task.arguments.mode == "mutual"
                groups.setdefault(id(task) if alone else task.arguments.kind, []).append(task)
            self._since[threading.current_thread().name] = time.monotonic()
            for group in groups.values():
                self._inspect(group)
            del self._since[threading.current_thread().name]

    def _gather(self) -> list[Task] | None:
        """The next tasks that were not cancelled, which may be none; None once all is done."""
        with self._changed:
            while not self._waiting:
                if self._stopping:
                    return None
                self._changed.wait()
            until = self._waiting[0].since + self.wait
            while not self._stopping and 0 < self._count() < self.most and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)
            taken: list[Task] = []
            while self._waiting:
                size = sum(len(task.files) for task in taken)
                if taken and size + len(self._waiting[0].files) > self.most:
                    break
                task = self._waiting.popleft()
                if task.result.set_running_or_notify_cancel():
                    taken.append(task)
            return taken

    def _inspect(self, tasks: list[Task]) -> None:
        arguments = tasks[0].arguments
        files = [file for task in tasks for file in task.files]
        if self._tell:
            self._tell(len(files))
        try:
            rows = iter(
                self.inspector.inspect(
                    files,
                    arguments.product,
                    arguments.mode,
                    target_false_alarm=arguments.target,
                    zero_shot_limits=arguments.zero_shot_limits,
                    window=arguments.window,
                )
            )
            results = [[next(rows) for _ in task.files] for task in tasks]
        except Exception as error:
            if len(tasks) > 1 and not isinstance(error, LooktwiceError):
                for task in tasks:  # one picture that breaks the inspector spoils no other
                    self._inspect([task])
                return
            for task in tasks:
                task.result.set_exception(error)
            return
        for task, result in zip(tasks, results, strict=True):
            task.result.set_result(result)
