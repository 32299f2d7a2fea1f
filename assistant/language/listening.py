"""Listening to whoever speaks, in a thread of its own: what has been said so far, that one waits, or why it ended.

A speaker may be slow to begin, break off, or fail. Whoever listens is told within two seconds that one waits,
keeps what was said before the end came, and can leave at any time.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from assistant.errors import ExplainerError, told
from assistant.language.explainer import Explainer, Prompt

TELL_AFTER = 1.0
"""Seconds of silence after which a listener is told that one waits, and again each time they pass."""

LEAVING = 1.0  # seconds that a speaker is given to stop when nobody listens any more


@dataclass(frozen=True)
class Heard:
    """The text so far; `waiting` while nothing new came, `failed` why it ended too soon, `ended` at the end."""

    text: str
    waiting: bool = False
    failed: str = ""
    ended: bool = False


def listen(explainer: Explainer, prompt: Prompt, tell_after: float = TELL_AFTER) -> Iterator[Heard]:
    """What a speaker says to a prompt, as it comes; the last one heard has `ended`. Closing it stops the speaker.

    An ExplainerError is not raised: it is told in `failed`, with the text that came before it. An explainer's
    `gives_up` are the seconds after which it is left if it has said nothing; without it there is no such end.
    """
    said: queue.Queue[str | BaseException | None] = queue.Queue()
    stop = threading.Event()
    worker = threading.Thread(target=_speak, args=(explainer, prompt, said, stop), name="speaker", daemon=True)
    worker.start()
    text, begun = "", time.monotonic()
    news = begun
    gives_up = getattr(explainer, "gives_up", None)
    try:
        while True:
            now = time.monotonic()
            if gives_up and not text and now - begun > gives_up:
                yield Heard(
                    text, failed=told(f"{explainer.name} said nothing for {gives_up:g} seconds."), ended=True
                )
                return
            if now - news >= tell_after:
                news = now
                yield Heard(text, waiting=True)
            try:
                piece = said.get(timeout=max(0.0, news + tell_after - time.monotonic()))
            except queue.Empty:
                continue
            if piece is None or isinstance(piece, ExplainerError):
                yield Heard(text, failed=str(piece or ""), ended=True)
                return
            if isinstance(piece, BaseException):
                raise piece
            if piece:
                text, news = text + piece, time.monotonic()
                yield Heard(text)
    finally:
        stop.set()
        worker.join(LEAVING)


def _speak(explainer: Explainer, prompt: Prompt, said: queue.Queue[Any], stop: threading.Event) -> None:
    try:
        pieces = explainer.stream(prompt)
        try:
            for piece in pieces:
                if stop.is_set():
                    return
                said.put(piece)
        finally:
            with suppress(AttributeError):  # what is no generator has nothing to close
                pieces.close()  # type: ignore[attr-defined]
        said.put(None)
    except BaseException as error:
        said.put(error)
