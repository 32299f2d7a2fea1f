"""The first directory of tags in a TIFF file or in EXIF data, read without copying the values."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_WHOLE = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}


@dataclass(frozen=True)
class Entry:
    """One tag: the type and number of its values, and where in the data they begin."""

    kind: int
    count: int
    start: int


@dataclass(frozen=True, eq=False)
class Directory:
    """Tags by number; `length` counts the entries, `claimed` the bytes that all their values take when read."""

    data: bytes
    order: str
    entries: dict[int, Entry]
    length: int
    claimed: int

    def count(self, tag: int) -> int:
        """How many values a tag has."""
        return self.entries[tag].count if tag in self.entries else 0

    def whole(self, tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """A tag's whole numbers; the default where it is missing, of another type, or reaches past the end."""
        entry = self.entries.get(tag)
        if entry is None or entry.kind not in _WHOLE:
            return default
        if entry.start + entry.count * _SIZES[entry.kind] > len(self.data):
            return default
        return struct.unpack_from(f"{self.order}{entry.count}{_WHOLE[entry.kind]}", self.data, entry.start)

    def first(self, tag: int, default: int) -> int:
        """The first of a tag's whole numbers."""
        values = self.whole(tag) if self.count(tag) <= 64 else ()
        return values[0] if values else default


def read_directory(data: bytes, most: int = 100_000) -> Directory | None:
    """The first directory of TIFF or BigTIFF data, its first `most` entries; None where there is none."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 16:
        return None
    big = data[2:4] in (b"+\0", b"\0+")
    start = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)[0]
    lead, form, inline = (8, "HHQ8s", 8) if big else (2, "HHI4s", 4)
    if not 8 <= start <= len(data) - lead:
        return None
    size = struct.calcsize(order + form)
    told = struct.unpack_from(order + ("Q" if big else "H"), data, start)[0]
    length = min(told, (len(data) - start - lead) // size)
    entries: dict[int, Entry] = {}
    claimed = 0
    rows = memoryview(data)[start + lead : start + lead + min(length, most) * size]
    for i, (tag, kind, count, held) in enumerate(struct.iter_unpack(order + form, rows)):
        taken = _SIZES.get(kind, 0) * count
        at = start + lead + (i + 1) * size - inline
        if taken > inline:
            at = struct.unpack(order + ("Q" if big else "I"), held)[0]
            claimed += min(taken, max(0, len(data) - at))
        entries[tag] = Entry(kind, count, at)
    return Directory(data, order, entries, length, claimed)
