"""What other products teach about the scores of good pictures, for when a product has few of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Prior:
    """What other products teach about the log-scores of good pictures. Measured by `assistant.eval.limits`.

    `spread` is the typical standard deviation among good pictures of one product and moment, worth `weight`
    observations; `freedom` are the degrees of freedom of a new one, which say how heavy tails are. `between`: the
    variance between moments, as a multiple of that. `fall`: how much lower scores are against two references than
    each of the two has against the other.

    From a single reference, its changed views tell where other good parts lie: their mean log-score is drawn to
    `usual` so far that `pull` of the difference is left, and parts lie `gap` above, with a deviation of
    `gap_spread` by parts, products and moments.

    `registered`: what products teach whose parts are brought to one pose; None where nobody measured it.
    """

    spread: float = 0.1
    weight: float = 0.35
    freedom: float = 5.0
    between: float = 0.9
    fall: float = 0.05
    gap: float = 0.2
    gap_spread: float = 0.2
    pull: float = 0.5
    usual: float = -1.1
    registered: Prior | None = None

    def __post_init__(self) -> None:
        if min(self.spread, self.weight, self.freedom, self.gap_spread) <= 0 or self.between < 0:
            raise ValueError("spreads, weight and freedom of a prior are positive, and between is not negative")

    def of(self, registered: bool) -> Prior:
        """The prior of products whose parts are brought to one pose, or not; the same where one was measured."""
        return self.registered if registered and self.registered else replace(self, registered=None)

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Prior:
        """Rebuild from `dataclasses.asdict`; ValueError or TypeError for numbers that make no sense."""
        inner = row.get("registered")
        return cls(**{**row, "registered": cls.from_dict(inner) if inner else None})
