"""What a sink is: somewhere results are handed to, with what may go wrong there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from assistant.errors import LooktwiceError
from assistant.line.event import Event


class Refused(LooktwiceError):
    """A receiver has seen this result and does not take it; others may be taken."""


class Away(LooktwiceError):
    """A receiver cannot be reached, or takes nothing now; `after` so many seconds it asks to be tried again."""

    def __init__(self, sentence: str, after: float | None = None) -> None:
        super().__init__(sentence)
        self.after = after


@dataclass(frozen=True)
class Attachments:
    """What goes with an event besides its JSON: the map as an .npy file, the preview as a JPEG, b"" for none."""

    map: bytes = b""
    preview: bytes = b""


@dataclass(frozen=True)
class Letter:
    """An event on its way to a sink, refused `tries` times so far. `doubtful` is one that may have arrived.

    `attachments` and `picture`, the bytes of the file, are read when they are asked for.
    """

    id: int
    sink: str
    event: Event
    tries: int
    attachments: Callable[[], Attachments]
    picture: Callable[[], bytes]
    doubtful: bool = False


class Sink(Protocol):
    """Somewhere results are handed to, one after the other, by one thread."""

    needs_attachments: bool
    needs_picture: bool

    def deliver(self, letter: Letter) -> None:
        """Hand over a result, for good when it returns. Away or Refused where it was not taken."""

    def close(self) -> None:
        """Give connections and files back."""
