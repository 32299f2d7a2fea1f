"""Zones with an expected number, as references show them while a product is learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from assistant.detection.counted import CountedZone, view_of
from assistant.detection.registration import Registration
from assistant.detection.things import View
from assistant.errors import ProductError
from assistant.images.load import LoadedImage
from assistant.images.pose import Pose
from assistant.images.zones import Zone
from assistant.progress import Tell


@dataclass(eq=False)
class Counting:
    """What references that come one after the other show in each zone; the zones are drawn on the first of them.

    `registration` is given where pictures are brought to its frame; a reference without a pose then shows none.
    """

    zones: Sequence[Zone] = ()
    registration: Registration | None = None
    views: dict[str, list[View]] = field(default_factory=dict)
    picture: tuple[int, int] = (0, 0)

    def take(self, picture: LoadedImage, pose: Pose | None) -> None:
        """One more reference, that lies so; ProductError where a zone reaches beyond the first one."""
        size = picture.width, picture.height
        if not self.views:
            self.picture = size
        home = self.registration.home if self.registration else None
        for zone in self.zones:
            if zone.name not in self.views:
                zone.check_within(size)
            views = self.views.setdefault(zone.name, [])
            if not self.registration or pose:
                views.append(view_of(zone, zone.seen_from(pose, size, self.picture, home), picture.pixels))

    def learn(self, tell: Tell) -> tuple[CountedZone, ...]:
        """How each zone is counted; ProductError where no way counts the number in every reference."""
        found = []
        for i, zone in enumerate(self.zones):
            tell("Counting in the references", i / len(self.zones))
            views = self.views.get(zone.name, [])
            if not views:
                raise ProductError(
                    f"The zone {zone.name!r} is seen in no reference, since their poses are unknown."
                )
            found.append(CountedZone.learn(zone, self.picture, views))
        return tuple(found)
