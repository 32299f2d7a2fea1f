"""A readable picture without its pixels and patches: what is kept of it until its Inspection is written."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from assistant.detection.reader import Reading
from assistant.detection.suitability import Look
from assistant.images.judged import JudgedPicture
from assistant.images.load import Window
from assistant.images.pose import Pose
from assistant.images.reading import Entry
from assistant.models.backbone import Features


@dataclass(frozen=True, eq=False)
class SeenPicture:
    """One picture that was encoded; mutual scoring holds one for every picture.

    `path` is what it came from, `width` and `height` its size in pixels as displayed, `notices` what reading it
    gave rise to, and `ms` how many milliseconds that took. `window` is what it was read through, None for none,
    and `judged` the picture itself, for as long as it is held.
    `look` says what its pixels were like. `vector` [D] stands for the picture as a whole.
    `reading` is what its patches say in words, or None where the bundle has none for them. `pose`: how it lay
    before it was brought to a frame, in which patches and reading are; None where it was seen as it is.
    """

    path: str
    width: int
    height: int
    notices: tuple[str, ...]
    ms: float
    window: Window | None
    judged: JudgedPicture
    look: Look
    vector: Tensor
    reading: Reading | None
    pose: Pose | None = None

    @classmethod
    def of(cls, entry: Entry, features: Features, reading: Reading | None, sketched: bool = False) -> SeenPicture:
        """What is kept of an entry and its features, a batch of one; ValueError where the entry has no picture."""
        image = entry.image
        if image is None:
            raise ValueError("an entry that could not be read was not seen")
        vector = features.vector[0].clone()
        window = image.window if image.window != Window() else None
        judged = JudgedPicture(image, entry.file)
        size = image.width, image.height
        look = Look.at(image.pixels, sketched)
        return cls(
            entry.path, *size, image.notices, entry.ms, window, judged, look, vector, reading, features.pose
        )
