"""What can be said by counting alone: rates beyond a limit, from the scores of so many good parts.

They hold for parts that are exchangeable: made and photographed as the counted ones (Wilks 1941, "Determination of
sample sizes for setting tolerance limits").
"""

from __future__ import annotations

import math

from assistant.errors import told
from assistant.inspection import Evidence

CONFIDENCE = 0.9
"""How sure a counted rate is."""

UNCOUNTED = ("none", "built-in", "mutual", "production")
"""Rules whose pictures nobody called good parts of this product: nothing can be counted by them."""


def percent(rate: float) -> str:
    """A share for people: 0.05 is "5 %", 0.438 is "44 %"."""
    return f"{100 * rate:.2g} %"


def counted_rank(n: int, rate: float) -> int:
    """The largest k for which at most `rate` of parts exceed the k-th largest of n scores, with 90 % confidence.

    That rate follows Beta(k, n + 1 - k), so it is above `rate` as often as a binomial count is below k; 0 where
    even the largest score is not enough.
    """
    from scipy.special import bdtr

    k = 0
    while k < n and bdtr(k, n, rate) <= 1 - CONFIDENCE:
        k += 1
    return k


def parts_needed(rate: float) -> int:
    """So many good parts, none beyond the limit, promise a rate with 90 % confidence: 45 for 5 %, 230 for 1 %."""
    return math.ceil(math.log(1 - CONFIDENCE) / math.log1p(-rate))


def upper_rate(n: int, above: int) -> float:
    """The share of parts that may exceed a limit, at most, with 90 % confidence, where `above` of n scores do.

    Of exchangeable parts the rate beyond it follows Beta(above + 1, n - above); 1 where all of them exceed it.
    """
    from scipy.special import betaincinv

    return float(betaincinv(above + 1, n - above, CONFIDENCE)) if above < n else 1.0


def parts_missing(evidence: Evidence) -> int:
    """So many good parts more, none beyond the limit, let counting promise its target with 90 % confidence.

    Unlabelled parts, and parts of other things, do not count.
    """
    counted = 0 if evidence.method in UNCOUNTED else evidence.n
    return max(0, parts_needed(evidence.target_false_alarm) - counted)


def say_promise(evidence: Evidence) -> str:
    """What share of good parts a limit turns away, as expected and at most by counting; "" where nobody knows."""
    if evidence.expected_rate >= 1:
        return ""
    expected = f"{percent(evidence.expected_rate)} of good parts are expected above the threshold"
    if evidence.upper_rate >= 1:
        return f"{expected}, and nothing can be counted"
    return f"{expected}; counting alone promises {percent(evidence.upper_rate)} at most, with 90 % confidence"


def say_missing(evidence: Evidence) -> str:
    """How many good parts more, and from where, it takes until counting promises the target of a limit.

    "" where there are enough and the limit was set for something else all the same.
    """
    target, more = percent(evidence.target_false_alarm), parts_missing(evidence)
    if not more and evidence.upper_rate > evidence.target_false_alarm:
        return ""
    if not more:
        return told(
            f"these are enough to promise {target}, for parts of the days, lots and light that they come from"
        )
    s = "" if more == 1 else "s"
    return told(f"it takes {more} more good part{s}, from several days, to promise {target} with 90 % confidence")
