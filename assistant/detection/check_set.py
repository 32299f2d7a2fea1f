"""A check set: known good and bad parts as a product judges them, and the limits that would judge them better.

Shares come with an interval: of all parts like these, the share lies in it with 90 % confidence (Clopper and
Pearson 1934). Knows inspections and limits: no pictures, no towers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from assistant.detection.calibration import NARROWEST, Calibration, calibrate
from assistant.detection.counting import CONFIDENCE, percent
from assistant.detection.prior import Prior
from assistant.errors import CalibrationError, told
from assistant.inspection import Inspection, Verdict, judge_counts, judge_score

Truth = Literal["good", "bad"]

ESCAPE_COST = 5.0
"""A defect called good costs as much as so many good parts called defective, unless somebody says otherwise."""

REVIEW_COST = 0.2
"""And a part that goes to a person as much as such a share of a good part called defective."""

TARGETS = (0.01, 0.02, 0.05, 0.1, 0.2)
"""False-alarm targets whose limits are tried."""


@dataclass(frozen=True)
class Share:
    """`count` of `of` parts, and between which shares of all such parts that lies, with 90 % confidence."""

    count: int
    of: int
    low: float = field(init=False)
    high: float = field(init=False)

    def __post_init__(self) -> None:
        if not 0 <= self.count <= self.of:
            raise ValueError(f"{self.count} of {self.of} is no share")
        from scipy.special import betaincinv

        side, rest = (1 - CONFIDENCE) / 2, self.of - self.count
        low = float(betaincinv(self.count, rest + 1, side)) if self.count else 0.0
        high = float(betaincinv(self.count + 1, rest, 1 - side)) if rest else 1.0
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    @property
    def rate(self) -> float:
        """The share among these parts; NaN of none."""
        return self.count / self.of if self.of else math.nan

    def __str__(self) -> str:
        if not self.of:
            return "none was given"
        return f"{self.count} of {self.of} ({percent(self.low)} to {percent(self.high)})"


@dataclass(frozen=True)
class Outcome:
    """What two limits make of a check set: `name` says which limits they are.

    `overkill`: good parts called defective. `escape`: bad parts called good. `review`: parts of both kinds that go
    to a person.
    """

    name: str
    threshold: float
    review_threshold: float
    overkill: Share
    escape: Share
    review: Share

    @property
    def limits(self) -> tuple[float, float]:
        """The limit for review and the threshold."""
        return self.review_threshold, self.threshold

    def cost(self, escape_cost: float = ESCAPE_COST) -> float:
        """What it costs: 1 where all good parts were called defective; NaN without parts of both kinds."""
        return self.overkill.rate + escape_cost * self.escape.rate + REVIEW_COST * self.review.rate


@dataclass(frozen=True, eq=False)
class CheckSet:
    """Inspections of known good and of known bad parts, by the limits `calibration` of their product.

    Pictures that could not be read count nowhere; `unread` has them. `escape_cost`: what one bad part called good
    costs, in good parts called defective. `prior`: what other products teach, for the curve of the limits that are
    kept. CalibrationError where no good or no bad part can be read.
    """

    calibration: Calibration
    good: tuple[Inspection, ...]
    bad: tuple[Inspection, ...]
    escape_cost: float = ESCAPE_COST
    unread: tuple[Inspection, ...] = ()
    prior: Prior | None = None

    @classmethod
    def of(
        cls,
        calibration: Calibration,
        good: Sequence[Inspection],
        bad: Sequence[Inspection],
        escape_cost: float = ESCAPE_COST,
        prior: Prior | None = None,
    ) -> CheckSet:
        """A check set of inspections, of which some may be errors."""
        read = [tuple(one for one in rows if one.status == "ok") for rows in (good, bad)]
        unread = tuple(one for one in (*good, *bad) if one.status == "error")
        return cls(calibration, read[0], read[1], escape_cost, unread, prior)

    def __post_init__(self) -> None:
        if not self.good or not self.bad:
            raise CalibrationError(
                "A check set has good and bad parts: of the good ones none can be read."
                if not self.good
                else "A check set has good and bad parts: of the bad ones none can be read."
            )
        if not (math.isfinite(self.escape_cost) and self.escape_cost > 0):
            raise CalibrationError(f"What a missed defect costs is a number above 0, not {self.escape_cost:g}.")

    @cached_property
    def now(self) -> Outcome:
        """What the product's own verdicts make of the parts."""
        limits = self.calibration.review_threshold, self.calibration.threshold
        return self._outcome("now", limits, lambda one: one.verdict or "good")

    @cached_property
    def better(self) -> Outcome:
        """The cheapest limits for these parts, see `cheapest_limits`; those of now where none are cheaper.

        They were chosen on the very parts that they are counted on, and will do a little worse on others.
        """
        found = self.at("recommended", cheapest_limits(*self._scores, self.escape_cost))
        better = found.cost(self.escape_cost) < self.now.cost(self.escape_cost)
        return found if better else replace(self.now, name=told("recommended"))

    @cached_property
    def tried(self) -> tuple[Outcome, ...]:
        """What limits would make of the parts: `now`, `better`, those of other targets, and at either end."""
        good, bad = self._scores
        rows = [self.now, self.better]
        rows += [self.at(told(f"target {percent(t)}"), _limits_of(c)) for t, c in self._targets()]
        review, threshold = self.now.limits
        above, below = float(good.max()) / (1 - NARROWEST), (1 - NARROWEST) * float(bad.min())
        rows.append(self.at(told("no good part called defect"), (min(review, (1 - NARROWEST) * above), above)))
        rows.append(self.at(told("no bad part called good"), (below, max(threshold, below / (1 - NARROWEST)))))
        return tuple(rows)

    @property
    def wrong(self) -> tuple[Inspection, ...]:
        """Good parts called defective, then bad parts called good."""
        return (
            *(one for one in self.good if one.verdict == "defect"),
            *(one for one in self.bad if one.verdict == "good"),
        )

    @property
    def calibrated(self) -> Calibration:
        """The limits `better` with what they rest on, to be kept with the product."""
        scores = [one.score for one in self.good]
        curve = calibrate(scores, target=self.calibration.target, prior=self.prior)
        return replace(curve, method="checked", limits=self.better.limits, source=self._origin())

    def at(self, name: str, limits: tuple[float, float]) -> Outcome:
        """What two limits, that for review and the threshold, would make of the parts."""

        def verdict(one: Inspection) -> Verdict:
            return judge_counts(judge_score(one.score, *limits), one.counts)

        return self._outcome(name, limits, verdict)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dict: each part with its truth and its verdict, and what was tried."""
        parts: list[tuple[Truth, Inspection]] = [("good", one) for one in self.good]
        parts += [("bad", one) for one in self.bad]
        return {
            "now": asdict(self.now),
            "recommended": asdict(self.better),
            "tried": [asdict(one) for one in self.tried],
            "escape_cost": self.escape_cost,
            "parts": [
                {"truth": truth, "path": one.path, "verdict": one.verdict, "score": one.score}
                for truth, one in parts
            ],
            "unread": [{"path": one.path, "error": one.error} for one in self.unread],
        }

    @property
    def _scores(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        return np.array([one.score for one in self.good]), np.array([one.score for one in self.bad])

    def _targets(self) -> Iterator[tuple[float, Calibration]]:
        for target in TARGETS:
            try:
                yield target, self.calibration.at(target)
            except CalibrationError:
                continue  # limits that rest on too little for it

    def _outcome(
        self, name: str, limits: tuple[float, float], verdict: Callable[[Inspection], Verdict]
    ) -> Outcome:
        good, bad = [verdict(one) for one in self.good], [verdict(one) for one in self.bad]
        return Outcome(
            name=name,
            threshold=limits[1],
            review_threshold=limits[0],
            overkill=Share(good.count("defect"), len(good)),
            escape=Share(bad.count("good"), len(bad)),
            review=Share((good + bad).count("review"), len(good + bad)),
        )

    def _origin(self) -> str:
        one = self.better
        return told(
            f"{len(self.good)} good and {len(self.bad)} bad parts that were checked: of these very parts "
            f"{one.overkill.count} good {'is' if one.overkill.count == 1 else 'are'} called defective, "
            f"{one.escape.count} bad {'is' if one.escape.count == 1 else 'are'} called good, and "
            f"{one.review.count} {'goes' if one.review.count == 1 else 'go'} to a person"
        )


def cheapest_limits(
    good: Sequence[float] | np.ndarray[Any, Any],
    bad: Sequence[float] | np.ndarray[Any, Any],
    escape_cost: float = ESCAPE_COST,
) -> tuple[float, float]:
    """The limit for review and the threshold that cost least on scores of good and of bad parts, all above 0.

    The cost is the share of good parts called defective, and `escape_cost` times the share of bad parts called
    good, and `REVIEW_COST` times the share that goes to a person. Of limits that cost the same, those in the
    widest gap between scores are taken; in its gap the threshold lies at two thirds and the limit for review at
    one, since nobody knows what parts in between would be: such parts go to a person.
    """
    good, bad = np.sort(np.log(np.maximum(good, 1e-9))), np.sort(np.log(np.maximum(bad, 1e-9)))
    scores = np.unique(np.concatenate([good, bad]))
    edge = -3 * math.log1p(-NARROWEST)
    ends = np.concatenate([[scores[0] - edge], scores, [scores[-1] + edge]])
    low, gap = ends[:-1], np.diff(ends)  # a cut lies somewhere in a gap, above the score at its lower end
    good_below = np.searchsorted(good, low, side="right") / len(good)
    bad_below = np.searchsorted(bad, low, side="right") / len(bad)
    below = (good_below * len(good) + bad_below * len(bad)) / (len(good) + len(bad))
    # A row for each cut of the threshold, a column for each of the limit for review.
    cost = (1 - good_below)[:, None] + escape_cost * bad_below[None] + REVIEW_COST * (below[:, None] - below[None])
    cost[np.triu_indices(len(low), 1)] = math.inf
    room = np.minimum(gap[:, None], gap[None])
    best = np.where(cost <= cost.min() + 1e-9, room, -1.0)
    upper, lower = np.unravel_index(int(best.argmax()), best.shape)
    threshold = math.exp(low[upper] + 2 * gap[upper] / 3)
    review = math.exp(low[lower] + gap[lower] / 3)
    return min(review, (1 - NARROWEST) * threshold), threshold


def _limits_of(calibration: Calibration) -> tuple[float, float]:
    return calibration.review_threshold, calibration.threshold
