"""One picture with its annotations, as every format writes it, and the numbers of the categories."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from assistant.inspection import Inspection
from assistant.outlines import Outline, category_of


@dataclass(frozen=True)
class Labelled:
    """A picture under a name of its own among the annotations, and the shapes that are written for it.

    `name` is relative to the folder of the pictures, with their endings. `source` is where the picture lies, None
    where it is no file. `copied` says that a copy lies among the annotations. `signed` is what a person decided.
    """

    name: PurePosixPath
    inspection: Inspection
    outlines: tuple[Outline, ...]
    source: str | None = None
    copied: bool = False
    signed: str | None = None


class Categories:
    """Names of what is annotated, numbered from 0 in the order in which they come."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._numbers: dict[str, int] = {}
        for name in names:
            self._numbers.setdefault(name, len(self._numbers))

    def number(self, outline: Outline) -> int:
        """The number of a region's category; a new one gets the next."""
        return self._numbers.setdefault(category_of(outline.region), len(self._numbers))

    @property
    def names(self) -> list[str]:
        """All names, in the order of their numbers; one at least, since readers refuse a set without any."""
        return list(self._numbers) or ["strange"]


class Layout(Protocol):
    """A format: how pictures are written, and what is written once they all came."""

    pictures: str
    """The folder of copied pictures, "" where they lie beside their annotations."""

    flat: bool
    """Whether pictures of subfolders lie in one folder, since readers of the format look no further."""

    copies: bool
    """Whether the pictures have to be copied, since annotations are found by where pictures lie."""

    def add(self, one: Labelled) -> None:
        """Write, or keep for the end, the annotations of one picture."""

    def finish(self) -> None:
        """Write what belongs to all of them."""
