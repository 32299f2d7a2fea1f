"""Entries that hang together by their hashes, and the check that they do. It knows lines, and no files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

Action = Literal[
    "learn",
    "teach good",
    "teach defect",
    "remove",
    "undo",
    "roi",
    "ignore",
    "masks",
    "target",
    "recalibrate",
    "several changes",
    "other change",
    "delete product",
    "sign off",
    "withdraw sign-off",
    "key created",
    "key revoked",
    "failed",  # the change that details["entry"] names did not take place
    "torn line",  # a crash left the beginning of an entry; `details` describe it
]
Facts = dict[str, Any]

START = "0" * 64
"""What the first entry has for the hash of the one before it, and the head of an empty log."""


@dataclass(frozen=True)
class Entry:
    """One change: `n` from 1, `time` in UTC, who, what to which product, and the facts before and after.

    `before` and `after` are None where there was nothing, or is nothing any more. `previous` and `hash` are
    SHA-256 in hex; `hash` is over the canonical JSON of all else.
    """

    n: int
    time: str
    actor: str
    action: Action
    product: str | None
    before: Facts | None
    after: Facts | None
    details: Facts
    previous: str
    hash: str = ""

    @property
    def line(self) -> bytes:
        """The entry as it stands in the file, without the line's end."""
        return _canonical(self._content())

    def sealed(self) -> Entry:
        """The entry with its own hash."""
        return replace(self, hash=self._own_hash())

    def misfit(self, line: bytes, n: int, previous: str) -> str | None:
        """Why this entry, read from `line`, cannot be number `n` after an entry with that hash; None if it can."""
        if self.hash != self._own_hash():
            return "holds something else than what was hashed"
        if self.line != line.rstrip(b"\n"):
            return "is not written the way this log is written"
        if self.n != n:
            return f"is numbered {self.n} where {n} belongs: entries are missing, doubled or moved"
        return None if self.previous == previous else "does not follow from the entry before it"

    def _own_hash(self) -> str:
        content = self._content()
        del content["hash"]
        return hashlib.sha256(_canonical(content)).hexdigest()

    def _content(self) -> Facts:
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(frozen=True)
class Verification:
    """What a check of the chain found: how many entries fit, and the head hash to keep elsewhere.

    `fault` says what is wrong with `line`, the first line (from 1) that does not fit; None where all do. `torn`
    are the lines that a crash left unfinished. They are no fault: the changes that they began never took place.
    """

    entries: int
    head: str
    fault: str | None = None
    line: int | None = None
    torn: tuple[int, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every entry fits."""
        return self.fault is None


def check_chain(lines: Iterable[bytes], head: str | None = None) -> Verification:
    """The first of the lines of a log that does not fit, see `AuditLog.verify`."""
    n, last, loose, torn = 0, START, b"", list[int]()
    met, number, ended = head in (None, START), 0, True
    for number, line in enumerate(lines, 1):
        ended = line.endswith(b"\n")
        entry = read_entry(line)
        if entry is None:
            loose += line
            torn.append(number)
            continue
        marked = describe_torn(loose.removesuffix(b"\n")) if loose else None
        if marked != (entry.details if entry.action == "torn line" else None):
            at = torn[-loose.count(b"\n")] if loose else number
            what = "is no entry" if loose else "tells of a torn line where there is none"
            return Verification(n, last, f"Line {at} {what}.", at, tuple(t for t in torn if t < at))
        if why := entry.misfit(line, n + 1, last):
            return Verification(n, last, f"Line {number} {why}.", number, tuple(torn))
        n, last, loose = entry.n, entry.hash, b""
        met = met or last == head
    if loose and ended:
        at = torn[-loose.count(b"\n")]
        return Verification(n, last, f"Line {at} is no entry.", at, tuple(t for t in torn if t < at))
    if not met:
        lost = "The log does not hold the head hash that was kept: it was cut off or written anew."
        return Verification(n, last, lost, number + 1, tuple(torn))
    return Verification(n, last, torn=tuple(torn))


def read_entry(line: bytes) -> Entry | None:
    """The entry of a line, whether or not it fits; None where the line is none."""
    try:
        row = json.loads(line)
        entry = Entry(**row)
        entry.line  # noqa: B018 - what is too deep or no strict JSON cannot be hashed
    except (ValueError, TypeError, RecursionError):
        return None
    texts = (entry.time, entry.actor, entry.action, entry.previous, entry.hash)
    whole = all(isinstance(text, str) for text in texts) and type(entry.n) is int
    return entry if whole and isinstance(entry.details, dict) and len(row) == len(fields(entry)) else None


def describe_torn(content: bytes) -> Facts:
    """The details of an entry about lines that a crash left unfinished: their length and SHA-256."""
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _canonical(content: Facts) -> bytes:
    # ASCII only: names of any bytes, also those that are no text, are written as escapes and read back the same.
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")
