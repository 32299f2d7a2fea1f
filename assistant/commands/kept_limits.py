"""Limits that follow from other parts than references: read from the user's history, and kept with a product."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

from assistant.commands import console
from assistant.commands.what_if import effect_on
from assistant.errors import HistoryError, ProductError

if TYPE_CHECKING:
    from assistant.detection.calibration import Calibration
    from assistant.inspector import Inspector
    from assistant.products.product import Product
    from assistant.products.ways import Chosen
    from assistant.records.history import History
    from assistant.records.what_if import Effect

T = TypeVar("T")


def keep_limits(inspector: Inspector, seen: Product, limits: Calibration, by: str) -> Effect:
    """Keep limits as one change that can be undone, and say what it does.

    `seen` is the product that they were worked out for; ProductError where it has changed since. `by` says what
    they rest on.
    """
    from assistant.records.what_if import describe

    def follow(product: Product) -> Product:
        return inspector.teacher.keep_limits(_unchanged(product, seen), limits, by)

    before, after = inspector.store.change(seen.name, follow, load=inspector.load)
    effect = effect_on(before, after)
    console.say(f"Kept: {limits.evidence.origin}. {describe(effect)}")
    console.say(f"`looktwice teach {seen.name} --undo` takes it back.")
    return effect


def keep_way(inspector: Inspector, seen: Product, chosen: Chosen) -> Product:
    """The product in the way that was chosen, kept as one change that can be undone; errors of `keep_limits`."""
    _, after = inspector.store.change(
        seen.name, lambda product: chosen.follow(_unchanged(product, seen)), load=inspector.load
    )
    console.say(f"Kept: {chosen.gain.chosen}. `looktwice teach {seen.name} --undo` takes it back.")
    return after


def _unchanged(product: Product, seen: Product) -> Product:
    if product.seal != seen.seal:
        raise ProductError(f"The product {seen.name!r} was changed meanwhile: do it again.")
    return product


def read_history(read: Callable[[History], T]) -> T:
    """What is read from the user's history; HistoryError where nothing was ever kept."""
    from assistant.database.place import is_begun
    from assistant.records.history import History, default_history

    if not is_begun(default_history()):
        raise HistoryError("There is no history yet: `looktwice inspect --history` keeps what was found.")
    with closing(History(default_history())) as history:
        return read(history)
