"""Where products are kept: one folder, a product by its name. It knows names and paths, not what is in a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from assistant.errors import ProductError
from assistant.product import SUFFIX, Product, check_name, undo_path


class ProductStore:
    """The products in one folder, by name."""

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder) if folder else default_folder()

    def path(self, name: str) -> Path:
        """Where a product of that name is kept; ProductError for a name that cannot be a file's."""
        return self.folder / f"{check_name(name)}{SUFFIX}"

    def save(self, product: Product) -> Path:
        """Keep a product under its name, in place of an older one; ProductError where it cannot be written."""
        return product.save(self.path(product.name))

    def load(self, name: str) -> Product:
        """The product of that name; ProductError lists the ones there are."""
        path = self.path(name)
        if not path.is_file():
            known = ", ".join(self.names()) or "none yet"
            raise ProductError(f"There is no product {name!r}; the products are: {known}.")
        product = Product.load(path)
        if product.name != name:
            raise ProductError(f"The file of the product {name!r} holds {product.name!r} instead.")
        return product

    def delete(self, name: str) -> None:
        """Remove a product; ProductError where there is none."""
        try:
            self.path(name).unlink()
        except FileNotFoundError:
            raise ProductError(f"There is no product {name!r}.") from None
        undo_path(self.path(name)).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """The names of the products, sorted."""
        return sorted(self._names()) if self.folder.is_dir() else []

    def _names(self) -> Iterator[str]:
        for path in self.folder.glob(f"*{SUFFIX}"):
            yield path.name.removesuffix(SUFFIX)


def default_folder() -> Path:
    """$LOOKTWICE_PRODUCTS where that is set, else a folder of the user's."""
    import platformdirs

    named = os.environ.get("LOOKTWICE_PRODUCTS")
    return Path(named).expanduser() if named else Path(platformdirs.user_data_dir("looktwice")) / "products"
