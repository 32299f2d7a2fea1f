"""Products in the database of a store, so that all stations have the same: taught on one, used by others at once.

The same names, changes, way back and log as in a folder. Each change is kept under a version; whoever has changed
a product that somebody else changed meanwhile is refused, so that nothing is lost even where a lock went with its
connection.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from assistant.database.locks import LockTimeout, hold_name
from assistant.database.place import Place
from assistant.database.schema import open_database
from assistant.database.tables import AUDIT, PRODUCTS
from assistant.errors import AuditError, HistoryError, ProductError, told
from assistant.products import store as files
from assistant.products.audit_chain import Facts
from assistant.products.names import SUFFIX
from assistant.products.product import Product, check_name
from assistant.products.shared_log import SharedLog


class SharedProducts(files.ProductStore):
    """The products in the database at a URL. ProductError where it cannot be read or written."""

    def __init__(self, where: Place) -> None:
        with _in_plain_words():
            self.database = open_database(where)
        self.log = SharedLog(self.database)
        self._known = threading.local()

    def path(self, name: str) -> Path:
        """What a file with that product would be called: it is a row."""
        return Path(f"{check_name(name)}{SUFFIX}")

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """As `ProductStore.held`, for all stations."""
        check_name(name)
        try:
            with _in_plain_words():
                held = hold_name(self.database, f"looktwice product {name}", files.LONGEST_WAIT)
                held.__enter__()
        except LockTimeout:
            raise ProductError(f"The product {name!r} is being changed elsewhere; try again later.") from None
        try:
            self._versions()[name] = self._version(name)
            yield
        finally:
            self._versions().pop(name, None)
            with _in_plain_words():
                held.__exit__(None, None, None)

    def state(self, name: str) -> files.ProductState | None:
        """The version of a product; None where there is none of that name."""
        try:
            check_name(name)
        except ProductError:
            return None
        version = self._version(name)
        return None if version is None else (version,)

    def names(self) -> list[str]:
        """The names of the products, sorted."""
        with _in_plain_words(), self.database.read() as connection:
            return sorted(connection.execute(select(PRODUCTS.c.name)).scalars())

    def take_over(self, folder: files.ProductStore) -> list[str]:
        """Copy every product and the log of a folder into a store that has none; the names, all or nothing.

        ProductError where the store has any, where a file cannot be read, or where the log does not fit.
        """
        chain = folder.log.verify()
        if chain.fault:
            raise ProductError(f"{chain.fault} Nothing was taken over.")
        rows = []
        for name in folder.names():
            content, past = folder.load(name).packed()
            rows.append(_row(name, content, past))
        lines = [{"n": entry.n, "line": entry.line.decode("ascii")} for entry in folder.log.entries()]
        with _in_plain_words(), self.database.write(alone=[PRODUCTS, AUDIT]) as connection:
            for table in (PRODUCTS, AUDIT):
                if connection.execute(select(table).limit(1)).first() is not None:
                    raise ProductError("The store has products already: nothing was taken over.")
            for row in rows:
                connection.execute(PRODUCTS.insert().values(**row))
            if lines:
                connection.execute(AUDIT.insert(), lines)
        return [str(row["name"]) for row in rows]

    @contextmanager
    def _change(self, name: str) -> Iterator[files.Writer]:
        try:
            with self.log.hold() as writer:
                yield writer
        except AuditError as error:
            raise ProductError(f"The product {name!r} cannot be kept or removed: {error}") from error

    def _read(self, name: str) -> Product:
        check_name(name)
        row = self._row(name)
        if row is None:
            raise ProductError(self.missing(name))
        return Product.unpacked(row[0], row[1], f"{name}{SUFFIX}")

    def _kept(self, name: str) -> Product | Facts | None:
        check_name(name)
        row = self._row(name)
        if row is None:
            return None
        try:
            return Product.unpacked(row[0], row[1], f"{name}{SUFFIX}")
        except ProductError:
            return {"state": hashlib.sha256(row[0]).hexdigest(), "damaged": True}

    def _write(self, product: Product) -> Path:
        values = _row(product.name, *product.packed())
        mine, known = PRODUCTS.c.name == product.name, self._versions()
        with _in_plain_words():
            try:
                with self.database.write() as connection:
                    found = connection.execute(select(PRODUCTS.c.version).where(mine)).scalar()
                    expected = known.get(product.name, found)
                    asked = mine & (PRODUCTS.c.version == expected)
                    if found != expected:
                        raise _changed(product.name)
                    if found is None:
                        connection.execute(PRODUCTS.insert().values(**values))
                    elif not connection.execute(PRODUCTS.update().where(asked).values(**values)).rowcount:
                        raise _changed(product.name)
            except IntegrityError as error:
                raise _changed(product.name) from error
        if product.name in known:
            known[product.name] = str(values["version"])
        return self.path(product.name)

    def _erase(self, name: str) -> None:
        with _in_plain_words(), self.database.write() as connection:
            connection.execute(PRODUCTS.delete().where(PRODUCTS.c.name == name))

    def _row(self, name: str) -> tuple[bytes, bytes | None] | None:
        columns = PRODUCTS.c
        with _in_plain_words(), self.database.read() as connection:
            asked = select(columns.content, columns.past).where(columns.name == name)
            row = connection.execute(asked).one_or_none()
        return None if row is None else (bytes(row.content), None if row.past is None else bytes(row.past))

    def _version(self, name: str) -> str | None:
        with _in_plain_words(), self.database.read() as connection:
            version = connection.execute(select(PRODUCTS.c.version).where(PRODUCTS.c.name == name)).scalar()
        return None if version is None else str(version)

    def _versions(self) -> dict[str, str | None]:
        """The versions of the products that this thread holds."""
        if not hasattr(self._known, "versions"):
            self._known.versions = {}
        return self._known.versions  # type: ignore[no-any-return]


def _row(name: str, content: bytes, past: bytes | None) -> dict[str, str | bytes | None]:
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    return {"name": name, "version": secrets.token_hex(16), "content": content, "past": past, "changed": now}


def _changed(name: str) -> ProductError:
    return ProductError(f"The product {name!r} was changed elsewhere meanwhile: do it again.")


@contextmanager
def _in_plain_words() -> Iterator[None]:
    try:
        yield
    except HistoryError as error:
        raise ProductError(told(f"The products are in a database. {error}")) from error
