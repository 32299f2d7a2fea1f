"""From scores of good pictures to a threshold, at a stated rate of false alarms.

Every result says which rule spoke:

`conformal`   Enough good pictures to count: at most the target rate of good parts lies beyond the limit, with 90 %
              confidence, by an order statistic of their scores, each scored without itself (Wilks 1941,
              "Determination of sample sizes for setting tolerance limits"; leave-one-out as in arXiv 2402.16388).
`predictive`  Too few to count: the limit is a quantile of a hierarchical predictive distribution. Log-scores of a
              product's good pictures have a spread, which its references show and other products complete, and
              parts made at another moment differ more than those of one, by as much as other products have shown
              (Fisch et al. 2021, "Few-shot conformal prediction with auxiliary tasks", is the idea; the curve is
              a Student t as in Gelman et al., "Bayesian Data Analysis", section 3.3).
`built-in`    No good picture at all: scores of good pictures of other things, measured beforehand.
`mutual`      No good picture named, but many unlabelled ones, of which an estimated share is taken as good: see
              `detection.mutual_limits`.
`production`  Unlabelled parts of this product, most of which are taken as good: see `detection.production_limits`.
`checked`     Set on parts that somebody sorted into good and defective: see `detection.check_set`. The curve is
              that of the good ones among them, for p-values alone.

There are two limits. The threshold allows for other moments. Below it a score may go to a person, from where it is
unusual for the moment that the references show. Knows numbers only: no pictures, no towers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from assistant.detection.counting import CONFIDENCE, UNCOUNTED, counted_rank, parts_needed, percent, upper_rate
from assistant.detection.prior import Prior
from assistant.errors import CalibrationError, told
from assistant.inspection import Evidence, Verdict, judge_score, present_name

Method = Literal["conformal", "predictive", "built-in", "mutual", "production", "checked"]

REVIEW_RATE = 0.3
"""A score that at most so many good pictures of one moment reach goes to a person: chosen so that no more defects
are called good than before limits allowed for other moments (docs/limits.md)."""

REVIEW_FACTORS: dict[Method, float] = {"built-in": 4.0, "mutual": 2.0}
"""Where no good picture is known: a p-value between the target and this many times the target goes to a person."""

NARROWEST = 0.02
"""Scores of good parts differ by at least this share, and so do the two limits: nobody knows a limit better."""

FADE = 45.0
"""From so many references on, which is what a counted limit of 5 % takes, half of what other moments add is taken
to be among them."""

SMALLEST_TARGET = 1e-6
"""No number of references supports a smaller share of false alarms, and fitted curves run to infinity there."""

BEYOND = 100.0
"""No logarithm of a limit is larger: no score comes near, and a curve from two pictures runs to infinity."""


@dataclass(frozen=True)
class Calibration:
    """Two limits on the raw score, and the p-value of any score.

    `scores`: the sorted scores of good pictures behind it, of any unit; `views`, those of changed views of a
    single one; `thinned`, those of good pictures with another one left out too. `center`, `width` and `freedom`
    are those of the Student t of the log-score of good pictures of one moment, and `between` is how much variance
    other moments add, or in a batch not knowing which are good, as a multiple. `n`: different good pictures, 0 for
    a built-in limit. `limits`: that for review and the threshold, where they were set on checked parts, and
    `source` on which; None else.
    """

    method: Method
    target: float
    scores: tuple[float, ...]
    n: int
    center: float
    width: float
    freedom: float
    source: str = ""
    between: float = 0.0
    views: tuple[float, ...] = ()
    thinned: tuple[float, ...] = ()
    limits: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        check_target(self.target)
        numbers = (*self.scores, *self.views, *self.thinned, self.center, self.width, self.freedom, self.between)
        if not all(math.isfinite(v) for v in numbers):
            raise CalibrationError("The threshold cannot be worked out from scores that are not finite.")
        if self.method not in get_args(Method):
            raise ValueError(f"no such method as {self.method!r}")
        if min(self.width, self.freedom) <= 0 or self.between < 0 or list(self.scores) != sorted(self.scores):
            raise ValueError("a curve has a positive width and freedom, and scores are sorted")
        if (self.limits is not None) != (self.method == "checked"):
            raise ValueError("limits are set by hand where they were checked, and only there")
        if self.limits and not 0 < self.limits[0] <= self.limits[1] < math.inf:
            raise ValueError("the limit for review lies above 0, and not above the threshold")
        if self.method == "conformal" and not counted_rank(len(self.scores), self.target):
            raise ValueError(f"{len(self.scores)} scores are too few to count a rate of {self.target:g}")
        if self.method == "built-in" and not _can_rank(len(self.scores), self.target):
            raise ValueError(f"{len(self.scores)} scores are too few for a rate of {self.target:g}")

    def at(self, target: float) -> Calibration:
        """The same evidence at another rate of false alarms; CalibrationError where it cannot support one."""
        check_target(target)
        if self.method == "built-in":
            return built_in(self.scores, self.source, target=target)
        if self.method in ("mutual", "production"):
            return replace(self, target=target)
        method = _method_for(len(self.scores), target)
        return replace(self, target=target, method=method, limits=None, source="")

    @property
    def threshold(self) -> float:
        """The score above which a picture is a defect; a good one exceeds it at the target rate."""
        if self.limits:
            return self.limits[1]
        if self.method == "built-in":
            return self._rank_limit(self.target)
        curve = self._curve_limit(self.target, self._wide)
        if self.method != "conformal":
            return curve
        return max(curve, self.scores[len(self.scores) - counted_rank(len(self.scores), self.target)])

    @property
    def review_threshold(self) -> float:
        """The score above which a picture goes to a person, below the threshold by `NARROWEST` at least."""
        if self.limits:
            return self.limits[0]
        if self.method == "built-in":
            limit = self._rank_limit(min(0.5, REVIEW_FACTORS[self.method] * self.target))
        elif self.method == "mutual":
            limit = self._curve_limit(min(0.5, REVIEW_FACTORS[self.method] * self.target), self.width)
        else:
            limit = self._curve_limit(max(REVIEW_RATE, self.target), self.width)
        return min(limit, (1 - NARROWEST) * self.threshold)

    def p_value(self, score: float) -> float:
        """How often a good picture scores this high or higher, in (0, 1]."""
        if self.method == "built-in":
            return self._rank(score)
        return max(self._tail(score), self._rank(score)) if self.method == "conformal" else self._tail(score)

    def curve_p(self, score: float) -> float:
        """The p-value of a score, in (0, 1], by the curve wherever there is one.

        Counting cannot tell a value beyond all good pictures from one just above them: by this number a strong
        defect is as strong against twenty references as against four. It is for severity, not for decisions.
        """
        return self._rank(score) if self.method == "built-in" else self._tail(score)

    def verdict(self, score: float) -> Verdict:
        """The decision, by the two limits."""
        return judge_score(score, self.review_threshold, self.threshold)

    @property
    def upper_rate(self) -> float:
        """The share of good parts beyond the threshold, at most, by counting alone, with 90 % confidence.

        1 where no good part was scored: a single reference, a batch, limits of other things, unlabelled parts.
        """
        if self.method in UNCOUNTED or not self.scores:
            return 1.0
        n = len(self.scores)
        return upper_rate(n, n - int(np.searchsorted(self.scores, self.threshold, side="right")))

    @property
    def evidence(self) -> Evidence:
        """Where the threshold comes from, for people."""
        pictures = told("1 good picture") if self.n == 1 else told(f"{self.n} good pictures")
        target, upper, sure = percent(self.target), percent(self.upper_rate), percent(CONFIDENCE)
        rate, needed, source = told(f"{target} false alarms"), parts_needed(self.target), self.source
        goal = told(f"it takes {needed} from several days to promise {target}")
        promise = told(f"counting alone promises {upper} at most with {sure} confidence, and {goal}")
        if self.n == 1:
            promise = told(f"nothing can be counted from one, and {goal} with {sure} confidence")
        origin = {
            "conformal": told(
                f"set by counting: at most {rate} with {sure} confidence by {pictures}, each scored without "
                "itself, as long as parts stay as these are"
            ),
            "predictive": told(f"estimated for {rate} from {pictures} and what other products show; {promise}"),
            "built-in": told(f"built in, for {rate} on {source}; it knows nothing of this product"),
            "mutual": told(f"estimated for {rate} from {self.n} pictures compared with each other; {source}"),
            "production": told(
                f"estimated for {rate} from {self.n} unlabelled parts, taken as mostly good; {source}"
            ),
            "checked": told(f"set on {source}; on other parts it will do a little worse"),
        }[self.method]
        count = self.n if self.method != "built-in" else len(self.scores)
        expected = counted_rank(count, self.target) / (count + 1) if self.method == "conformal" else self.target
        expected = self._rank(math.nextafter(self.threshold, math.inf)) if self.limits else expected
        return Evidence(self.method, origin, self.n, self.target, 1 / (count + 1), expected, self.upper_rate)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dict; `Calibration.from_dict(row)` reverses it."""
        row = asdict(self) | {name: list(getattr(self, name)) for name in ("scores", "views", "thinned")}
        if self.limits is None:
            del row["limits"]  # so that products without keep their seals
        return row

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> Calibration:
        """Rebuild from `to_dict`."""
        lists: dict[str, Any] = {name: tuple(row.get(name, ())) for name in ("scores", "views", "thinned")}
        lists["limits"] = tuple(row["limits"]) if row.get("limits") else None
        return cls(**{**row, "method": present_name(row["method"]), **lists})

    @property
    def _wide(self) -> float:
        return self.width * math.sqrt(1 + self.between)

    def _tail(self, score: float) -> float:
        from scipy.special import stdtr  # loads as long as all else that a command without limits needs

        z = (log_score(score) - self.center) / self._wide
        return float(max(stdtr(self.freedom, -z), 1e-12))

    def _rank(self, score: float) -> float:
        above = len(self.scores) - int(np.searchsorted(self.scores, score, side="left"))
        return (1 + above) / (1 + len(self.scores))

    def _rank_limit(self, rate: float) -> float:
        # The smallest score whose rank p-value is still above the rate: a defect has p <= rate.
        rank = math.floor(rate * (len(self.scores) + 1))
        return self.scores[len(self.scores) - max(1, rank)]

    def _curve_limit(self, rate: float, width: float) -> float:
        from scipy.special import stdtrit

        return math.exp(min(BEYOND, self.center - width * float(stdtrit(self.freedom, rate))))


def check_target(target: float) -> None:
    """CalibrationError unless a false-alarm target is usable."""
    if not SMALLEST_TARGET <= target <= 0.5:
        raise CalibrationError(f"A false-alarm target lies between one in a million and 0.5, not at {target:g}.")


def calibrate(
    held_out: Sequence[float],
    views: Sequence[Sequence[float]] = (),
    *,
    thinned: Sequence[float] = (),
    target: float = 0.05,
    prior: Prior | None = None,
) -> Calibration:
    """A calibration from good pictures only.

    `held_out`: one score for each of n good pictures, each scored without itself; empty where there is only
    one reference. `views`: for each reference, the scores of changed views of it, which stand in for other
    parts where n is 1. `thinned`: scores of the good pictures with one reference more left out, which show how
    scores fall as references are added. CalibrationError where there is nothing to go by, or a score is negative
    or not finite.
    """
    check_target(target)
    prior = prior or Prior()
    values = [*held_out, *(score for row in views for score in row), *thinned]
    if not values:
        raise CalibrationError("A threshold needs at least one good picture.")
    if not all(math.isfinite(v) and v >= 0 for v in values):
        raise CalibrationError("The threshold cannot be worked out from scores that are not finite.")
    kept, seen = tuple(sorted(map(float, held_out))), tuple(float(v) for row in views for v in row)
    fewer, n = tuple(sorted(map(float, thinned))), len(held_out) or 1
    method = _method_for(len(kept), target)
    if not kept:
        shown = float(np.mean([log_score(v) for v in seen]))
        center = prior.usual + prior.pull * (shown - prior.usual) + prior.gap
        return Calibration(method, target, (), 1, center, prior.gap_spread, prior.freedom, views=seen)
    logs = [log_score(v) for v in kept]  # sorted, so that sums are the same in whatever order references come
    change = -prior.fall if n == 2 else _trend(logs, [log_score(v) for v in fewer])
    # Scores of two references against each other are one number twice, so n scores tell of n - 2 differences.
    told = max(0, n - 2)
    known = prior.weight * prior.spread**2 + (told * float(np.var(logs, ddof=1)) if told else 0.0)
    return Calibration(
        method,
        target,
        kept,
        n,
        center=float(np.mean(logs)) + change,
        width=max(NARROWEST, math.sqrt(known / (prior.weight + told) * (1 + 1 / n))),
        freedom=prior.freedom,
        between=prior.between * FADE / (FADE + n),
        thinned=fewer,
    )


def _trend(logs: Sequence[float], thinned: Sequence[float]) -> float:
    """How much lower scores are against all n references than against n - 1, in logarithms; never above 0.

    Scores fall about as the logarithm of the number of references: from n - 2 to n - 1 of them, as was seen, and
    from there to n.
    """
    n = len(logs)
    if n < 3 or not thinned:
        return 0.0
    seen = float(np.mean(logs)) - float(np.mean(thinned))
    return min(0.0, seen) * math.log(n / (n - 1)) / math.log((n - 1) / (n - 2))


def built_in(scores: Sequence[float], source: str, *, target: float = 0.05) -> Calibration:
    """A calibration from scores of good pictures of other things, described by `source`."""
    check_target(target)
    if not _can_rank(len(scores), target):
        raise CalibrationError(
            f"The built-in limits rest on {len(scores)} pictures and cannot support a target of {target:g}."
        )
    return Calibration("built-in", target, tuple(sorted(map(float, scores))), 0, 0.0, 1.0, 1.0, source)


def _can_rank(n: int, target: float) -> bool:
    """Whether a rank among n + 1 scores can be as rare as the target."""
    return n + 1 >= 1 / target


def _method_for(n: int, target: float) -> Method:
    return "conformal" if counted_rank(n, target) else "predictive"


def log_score(score: float) -> float:
    """The natural logarithm of a score, which may be 0."""
    return math.log(max(score, 1e-9))
