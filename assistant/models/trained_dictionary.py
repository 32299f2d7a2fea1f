"""The trained dictionary of a bundle, as a file: `<bundle>.dictionary.safetensors`.

It lies beside the card, or in the cache where a user trained it with `looktwice train dictionary`. This module
reads and writes that file, and looks memories up with what is in it; it trains nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor

from assistant.adapters.dictionary import Dictionary
from assistant.adapters.recall import Recall
from assistant.adapters.sparse import SparseConfig, SparseDictionary
from assistant.errors import ProductError, WeightsError
from assistant.models.cache import cache_root
from assistant.models.card import card_folder
from assistant.models.trained import choose_trained, read_trained, write_trained
from assistant.products.undo import digest

SCHEMA = 1
SUFFIX = ".dictionary.safetensors"


@dataclass(frozen=True, eq=False)
class TrainedDictionary:
    """A dictionary's generators for the towers of `bundle` in the state `weights`.

    `card`: what made it, and how it did beside plain nearest neighbour on kinds held out from it, as text.
    """

    dictionary: SparseDictionary
    bundle: str
    weights: str
    card: Mapping[str, str] = field(default_factory=dict)
    _recalls: WeakKeyDictionary[Dictionary, Recall] = field(
        default_factory=WeakKeyDictionary, init=False, repr=False
    )
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of its shape and weights, whatever made them."""
        return digest(json.dumps(asdict(self.dictionary.config)), self.dictionary.state_dict())

    def recall(self, memory: Dictionary) -> Recall:
        """The memory as its generators read it, worked out once for what it holds; safe to ask from threads.

        ProductError where the memory does not hold whole pictures, or other patches than it was trained on.
        """
        if memory.entries.shape[1] != self.dictionary.config.channels:
            raise ProductError(
                f"The trained dictionary of the bundle {self.bundle!r} reads other patches than its products keep."
            )
        with self._lock:
            found = self._recalls.get(memory)
            if found is None or not found.is_of(memory):
                try:
                    found = Recall(self.dictionary, memory)
                except ValueError as error:
                    raise ProductError(
                        "A trained memory holds all patches of its references, and there is no room for so many: "
                        "take fewer references, or the nearest memory."
                    ) from error
                self._recalls[memory] = found
        return found

    def save(self, path: Path) -> Path:
        """Write the file, atomically."""
        header = {
            "schema": SCHEMA,
            "bundle": self.bundle,
            "weights": self.weights,
            "dictionary": asdict(self.dictionary.config),
            "card": dict(self.card),
        }
        return write_trained(path, self.dictionary.state_dict(), header)

    @classmethod
    def load(cls, path: Path) -> TrainedDictionary:
        """Read the file; WeightsError in one sentence where it is damaged or of another kind."""
        return read_trained(path, SCHEMA, _build, "dictionary")


def _build(header: dict[str, Any], tensors: dict[str, Tensor]) -> TrainedDictionary:
    shape = {name: tuple(v) if isinstance(v, list) else v for name, v in header["dictionary"].items()}
    dictionary = SparseDictionary(SparseConfig(**shape))
    dictionary.load_state_dict(tensors)
    dictionary.eval().requires_grad_(False)
    return TrainedDictionary(dictionary, header["bundle"], header["weights"], header["card"])


def user_dictionary(bundle: str) -> Path:
    """Where a dictionary that a user trained is kept."""
    return cache_root() / "dictionaries" / f"{bundle}{SUFFIX}"


def load_dictionary(bundle: str, weights: str) -> TrainedDictionary | None:
    """The dictionary of a bundle, the user's own before the shipped one; None where there is none.

    WeightsError where it was made for towers in another state.
    """
    shipped = Path(str(card_folder() / f"{bundle}{SUFFIX}"))
    load = TrainedDictionary.load
    return choose_trained(user_dictionary(bundle), shipped, load, bundle, weights, "dictionary")


def require_dictionary(bundle: str, weights: str) -> TrainedDictionary:
    """The dictionary of a bundle; WeightsError where there is none, or it was made for towers in another state."""
    found = load_dictionary(bundle, weights)
    if found is None:
        raise WeightsError(
            f"The bundle {bundle!r} has no trained dictionary for a trained memory: make one with "
            "`looktwice train dictionary`."
        )
    return found
