"""A product in short, and with all that it holds, as plain data that a screen or a client can be given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from assistant.detection.counting import parts_missing
from assistant.images.window import Window
from assistant.images.zones import Zone
from assistant.products.product import Change, Product


@dataclass(frozen=True)
class ReferenceRow:
    """What a product holds: a good part with its score against the others, or a known defect with its label."""

    id: int
    kind: Literal["good", "defect"]
    name: str
    label: str
    score: float | None


@dataclass(frozen=True, kw_only=True)
class ProductRow:
    """A product in short; one whose file cannot be read has an `error` and no numbers.

    `registered`: its parts are brought to the pose of the first reference; `aligned`: they lie alike in all
    pictures then, or anyhow; `alike`: its pictures are alike as wholes. `window`: black and
    white of its pictures, None where they have 8 bits or are each scaled by itself. `expected_rate` of good parts
    is expected above the threshold, `upper_rate` is what counting promises at most with 90 % confidence, and
    `missing` more good parts let it promise the target. `counted`: the zones in which a number is expected.
    """

    name: str
    error: str | None = None
    bundle: str | None = None
    references: int = 0
    defects: int = 0
    threshold: float | None = None
    review_threshold: float | None = None
    target_false_alarm: float | None = None
    method: str | None = None
    origin: str | None = None
    expected_rate: float | None = None
    upper_rate: float | None = None
    missing: int | None = None
    aligned: bool = False
    registered: bool = False
    alike: bool = False
    tiles: int = 1
    memory: str = "nearest"
    views: str = "plain"
    window: Window | None = None
    counted: tuple[Zone, ...] = ()
    created: str | None = None
    bytes: int = 0
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ProductDetail(ProductRow):
    """A product with what it holds and what was changed."""

    contents: tuple[ReferenceRow, ...]
    changes: tuple[Change, ...]
    undoable: int


def summary_of(product: Product) -> ProductRow:
    """A product in short."""
    return ProductRow(**_short(product))


def detail_of(product: Product) -> ProductDetail:
    """A product with its pictures and its changes."""
    return ProductDetail(
        **_short(product),
        contents=tuple(contents_of(product)),
        changes=product.history,
        undoable=len(product.past),
    )


def contents_of(product: Product) -> Iterator[ReferenceRow]:
    """The references of a product, and then its known defects."""
    for reference in product.references:
        yield ReferenceRow(reference.id, "good", reference.name, "", reference.score)
    for defect in product.known.defects:
        yield ReferenceRow(defect.id, "defect", defect.name, defect.label, None)


def _short(product: Product) -> dict[str, Any]:
    limits, evidence = product.calibration, product.calibration.evidence
    return {
        "name": product.name,
        "bundle": product.bundle,
        "references": len(product.references),
        "defects": len(product.known.defects),
        "threshold": limits.threshold,
        "review_threshold": limits.review_threshold,
        "target_false_alarm": limits.target,
        "method": evidence.method,
        "origin": evidence.origin,
        "expected_rate": evidence.expected_rate,
        "upper_rate": evidence.upper_rate,
        "missing": parts_missing(evidence),
        "aligned": product.aligned,
        "registered": product.registration is not None,
        "alike": product.alike,
        "tiles": product.tiles,
        "memory": product.memory,
        "views": product.views,
        "window": product.window if product.window != Window() else None,
        "counted": tuple(one.zone for one in product.counted),
        "created": product.created,
        "bytes": product.nbytes,
        "remarks": product.remarks,
    }
