"""Pictures that may take long, decoded before they are gathered: nobody waits for them but who sent them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import Any, Protocol

from assistant.errors import ImageError
from assistant.images.decoders import DECODERS, MOST
from assistant.images.decoding import takes_long
from assistant.images.load import read_samples
from assistant.inspection import Inspection


class Prepared(Protocol):
    """A task of one picture, whose file is replaced by its samples."""

    files: tuple[Any, ...]
    result: Future[list[Inspection]]


@dataclass(eq=False)
class Preparer:
    """Decodes pictures in processes that can be ended, one of each request in turn, and hands them to `ready`.

    A thread goes on to the next picture when one is inspected, so that few are held decoded.
    """

    ready: Callable[[Any], None]
    stopping: bool = False
    _requests: deque[deque[Prepared]] = field(default_factory=deque)
    _threads: list[threading.Thread] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @staticmethod
    def wants(task: Prepared) -> bool:
        """Whether a task is of a picture that may take long."""
        return len(task.files) == 1 and isinstance(task.files[0], bytes) and takes_long(task.files[0])

    @property
    def waiting(self) -> int:
        """Pictures that wait to be decoded."""
        with self._changed:
            return sum(not task.result.cancelled() for request in self._requests for task in request)

    def add(self, tasks: Sequence[Prepared]) -> None:
        """Decode the pictures of one request."""
        if not tasks:
            return
        with self._changed:
            self._requests.append(deque(tasks))
            while len(self._threads) < MOST:
                thread = threading.Thread(target=self._work, name=f"prepare-{len(self._threads)}", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._changed.notify_all()

    def stop(self) -> None:
        """Decode nothing more; what waits, or is being decoded, becomes an error."""
        with self._changed:
            self.stopping = True
            self._changed.notify_all()
        DECODERS.stop()
        for thread in self._threads:
            thread.join(1.0)  # it may wait for a thread that inspects and is stuck

    def _next(self) -> Prepared | None:
        with self._changed:
            while not self._requests:
                if self.stopping:
                    return None
                self._changed.wait()
            request = self._requests.popleft()
            task = request.popleft()
            if request:
                self._requests.append(request)
            return task

    def _work(self) -> None:
        while (task := self._next()) is not None:
            if not task.result.cancelled():
                self._prepare(task)

    def _prepare(self, task: Prepared) -> None:
        try:
            task.files = (read_samples(task.files[0]),)
        except ImageError as error:
            if task.result.set_running_or_notify_cancel():
                task.result.set_result([Inspection("the picture", "error", str(error))])
        except Exception as error:
            if task.result.set_running_or_notify_cancel():
                task.result.set_exception(error)
        else:
            self.ready(task)
            wait([task.result])
