"""What a language model is shown of good parts: a kept picture of one, and beside each region its place on it."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assistant.errors import LooktwiceError
from assistant.images.load import Source
from assistant.inspection import Inspection
from assistant.products.kept_pictures import expand
from assistant.products.product import Product

Pixels = NDArray[np.uint8]
_PAIRS = "assistant.products.pairs"


def good_part(product: Product | None) -> Pixels | None:
    """A good part of a product [h, w, 3] uint8, as its tower sees it; None where it keeps no picture."""
    if product is None or not product.pictures:
        return None
    try:
        return expand(product.pictures[min(product.pictures)])
    except LooktwiceError:
        return None


def good_crops(
    inspection: Inspection, product: Product | None, picture: Source | None = None
) -> dict[str, Pixels]:
    """By the ids of the strongest regions, their places on good parts; those that are known."""
    if product is None or find_spec(_PAIRS) is None:
        return {}
    pairs: Any = import_module(_PAIRS)
    try:
        return {pair.region: pair.good for pair in pairs.pairs_of(inspection, product, picture, pairs.SHOWN)}
    except LooktwiceError:  # the picture is gone
        return {}
