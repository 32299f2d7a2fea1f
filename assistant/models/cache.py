"""The cache: the folders of the model bundles on this machine, and the manifests of what is in them.

`assistant.models.pull` fills it, and `assistant.models.weights` reads the tensors.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from assistant.errors import WeightsError
from assistant.models.card import TOWER_FILES, Card, load_any_card, load_card
from assistant.models.digests import hash_file
from assistant.models.places import cached_bundles
from assistant.models.sources import stays_inside

SCHEMA = 1
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """The record of a pulled bundle: sha256 and size in bytes of every file, by its path in the folder.

    `card` is the digest of the card it was made from, `skipped` says in one sentence why a part is not there,
    `versions` names the libraries that made it. `pinned` says which commit of the model hub a part is from whose
    card knew none.
    """

    bundle: str
    card: str
    files: dict[str, tuple[str, int]]
    skipped: dict[str, str]
    versions: dict[str, str]
    pinned: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PartStatus:
    """One part of a bundle: whether it is here, where it comes from, and what to know about it."""

    part: str
    present: bool
    source: str
    licence: str
    download_size: int
    note: str = ""


@dataclass(frozen=True)
class BundleStatus:
    """One bundle as `looktwice bundles` shows it; `size` is in bytes on disk, 0 where nothing is there."""

    name: str
    title: str
    licence: str
    measured: bool
    note: str
    state: Literal["ready", "missing", "outdated", "damaged"]
    folder: Path
    size: int
    parts: tuple[PartStatus, ...]


def bundle_folder(name: str) -> Path:
    """The folder of a bundle that is on this machine; `name` may be the path of a card of one's own.

    Raises WeightsError, saying which command helps, where it is absent, made from another card, or lacks a
    file. Sizes are compared here; `verify` also compares hashes.
    """
    card = load_any_card(name)
    state, sentence = _state(card, name)
    if state != "ready":
        raise WeightsError(sentence)
    return cached_bundles() / card.name


def weights_digest(name: str) -> str:
    """Twelve hexadecimal digits for what a score rests on: the towers' weights and how they are fed.

    The language model and the files prepared for a runtime do not count, so that a product stays valid when
    those change. Raises WeightsError as `bundle_folder` does.
    """
    files = read_manifest(bundle_folder(name)).files
    towers = [f"{path} {sha}" for path, (sha, _) in sorted(files.items()) if _is_tower(path)]
    said = "\n".join([load_card(name).tower_digest, *towers])
    return hashlib.sha256(said.encode()).hexdigest()[:12]


def verify(name: str) -> None:
    """Hash every file of a bundle again; WeightsError names the first one that is not as it was pulled."""
    folder = bundle_folder(name)
    if damaged := find_damage(folder, read_manifest(folder)):
        raise WeightsError(_damaged(name, damaged))


def status(name: str) -> BundleStatus:
    """What is on this machine of a bundle, how large, under which licence and from where."""
    card = load_any_card(name)
    folder = cached_bundles() / card.name
    state, _ = _state(card, name)
    files: dict[str, tuple[str, int]] = {}
    skipped: dict[str, str] = {}
    pinned: dict[str, str] = {}
    if state in ("ready", "outdated"):
        manifest = read_manifest(folder)
        files, skipped, pinned = manifest.files, manifest.skipped, manifest.pinned
    parts = tuple(
        PartStatus(
            part=part,
            present=any(path.split("/")[0] == TOWER_FILES.get(part, part) for path in files),
            source=f"{source.label}, here {pinned[part][:12]}" if part in pinned else source.label,
            licence=source.licence,
            download_size=source.size,
            note=skipped.get(part, ""),
        )
        for part, source in card.sources.items()
    )
    on_disk = sum(size for _, size in files.values())
    said = (card.title, card.licence, card.measured, card.note)
    return BundleStatus(card.name, *said, state, folder, on_disk, parts)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a bundle's folder; WeightsError where it is absent, damaged or of a newer schema."""
    try:
        row: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if row.pop("schema") != SCHEMA:
            raise ValueError("schema")
        files = {str(path): (str(f["sha256"]), int(f["size"])) for path, f in row.pop("files").items()}
        if not all(map(stays_inside, files)):
            raise ValueError("a path leads outside the folder")
        return Manifest(files=files, **row)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise WeightsError(f"The manifest of the bundle {folder.name!r} cannot be read.") from error


def write_manifest(
    folder: Path, card: Card, skipped: dict[str, str], pinned: Mapping[str, str] | None = None
) -> None:
    """Hash every file in a staged folder and record it."""
    files = {
        path.relative_to(folder).as_posix(): {"sha256": hash_file(path), "size": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / MANIFEST
    }
    made_with = ("looktwice", "torch", "timm", "open-clip-torch", "transformers", "openvino", "safetensors")
    row = {
        "schema": SCHEMA,
        "bundle": card.name,
        "card": card.digest,
        "files": files,
        "skipped": skipped,
        "versions": {package: version for package in made_with if (version := _version(package))},
    }
    if pinned:
        row["pinned"] = dict(pinned)
    (folder / MANIFEST).write_text(json.dumps(row, indent=2) + "\n", encoding="utf-8")


def find_damage(folder: Path, manifest: Manifest, *, hashes: bool = True) -> str | None:
    """The first file of the manifest that is missing, of another size or of another hash, or None."""
    for name, (sha256, size) in manifest.files.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != size or (hashes and hash_file(path) != sha256):
            return name
    return None


def _state(card: Card, name: str) -> tuple[Literal["ready", "missing", "outdated", "damaged"], str]:
    """The state of what a card describes, and in a sentence what to do; `name` is what it was asked for by."""
    folder = cached_bundles() / card.name
    if not (folder / MANIFEST).is_file():
        return "missing", f"The bundle {name!r} is not on this machine yet: run `looktwice pull {name}`."
    try:
        manifest = read_manifest(folder)
    except WeightsError:
        return "damaged", _damaged(name, MANIFEST)
    if damaged := find_damage(folder, manifest, hashes=False):
        return "damaged", _damaged(name, damaged)
    if manifest.card != card.digest:
        return "outdated", (
            f"The bundle {name!r} on this machine was made for another version: run `looktwice pull {name}`."
        )
    return "ready", ""


def _damaged(name: str, file: str) -> str:
    return f"The bundle {name!r} is damaged ({file}): run `looktwice pull {name}` to fetch it again."


def _is_tower(path: str) -> bool:
    return path in TOWER_FILES.values() or path.startswith("text/")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
