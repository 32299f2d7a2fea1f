"""Where journals lie, and which places of a line would get into each other's way."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from assistant.errors import LineError
from assistant.images.kinds import EXTENSIONS
from assistant.line.settings import SinkSettings


def journal_folder() -> Path:
    """$LOOKTWICE_LINE where that is set, else a folder of the user's."""
    import platformdirs

    named = os.environ.get("LOOKTWICE_LINE")
    return Path(named).expanduser() if named else Path(platformdirs.user_data_dir("looktwice")) / "line"


def default_journal(source: str) -> Path:
    """The journal of a folder or a camera, where no other is named."""
    whole = source if "://" in source else os.path.abspath(source)
    word = re.sub(r"[^A-Za-z0-9]+", "-", re.split(r"[/\\]", whole.rstrip("/\\"))[-1]).strip("-")[:40] or "line"
    return journal_folder() / f"{word}-{hashlib.sha256(os.fsencode(whole)).hexdigest()[:8]}.sqlite"


def resolve_source(source: str) -> str:
    """A source, or what stands in the environment variable that env:NAME names: a URL may hold a password.

    LineError where nothing stands there.
    """
    if not source.startswith("env:"):
        return source
    found = os.environ.get(source[4:], "").strip()
    if not found:
        raise LineError(f"There is no source in the environment variable {source[4:]}.")
    return found


def check_places(source: Path, sinks: Iterable[SinkSettings]) -> None:
    """LineError where what a sink writes would be watched as a part, or two sinks write to one place."""
    home = os.path.realpath(source)
    taken: dict[str, str] = {}
    for sink in sinks:
        if "path" not in sink.said:
            continue
        path = Path(os.path.realpath(Path(sink.said["path"]).expanduser()))
        if sink.kind == "folders" and path.is_relative_to(home):
            raise LineError(
                f"Sink {sink.name!r} would sort pictures into the folder that is watched: name another."
            )
        if sink.kind == "lines" and path.suffix.lower() in EXTENSIONS:
            raise LineError(f"Sink {sink.name!r} writes no picture, and {path.name} has the name of one.")
        if other := taken.setdefault(str(path), sink.name):
            if other != sink.name:
                raise LineError(f"Sinks {other!r} and {sink.name!r} write to one place: give each its own.")
