"""The card of an export: what it is, where its limits come from, and what was measured on pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from assistant.adapters.similarity import product_type
from assistant.errors import LooktwiceError
from assistant.files import write_atomically
from assistant.inspection import Verdict
from assistant.models.digests import hash_file
from assistant.products.product import Product

SCHEMA = 1
CARD = "card.json"
TEXT = "card.txt"
VERDICTS: tuple[Verdict, ...] = ("good", "review", "defect")
"""What the numbers that a graph gives as a verdict mean."""

_WRITERS = ("looktwice", "torch", "onnx", "onnxscript", "onnxruntime", "openvino")


@dataclass(frozen=True)
class Parity:
    """How an exported graph and the library agree on pictures.

    `pictures`: how many were compared, and `left_out` how many were not, since one of both did not read them.
    `score_median` and `score_max`: how far scores lie apart, `map_max` how far any patches of maps do. `flips`:
    pictures with another verdict, by name, as (name, the library's, the graph's). `library_ms` and `graph_ms`:
    medians of milliseconds a picture, one by one, decoding included.
    """

    pictures: int
    left_out: int
    score_median: float
    score_max: float
    map_max: float
    flips: tuple[tuple[str, str, str], ...]
    library_ms: float
    graph_ms: float

    @property
    def sentence(self) -> str:
        """The same in words."""
        return (
            f"On {self.pictures} pictures {len(self.flips)} verdicts differ from the library's; scores lie "
            f"{self.score_max:.2g} apart at most and {self.score_median:.2g} in the median, maps "
            f"{self.map_max:.2g} at most. A picture takes {self.graph_ms:.0f} ms, "
            f"in the library {self.library_ms:.0f}."
            + (f" {self.left_out} more were left out." if self.left_out else "")
        )


@dataclass(frozen=True)
class ExportCard:
    """What a folder with an exported product holds; `parity` is None until it was compared on pictures.

    `picture` has width, height, channels, layout and type of what the graph takes, `map` is (height, width) of its
    map. `limits` are review and threshold, with their origin in words. `files`: SHA-256 digests by name.
    `products`: the number type that cosines are rounded to, as on the machine that exported.
    """

    product: str
    format: str
    int8: bool
    picture: Mapping[str, Any]
    map: tuple[int, int]
    limits: Mapping[str, Any]
    digests: Mapping[str, str]
    files: Mapping[str, str]
    versions: Mapping[str, str]
    products: str
    created: str
    verdicts: tuple[str, ...] = VERDICTS
    parity: Parity | None = None
    schema: int = SCHEMA

    @classmethod
    def of(
        cls, product: Product, folder: Path, size: tuple[int, int], grid: tuple[int, int], format: str, int8: bool
    ) -> ExportCard:
        """The card of what was just written into a folder, for pictures of a size (width, height)."""
        limits = product.calibration
        picture = {
            "width": size[0],
            "height": size[1],
            "channels": "RGB",
            "layout": "HWC",
            "type": "uint8" if product.window.levels is None else "uint16",
        }
        stated = {
            "review": limits.review_threshold,
            "threshold": limits.threshold,
            "origin": limits.evidence.origin,
        }
        digests = {
            "product": product.seal,
            "bundle": product.bundle,
            "weights": product.weights,
            "scoring": product.scoring.digest,
        }
        files = {path.name: hash_file(path) for path in sorted(folder.iterdir()) if path.is_file()}
        used = str(product_type("cpu")).removeprefix("torch.")
        now = datetime.now(UTC).isoformat(timespec="seconds")
        versions = {name: version(name) for name in _WRITERS}
        return cls(product.name, format, int8, picture, grid, stated, digests, files, versions, used, now)

    def with_parity(self, parity: Parity) -> ExportCard:
        """The card with what was measured."""
        return replace(self, parity=parity)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dict; `from_dict` reverses it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> ExportCard:
        """Rebuild from `to_dict`."""
        parity = row.get("parity")
        if parity:
            parity = Parity(**{**parity, "flips": tuple(tuple(flip) for flip in parity["flips"])})
        lists = {"map": tuple(row["map"]), "verdicts": tuple(row["verdicts"])}
        return cls(**{**row, **lists, "parity": parity})

    @classmethod
    def read(cls, folder: Path) -> ExportCard:
        """The card of a folder; LooktwiceError where it is none of an export, or a file has changed since."""
        try:
            card = cls.from_dict(json.loads((folder / CARD).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise LooktwiceError(f"{folder.name} holds no exported product that can be read.") from error
        for name, digest in card.files.items():
            if not (folder / name).is_file() or hash_file(folder / name) != digest:
                raise LooktwiceError(f"{name} in {folder.name} is missing or has changed since it was exported.")
        return card

    def write(self, folder: Path) -> None:
        """Write the card as JSON and in words."""
        content = json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False, indent=1)
        write_atomically(folder / CARD, content.encode())
        write_atomically(folder / TEXT, self.text.encode())

    @property
    def text(self) -> str:
        """The card in words."""
        picture = self.picture
        return "\n".join(
            (
                f"{self.product}, exported {self.created} as {self.format}"
                + (" with an int8 tower" if self.int8 else " in float32"),
                f"Takes: {picture['width']} x {picture['height']} pixels, [H, W, 3] {picture['type']} "
                f"{picture['channels']}, upright, transparency on white",
                f"Gives: map {self.map[0]} x {self.map[1]}, score, verdict (0 good, 1 review, 2 defect)",
                f"Limits: review above {self.limits['review']:.6g}, defect above {self.limits['threshold']:.6g}; "
                f"{self.limits['origin']}",
                f"Bundle: {self.digests['bundle']}, weights {self.digests['weights']}; product "
                f"{self.digests['product']}; cosines in {self.products}",
                "Written by: " + ", ".join(f"{name} {number}" for name, number in self.versions.items()),
                f"Parity: {self.parity.sentence if self.parity else 'not measured yet'}",
                "",
            )
        )
