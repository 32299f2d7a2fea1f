"""Files of what was trained for a bundle: safetensors with a header that says for which towers it was made.

A user's own file comes before the shipped one. This module knows neither detectors nor dictionaries.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from assistant.errors import WeightsError
from assistant.files import write_atomically


class Trained(Protocol):
    """Something trained for towers in the state `weights`."""

    @property
    def weights(self) -> str:
        """The digest of the towers' weights."""


Made = TypeVar("Made")
Kept = TypeVar("Kept", bound=Trained)


def write_trained(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> Path:
    """Write tensors under a header, atomically, the same content always as the same bytes."""
    content = save(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
        {"looktwice": json.dumps(header)},
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_atomically(path, content)


def read_trained(
    path: Path, schema: int, build: Callable[[dict[str, Any], dict[str, Tensor]], Made], what: str
) -> Made:
    """What `build` makes of the header and tensors of a file; `what` is its name in a sentence.

    WeightsError in one sentence where the file is missing, damaged, of another kind or schema.
    """
    try:
        with safe_open(str(path), "pt") as file:
            header = json.loads((file.metadata() or {})["looktwice"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        if header["schema"] != schema:
            raise ValueError("another schema")
        return build(header, tensors)
    except FileNotFoundError:
        raise WeightsError(f"There is no file {path.name!r}.") from None
    except Exception as error:  # whatever a damaged file leads to, nothing half-read comes out
        raise WeightsError(f"The trained {what} {path.name!r} is damaged; train or fetch it again.") from error


def choose_trained(
    mine: Path, shipped: Path, load: Callable[[Path], Kept], bundle: str, weights: str, what: str
) -> Kept | None:
    """The user's own file before the shipped one; None where there is neither.

    WeightsError where it was made for towers in another state.
    """
    path = mine if mine.is_file() else shipped
    if not path.is_file():
        return None
    found = load(path)
    if found.weights != weights:
        raise WeightsError(
            f"The trained {what} of the bundle {bundle!r} was made for other weights; train it again with "
            f"`looktwice train {what}`, or delete {path}."
        )
    return found
