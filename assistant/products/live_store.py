"""The products as the service uses them: loaded once, loaded again when their file has changed, changed in turn.

It knows an `Inspector` and its store, and nothing of requests.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from assistant.commands.lessons import content_rows
from assistant.errors import ProductError
from assistant.inspector import Inspector
from assistant.products.product import Product

MOST_LOADED = 8
"""Products held in memory: with the pocket bundle, 60 MB each at most."""

State = tuple[int, int, int]


class MissingProduct(ProductError):
    """There is no product of that name, or the name cannot be a product's."""


class TakenName(ProductError):
    """There is a product of that name already."""


class UnusableProduct(ProductError):
    """The product's file is damaged, or made with another bundle."""


class UnkeptProduct(ProductError):
    """A change could not be written, and was not made."""


class Shelf:
    """Products by name. Reading is safe from any thread; changes come one after the other."""

    def __init__(self, inspector: Inspector) -> None:
        self.inspector = inspector
        self._loaded: OrderedDict[str, tuple[State, Product]] = OrderedDict()
        self._summaries: dict[str, tuple[State, dict[str, Any]]] = {}
        self._lock = threading.Lock()
        self._changing = threading.Lock()

    def get(self, name: str) -> Product:
        """The product as its file has it now; MissingProduct or UnusableProduct."""
        state = self._state(name)
        with self._lock:
            held = self._loaded.get(name)
            if held and held[0] == state:
                self._loaded.move_to_end(name)
                return held[1]
        try:
            product = self.inspector.load(name)
        except ProductError as error:
            raise UnusableProduct(str(error)) from error
        self._hold(name, state, product)
        return product

    def summaries(self) -> list[dict[str, Any]]:
        """Every product in short, by name; one that cannot be read says why."""
        return [row for name in self.inspector.store.names() if (row := self._summary(name))]

    def learn(self, name: str, make: Callable[[], Product], actor: str) -> Product:
        """Keep a new product; TakenName where there is one of that name. `actor`: who, for the audit log."""
        with self._changing:
            if self.inspector.store.path(name).is_file():
                raise TakenName(f"There is a product {name!r} already.")
            product = make()
            self._keep(product, actor)
            return product

    def change(self, name: str, how: Callable[[Product], Product], actor: str) -> Product:
        """The product after a change, which is kept whole or not at all."""
        with self._changing:
            before = self.get(name)
            after = how(before)
            if after is not before:
                self._keep(after, actor)
            return after

    def delete(self, name: str, actor: str) -> None:
        """Forget a product; MissingProduct where there is none."""
        with self._changing:
            self._state(name)
            try:
                self.inspector.store.delete(name, actor)
            except ProductError as error:
                raise UnkeptProduct(str(error)) from error
            with self._lock:
                self._loaded.pop(name, None)
                self._summaries.pop(name, None)

    def _keep(self, product: Product, actor: str) -> None:
        try:
            self.inspector.save(product, actor)
        except ProductError as error:
            raise UnkeptProduct(str(error)) from error
        self._hold(product.name, self._state(product.name), product)

    def _hold(self, name: str, state: State, product: Product) -> None:
        with self._lock:
            self._loaded[name] = state, product
            self._loaded.move_to_end(name)
            while len(self._loaded) > MOST_LOADED:
                self._loaded.popitem(last=False)

    def _state(self, name: str) -> State:
        """What changes whenever the file does."""
        try:
            found = os.stat(self.inspector.store.path(name))
        except (ProductError, OSError, ValueError):
            raise MissingProduct(f"There is no product {name[:80]!r}.") from None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _summary(self, name: str) -> dict[str, Any] | None:
        try:
            state = self._state(name)
            with self._lock:
                held = self._summaries.get(name)
            if held and held[0] == state:
                return held[1]
            row = summary_of(self.get(name))
        except MissingProduct:  # it went away in between
            return None
        except ProductError as error:
            return {"name": name, "error": str(error)}
        with self._lock:
            self._summaries[name] = state, row
        return row


def summary_of(product: Product) -> dict[str, Any]:
    """A product in short, JSON-ready; the fields of `wire.ProductRow`."""
    evidence = product.calibration.evidence
    return {
        "name": product.name,
        "bundle": product.bundle,
        "references": len(product.references),
        "defects": len(product.known.defects),
        "threshold": product.calibration.threshold,
        "review_threshold": product.calibration.review_threshold,
        "target_false_alarm": product.calibration.target,
        "method": evidence.method,
        "origin": evidence.origin,
        "aligned": product.aligned,
        "alike": product.alike,
        "tiles": product.tiles,
        "memory": product.memory,
        "views": product.views,
        "created": product.created,
        "bytes": product.nbytes,
    }


def detail_of(product: Product) -> dict[str, Any]:
    """A product with what it holds, JSON-ready; the fields of `wire.ProductDetail`."""
    return summary_of(product) | {
        "contents": list(content_rows(product)),
        "changes": [asdict(change) for change in product.history],
        "undoable": len(product.past),
    }
