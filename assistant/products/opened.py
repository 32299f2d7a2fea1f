"""The store of products that is asked for: a folder, or a database by its URL."""

from __future__ import annotations

from assistant.database.place import Place, is_url
from assistant.errors import ProductError
from assistant.products.names import default_products
from assistant.products.store import ProductStore


def open_products(where: Place | None = None) -> ProductStore:
    """The products at a place, by default the user's: `$LOOKTWICE_PRODUCTS`, a folder or a URL.

    ProductError where a database cannot be opened.
    """
    where = where or default_products()
    if not is_url(where):
        return ProductStore(where)
    try:
        from assistant.products.shared_store import SharedProducts
    except ImportError as error:
        raise ProductError("Products in a database need SQLAlchemy: install looktwice[postgres].") from error
    return SharedProducts(where)
