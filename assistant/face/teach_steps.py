"""What one visitor does in the Teach place: a product is learned, changed and deleted.

A change is made only where the product still is what the visitor saw of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from assistant.errors import ProductError, told
from assistant.face.shared import ACTOR
from assistant.inspector import Inspector
from assistant.language.catalogue import message
from assistant.products.config import LearnConfig
from assistant.products.learning import Tell
from assistant.products.live_store import LiveProducts
from assistant.products.product import Product
from assistant.products.teaching import Teacher

MOST_TAUGHT = 200

FIND_OUT = message("find out")
LYING = {
    FIND_OUT: LearnConfig(),
    message("always alike"): LearnConfig(aligned=True, registered=False),
    message("at any angle"): LearnConfig(views="turns"),
    message("at any angle, on plain ground"): LearnConfig(registered=True),
    message("also mirrored"): LearnConfig(views="flips"),
}
"""How parts may lie in the picture, and how a product is learned then."""


class OutdatedView(ProductError):
    """The product is no longer what the visitor saw."""


@dataclass(frozen=True)
class SeenProduct:
    """What one page shows: a product by its name, the mark of its content, and the reference that is selected.

    `doubted` are the pictures that are asked about before they are taught.
    """

    name: str = ""
    mark: str = ""
    selected: int | None = None
    doubted: tuple[str, ...] = ()

    @classmethod
    def of(cls, product: Product) -> SeenProduct:
        """A page that shows this product as it is."""
        return cls(product.name, mark_of(product))


def mark_of(product: Product) -> str:
    """A digest that another content has not: of all settings, among them the seal on memory and masks."""
    return hashlib.sha256(product.state()[0].encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class ProductEditor:
    """Changes products one after the other; LooktwiceError, in one sentence, for whatever cannot be done."""

    inspector: Inspector
    products: LiveProducts

    @property
    def teacher(self) -> Teacher:
        """What changes a product that is learned already."""
        return self.inspector.teacher

    def get(self, name: str) -> Product:
        """The product as it is kept now."""
        return self.products.get(name)

    def learn(self, name: str, pictures: Sequence[str], lying: str, tell: Tell) -> Product:
        """A new product, kept; its name must be free. `lying` is one of LYING."""
        if not name.strip():
            raise ProductError("Give the new product a name first.")
        check_count(pictures)
        if (config := LYING.get(lying)) is None:
            raise ProductError("Say first how parts lie in the picture.")

        def make() -> Product:
            return self.inspector.learn(name.strip(), list(pictures), config, tell=tell)

        return self.products.learn(name.strip(), make, ACTOR)

    def teach_good(self, seen: SeenProduct, pictures: Sequence[str], tell: Tell, confirm: bool = False) -> Product:
        """The product with more good parts: all of them or, where one is unfit, none.

        DoubtfulTeaching where one scores far above the limit, unless `confirm` is given.
        """
        check_count(pictures)

        def given() -> Iterator[str]:
            for i, picture in enumerate(pictures):
                tell(told(f"Learning picture {i + 1} of {len(pictures)}"), i / (len(pictures) + 1))
                yield picture
            tell(told("Working out the limits"), len(pictures) / (len(pictures) + 1))

        return self.change(seen, lambda product: self.teacher.teach(product, given(), confirm=confirm))

    def change(self, seen: SeenProduct, how: Callable[[Product], Product]) -> Product:
        """The product after a change, kept; OutdatedView where it is not what the page shows."""

        def follow(product: Product) -> Product:
            _check_mark(product, seen)
            return how(product)

        return self.products.change(_named(seen), follow, ACTOR)

    def delete(self, seen: SeenProduct) -> None:
        """Forget the product; one that cannot be read goes unseen."""
        if seen.mark:
            _check_mark(self.get(seen.name), seen)
        self.products.delete(_named(seen), ACTOR)


def _named(seen: SeenProduct) -> str:
    if not seen.name:
        raise ProductError("Choose a product first.")
    return seen.name


def _check_mark(product: Product, seen: SeenProduct) -> None:
    if mark_of(product) != seen.mark:
        raise OutdatedView(
            told(f"The product {product.name!r} was changed elsewhere; it is shown as it is now, so try again.")
        )


def check_count(
    pictures: Sequence[str], missing: str = told("Choose at least one picture of a good part.")
) -> None:
    """ProductError for no picture, and for more than can be looked at here; `missing` says the first."""
    if not pictures:
        raise ProductError(missing)
    if len(pictures) > MOST_TAUGHT:
        raise ProductError(f"At most {MOST_TAUGHT} pictures can be looked at here at once.")
