"""Limits that unlabelled parts of a product suggest, shown before anybody keeps them.

The parts are inspections by the product: of a folder, or of the history. Nothing is changed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assistant.detection.calibration import Calibration
from assistant.detection.check_set import CheckSet
from assistant.detection.prior import Prior
from assistant.detection.production_limits import calibrate_production
from assistant.inspection import Inspection
from assistant.language.wording import count
from assistant.products.learning import prior_for
from assistant.products.product import Product
from assistant.records.sign_offs import labels_of
from assistant.records.what_if import VERDICTS, Effect, recent_inspections, what_if

if TYPE_CHECKING:
    from assistant.records.history import History

BINS = 16


@dataclass(frozen=True)
class Bin:
    """A bar of a histogram: how many parts have scores from `low` to below `high`."""

    low: float
    high: float
    parts: int


@dataclass(frozen=True, eq=False)
class Proposal:
    """Limits that were worked out from parts, `calibration`, and what these make of the parts themselves.

    `effect`: as of recent inspections, how many of the parts are what now, and would be what. `left_out`: parts
    that somebody has called defective.
    """

    product: Product
    calibration: Calibration
    effect: Effect
    bins: tuple[Bin, ...]
    left_out: int = 0

    @property
    def parts(self) -> int:
        """How many parts are behind it."""
        return self.calibration.n

    @property
    def name(self) -> str:
        """What the limits rest on, in a few words, for the list of changes."""
        return f"by {count(self.parts, 'unlabelled part')}"

    @property
    def would_be(self) -> dict[str, int]:
        """How many of the parts would be good, for review and a defect."""
        return {after: sum(row[after] for row in self.effect.verdicts.values()) for after in VERDICTS}

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dict."""
        return {
            "product": self.product.name,
            "parts": self.parts,
            "left_out": self.left_out,
            "origin": self.calibration.evidence.origin,
            "would_be": self.would_be,
            "effect": asdict(self.effect),
            "bins": [asdict(one) for one in self.bins],
        }


def propose(
    product: Product,
    inspections: Iterable[Inspection],
    prior: Prior | None = None,
    known_bad: Sequence[Inspection] = (),
) -> Proposal:
    """The limits that unlabelled parts of a product suggest, at its own target, from inspections by it.

    `known_bad`: those of `inspections` that somebody has called defective, which are left out. CalibrationError
    where there are too few parts.
    """
    bad = {_same(one) for one in known_bad}
    read = {_same(one): one for one in inspections if one.verdict in VERDICTS and one.product == product.name}
    parts = [one for key, one in read.items() if key not in bad]
    scores = [one.score for one in parts]
    found = calibrate_production(scores, target=product.calibration.target, prior=prior_for(product, prior))
    edges = np.geomspace(max(1e-9, min(scores)), max(scores) * (1 + 1e-9), BINS + 1)
    counts, _ = np.histogram(scores, edges)
    bins = zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)
    return Proposal(
        product, found, what_if(product, found, parts), tuple(Bin(*one) for one in bins), len(read) - len(parts)
    )


def propose_from_history(history: History, product: Product, prior: Prior | None = None) -> Proposal:
    """As `propose`, from the newest parts that a history holds; those signed off as defective are left out."""
    parts = judged_alike(product, recent_inspections(history, product))
    return propose(product, parts, prior, signed_parts(history, product)[1])


def check_signed(history: History, product: Product, escape_cost: float, prior: Prior | None = None) -> CheckSet:
    """A check set of the parts that are signed off in a history; CalibrationError where a kind has none."""
    good, bad = signed_parts(history, product)
    return CheckSet.of(product.calibration, good, bad, escape_cost, prior_for(product, prior))


def judged_alike(product: Product, inspections: Iterable[Inspection]) -> list[Inspection]:
    """The inspections whose scores the product would give today: made since it last learned anything.

    Limits that were only moved since make no difference.
    """
    taught = [change.when for change in product.history if not (change.what == "recalibrated" and change.name)]
    since = max([product.created, *taught])
    return [
        one
        for one in inspections
        if one.product == product.name
        and one.weights == product.weights
        and one.references == len(product.references)
        and (one.created or "") >= since
    ]


def signed_parts(history: History, product: Product) -> tuple[list[Inspection], list[Inspection]]:
    """The parts that are signed off as good and as defective, judged by the limits of now from their scores."""
    signed = list(labels_of(history, product))
    alike = {id(one) for one in judged_alike(product, (label.kept.inspection for label in signed))}
    rows: dict[str, list[Inspection]] = {"good": [], "defect": []}
    for label in signed:
        one = label.kept.inspection
        if id(one) in alike and one.verdict in VERDICTS:
            limits = product.calibration
            rows[label.label].append(
                replace(
                    one,
                    verdict=limits.verdict(one.score),
                    threshold=limits.threshold,
                    review_threshold=limits.review_threshold,
                )
            )
    return rows["good"], rows["defect"]


def _same(one: Inspection) -> tuple[str, float]:
    """What two inspections of one part have in common."""
    return one.path, one.score
