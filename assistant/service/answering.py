"""Answers to questions as they grow, written one after the other, and stopped when nobody reads them any more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from typing import Any, cast

from assistant.inspection import Answer, Inspection
from assistant.inspector import Inspector
from assistant.language.catalogue import pick_language
from assistant.language.conversation import converse, prompt_for
from assistant.language.explainer import Prompt, Subject

_WAIT = 0.1  # seconds between two looks at whether a client still waits for its turn

Snapshot = Answer | BaseException | None


class Answerer:
    """Answers questions with an inspector's explainer, each in a thread of its own, one after the other."""

    def __init__(self, inspector: Inspector) -> None:
        self.inspector = inspector
        self._turn = threading.Semaphore(1)

    def prompt(
        self,
        inspections: Sequence[Inspection],
        question: str,
        history: Sequence[tuple[str, str]],
        picture: bytes | None,
        language: str | None = None,
    ) -> Prompt:
        """The prompt of a question; only a picture that was sent is looked at: an upload names no file here."""
        if picture is not None and len(inspections) == 1:
            explainer, product_of = self.inspector.explainer, self.inspector.product_of
            return prompt_for(explainer, inspections, question, history, picture, language, product_of)
        spoken = pick_language(language) if language else None
        return Prompt(question, tuple(Subject(one) for one in inspections), tuple(history), spoken)

    async def answer(self, prompt: Prompt, quiet: float = 15.0) -> AsyncIterator[Answer | None]:
        """Snapshots of a growing answer, the last one final; None after `quiet` seconds without one.

        Closing the iterator ends the explainer's work with its next piece of text.
        """
        loop = asyncio.get_running_loop()
        heard: asyncio.Queue[Snapshot] = asyncio.Queue()
        stop = threading.Event()

        def tell(snapshot: Snapshot) -> None:
            if not stop.is_set():
                loop.call_soon_threadsafe(heard.put_nowait, snapshot)

        thread = threading.Thread(target=self._work, args=(prompt, stop, tell), name="answer", daemon=True)
        thread.start()
        try:
            while True:
                try:
                    snapshot = await asyncio.wait_for(heard.get(), quiet)
                except TimeoutError:
                    yield None
                    continue
                if snapshot is None:
                    return
                if isinstance(snapshot, BaseException):
                    raise snapshot
                yield snapshot
        finally:
            stop.set()

    def _work(self, prompt: Prompt, stop: threading.Event, tell: Any) -> None:
        while not self._turn.acquire(timeout=_WAIT):
            if stop.is_set():
                return
        try:
            with closing(cast(Any, converse(self.inspector.explainer, prompt))) as snapshots:
                for snapshot in snapshots:
                    if stop.is_set():
                        return
                    tell(snapshot)
            tell(None)
        except Exception as error:
            tell(error)
        finally:
            self._turn.release()
