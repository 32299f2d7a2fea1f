"""What-if: what recent inspections of a product would have become by other limits, by their stored scores.

Nothing is inspected again and nothing is changed. Where a change of a product moves scores too, as a mask or one
more good part does, what this says is an estimate.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from assistant.errors import LooktwiceError
from assistant.inspection import Inspection, Verdict, judge_counts
from assistant.language.catalogue import ENGLISH_WORDS, Wording
from assistant.language.terms import verdict_word
from assistant.language.wording import number, quote
from assistant.products.product import Product
from assistant.products.summary import ProductRow
from assistant.records.entries import Query

if TYPE_CHECKING:
    from assistant.records.history import History

MOST_RECENT = 500
"""Inspections of a product that are looked at, the newest."""

VERDICTS: tuple[Verdict, ...] = ("good", "review", "defect")


class Judging(Protocol):
    """What decides by a score: a Calibration, or `Limits`."""

    @property
    def threshold(self) -> float: ...

    @property
    def review_threshold(self) -> float: ...

    def verdict(self, score: float) -> Verdict: ...


@dataclass(frozen=True)
class Limits:
    """Two limits on the score: a defect above `threshold`, for review above `review_threshold`."""

    threshold: float
    review_threshold: float

    @classmethod
    def of(cls, judging: Judging) -> Limits:
        """The limits of a calibration."""
        return cls(judging.threshold, judging.review_threshold)

    def moved(self, threshold: float) -> Limits:
        """The limit elsewhere, that for review at the same share of it; LooktwiceError for no usable one."""
        if not (math.isfinite(threshold) and threshold > 0):
            raise LooktwiceError(f"A limit is a score above 0, not {threshold:g}.")
        share = self.review_threshold / self.threshold if self.threshold > 0 else 1.0
        return Limits(threshold, share * threshold)

    def verdict(self, score: float) -> Verdict:
        """The decision, by the two limits."""
        if score > self.threshold:
            return "defect"
        return "review" if score > self.review_threshold else "good"


@dataclass(frozen=True)
class Effect:
    """What other limits would make of recent inspections of a product.

    `recent`: how many inspections were looked at. `changed`: how many of them would get another verdict.
    `verdicts[a][b]`: how many are a by the limits `before`, and would be b by those `after`. `earlier`: how many
    of them were judged by an earlier state of the product, whose scores may tell less.
    """

    product: str
    before: Limits
    after: Limits
    recent: int
    changed: int
    earlier: int
    verdicts: dict[str, dict[str, int]]


def what_if(product: Product, other: Judging, inspections: Iterable[Inspection]) -> Effect:
    """What recent inspections of a product become where `other` judges in place of its own limits."""
    verdicts = {before: dict.fromkeys(map(str, VERDICTS), 0) for before in VERDICTS}
    recent = earlier = changed = 0
    for one in inspections:
        if one.verdict not in VERDICTS or one.product != product.name:
            continue  # nothing was decided, or about something else
        by_score = product.calibration.verdict(one.score), other.verdict(one.score)
        before, after = (judge_counts(verdict, one.counts) for verdict in by_score)
        verdicts[before][after] += 1
        recent += 1
        changed += before != after
        earlier += judged_earlier(one, product)
    limits = Limits.of(product.calibration), Limits.of(other)
    return Effect(product.name, *limits, recent, changed, earlier, {str(k): row for k, row in verdicts.items()})


def other_limits(product: Product, target: float | None = None, limit: float | None = None) -> Judging:
    """A product's limits at another false-alarm target, or with the limit moved to a score.

    LooktwiceError for both or neither, and for what cannot be a target or a limit.
    """
    if (target is None) == (limit is None):
        raise LooktwiceError("Give either another false-alarm target or another limit.")
    if target is not None:
        return product.calibration.at(target)
    return Limits.of(product.calibration).moved(limit or 0.0)


def judged_earlier(inspection: Inspection, product: Product | ProductRow) -> bool:
    """Whether a product has changed since it judged a picture: by its limits and how many references it has."""
    if isinstance(product, ProductRow):
        now = (product.threshold, product.review_threshold, product.references)
    else:
        limits = product.calibration
        now = (limits.threshold, limits.review_threshold, len(product.references))
    judged = (inspection.threshold, inspection.review_threshold, inspection.references)
    return inspection.status == "ok" and judged != now


def asked_of(product: Product) -> Query:
    """The query for the inspections of a product, and not of an earlier one that had its name."""
    try:
        since = datetime.fromisoformat(product.created)
    except ValueError:
        since = None
    return Query(product.name, since=since)


def recent_inspections(history: History, product: Product) -> list[Inspection]:
    """The newest inspections of a product in a history, `MOST_RECENT` at most; the errors are the history's."""
    return [kept.inspection for kept in islice(history.every(asked_of(product)), MOST_RECENT)]


def describe(effect: Effect, w: Wording = ENGLISH_WORDS) -> str:
    """An effect in one sentence: the limits before and after, and which verdicts would change."""
    moved = w.commas(
        (
            _describe_limit(w, effect.before.threshold, effect.after.threshold),
            _describe_review(w, effect.before.review_threshold, effect.after.review_threshold),
        )
    )
    return f"{moved}; {describe_changes(effect, w)}{w('.')}"


def describe_changes(effect: Effect, w: Wording = ENGLISH_WORDS) -> str:
    """Which verdicts would change, as the end of a sentence."""
    if not effect.recent:
        return w("no recent inspection of it is kept, so what it changes there is not known")
    moves = [
        w("{n} from {before} to {after}", n=n, before=verdict_word(w, before), after=verdict_word(w, after))
        for before, row in effect.verdicts.items()
        for after, n in row.items()
        if n and before != after
    ]
    told = w.count(
        "of the last {n} inspection of {product}, by their scores, {changed} would change",
        "of the last {n} inspections of {product}, by their scores, {changed} would change",
        effect.recent,
        product=quote(effect.product),
        changed=effect.changed or w("none"),
    )
    told += f": {w.commas(moves)}" if moves else ""
    if effect.earlier:
        told += f" ({w('{n} of them were judged by an earlier state of the product', n=effect.earlier)})"
    return told


def _describe_limit(w: Wording, before: float, after: float) -> str:
    old, new = number(before), number(after)
    if old == new:
        return w("The limit stays at {new}", new=new)
    return w("The limit goes from {old} to {new}", old=old, new=new)


def _describe_review(w: Wording, before: float, after: float) -> str:
    old, new = number(before), number(after)
    if old == new:
        return w("that for review stays at {new}", new=new)
    return w("that for review goes from {old} to {new}", old=old, new=new)
