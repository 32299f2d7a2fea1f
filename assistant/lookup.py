"""The trained dictionary of a bundle, as a file: `<bundle>.dictionary.safetensors`.

It lies beside the card, or in the cache where a user trained it with `looktwice train dictionary`. This module
reads and writes that file; it trains nothing and decides no score.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from assistant.adapters.sparse import SparseConfig, SparseDictionary
from assistant.bundle import card_folder
from assistant.trained import choose_trained, read_trained, write_trained
from assistant.weights import cache_root

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
