"""Watches a video or a camera: frames are chosen by a trigger, inspected, kept and handed to the sinks."""

from __future__ import annotations

import hashlib
import time
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice

from assistant.errors import LineError
from assistant.images.decoding import PictureFile
from assistant.line.camera import Frame, LiveCamera, fingerprint, is_live, name_of, read_frames
from assistant.line.delivery import Delivery, Say
from assistant.line.event import Event
from assistant.line.keeping import Keeper, Kept, Part
from assistant.line.trigger import Calls, ChangeTrigger, When
from assistant.line.watching import TOGETHER, Look

STEP = 0.2
"""Seconds between two looks at whether something else is to be done."""


class CameraWatch:
    """Watches a video file to its end, or a camera for as long as somebody asks.

    `when` chooses frames: "every" `nth` of them, by "change" (see `ChangeTrigger`), or by "call" of `calls`. Of
    a camera that is faster than it is inspected the newest frame is taken; of a video none is left out, and
    those that the journal knows are not inspected again.
    """

    def __init__(
        self,
        source: str,
        look: Look,
        keeper: Keeper,
        delivery: Delivery,
        *,
        say: Say,
        when: When = "every",
        nth: int = 1,
        change: float = 0.02,
        calls: Calls | None = None,
    ) -> None:
        if nth < 1:
            raise LineError("Every n-th frame counts from 1.")
        if when == "call" and not is_live(source):
            raise LineError("A video file goes by every or by change: nobody can call for what is past.")
        self.source, self.keeper, self.delivery, self.journal = source, keeper, delivery, keeper.journal
        self.known, self.left_out = 0, Counter[str]()
        self.calls = calls or Calls()
        self._look, self._say, self._when, self._nth, self._change = look, say, when, nth, change
        self._name = name_of(source)

    def run(self, once: bool = False) -> Iterator[Kept]:
        """Each part once it is kept; it ends with the video, and of a camera with `once` after one part.

        LineError where the source, the journal or a sink fails for good.
        """
        with self.journal.hold():
            self.delivery.start()
            try:
                if is_live(self.source):
                    yield from self._watch_live(once)
                else:
                    yield from self._watch_file()
                    while not self.delivery.settled and not self.delivery.failure:
                        time.sleep(0.01)
            finally:
                self.calls.refuse("The line has ended.")
                self.delivery.stop()

    def _watch_file(self) -> Iterator[Kept]:
        video = fingerprint(self.source)
        with closing(read_frames(self.source)) as frames:
            chosen = self._chosen(frames)
            while batch := list(islice(chosen, TOGETHER)):
                new = deque(self._new(batch, video))
                pictures = (PictureFile(part.source, part.data) for part in list(new))
                for row in self._look(pictures):
                    if kept := self.keeper.keep(new.popleft(), row):
                        yield kept
                if self.delivery.failure:
                    raise self.delivery.failure

    def _chosen(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        trigger = ChangeTrigger(self._change)
        for frame in frames:
            if trigger.see(frame.pixels) if self._when == "change" else frame.number % self._nth == 0:
                yield frame

    def _new(self, frames: list[Frame], video: str) -> Iterator[Part]:
        """The frames of a video that the journal does not know, as parts."""
        for frame in frames:
            key = f"{video} {frame.number}"
            if self.journal.find(key) is None:
                data = frame.to_png()
                yield Part(self._picture_name(frame), key, hashlib.sha256(data).hexdigest(), data)
            else:
                self.known += 1

    def _watch_live(self, once: bool) -> Iterator[Kept]:
        trigger = ChangeTrigger(self._change)
        with closing(LiveCamera(self.source, self._say)) as camera:
            last = 0
            while True:
                if self.delivery.failure:
                    raise self.delivery.failure
                call: Future[Event] | None = None
                after = 0
                if self._when == "call":
                    if (call := self.calls.take(STEP)) is None:
                        continue
                    after = camera.count  # what was seen before the call may be the part before
                elif self._when == "every" and last:
                    after = last + self._nth - 1
                frame = self._wait(camera, after, call)
                if frame is None or (self._when == "change" and not trigger.see(frame.pixels)):
                    continue
                last = frame.number
                kept = self._inspect(frame)
                if kept and call:
                    call.set_result(kept.event)
                if kept:
                    yield kept
                    if once:
                        return

    def _wait(self, camera: LiveCamera, after: int, call: Future[Event] | None) -> Frame | None:
        """The newest frame; whoever called waits until there is one, and is told where a camera is away."""
        frame = camera.next(10.0 if call else STEP, after)
        if frame is None and call:
            call.set_exception(LineError("The camera is away."))
        return frame

    def _inspect(self, frame: Frame) -> Kept | None:
        data = frame.to_png()
        part = Part(self._picture_name(frame), None, hashlib.sha256(data).hexdigest(), data)
        return next(
            (self.keeper.keep(part, row) for row in self._look(iter([PictureFile(part.source, data)]))), None
        )

    def _picture_name(self, frame: Frame) -> str:
        if is_live(self.source):
            made = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")[:-3]
            return f"{self._name}-{made}.png"
        return f"{self._name}-{frame.number:06d}.png"
