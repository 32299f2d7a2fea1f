"""The picture that an Inspection was made of, for those who draw on it: held for a while, known again for good.

What is drawn has to be what was judged, and the file may have changed or gone by then. Pictures are held as long
as their Inspection is, the newest `HELD_BYTES` of them; of an older one a checksum is left, and it is read again.
"""

from __future__ import annotations

import threading
import weakref
from dataclasses import replace
from typing import Any

from assistant.errors import ImageError
from assistant.images.digest import digest_of
from assistant.images.load import LoadedImage, load_image
from assistant.images.sources import shown_name

HELD_BYTES = 256_000_000
"""What the pictures that are held take at most, those that are just being inspected aside."""


class JudgedPicture:
    """One picture as it was judged; `source` is the path that it was read from, None where it came otherwise."""

    def __init__(self, image: LoadedImage, source: str | None = None, hold: Hold | None = None) -> None:
        self.source = source
        self._window = image.window
        self._held: LoadedImage | None = image
        self._seen: weakref.ref[LoadedImage] | None = weakref.ref(image)
        self._digest = ""
        (hold or HOLD).add(self)

    @property
    def size(self) -> int:
        """The bytes that are held."""
        held = self._held
        return held.pixels.nbytes if held else 0

    def get(self) -> LoadedImage:
        """The picture, read-only; ImageError where it has to be read again and is another by now."""
        image = self._held or (self._seen() if self._seen else None)
        if image is None:
            image = self._read_again()
        pixels = image.pixels.view()
        pixels.flags.writeable = False
        return replace(image, pixels=pixels)

    def let_go(self) -> None:
        """Hold the picture no longer, and keep its checksum."""
        if self._held:
            self._digest, self._held = digest_of(self._held.pixels), None

    def _read_again(self) -> LoadedImage:
        if self.source is None:
            raise ImageError("the picture is no longer in memory, and it was no file")
        image = load_image(self.source, window=self._window)
        if digest_of(image.pixels) != self._digest:
            raise ImageError(f"{shown_name(self.source)} has changed since it was judged")
        return image

    def __getstate__(self) -> dict[str, Any]:
        digest = digest_of(self._held.pixels) if self._held else self._digest
        return {"source": self.source, "_window": self._window, "_digest": digest, "_held": None, "_seen": None}


class Hold:
    """Holds the newest of the pictures that somebody still has, `most` bytes of them."""

    def __init__(self, most: int = HELD_BYTES) -> None:
        self.most = most
        self._lock = threading.Lock()
        self._pictures: list[weakref.ref[JudgedPicture]] = []
        self._bytes = 0

    def add(self, picture: JudgedPicture) -> None:
        """Hold one more, and let older ones go where it gets too many."""
        with self._lock:
            self._pictures.append(weakref.ref(picture))
            self._bytes += picture.size
            if self._bytes <= self.most:
                return
            alive = [one for ref in self._pictures if (one := ref()) is not None]
            total = sum(one.size for one in alive)
            for one in alive:
                if total <= self.most:
                    break
                total -= one.size
                one.let_go()
            self._pictures = [weakref.ref(one) for one in alive if one.size]
            self._bytes = total


HOLD = Hold()
