"""Products of unit vectors, in the number type that is quick on the device at hand."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor


def cosines(queries: Tensor, entries: Tensor) -> Tensor:
    """All products of unit vectors: [n, C] and [m, C] -> [n, m], in bfloat16 where that is quick, else float32.

    bfloat16 is accurate to about 0.005 here, and several times quicker where the processor has it.
    """
    dtype = product_type(queries.device.type)
    return queries.to(dtype) @ entries.to(dtype).T


@lru_cache(maxsize=8)
def product_type(device: str) -> torch.dtype:
    """bfloat16 on CUDA and on processors with bfloat16 instructions, else float32."""
    if device == "cuda":
        return torch.bfloat16
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    quick = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return torch.bfloat16 if device == "cpu" and quick else torch.float32
