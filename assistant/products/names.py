"""Which products there are, told by the names of their files; loads nothing, so that a shell completes at once."""

from __future__ import annotations

import os
from pathlib import Path

from assistant.database.place import Place, is_url, read_place, user_folder

SUFFIX = ".product.safetensors"
"""The ending of a product's file."""

LOG = "audit.jsonl"
"""The name of the log of their changes, beside them."""


def default_products() -> Place:
    """$LOOKTWICE_PRODUCTS where that is set, a folder or the URL of a database, else a folder of the user's."""
    named = os.environ.get("LOOKTWICE_PRODUCTS")
    return read_place(named) if named and is_url(named) else default_folder()


def default_folder() -> Path:
    """The folder of the products; where $LOOKTWICE_PRODUCTS is a URL, the one of a user without it."""
    named = os.environ.get("LOOKTWICE_PRODUCTS")
    if named and not is_url(named):
        return Path(named).expanduser()
    return user_folder() / "products"


def product_names(folder: Path) -> list[str]:
    """The names of the products in a folder, sorted; none where there is no folder."""
    return sorted(path.name.removesuffix(SUFFIX) for path in folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []
