"""The products of a running server: each is loaded once, and again when its file has changed.

Every change to a kept product goes through here, so that two people who change the same one do not lose anything.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from assistant.errors import ProductError
from assistant.products.product import Product
from assistant.products.store import ProductState, ProductStore
from assistant.products.summary import ProductRow, summary_of

MOST_LOADED = 8
"""Products held in memory: with the pocket bundle, 60 MB each at most."""


class MissingProduct(ProductError):
    """There is no product of that name, or the name cannot be a product's."""


class UnusableProduct(ProductError):
    """The product's file is damaged, or made with another bundle."""


class UnkeptProduct(ProductError):
    """A change could not be written, and was not made."""


class LiveProducts:
    """The products in a store, by name. Reading is safe from any thread; changes come one after the other.

    `load` gives a product ready for use, ProductError where it does not fit; see `Inspector.load`.
    """

    def __init__(self, store: ProductStore, load: Callable[[str], Product]) -> None:
        self._store, self._load = store, load
        self._loaded: OrderedDict[str, tuple[ProductState, Product]] = OrderedDict()
        self._rows: dict[str, tuple[ProductState, ProductRow]] = {}
        self._lock = threading.Lock()
        self._changing = threading.Lock()

    def names(self) -> list[str]:
        """The names of the products, sorted."""
        return self._store.names()

    def get(self, name: str) -> Product:
        """The product as its file has it now; MissingProduct or UnusableProduct."""
        state = self._state(name)
        with self._lock:
            held = self._loaded.get(name)
            if held and held[0] == state:
                self._loaded.move_to_end(name)
                return held[1]
        try:
            product = self._load(name)
        except ProductError as error:
            raise UnusableProduct(str(error)) from error
        self._hold(name, state, product)
        return product

    def summaries(self) -> list[ProductRow]:
        """Every product in short, by name; one that cannot be read says why."""
        return [row for name in self.names() if (row := self.summary(name))]

    def summary(self, name: str) -> ProductRow | None:
        """A product in short, None where there is none; one that cannot be read says why."""
        try:
            state = self._state(name)
            with self._lock:
                held = self._rows.get(name)
            if held and held[0] == state:
                return held[1]
            row = summary_of(self.get(name))
        except MissingProduct:  # it went away in between
            return None
        except ProductError as error:
            return ProductRow(name=name, error=str(error))
        with self._lock:
            self._rows[name] = state, row
        return row

    def learn(self, name: str, make: Callable[[], Product], actor: str) -> Product:
        """Keep a new product; TakenName where there is one of that name. `actor`: who, for the audit log."""
        made: list[Product] = []

        def make_once() -> Product:
            made.append(make())
            return made[0]

        with self._changing:
            try:
                product = self._store.learn(name, make_once, actor)
            except ProductError as error:
                if not made:
                    raise
                raise UnkeptProduct(str(error)) from error
            self._hold(name, self._state(name), product)
            return product

    def change(self, name: str, how: Callable[[Product], Product], actor: str) -> Product:
        """The product after a change, which is kept whole or not at all."""
        with self._changing, self._held(name):
            before = self.get(name)
            after = how(before)
            if after is not before:
                self._keep(after, actor)
            return after

    def delete(self, name: str, actor: str) -> None:
        """Forget a product; MissingProduct where there is none."""
        with self._changing, self._held(name):
            try:
                self._store.delete(name, actor)
            except ProductError as error:
                raise UnkeptProduct(str(error)) from error
            with self._lock:
                self._loaded.pop(name, None)
                self._rows.pop(name, None)

    @contextmanager
    def _held(self, name: str) -> Iterator[None]:
        """While the block runs, nobody else changes a product that is there, in this process or another."""
        self._state(name)
        with self._store.held(name):
            yield

    def _keep(self, product: Product, actor: str) -> None:
        try:
            self._store.save(product, actor)
        except ProductError as error:
            raise UnkeptProduct(str(error)) from error
        self._hold(product.name, self._state(product.name), product)

    def _hold(self, name: str, state: ProductState, product: Product) -> None:
        with self._lock:
            self._loaded[name] = state, product
            self._loaded.move_to_end(name)
            while len(self._loaded) > MOST_LOADED:
                self._loaded.popitem(last=False)

    def _state(self, name: str) -> ProductState:
        try:
            state = self._store.state(name)
            missing = "" if state else self._store.missing(name)
        except ProductError as error:
            raise UnusableProduct(str(error)) from error
        if state is None:
            raise MissingProduct(missing)
        return state
