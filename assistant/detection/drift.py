"""Whether limits still fit what is inspected: a sequential test on a product's p-values, in the order of parts.

A part counts as high where it scores as only a quarter of good parts do (p <= 1/4), whether by a little or by far.
So a single strange part says next to nothing, and many that are moved a little say much. It is counted by the
limits' p-values, and by the ranks of scores among earlier parts, which show a change where few good parts are
known, and by which parts may be low too: by cautious limits they always are. Of good parts a quarter counts, and
half as many again are put up with, or what the references leave open; on top a fifth of all parts may be bad.

For each count, bets on larger shares than are put up with gain while more parts count. What bets begun at every
earlier part have gained together (Shiryaev and Roberts) is no more, in the mean, than the number of parts, unless
a share is larger than is put up with. An alarm is raised where the mean over all counts reaches
`PARTS_PER_FALSE_ALARM`, so that at least so many parts pass in the mean before a false one (Shin, Ramdas, Rinaldo
2022, "E-detectors: a nonparametric framework for sequential change detection"; the ranks are those of Vovk et al.
2021, "Testing randomness online"). P-values that are too large, coarse or tied only delay it. Knows numbers only.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from scipy.special import betaincinv

from assistant.errors import told

CHANGED = told("the camera, the light or the lot has changed; check before you believe single verdicts")
"""How a notice of drift ends."""

Direction = Literal["higher", "lower"]
Against = Literal["good parts", "earlier parts"]

PARTS_PER_FALSE_ALARM = 100_000
"""So many undisturbed parts of a stream pass in the mean, at least, before an alarm."""

QUARTER = 0.25
"""The share of good parts that count as high, and as low."""

MORE = 1.5
"""So many times that share is put up with: a move that limits, which allow for other moments, stand."""

MAY_BE_BAD = 0.2
"""The share of parts that may be bad without the limits being wrong."""

SURE = 0.99
"""How sure it is that references do not leave open a larger share than is put up with."""

AIMS = (0.25, 0.5, 0.75, 0.95)
"""The larger shares that are bet on, as parts of the way from what is put up with to all parts."""

EARLIER = 1000
"""So many parts of a stream, its first ones, are what later ones are ranked among."""

SETTLED, CALM = 100, 0.8
"""An alarm ends where of so many parts in a row no more count than this part of the share that is put up with."""

RARE = 0.05
FEWEST = 20
"""A run of so many parts of which half are as rare as one in twenty good ones is odd as a whole."""


@dataclass(frozen=True)
class Alarm:
    """Limits that do not fit: raised at part number `part` of a stream, counted from 1, by what began at `began`.

    `direction`: where scores went, in comparison with the product's "good parts" or the stream's "earlier parts".
    """

    part: int
    began: int
    direction: Direction
    against: Against


class DriftTest:
    """The test on one stream of p-values: those of a product, since its limits were last set.

    `n`: the good pictures behind the limits, 1 or more. `parts`: how many were added. `alarm`: the one that holds,
    None for none; `alarms`: how many there were.
    """

    def __init__(self, n: int) -> None:
        fixed, ranked = allowed_share(n), MAY_BE_BAD + (1 - MAY_BE_BAD) * MORE * QUARTER
        self.parts = self.alarms = 0
        self.alarm: Alarm | None = None
        self._earlier: list[float] = []
        self._counts = (
            _Count("higher", "good parts", fixed),
            _Count("higher", "earlier parts", ranked),
            _Count("lower", "earlier parts", ranked),
        )
        self._alarmed: _Count | None = None
        self._since: deque[bool] = deque(maxlen=SETTLED)

    def add(self, p: float) -> None:
        """The next part's p-value, in (0, 1]; ValueError for anything else."""
        if not (isfinite(p) and 0 < p <= 1):
            raise ValueError(f"{p} is no p-value")
        self.parts += 1
        below, above = self._ranks(p)
        counted = (p <= QUARTER, below <= QUARTER, above <= QUARTER)
        if self._alarmed:
            self._since.append(counted[self._counts.index(self._alarmed)])
            if len(self._since) == SETTLED and sum(self._since) <= CALM * self._alarmed.allowed * SETTLED:
                self._restart()
            return
        if len(self._earlier) < EARLIER:
            insort(self._earlier, p)
        for count, yes in zip(self._counts, counted, strict=True):
            count.add(yes, self.parts)
        if self.evidence >= 1:
            first = max(self._counts, key=lambda count: count.gain)
            self._alarmed, self.alarms = first, self.alarms + 1
            self.alarm = Alarm(self.parts, first.began, first.direction, first.against)

    @property
    def begins(self) -> set[int]:
        """The parts, by number, at which a change may have begun; that of an alarm is among them."""
        return {count.began for count in self._counts}

    @property
    def evidence(self) -> float:
        """How near an alarm is, in [0, 1]: what bets have gained, by what raises one; 1 while one holds."""
        if self._alarmed:
            return 1.0
        gain = sum(count.gain for count in self._counts) / len(self._counts)
        return min(1.0, gain / PARTS_PER_FALSE_ALARM)

    def _ranks(self, p: float) -> tuple[float, float]:
        """The shares of earlier parts and this one with a p-value as small or smaller, and as large or larger."""
        earlier = self._earlier
        below, above = bisect_right(earlier, p), len(earlier) - bisect_left(earlier, p)
        return (below + 1) / (len(earlier) + 1), (above + 1) / (len(earlier) + 1)

    def _restart(self) -> None:
        self._alarmed = self.alarm = None
        self._since.clear()
        for count in self._counts:
            count.clear()


class _Count:
    """Counts parts of one kind, and bets that more of them are of it than `allowed`."""

    def __init__(self, direction: Direction, against: Against, allowed: float) -> None:
        self.direction, self.against, self.allowed = direction, against, allowed
        aims = [allowed + (1 - allowed) * part for part in AIMS]
        self._bets = tuple((aim / allowed, (1 - aim) / (1 - allowed)) for aim in aims)
        self.clear()

    def clear(self) -> None:
        """Forget what was counted."""
        self.gain, self.began = 0.0, 0
        self._gains = [0.0] * len(AIMS)
        self._run = 0.0

    def add(self, counts: bool, part: int) -> None:
        """Whether the next part, of that number, is of the kind."""
        which = 0 if counts else 1
        self._gains = [(gain + 1) * bet[which] for gain, bet in zip(self._gains, self._bets, strict=True)]
        self.gain = sum(self._gains) / len(AIMS)
        # Page's rule tells where a change began: where the second bet last had nothing.
        if self._run == 0:
            self.began = part
        grown = max(self._run, 1.0) * self._bets[1][which]
        self._run = grown if grown > 1 else 0.0


def allowed_share(n: int) -> float:
    """The share of parts that may count, by the limits of `n` good pictures, without an alarm, in (0, 1).

    A quarter of good parts counts in the mean of all sets of references, half as many again are put up with, or
    what so few references leave open: for exchangeable parts the share is Beta, with n + 1 in all. A fifth may be
    bad.
    """
    counts = max(1.0, QUARTER * (n + 1))
    left_open = float(betaincinv(counts, max(1.0, n + 1 - counts), SURE))
    return MAY_BE_BAD + (1 - MAY_BE_BAD) * max(MORE * QUARTER, left_open)


def has_drifted(notices: Iterable[str]) -> bool:
    """Whether one of an inspection's notices says that the limits have stopped fitting its product."""
    return any(notice.endswith(CHANGED) for notice in notices)


def is_odd_run(rare: int, parts: int) -> bool:
    """Whether half of a run or more, `rare` of `parts`, score as only one in twenty good parts does: p <= `RARE`.

    With a fifth of bad parts and limits that fit, at most 1.2 % of runs of 20 are odd, and one in 3,000 of 40.
    """
    return parts >= FEWEST and 2 * rare >= parts
