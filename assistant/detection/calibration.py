"""From scores of good pictures to a threshold, at a stated rate of false alarms.

Three rules, and every result says which one spoke:

`conformal`   Enough good pictures to count: the threshold is an order statistic of their scores, each scored
              without itself, and the p-value is a rank (Bates et al. 2023, "Testing for outliers with
              conformal p-values"; leave-one-out as in arXiv 2402.16388).
`predictive`  Too few to count: the log-scores are taken as normal, their spread is pulled towards the spread
              that other products show, and the threshold is a quantile of the predictive Student t of the next
              good picture (Gelman et al., "Bayesian Data Analysis", section 3.3).
`built-in`    No good picture at all: scores of good pictures of other things, measured beforehand.
`mutual`      No good picture named, but many unlabelled ones: the lower or commonest kind of scores is taken as
              good.

Knows numbers only: no pictures, no towers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from scipy.special import stdtr, stdtrit

from assistant.errors import CalibrationError
from assistant.inspection import Evidence, Verdict, present_name

Method = Literal["conformal", "predictive", "built-in", "mutual"]

REVIEW_FACTORS: dict[Method, float] = {"conformal": 2.0, "predictive": 4.0, "built-in": 4.0, "mutual": 2.0}
"""Good pictures with a p-value between the target and this many times the target go to a person.

The band is wider where the limit rests on other products instead of this one's pictures.
"""

SMALLEST_TARGET = 1e-6
"""No number of references supports a smaller share of false alarms, and fitted curves run to infinity there."""

BEYOND = 100.0
"""No logarithm of a limit is larger: no score comes near, and a curve from two pictures runs to infinity."""

APART = 4.0
"""Two groups of scores are told apart where their means differ by this many of their pooled spreads.

Normal scores split in the middle come to 2.6, so one kind is not taken for two."""

WIDE = 0.13
"""The spread of log-scores that good pictures among unlabelled ones are taken to have, worth `WIDE_WEIGHT` scores:
what lies below its centre makes a limit that is too low by itself."""

WIDE_WEIGHT = 5.0

GAP_FREEDOM = 5.0
"""Degrees of freedom of the curve from a single reference: what few products show of the gap leaves wide tails."""


@dataclass(frozen=True)
class Prior:
    """What other products teach about the log-scores of good pictures, for when there are few.

    `spread` is the typical standard deviation among good pictures of one product, worth `weight` observations.
    `gap` and `gap_spread`: how much higher another good part scores than a changed view of the only
    reference, and by how much parts and products differ in that. Measured by `assistant.eval.limits`.
    """

    spread: float = 0.08
    weight: float = 2.0
    gap: float = 0.45
    gap_spread: float = 0.28

    def __post_init__(self) -> None:
        if min(self.spread, self.weight, self.gap_spread) <= 0:
            raise ValueError("spreads and weight of a prior are positive")


@dataclass(frozen=True)
class Calibration:
    """Two limits on the raw score, and the p-value of any score.

    `scores`: the sorted scores of good pictures behind it, of any unit. `center`, `width` and `freedom` are
    those of the Student t of the log-score where a curve is used. `n`: different good pictures, 0 for a
    built-in limit.
    """

    method: Method
    target: float
    scores: tuple[float, ...]
    n: int
    center: float
    width: float
    freedom: float
    source: str = ""

    def __post_init__(self) -> None:
        check_target(self.target)
        numbers = (*self.scores, self.center, self.width, self.freedom)
        if not all(math.isfinite(v) for v in numbers):
            raise CalibrationError("The threshold cannot be worked out from scores that are not finite.")
        if self.method not in get_args(Method):
            raise ValueError(f"no such method as {self.method!r}")
        if min(self.width, self.freedom) <= 0 or list(self.scores) != sorted(self.scores):
            raise ValueError("a curve has a positive width and freedom, and scores are sorted")
        if self.method in ("conformal", "built-in") and not _can_count(len(self.scores), self.target):
            raise ValueError(f"{len(self.scores)} scores are too few to count a rate of {self.target:g}")

    def at(self, target: float) -> Calibration:
        """The same evidence at another rate of false alarms; CalibrationError where it cannot support one."""
        check_target(target)
        if self.method == "built-in":
            return built_in(self.scores, self.source, target=target)
        if self.method == "mutual":
            return replace(self, target=target)
        return replace(self, target=target, method=_method_for(len(self.scores), target))

    @property
    def threshold(self) -> float:
        """The score above which a picture is a defect; a good one exceeds it at the target rate."""
        return self._limit(self.target)

    @property
    def review_threshold(self) -> float:
        """The score above which a picture goes to a person; at most the threshold."""
        return min(self.threshold, self._limit(min(0.5, REVIEW_FACTORS[self.method] * self.target)))

    def p_value(self, score: float) -> float:
        """How often a good picture scores this high or higher, in (0, 1]."""
        if self.method in ("conformal", "built-in"):
            above = len(self.scores) - int(np.searchsorted(self.scores, score, side="left"))
            return (1 + above) / (1 + len(self.scores))
        return self._tail(score)

    def curve_p(self, score: float) -> float:
        """The p-value of a score, in (0, 1], by the curve wherever there is one.

        Counting cannot tell a value beyond all good pictures from one just above them: by this number a strong
        defect is as strong against twenty references as against four. It is for severity, not for decisions.
        """
        return self.p_value(score) if self.method == "built-in" else self._tail(score)

    def verdict(self, score: float) -> Verdict:
        """The decision, by the two limits."""
        if score > self.threshold:
            return "defect"
        return "review" if score > self.review_threshold else "good"

    @property
    def evidence(self) -> Evidence:
        """Where the threshold comes from, for people."""
        pictures = f"{self.n} good picture{'s' if self.n != 1 else ''}"
        rate = f"{100 * self.target:g} % false alarms"
        origin = {
            "conformal": f"set by counting: {rate} among {pictures}, each scored without itself",
            "predictive": f"estimated for {rate} from {pictures} and the spread that other products show",
            "built-in": f"built in, for {rate} on {self.source}; it knows nothing of this product",
            "mutual": f"estimated for {rate} from {self.n} pictures compared with each other, taking the lower or "
            "commonest kind of scores as good",
        }[self.method]
        count = self.n if self.method != "built-in" else len(self.scores)
        return Evidence(self.method, origin, self.n, self.target, 1 / (count + 1))

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dict; `Calibration(**row)` reverses it."""
        return asdict(self) | {"scores": list(self.scores)}

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> Calibration:
        """Rebuild from `to_dict`."""
        return cls(**{**row, "method": present_name(row["method"]), "scores": tuple(row["scores"])})

    def _tail(self, score: float) -> float:
        z = (_log(score) - self.center) / self.width
        return float(max(stdtr(self.freedom, -z), 1e-12))

    def _limit(self, rate: float) -> float:
        if self.method in ("conformal", "built-in"):
            # The smallest score whose rank p-value is still above the rate: a defect has p <= rate.
            rank = math.floor(rate * (len(self.scores) + 1))
            return self.scores[len(self.scores) - max(1, rank)]
        return math.exp(min(BEYOND, self.center - self.width * float(stdtrit(self.freedom, rate))))


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
    n = len(held_out) or 1
    kept = tuple(sorted(float(v) for v in held_out))
    method = _method_for(len(kept), target)
    if not held_out:
        logs = [_log(v) for row in views for v in row]
        center = float(np.mean(logs)) + prior.gap
        return Calibration(method, target, (), 1, center, prior.gap_spread, GAP_FREEDOM)
    logs = [_log(v) for v in kept]  # sorted, so that sums are the same in whatever order references come
    center = float(np.mean(logs)) + _trend(logs, [_log(v) for v in sorted(thinned)])
    # Scores of two references against each other are one number twice, so n scores tell of n - 2 differences.
    told = max(0, n - 2)
    freedom = prior.weight + told
    variance = (prior.weight * prior.spread**2 + (told * float(np.var(logs, ddof=1)) if told else 0.0)) / freedom
    return Calibration(method, target, kept, n, center, math.sqrt(variance * (1 + 1 / n)), freedom)


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


def calibrate_mutual(scores: Sequence[float], *, target: float = 0.05) -> Calibration:
    """A calibration from unlabelled pictures, of which the lower or commonest kind is taken as good.

    Where the log-scores fall into two groups that stand apart, the lower one is good, however small. Else the
    centre is the mean of their shortest half (Andrews et al. 1972), which holds while good pictures are the
    commonest kind. The spread is that of the scores below the centre, where no defect is, pulled towards `WIDE`.
    CalibrationError under three pictures.
    """
    check_target(target)
    require_several(len(scores))
    logs = _lower_group(np.sort([_log(v) for v in scores]), WIDE)
    center = _shorth(logs)
    below = center - logs[logs < center]
    freedom = WIDE_WEIGHT + below.size
    width = math.sqrt((WIDE_WEIGHT * WIDE**2 + float(np.sum(below**2))) / freedom)
    kept = tuple(float(v) for v in sorted(scores))
    return Calibration("mutual", target, kept, len(scores), float(center), width, freedom)


def require_several(count: int) -> None:
    """CalibrationError unless there are enough pictures to compare with each other."""
    if count < 3:
        raise CalibrationError("Mutual mode compares pictures with each other and needs at least three.")


def built_in(scores: Sequence[float], source: str, *, target: float = 0.05) -> Calibration:
    """A calibration from scores of good pictures of other things, described by `source`."""
    check_target(target)
    if not _can_count(len(scores), target):
        raise CalibrationError(
            f"The built-in limits rest on {len(scores)} pictures and cannot support a target of {target:g}."
        )
    return Calibration("built-in", target, tuple(sorted(map(float, scores))), 0, 0.0, 1.0, 1.0, source)


def _can_count(n: int, target: float) -> bool:
    """Whether a rank among n + 1 scores can be as rare as the target."""
    return n + 1 >= 1 / target


def _method_for(n: int, target: float) -> Method:
    return "conformal" if _can_count(n, target) else "predictive"


def _lower_group(logs: np.ndarray[Any, Any], spread: float) -> np.ndarray[Any, Any]:
    """The lower of two groups of sorted values where the best split sets them well apart, else all of them.

    Groups are taken to be at least as wide as good pictures of one product are, `spread`, and to hold a fifth
    of all, and three: a few good pictures that are all too much alike are not the only good ones.
    """
    best, lower = APART, logs
    least = max(3, math.ceil(len(logs) / 5))
    for cut in range(least, len(logs) - least + 1):
        low, high = logs[:cut], logs[cut:]
        pooled = math.sqrt((low.var() * len(low) + high.var() * len(high)) / len(logs))
        apart = float(high.mean() - low.mean()) / max(pooled, spread)
        if apart > best:
            best, lower = apart, low
    return lower


def _shorth(values: np.ndarray[Any, Any]) -> float:
    """The mean of the shortest interval that holds half of the sorted values."""
    half = len(values) // 2 + 1
    widths = values[half - 1 :] - values[: len(values) - half + 1]
    start = int(np.argmin(widths))
    return float(values[start : start + half].mean())


def _log(score: float) -> float:
    return math.log(max(score, 1e-9))
