"""Where products are kept: one folder, a product by its name, and the log of their changes beside them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from assistant.errors import AuditError, ProductError, told, unknown_name
from assistant.files import remove_left_overs
from assistant.products.audit import AuditLog, Writer
from assistant.products.audit_chain import Facts
from assistant.products.changes import compare, facts
from assistant.products.names import LOG, SUFFIX, default_folder, product_names
from assistant.products.product import UNDO_SUFFIX, Product, check_name, undo_path

LONGEST_WAIT = 120.0
"""Seconds that a change waits for another change of the same product."""

LOCK_SUFFIX = ".lock"

ProductState = tuple[int | str, ...]
"""What changes whenever a product does: inode, time of change and size of its file, or its version."""


class TakenName(ProductError):
    """There is a product of that name already."""


class ProductStore:
    """The products in one folder, by name. `log` records every change; one that it cannot record is refused."""

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder) if folder else default_folder()
        self.log = AuditLog(self.folder / LOG)

    def path(self, name: str) -> Path:
        """Where a product of that name is kept; ProductError for a name that cannot be a file's."""
        return self.folder / f"{check_name(name)}{SUFFIX}"

    def save(self, product: Product, actor: str | None = None) -> Path:
        """Keep a product under its name, in place of an older one; ProductError where it cannot be written.

        `actor`: who changes it, for the log; by default the user of this program.
        """
        check_name(product.name)
        with self._change(product.name) as writer:
            done = compare(self._kept(product.name), product)
            if done is None:
                return self._write(product)
            with writer.recording(
                done.action,
                product.name,
                actor=actor,
                before=done.before,
                after=done.after,
                details=done.details,
            ):
                return self._write(product)

    def learn(
        self, name: str, make: Callable[[], Product], actor: str | None = None, replace: bool = False
    ) -> Product:
        """Make a product and keep it; TakenName, before anything is made, where there is one of that name.

        With `replace` it takes the place of the other one, as one change that can be undone. The errors are those
        of `make`, `save` and `held`.
        """
        with self.held(name):
            before = self._kept(name)
            if before is not None and not replace:
                raise TakenName(_taken(name, before))
            product = make()
            if isinstance(before, Product):
                product = before.followed_by(product)
            self.save(product, actor)
        return product

    def change(
        self,
        name: str,
        how: Callable[[Product], Product],
        actor: str | None = None,
        load: Callable[[str], Product] | None = None,
    ) -> tuple[Product, Product]:
        """Read a product, change it and keep it, while nobody else changes it: what it was, and what it is.

        `how` gives the same product where there is nothing to change, which writes nothing. `load` reads it, by
        default `load` of this store. The errors are those of `load`, `how`, `save` and `held`.
        """
        with self.held(name):
            before = (load or self.load)(name)
            after = how(before)
            if after is not before:
                self.save(after, actor)
        return before, after

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """While the block runs, no other thread or process changes the product of that name through this class.

        Nothing is left of it where there is no such product then.

        ProductError where another change goes on for more than `LONGEST_WAIT` seconds.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.folder / f".{check_name(name)}{LOCK_SUFFIX}", timeout=LONGEST_WAIT)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            raise ProductError(f"The product {name!r} is being changed elsewhere; try again later.") from None
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise ProductError(f"The product {name!r} cannot be kept in its folder: {why}.") from error
        try:
            yield
        finally:
            if not self.path(
                name
            ).exists():  # whoever waits for the lock sees that its file went, and makes another
                with suppress(OSError):
                    Path(lock.lock_file).unlink()
            lock.release()

    def load(self, name: str) -> Product:
        """The product of that name; ProductError lists the ones there are."""
        product = self._read(name)
        if product.name != name:
            raise ProductError(f"The file of the product {name!r} holds {product.name!r} instead.")
        return product

    def delete(self, name: str, actor: str | None = None) -> None:
        """Remove a product; ProductError where there is none. `actor` as in `save`."""
        if self.state(check_name(name)) is None:
            raise ProductError(self.missing(name))
        with self._change(name) as writer:
            before = self._kept(name)
            if before is None:
                raise ProductError(self.missing(name))
            before = facts(before) if isinstance(before, Product) else before
            with writer.recording("delete product", name, actor=actor, before=before):
                self._erase(name)

    def strays(self) -> Iterator[str]:
        """A sentence for each product that is not as the log left it."""
        states: dict[str, str | None] = {}
        for entry in self.log.entries():
            if entry.product is not None:
                states[entry.product] = entry.after.get("state") if entry.after else None
        for name in sorted({*states, *self.names()}):
            kept = self._kept(name)
            state = facts(kept)["state"] if isinstance(kept, Product) else kept and kept["state"]
            if name not in states:
                yield f"The product {name!r} is not in the log: it is older, or was put there without it."
            elif state != states[name] or (kept and state is None):
                yield (
                    f"The product {name!r} is not as the log left it: it was changed without the log, or a crash "
                    "came between its last entry and the change."
                )

    def missing(self, name: str) -> str:
        """The sentence about a product that is not there: what may have been meant, or which there are."""
        return unknown_name(told("product"), name, self.names())

    def state(self, name: str) -> ProductState | None:
        """What changes whenever a kept product does; None where there is none of that name."""
        try:
            file = os.stat(self.path(name))
        except (ProductError, OSError, ValueError):
            return None
        return file.st_ino, file.st_mtime_ns, file.st_size

    def names(self) -> list[str]:
        """The names of the products, sorted."""
        return product_names(self.folder)

    @contextmanager
    def _change(self, name: str) -> Iterator[Writer]:
        try:
            with self.log.hold() as writer:
                remove_left_overs(self.folder, (SUFFIX, UNDO_SUFFIX))
                yield writer
        except AuditError as error:
            raise ProductError(f"The product {name!r} cannot be kept or removed: {error}") from error

    def _read(self, name: str) -> Product:
        path = self.path(name)
        if not path.is_file():
            raise ProductError(self.missing(name))
        return Product.load(path)

    def _write(self, product: Product) -> Path:
        return product.save(self.path(product.name))

    def _erase(self, name: str) -> None:
        self.path(name).unlink()
        undo_path(self.path(name)).unlink(missing_ok=True)

    def _kept(self, name: str) -> Product | Facts | None:
        """What is kept under that name; of a damaged file its digest, of one that cannot be read the reason."""
        path = self.path(name)
        try:
            return Product.load(path)
        except ProductError:
            try:
                return {"state": hashlib.sha256(path.read_bytes()).hexdigest(), "damaged": True}
            except FileNotFoundError:
                return None
            except OSError as error:
                return {"state": None, "unreadable": error.strerror or type(error).__name__}


def _taken(name: str, kept: Product | Facts) -> str:
    """The sentence about a product that is in the way, and what it holds."""
    if not isinstance(kept, Product):
        return told(f"There is a product {name!r} already, whose file is damaged.")
    references, defects = len(kept.references), len(kept.known.defects)
    held = told("with 1 reference") if references == 1 else told(f"with {references} references")
    if not defects:
        return told(f"There is a product {name!r} already, {held}.")
    taught = told("1 known defect") if defects == 1 else told(f"{defects} known defects")
    return told(f"There is a product {name!r} already, {held} and {taught}.")
