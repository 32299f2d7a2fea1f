"""Checkpoints of a training run, as safetensors: what was learned, the optimizer's moments, and the step."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.optim import Optimizer

from assistant.errors import TrainingError
from assistant.files import write_atomically


def save_checkpoint(path: Path, module: nn.Module, optimizer: Optimizer, step: int) -> None:
    """Write everything a run needs to go on after `step` steps, atomically."""
    tensors = {f"module.{name}": tensor for name, tensor in module.state_dict().items()}
    for number, kept in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": torch.as_tensor(value) for name, value in kept.items()}
    tensors["step"] = torch.tensor(step)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}))


def load_checkpoint(path: Path, module: nn.Module, optimizer: Optimizer) -> int:
    """Put a checkpoint back and return its step; 0, and nothing changed, where there is none.

    TrainingError where the file is damaged or does not fit.
    """
    if not path.is_file():
        return 0
    try:
        return _put_back(load(path.read_bytes()), module, optimizer)
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise TrainingError(
            f"The checkpoint {path} is damaged or of another run; delete it to start again."
        ) from error


def _put_back(tensors: dict[str, Tensor], module: nn.Module, optimizer: Optimizer) -> int:
    module.load_state_dict({n.removeprefix("module."): t for n, t in tensors.items() if n.startswith("module.")})
    state = optimizer.state_dict()
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, number, what = name.split(".", 2)
            moments.setdefault(int(number), {})[what] = tensor
    optimizer.load_state_dict({**state, "state": moments})
    return int(tensors["step"])
