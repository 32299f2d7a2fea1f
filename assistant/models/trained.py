"""What is trained for the frozen towers of a bundle: a file each, and the way to the right one.

A file is `<bundle>.<kind>.safetensors`, with a header that says for which towers it was made. The shipped one lies
beside the card of the bundle, one that a user trained in the cache, and the user's own comes first.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from assistant.errors import WeightsError
from assistant.files import write_atomically
from assistant.models.card import card_folder
from assistant.models.places import cache_root

SCHEMA = 1


@dataclass(frozen=True, eq=False, kw_only=True)
class Trained(ABC):
    """Something trained for the towers of `bundle` in the state `weights`, a digest of their weights.

    `card`: what made it and how it did, as text. A subclass names its `kind`, the word for it in sentences, in
    `looktwice train` and in the names of its files, and the `folder` of the cache that holds a user's own.
    """

    kind: ClassVar[str]
    folder: ClassVar[str]

    bundle: str
    weights: str
    card: Mapping[str, str] = field(default_factory=dict)

    @abstractmethod
    def _settings(self) -> dict[str, Any]:
        """What the header says beside the fields that all kinds share."""

    @abstractmethod
    def _tensors(self) -> dict[str, Tensor]:
        """The tensors of the file."""

    @classmethod
    @abstractmethod
    def _build(cls, header: dict[str, Any], tensors: dict[str, Tensor]) -> Self:
        """The thing from the header and the tensors of its file; any error where they are not right."""

    @classmethod
    def file_name(cls, bundle: str) -> str:
        """The name of the file of a bundle."""
        return f"{bundle}.{cls.kind}.safetensors"

    @classmethod
    def user_path(cls, bundle: str) -> Path:
        """Where the one that a user trained is kept."""
        return cache_root() / cls.folder / cls.file_name(bundle)

    @classmethod
    def find(cls, bundle: str, weights: str) -> Self | None:
        """The one for a bundle, the user's own before the shipped one; None where there is neither.

        WeightsError where it was made for towers in another state than `weights`.
        """
        mine, shipped = cls.user_path(bundle), Path(str(card_folder() / cls.file_name(bundle)))
        path = mine if mine.is_file() else shipped
        if not path.is_file():
            return None
        trained = cls.load(path)
        if trained.weights != weights:
            raise WeightsError(
                f"The trained {cls.kind} of the bundle {bundle!r} was made for other weights; train it again with "
                f"`looktwice train {cls.kind}`, or delete {path}."
            )
        return trained

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file; WeightsError in one sentence where it is missing, damaged, or of another kind or schema."""
        try:
            with safe_open(str(path), "pt") as file:
                header = json.loads((file.metadata() or {})["looktwice"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            if header["schema"] != SCHEMA:
                raise ValueError("another schema")
            return cls._build(header, tensors)
        except FileNotFoundError:
            raise WeightsError(f"There is no file {path.name!r}.") from None
        except Exception as error:  # whatever a damaged file leads to, nothing half-read comes out
            raise WeightsError(
                f"The trained {cls.kind} {path.name!r} is damaged; train or fetch it again."
            ) from error

    def save(self, path: Path) -> Path:
        """Write the file, atomically, the same content always as the same bytes."""
        header = {"schema": SCHEMA, "bundle": self.bundle, "weights": self.weights}
        header |= self._settings() | {"card": dict(self.card)}
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self._tensors().items()}
        content = save(tensors, {"looktwice": json.dumps(header)})
        path.parent.mkdir(parents=True, exist_ok=True)
        return write_atomically(path, content)
