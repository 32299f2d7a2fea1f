"""What one visitor does in the Teach place: a product is made, changed and deleted, and never by mistake another.

It knows products and the store, and no widget.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from assistant.errors import ProductError
from assistant.face.shared import ACTOR
from assistant.inspector import Inspector
from assistant.products.learning import Tell
from assistant.products.live_store import Shelf
from assistant.products.product import Product, check_name

MOST_PICTURES = 200


class OutdatedView(ProductError):
    """The product is no longer what the visitor saw."""


@dataclass(frozen=True)
class Shown:
    """What one page shows: a product by its name, the mark of its content, and the reference that is selected."""

    name: str = ""
    mark: str = ""
    selected: int | None = None

    @classmethod
    def of(cls, product: Product) -> Shown:
        """A page that shows this product as it is."""
        return cls(product.name, mark_of(product))


def mark_of(product: Product) -> str:
    """A digest that another content has not: of all settings, among them the seal on memory and masks."""
    return hashlib.sha256(product.state()[0].encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class Bench:
    """Changes products one after the other; LooktwiceError, in one sentence, for whatever cannot be done."""

    shelf: Shelf

    @property
    def inspector(self) -> Inspector:
        """Who learns."""
        return self.shelf.inspector

    def get(self, name: str) -> Product:
        """The product as it is kept now."""
        return self.shelf.get(name)

    def learn(self, name: str, pictures: Sequence[str], views: str, tell: Tell) -> Product:
        """A new product, kept; its name must be free."""
        if not name.strip():
            raise ProductError("Give the new product a name first.")
        check_name(name := name.strip())
        _check_count(pictures)
        learned = self.inspector.learn
        return self.shelf.learn(name, lambda: learned(name, list(pictures), views=views, tell=tell), ACTOR)

    def teach_good(self, shown: Shown, pictures: Sequence[str], tell: Tell) -> Product:
        """The product with more good parts: all of them or, where one is unfit, none."""
        _check_count(pictures)

        def told() -> Iterator[str]:
            for i, picture in enumerate(pictures):
                tell(f"Learning picture {i + 1} of {len(pictures)}", i / (len(pictures) + 1))
                yield picture
            tell("Working out the limits", len(pictures) / (len(pictures) + 1))

        return self.change(shown, lambda product: self.inspector.teach(product, told()))

    def change(self, shown: Shown, how: Callable[[Product], Product]) -> Product:
        """The product after a change, kept; OutdatedView where it is not what the page shows."""

        def follow(product: Product) -> Product:
            _check_mark(product, shown)
            return how(product)

        return self.shelf.change(_named(shown), follow, ACTOR)

    def delete(self, shown: Shown) -> None:
        """Forget the product; one that cannot be read goes unseen."""
        if shown.mark:
            _check_mark(self.get(shown.name), shown)
        self.shelf.delete(_named(shown), ACTOR)


def _named(shown: Shown) -> str:
    if not shown.name:
        raise ProductError("Choose a product first.")
    return shown.name


def _check_mark(product: Product, shown: Shown) -> None:
    if mark_of(product) != shown.mark:
        raise OutdatedView(
            f"The product {product.name!r} was changed elsewhere; it is shown as it is now, so try again."
        )


def _check_count(pictures: Sequence[str]) -> None:
    if not pictures:
        raise ProductError("Choose at least one picture of a good part.")
    if len(pictures) > MOST_PICTURES:
        raise ProductError(f"At most {MOST_PICTURES} pictures can be learned here at once.")
