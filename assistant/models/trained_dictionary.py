"""The trained dictionary of a bundle, with which memories are looked up: `<bundle>.dictionary.safetensors`.

`looktwice train dictionary` makes it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from threading import Lock
from typing import Any, ClassVar, Self
from weakref import WeakKeyDictionary

from torch import Tensor

from assistant.adapters.dictionary import Dictionary
from assistant.adapters.recall import Recall
from assistant.adapters.sparse import SparseConfig, SparseDictionary
from assistant.errors import ProductError, WeightsError, told
from assistant.models.digests import digest_state
from assistant.models.trained import Trained


@dataclass(frozen=True, eq=False)
class TrainedDictionary(Trained):
    """A dictionary's generators for the towers of a bundle.

    Its `card` says how it did beside plain nearest neighbour on kinds of product held out from training.
    """

    kind: ClassVar[str] = "dictionary"
    folder: ClassVar[str] = "dictionaries"

    dictionary: SparseDictionary
    _recalls: WeakKeyDictionary[Dictionary, Recall] = field(
        default_factory=WeakKeyDictionary, init=False, repr=False
    )
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    @classmethod
    def require(cls, bundle: str, weights: str) -> Self:
        """As `find`, but WeightsError where there is none."""
        trained = cls.find(bundle, weights)
        if trained is None:
            raise WeightsError(
                told(
                    f"The bundle {bundle!r} has no trained dictionary for a trained memory: make one with "
                    "`looktwice train dictionary`."
                )
            )
        return trained

    @cached_property
    def digest(self) -> str:
        """The sha256 of its shape and weights, whatever made them."""
        return digest_state(json.dumps(asdict(self.dictionary.config)), self.dictionary.state_dict())

    def recall(self, memory: Dictionary) -> Recall:
        """The memory as its generators read it, worked out once for what it holds; safe to ask from threads.

        ProductError where the memory does not hold whole pictures, or other patches than it was trained on.
        """
        if memory.entries.shape[1] != self.dictionary.config.channels:
            raise ProductError(
                told(
                    f"The trained dictionary of the bundle {self.bundle!r} reads other patches than its products "
                    "keep."
                )
            )
        with self._lock:
            recall = self._recalls.get(memory)
            if recall is None or not recall.is_of(memory):
                try:
                    recall = Recall(self.dictionary, memory)
                except ValueError as error:
                    raise ProductError(
                        told(
                            "A trained memory holds all patches of its references, and there is no room for so "
                            "many: take fewer references, or the nearest memory."
                        )
                    ) from error
                self._recalls[memory] = recall
        return recall

    def _settings(self) -> dict[str, Any]:
        return {"dictionary": asdict(self.dictionary.config)}

    def _tensors(self) -> dict[str, Tensor]:
        return self.dictionary.state_dict()

    @classmethod
    def _build(cls, header: dict[str, Any], tensors: dict[str, Tensor]) -> Self:
        read = header["dictionary"].items()
        shape: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in read}
        dictionary = SparseDictionary(SparseConfig(**shape))
        dictionary.load_state_dict(tensors)
        dictionary.eval().requires_grad_(False)
        made_for = {name: header[name] for name in ("bundle", "weights", "card")}
        return cls(dictionary, **made_for)
