"""How a product is learned: one frozen dataclass, in which every refusal is said once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, get_args

from assistant.detection.calibration import check_target
from assistant.detection.config import ScoringConfig
from assistant.errors import ProductError
from assistant.images.views import Views
from assistant.images.window import Window
from assistant.images.zones import Zone, read_zones
from assistant.models.tiles import check_tiles
from assistant.products.masks import Mask, check_masks

MEMORIES = ("nearest", "trained")


@dataclass(frozen=True)
class LearnConfig:
    """What is chosen when a product is learned from good pictures.

    `views`: changed views of each reference that go into memory too, "flips" or "turns" for parts that lie at any
    angle. `tiles`: look at a picture in so many overlapping tiles along each side, 1 to 4, for small defects in
    large pictures. `memory`: compare with the "nearest" good patch, or as a dictionary has "trained" it, whole
    pictures that are neither turned, aligned nor tiled. `aligned`: whether parts lie alike in all pictures, so
    that a missing or moved one shows; None finds out, from two references or more. `registered`: whether pictures
    are brought to the pose of the first reference, for parts at any angle before a plain ground; None finds out.
    `roi` and `ignore` [H, W],
    drawn on a reference: true where to look, true where not to. `target_false_alarm`: the share of good pictures
    that may be called defective, in [1e-6, 0.5]. `scoring`: numbers of the score rule other than the shipped ones.
    `window`: black and white of pictures of more than 8 bits, worked out from the references unless it has levels.
    `counts`: zones of the first reference in which so many alike things lie, as `Zone`s or in words,
    "pills=10@40,60,300,200".

    ProductError for a choice that makes no sense or does not go with another, CalibrationError for the target.
    """

    views: str = "plain"
    tiles: int = 1
    memory: str = "nearest"
    aligned: bool | None = None
    roi: Mask | None = field(default=None, compare=False, repr=False)
    ignore: Mask | None = field(default=None, compare=False, repr=False)
    target_false_alarm: float = 0.05
    scoring: ScoringConfig | None = None
    window: Window | None = None
    registered: bool | None = None
    counts: Sequence[Zone | str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "counts", read_zones(self.counts))
        check_target(self.target_false_alarm)
        check_tiles(self.tiles)
        if self.views not in get_args(Views):
            raise ProductError(f"There are no views {self.views!r}; the views are plain, flips and turns.")
        if self.aligned and self.views != "plain":
            raise ProductError("Parts either lie alike or at any angle: leave out the views or the alignment.")
        check_memory(self.memory)
        if self.memory == "trained" and (self.views != "plain" or self.tiles != 1 or self.aligned):
            raise ProductError(
                "A trained memory reads whole pictures as they are: leave out views, tiles and alignment."
            )
        if self.registered and (self.views != "plain" or self.memory == "trained"):
            raise ProductError("Parts that are registered lie alike: leave out the views and the trained memory.")
        check_masks(self.roi, self.ignore)

    @property
    def zones(self) -> tuple[Zone, ...]:
        """The zones of `counts`."""
        return tuple(zone for zone in self.counts if isinstance(zone, Zone))

    @property
    def may_register(self) -> bool:
        """Whether pictures may be brought to the pose of the first reference."""
        return self.registered is not False and self.views == "plain" and self.memory == "nearest"

    @classmethod
    def of(cls, config: LearnConfig | None, changes: Mapping[str, Any]) -> LearnConfig:
        """A configuration, the default one for None, with some fields changed; ProductError for an unknown one."""
        if unknown := sorted(set(changes) - {known.name for known in fields(cls)}):
            raise ProductError(f"There is no setting {unknown[0]!r} for learning a product.")
        return replace(config or cls(), **changes)


def check_memory(memory: str) -> str:
    """The word for how a memory is looked up; ProductError for another one."""
    if memory not in MEMORIES:
        raise ProductError(f"A memory is {' or '.join(MEMORIES)}, not {memory!r}.")
    return memory
