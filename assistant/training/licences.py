"""Reads whose licence a file in a Debian package has, and says whether it is a free one.

The file is in the machine-readable copyright format 1.0.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase


def licence_of(path: str, stanzas: list[tuple[list[str], str]]) -> str:
    """The licence of the last stanza that names this file, as Debian's copyright format says; else empty."""
    named = ""
    for patterns, licence in stanzas:
        if any(p == "*" or fnmatchcase(path, p) or fnmatchcase(path, f"*/{p}") for p in patterns):
            named = licence
    return named


def read_stanzas(text: str) -> list[tuple[list[str], str]]:
    """The file patterns and licence of each stanza of a machine-readable copyright file."""
    stanzas = []
    for block in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^([A-Z][A-Za-z-]*):((?:.*)(?:\n[ \t].*)*)", block, re.MULTILINE))
        if "Files" in fields and "License" in fields:
            stanzas.append((fields["Files"].split(), fields["License"].strip().splitlines()[0].strip()))
    return stanzas


def is_free(licence: str, free: frozenset[str]) -> bool:
    """Whether every licence that holds together, or one of those to choose from, is on the list."""
    choices = re.split(r"\s+or\s+", licence, flags=re.IGNORECASE)
    return any(all(part in free for part in re.split(r"\s+and\s+", c, flags=re.IGNORECASE)) for c in choices)
