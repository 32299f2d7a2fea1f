"""Which products there are, told by the names of their files; loads nothing, so that a shell completes at once."""

from __future__ import annotations

import os
from pathlib import Path

SUFFIX = ".product.safetensors"
"""The ending of a product's file."""

LOG = "audit.jsonl"
"""The name of the log of their changes, beside them."""


def default_folder() -> Path:
    """$LOOKTWICE_PRODUCTS where that is set, else a folder of the user's."""
    import platformdirs

    named = os.environ.get("LOOKTWICE_PRODUCTS")
    return Path(named).expanduser() if named else Path(platformdirs.user_data_dir("looktwice")) / "products"


def product_names(folder: Path) -> list[str]:
    """The names of the products in a folder, sorted; none where there is no folder."""
    return sorted(path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []
