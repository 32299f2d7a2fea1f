"""The window of pictures that belong together, settled before the first of them is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice

from assistant.errors import ImageError
from assistant.images.caps import DEFAULT_CAPS
from assistant.images.decoding import Source, is_deep
from assistant.images.window import Window


def settle_window(
    sources: Iterable[Source], asked: Window | None = None, tell: Callable[[float], None] | None = None
) -> tuple[Window, Iterable[Source]]:
    """The window that a series is read through, and its sources: the one asked for, or what the series teaches.

    Pictures of 8 bits need none. Of an iterator the first picture speaks for all, so that those of 8 bits are
    still taken one by one; deeper ones are read twice. A single picture gives its depth and nothing narrower.
    How far the learning is, in [0, 1], goes to `tell`.
    """
    asked = asked or Window()
    if asked.levels is not None:
        return asked, sources
    if isinstance(sources, Iterator):
        first = list(islice(sources, 1))
        sources = chain(first, sources)
        if not any(is_deep(one, DEFAULT_CAPS) for one in first):
            return asked, sources
    sources = list(sources)
    if not any(is_deep(one, DEFAULT_CAPS) for one in sources):
        return asked, sources
    if len(sources) > 1:
        return Window.learn(_told(sources, tell), channel_order=asked.channel_order), sources
    try:
        return Window.of_single(sources[0], channel_order=asked.channel_order), sources
    except ImageError:  # which is told where it is read
        return asked, sources


def _told(sources: list[Source], tell: Callable[[float], None] | None) -> Iterator[Source]:
    for done, source in enumerate(sources):
        if tell:
            tell(done / len(sources))
        yield source
