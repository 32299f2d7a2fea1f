"""A picture of a good part that a product keeps, as a language model is shown it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assistant.errors import LooktwiceError
from assistant.products.kept_pictures import expand
from assistant.products.product import Product


def good_part(product: Product | None) -> NDArray[np.uint8] | None:
    """A good part of a product [h, w, 3] uint8, as its tower sees it; None where it keeps no picture."""
    if product is None or not product.pictures:
        return None
    try:
        return expand(product.pictures[min(product.pictures)])
    except LooktwiceError:
        return None
