"""Whether pictures of a product are brought to the pose of its first reference: found out, never assumed."""

from __future__ import annotations

from dataclasses import dataclass, field

from assistant.detection.registration import Registration
from assistant.errors import ProductError
from assistant.images.pose import Pose
from assistant.products.config import LearnConfig
from assistant.products.kept_pictures import Pixels

MISSED = 0.1
"""The share of references that may lie in no pose that is found."""

SHAPED = 0.25
"""The share of a part that changes with the angle, from which a single reference shows how others lie: bottles
from above have 0.15 to 0.21, printed caps 0.31 and more (docs/memory.md)."""


@dataclass(eq=False)
class PoseSearch:
    """What is found out while references come one after the other; `poses` are those of each, None for none."""

    registration: Registration
    wanted: bool
    poses: list[Pose | None] = field(default_factory=list)

    @classmethod
    def start(cls, first: Pixels, config: LearnConfig) -> PoseSearch | None:
        """The search from the first reference; None where there is nothing to find, or nobody wants it.

        ProductError where it is wanted and no part is seen.
        """
        registration = Registration.of(first) if config.may_register else None
        if registration is None:
            if config.registered:
                raise ProductError(
                    "No part stands clearly before a plain ground in the first reference, so its pose is unknown."
                )
            return None
        return cls(registration, bool(config.registered))

    @property
    def promising(self) -> bool:
        """Whether references lie in poses that are found, as far as they have come."""
        return self.wanted or sum(pose is None for pose in self.poses) <= MISSED * len(self.poses)

    @property
    def pays(self) -> bool:
        """Whether pictures are to be brought to the frame: all references are found, and it makes a difference."""
        if self.wanted or not self.promising:
            return self.wanted
        shown = len(self.poses) > 1 or self.registration.template.shaped > SHAPED
        return shown and self.registration.pays(self.poses)
