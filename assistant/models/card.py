"""The card of a model bundle: which towers, from where, under which licence, and how they are fed.

Cards are the TOML files in `assistant/bundles/`, and those that people write for towers of their own.
They are read and checked here.
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
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from assistant.errors import WeightsError, unknown_name
from assistant.models.places import cached_bundles
from assistant.models.sources import HubFolder, OwnFiles, Source, Wheel, check

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

ENDING = ".toml"

KEPT = "card.toml"
"""The copy of a card of one's own in its bundle's folder, by which its name is known after a pull."""

_NAME = re.compile(r"(?=.{1,32}$)[a-z][a-z0-9-]*(\.[a-z0-9-]+)*")


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
        check(self.kind in IMAGE_KINDS, f"kind {self.kind!r} is not one of {', '.join(IMAGE_KINDS)}")
        check(self.architecture, "architecture is empty")
        rising = tuple(sorted(set(self.layers))) == self.layers and all(i >= 0 for i in self.layers)
        check(self.layers and rising, f"layers {self.layers} are not rising indices from 0 on")
        check(self.multiple > 0, f"multiple {self.multiple} is not positive")
        fits = self.image_size > 0 and self.image_size % self.multiple == 0
        check(fits, f"image_size {self.image_size} is not a multiple of {self.multiple}")
        check(len(self.mean) == len(self.std) == 3, "mean and std need three values each")
        check(all(s > 0 for s in self.std), "std must be positive")
        divided = len(self.shares) == len(self.layers) and abs(sum(self.shares) - 1) < 1e-6
        check(not self.shares or divided, f"shares {self.shares} do not divide {len(self.layers)} layers")
        check(self.attention in ATTENTIONS, f"attention {self.attention!r} is not one of {', '.join(ATTENTIONS)}")
        fits = self.attention == "plain" or self.kind == "open_clip"
        check(fits, f"attention {self.attention!r} needs a tower of the kind open_clip")


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
        check(self.kind in TEXT_KINDS, f"kind {self.kind!r} is not one of {', '.join(TEXT_KINDS)}")
        check(self.pooler in POOLERS, f"pooler {self.pooler!r} is not one of {', '.join(POOLERS)}")
        check(self.dimensions > 0, f"dimensions {self.dimensions} is not positive")
        check((self.kind == "sentence") == (self.source is not None), "a sentence tower needs a source")


@dataclass(frozen=True)
class LanguageModel:
    """A language model that puts evidence into words: "causal" reads text, "vision" reads pictures too.

    `architecture` is its type in transformers, "" where the card does not say.
    """

    kind: str
    source: Source
    architecture: str = ""

    def __post_init__(self) -> None:
        check(self.kind in LANGUAGE_KINDS, f"kind {self.kind!r} is not one of {', '.join(LANGUAGE_KINDS)}")


@dataclass(frozen=True, kw_only=True)
class Card:
    """What is pulled under one name: a language model alone, to answer beside any towers, or a whole `Bundle`.

    `measured` says whether this project has run it and published its numbers.
    """

    name: str
    title: str
    licence: str
    measured: bool
    language: LanguageModel | None = None
    note: str = ""

    def __post_init__(self) -> None:
        check(_NAME.fullmatch(self.name), f"name {self.name!r} is not a short lower-case word")
        check(self.title and self.licence, "title or licence is empty")

    @property
    def parts(self) -> dict[str, ImageTower | TextTower | LanguageModel | None]:
        """The parts by their names in the card, None for those that it does not have."""
        return {"language": self.language}

    @property
    def sources(self) -> dict[str, Source]:
        """Every part that is fetched, by its name in the card."""
        return {name: part.source for name, part in self.parts.items() if part is not None and part.source}

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that change when the parts, their sources or their feeding change."""
        return _digest(*self.parts.values())


@dataclass(frozen=True, kw_only=True)
class Bundle(Card):
    """Everything that one inspector needs, by name.

    `patch_tower` is a second image tower that gives `Features.layers`, or None where `image` gives them as well.
    """

    image: ImageTower
    text: TextTower
    patch_tower: ImageTower | None = None

    @property
    def parts(self) -> dict[str, ImageTower | TextTower | LanguageModel | None]:
        """The parts by their names in the card, None for those that it does not have."""
        towers = {"image": self.image, "patch_tower": self.patch_tower, "text": self.text}
        return {**towers, "language": self.language}

    @property
    def tower_digest(self) -> str:
        """As `digest`, without the language model, which has no say in a score."""
        return _digest(self.image, self.patch_tower, self.text)


def card_names() -> list[str]:
    """The names of the cards this version knows, the default one first."""
    names = [f.name.removesuffix(ENDING) for f in card_folder().iterdir() if f.name.endswith(ENDING)]
    return sorted(names, key=lambda name: (name != DEFAULT, name))


def own_names() -> list[str]:
    """The names of the user's own cards that were pulled."""
    return sorted(kept.parent.name for kept in cached_bundles().glob(f"*/{KEPT}"))


def load_card(name: str) -> Bundle:
    """The card of a bundle, by its name or by the path of one's own; after a pull its name is known too.

    WeightsError where there is no such bundle, its card is not right, or it holds a language model alone.
    """
    card = load_any_card(name)
    if not isinstance(card, Bundle):
        raise WeightsError(
            f"{card.name!r} is a language model without towers: give it as the explainer, beside a bundle."
        )
    return card


def load_any_card(name: str) -> Card:
    """As `load_card`, with language models alone too."""
    if name.endswith(ENDING):
        return _load_own(Path(name).expanduser())
    if name not in (known := card_names()):
        if name in own_names():
            return _load_own(cached_bundles() / name / KEPT)
        raise WeightsError(
            f"{unknown_name('bundle', name, known)} A card of your own is a path that ends in {ENDING}."
        )
    text = (card_folder() / f"{name}{ENDING}").read_text(encoding="utf-8")
    try:
        card = read_card(text)
        check(card.name == name, f"the card calls itself {card.name!r}")
        check(not any(isinstance(s, OwnFiles) for s in card.sources.values()), "own files do not ship")
    except ValueError as error:
        raise WeightsError(f"The card of the bundle {name!r} is not right: {error}.") from error
    return card


def _load_own(path: Path) -> Card:
    """The card in a file of somebody's own; WeightsError in one sentence where it is missing or not right."""
    try:
        card = read_card(path.read_text(encoding="utf-8"), path.parent)
        taken = card.name in card_names()
        check(not taken, f"{card.name!r} is the name of a bundle that ships, so choose another one")
    except OSError as error:
        raise WeightsError(f"The card {str(path)!r} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise WeightsError(f"The card {str(path)!r} is not right: {error}.") from error
    return card


def read_card(text: str, folder: Path | None = None) -> Card:
    """A card from TOML text; ValueError names the first thing that is unknown, missing or out of range.

    `folder` is where the card lies, from which the paths of own files count.
    """
    row = tomllib.loads(text)
    schema = row.pop("schema", None)
    check(schema == SCHEMA, f"schema {schema!r} is not {SCHEMA}, the one this version reads")
    for section, kind in _SECTIONS.items():
        if section in row:
            row[section] = _build(kind, _table(row[section], section), section, folder)
    alone = "language" in row and not {"image", "text", "patch_tower"} & set(row)
    return _build(Card if alone else Bundle, row, "the card")


def card_folder() -> Traversable:
    """The folder with the cards, which is part of the package."""
    return resources.files("assistant.bundles")


_SECTIONS: dict[str, type[ImageTower | TextTower | LanguageModel]] = {
    "image": ImageTower,
    "patch_tower": ImageTower,
    "text": TextTower,
    "language": LanguageModel,
}


def _build(kind: type[Section], row: dict[str, Any], where: str, folder: Path | None = None) -> Section:
    if "source" in row and isinstance(row["source"], dict):
        row = row | {"source": _build(_kind_of(row["source"]), row["source"], f"{where}.source", folder)}
    if kind is OwnFiles and folder is not None and row.get("path") and isinstance(row["path"], str):
        row = row | {"path": str(folder.absolute() / Path(row["path"]).expanduser())}
    fields = {f.name: f for f in dataclasses.fields(kind)}
    if unknown := sorted(set(row) - set(fields)):
        raise ValueError(f"unknown keys in {where}: {', '.join(unknown)}")
    needed = {n for n, f in fields.items() if f.default is dataclasses.MISSING}
    if missing := sorted(needed - set(row)):
        raise ValueError(f"missing keys in {where}: {', '.join(missing)}")
    for name, value in row.items():
        check(_fits(value, str(fields[name].type)), f"{where}.{name} has a value of the wrong kind")
    try:
        return kind(**{n: tuple(v) if isinstance(v, list) else v for n, v in row.items()})
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _kind_of(source: dict[str, Any]) -> type[Source]:
    """Which kind of source a section describes, by the key that only this kind has."""
    return Wheel if "package" in source else OwnFiles if "path" in source else HubFolder


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
    for part, row in zip(parts, rows, strict=True):
        if row and isinstance(part, LanguageModel):
            del row["architecture"]  # it only says what the source is
        if row and row["source"]:
            del row["source"]["licence"]  # rewording it must not make anyone fetch again
            for key in ("path", "unpacked"):
                row["source"].pop(key, None)
            if "repo" in row["source"]:
                row["source"]["size"] = 0  # learning it later must not either
        if row and row.get("attention") == "plain":
            del row["attention"]  # cards without the key keep the digest that they had before there was one
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()[:12]
