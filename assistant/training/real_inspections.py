"""Real inspections to talk about: what a bundle's detector finds in a training picture.

The picture is inspected alone, or beside a good view of the same thing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from assistant.inspection import Inspection
from assistant.inspector import Inspector
from assistant.training.scene import Pixels

ALONE = 0.5
"""The share of pictures that are inspected without a reference."""

Inspect = Callable[[Pixels, Pixels, np.random.Generator], Inspection]


def inspect_with(bundle: str) -> Inspect:
    """A function of a picture and its untouched version, both [H, W, 3] uint8, that inspects the picture.

    Half of the time the untouched version serves as the only reference. WeightsError where the bundle is missing.
    """
    inspector = Inspector.from_pretrained(bundle)

    def inspect(pixels: Pixels, untouched: Pixels, rng: np.random.Generator) -> Inspection:
        product = None if rng.random() < ALONE else inspector.learn("part", [untouched])
        inspection: Inspection = inspector.inspect([pixels], product)[0]
        return inspection

    return inspect
