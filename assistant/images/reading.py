"""Reads pictures ahead of the detector, a bounded number of them, in order, and never stops at a bad one."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from assistant.errors import ImageError
from assistant.images.load import LoadedImage, PictureFile, Window, load_through
from assistant.processes import Home

AHEAD_BYTES = 64_000_000
"""Decoded pictures that wait take about as much at most: eight of 2.6 megapixels, but two of twelve."""


@dataclass(frozen=True, eq=False)
class Entry:
    """One picture of a run: where it comes from, and the picture or the sentence that says what is wrong.

    `images` has one for each window that it is read through; none where it cannot be read. `file` is the path of
    what is one.
    """

    path: str
    images: tuple[LoadedImage, ...] = ()
    error: str | None = None
    ms: float = 0.0
    file: str | None = None

    @property
    def image(self) -> LoadedImage | None:
        """The picture, through the first window."""
        return self.images[0] if self.images else None

    def through(self, place: int) -> Entry:
        """The entry with the picture through the window at this place alone."""
        return replace(self, images=self.images[place : place + 1])


def read_ahead(
    sources: Iterable[Any],
    ahead: int = 8,
    workers: int = 2,
    load: Callable[[Any], tuple[LoadedImage, ...]] | None = None,
    windows: Sequence[Window] = (Window(),),
) -> Iterator[Entry]:
    """Entries in the order of the sources; at most `ahead` pictures are decoded before they are asked for.

    Each is decoded once and read through each of `windows`, unless `load` is another way to read it.
    Fewer are where pictures are large, those to come being taken for as large as the largest so far: as many as
    `AHEAD_BYTES` hold, and one for each worker at least. ProcessError where it goes on in a forked process.
    """
    home, load = Home(), load or partial(load_through, windows=windows)
    numbered, largest = enumerate(sources), 1
    waiting: deque[Future[Entry]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="read") as pool:

        def fill(room: int) -> None:
            more = islice(numbered, max(0, min(ahead, room) - len(waiting)))
            waiting.extend(pool.submit(_read, i, source, load) for i, source in more)

        fill(workers)
        try:
            while waiting:
                entry = waiting.popleft().result()
                largest = max(largest, sum(image.pixels.nbytes for image in entry.images))
                fill(max(workers, AHEAD_BYTES // largest))
                yield entry
                home.check()
        finally:
            for future in waiting:
                future.cancel()


def in_groups(entries: Iterable[Entry], size: int) -> Iterator[list[Entry]]:
    """Lists of `size` entries, the last one shorter."""
    rest = iter(entries)
    while group := list(islice(rest, size)):
        yield group


def _read(number: int, source: Any, load: Callable[[Any], tuple[LoadedImage, ...]]) -> Entry:
    path = str(source) if isinstance(source, str | Path) else f"image {number}"
    path = source.name if isinstance(source, PictureFile) else path
    start = time.perf_counter()
    try:
        images = load(source)
        file = path if isinstance(source, str | Path) else None
        return Entry(path, images, ms=1000 * (time.perf_counter() - start), file=file)
    except ImageError as error:
        return Entry(path, error=str(error))
