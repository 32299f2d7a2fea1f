"""Every number that changes a score, in one frozen dataclass: how features become an anomaly map and a score.

What is measured by leaving a part out is measured by changing a field here, and by nothing else. A product keeps
the configuration that it was learned with; its digest is part of the seal on the product's limits.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

FORMULA = 1
"""The version of the code that reads these numbers: it goes up when the same numbers give another score."""


FUSIONS = ("harmonic", "mean")
"""How two maps may be joined."""

LATER = ("text_learned", "text_fusion", "text_whole")
"""Fields that came after products had been kept: one that is as shipped is not written, so that old seals hold."""

DESCRIBING = ("layer_shares", "neighbourhood", "scale_layers")
"""The fields by which patches are described: those of a memory can be compared with no others."""


@dataclass(frozen=True)
class ScoringConfig:
    """How features become a map and a score; ValueError for numbers that make no sense, see `check`.

    The comments say why a value was chosen and where that was measured. A share lies in [0, 1]; a weight is at
    least 0, and 0 leaves its part out.
    """

    # What a patch is described by.
    layer_shares: tuple[float, ...] = ()
    """How much each layer of the tower says, adding up to 1, 0 leaving a layer out; empty takes the card's shares,
    which were chosen on solar cells, tiles and bottles (docs/memory.md)."""
    neighbourhood: int = 1
    """The odd side in cells over which descriptors are averaged: 3 loses 1 to 9 points of AUROC with the pocket
    tower, whose patches see far enough already (docs/memory.md)."""
    scale_layers: bool = True
    """Whether each layer is brought to unit length before layers are joined: without it the layer with the largest
    activations decides alone, and 1 to 5 points of AUROC are lost (docs/memory.md)."""

    # Rarity of a patch within its own picture.
    rarity_neighbours: int = 8
    """So many nearest patches are averaged: a defect seen twice is still rare (docs/memory.md)."""
    rarity_apart: int = 2
    """Patches closer than so many cells look alike anyway and do not count (docs/memory.md)."""
    text_share: float = 0.5
    """The weight of the text map beside rarity where a tower aligns patches with text; not measured, since such
    towers cannot be had here, and WinCLIP and rarity are taken to be worth the same."""
    text_learned: bool = True
    """Whether what was trained for such a tower says which patches are abnormal, or the prompt ensemble alone, as
    it does where nothing was trained (docs/learned.md)."""
    text_fusion: str = "harmonic"
    """Whether what was learned and rarity are joined by their "harmonic" mean, as AdaptCLIP joins its maps, or by
    the plain "mean", as the prompt ensemble always is (docs/learned.md)."""
    text_whole: float = 0.5
    """The weight in the score of what was learned to be said of the picture as a whole, by the harmonic mean with
    that of the map: AdaptCLIP's, where either counts half. 0 takes the map alone (docs/learned.md)."""

    # Comparing with good parts.
    memory_share: float = 0.6
    """The weight of other pictures in a few-shot or mutual map, the rest being rarity (docs/memory.md)."""
    reach: int = 2
    """Cells that a part may lie to either side of where the references have it, on the grid of a whole picture:
    5 % of a picture at 40 cells (docs/memory.md)."""
    aligned_gates: tuple[tuple[float, float], ...] = ((0.5, 1.03), (0.98, 1.15))
    """(quantile, ratio): parts lie alike where the nearest good patch around the same place is at most so many
    times farther than the nearest anywhere. Ball screws give up to 1.02 and 1.11, boards of many designs 1.6 and
    more; the high quantile sees a part that wanders on a plain ground (docs/memory.md)."""
    known_weight: float = 1.0
    """A patch nearer to a known defect than to anything good counts 1 + this times the contrast: picked from six
    rules on ball screws and boards (docs/teaching.md)."""

    # Strength of response.
    strength_weight: float = 6.0
    """How many times an excess of strength adds a patch's distance to the memory to itself; found on magnetic
    tiles (docs/memory.md)."""
    strength_quantile: float = 0.99
    """The strength that a good picture's patches usually stay under is this quantile of them (docs/memory.md)."""
    rim: int = 3
    """So many cells from the edge inwards say nothing of strength, on the grid of a whole picture: a tower that
    pads with zeros responds otherwise there (docs/memory.md)."""

    # The picture as a whole.
    whole_weight: float = 2.0
    """How many times the distance as whole pictures counts in a score, where references are alike so; chosen on
    ball screws, boards and textiles (docs/memory.md)."""
    whole_gate: float = 0.02
    """References are alike as whole pictures where their mean distance to the nearest other one is at most this:
    textiles, bottles and most ball screws are below it. At 0.05 references from one moment passed too, and
    pictures from another were far from them, good or not: solar cells and boards fell from 0.81 and 0.96 to 0.62
    and 0.87 (docs/memory.md)."""
    whole_cap: float = 0.04
    """The distance counts up to this: beyond, it tells of another moment or camera rather than of a defect
    (docs/memory.md)."""

    # From the map to the score.
    top_share: float = 0.01
    """The score is the mean of this share of the patches, the strangest ones: 0 to 5 points of AUROC better than
    the maximum (docs/memory.md)."""

    # Mutual scoring.
    mutual_patches: int = 600
    """The finest layer with at most so many patches is compared: the time grows with their square."""
    mutual_sizes: tuple[int, ...] = (1, 3, 5)
    """Sides of the neighbourhoods, odd, as in MuSc."""
    mutual_interval: float = 0.3
    """The share of the other pictures, the closest ones, that are averaged, as in MuSc."""
    mutual_others: int = 128
    """Each picture is compared with at most so many others, so that the time grows with N and not its square."""

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "layer_shares", tuple(map(float, self.layer_shares)))
            object.__setattr__(self, "mutual_sizes", tuple(self.mutual_sizes))
            object.__setattr__(self, "aligned_gates", tuple((float(q), float(r)) for q, r in self.aligned_gates))
            for field in fields(self):
                if isinstance(field.default, float):  # or 2 would have another digest than 2.0
                    object.__setattr__(self, field.name, float(getattr(self, field.name)))
        except TypeError as error:
            raise ValueError("a scoring configuration holds something else than numbers") from error
        check(self)

    @property
    def digest(self) -> str:
        """SHA-256 of every number and of the version of the code that reads them, 32 hexadecimal digits."""
        content = json.dumps([FORMULA, self.to_dict()], sort_keys=True, allow_nan=False)
        return hashlib.sha256(content.encode()).hexdigest()[:32]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dict; `from_dict` reverses it."""
        usual = {field.name: field.default for field in fields(self) if field.name in LATER}
        return {name: value for name, value in asdict(self).items() if name not in usual or value != usual[name]}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> ScoringConfig:
        """Rebuild from `to_dict`, lists in place of tuples too; ValueError for a field it does not know."""
        if unknown := sorted(set(row) - {field.name for field in fields(cls)}):
            raise ValueError(f"a scoring configuration has no field {unknown[0]!r}")
        return cls(**row)


def check(config: ScoringConfig) -> None:
    """ValueError that names the first field whose value makes no sense."""
    shares = ("text_share", "text_whole", "memory_share")
    above_zero = ("strength_quantile", "top_share", "mutual_interval")
    weights = ("known_weight", "strength_weight", "whole_weight", "whole_gate", "whole_cap")
    counts = {
        "rarity_neighbours": 1,
        "rarity_apart": 0,
        "reach": 0,
        "rim": 0,
        "mutual_patches": 4,
        "mutual_others": 1,
    }
    for name in shares:
        _require(name, 0 <= getattr(config, name) <= 1, "lies in [0, 1]")
    for name in above_zero:
        _require(name, 0 < getattr(config, name) <= 1, "lies in (0, 1]")
    for name in weights:
        _require(name, 0 <= getattr(config, name) < math.inf, "is at least 0 and finite")
    for name, least in counts.items():
        value = getattr(config, name)
        _require(name, type(value) is int and value >= least, f"is a whole number from {least}")
    for name in ("neighbourhood", "mutual_sizes"):
        sides = getattr(config, name)
        sides = sides if isinstance(sides, tuple) else (sides,)
        _require(name, bool(sides) and all(type(s) is int and s % 2 and s > 0 for s in sides), "is odd")
    for name in ("scale_layers", "text_learned"):
        _require(name, isinstance(getattr(config, name), bool), "is true or false")
    _require("text_fusion", config.text_fusion in FUSIONS, f"is {' or '.join(FUSIONS)}")
    layers = config.layer_shares
    _require("layer_shares", not layers or min(layers) >= 0, "holds no negative share")
    _require("layer_shares", not layers or abs(sum(layers) - 1) < 1e-6, "adds up to 1")
    gates = config.aligned_gates
    _require(
        "aligned_gates",
        bool(gates) and all(0 <= q <= 1 <= r < math.inf for q, r in gates),
        "holds (quantile, ratio)",
    )


def _require(name: str, holds: bool, rule: str) -> None:
    if not holds:
        raise ValueError(f"{name} of a scoring configuration {rule}")


SHIPPED = ScoringConfig()
"""What products are learned with unless somebody says otherwise."""
