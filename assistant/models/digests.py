"""SHA-256 digests of files and of tensors, by which damage and changes are noticed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def hash_file(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_state(settings: str, tensors: Mapping[str, Tensor]) -> str:
    """The sha256 of settings and named tensors, in hexadecimal, whatever device the tensors lie on."""
    digest = hashlib.sha256(settings.encode())
    for name in sorted(tensors):
        tensor = tensors[name].cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(octets(tensor).numpy().data)
    return digest.hexdigest()


def octets(tensor: Tensor) -> Tensor:
    """The bytes of a tensor as they lie in memory, row after row: uint8 [n] on the CPU."""
    import torch

    flat = tensor.cpu().contiguous().flatten()  # a single number has no last dimension to be viewed otherwise
    return flat.view(torch.uint8) if len(flat) else torch.empty(0, dtype=torch.uint8)
