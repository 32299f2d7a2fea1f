"""What an `Inspector` keeps of a picture once its features are used, until the Inspection of it is written.

It knows nothing of scores and limits.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from assistant.backbone import Features
from assistant.stream import Entry


@dataclass(frozen=True, eq=False)
class Sight:
    """One readable picture without its pixels and patches: batch mode holds one for every picture of a batch.

    `path` is what it came from, `width` and `height` its size in pixels as displayed, `notices` what reading it
    gave rise to, and `ms` how many milliseconds that took. `vector` [D] stands for the picture as a whole.
    `aligned` [h, w, D] are its patches in the space of text, or None where the tower has no such space.
    """

    path: str
    width: int
    height: int
    notices: tuple[str, ...]
    ms: float
    vector: Tensor
    aligned: Tensor | None

    @classmethod
    def of(cls, entry: Entry, features: Features) -> Sight:
        """The sight of an entry and its features, a batch of one; ValueError where the entry has no picture."""
        image = entry.image
        if image is None:
            raise ValueError("an entry that could not be read was not seen")
        aligned = None if features.aligned is None else features.aligned[0]
        vector = features.vector[0].clone()
        return cls(entry.path, image.width, image.height, image.notices, entry.ms, vector, aligned)
