"""Products of unit vectors, in the number type that is quick on the device at hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache

import torch
from torch import Tensor

_ENTRIES = 8192
"""Entries compared at once on a processor. Smaller blocks stay in its cache, which saves a single core time on
short vectors, and cost more on cores that other programs use, since the cores wait for each other after each."""

_WRITTEN_OUT: ContextVar[bool] = ContextVar("written_out", default=False)


@contextmanager
def written_out() -> Iterator[None]:
    """Within the block products are plain float32 ones of the numbers as rounded here, for whoever records them.

    The values are those of the quick ways but for the order of sums. A runtime elsewhere has no quick ones.
    """
    token = _WRITTEN_OUT.set(True)
    try:
        yield
    finally:
        _WRITTEN_OUT.reset(token)


def is_written_out() -> bool:
    """Whether what is computed here is recorded, so that nothing may hang on its values but by tensors."""
    return _WRITTEN_OUT.get()


def cosines(queries: Tensor, entries: Tensor) -> Tensor:
    """All products of unit vectors: [n, C] and [m, C] -> [n, m], in bfloat16 where that is quick, else float32.

    bfloat16 is accurate to about 0.005 here, and several times quicker where the processor has it.
    """
    dtype = product_type(queries.device.type)
    if is_written_out():
        return (queries.to(dtype).float() @ entries.to(dtype).float().T).to(dtype).float()
    return queries.to(dtype) @ entries.to(dtype).T


def nearest(queries: Tensor, entries: Tensor) -> Tensor:
    """The largest cosine of each query to any entry: [n, C] and [m, C] -> [n], in the type of `cosines`.

    Exact, as `cosines(...).amax(dim=1)` is, and several times quicker on a processor. ValueError for no entry.
    """
    if not len(entries):
        raise ValueError("there is no entry to compare with")
    if is_written_out():
        blocks = [cosines(queries, block).amax(dim=1) for block in entries.split(_ENTRIES)]
        return torch.stack(blocks).amax(dim=0)
    if queries.device.type != "cpu":
        return cosines(queries, entries).amax(dim=1)
    dtype = product_type("cpu")
    queries = queries.detach().to(dtype)
    buffer = torch.empty(len(queries) * min(_ENTRIES, len(entries)), dtype=dtype)
    blocks = [_largest(queries, block.to(dtype), buffer) for block in entries.detach().split(_ENTRIES)]
    best = torch.stack(blocks).amax(dim=0)
    if dtype != torch.bfloat16:
        return best
    behind = best < 0
    best = best.view(dtype)
    if bool(behind.any()):
        best[behind] = cosines(queries[behind], entries).amax(dim=1)
    return best


@lru_cache(maxsize=8)
def product_type(device: str) -> torch.dtype:
    """bfloat16 on CUDA and on processors with bfloat16 instructions, else float32."""
    if device == "cuda":
        return torch.bfloat16
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    quick = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return torch.bfloat16 if device == "cpu" and quick else torch.float32


def _largest(queries: Tensor, block: Tensor, buffer: Tensor) -> Tensor:
    """The largest product of each query with a block: float32 as it is, bfloat16 by its bits as int16.

    Bits compare as the floats do unless both are negative, and their maximum is found five times as fast.
    `buffer` takes the products: fresh memory for every block would cost more than the products themselves.
    """
    products = buffer[: len(queries) * len(block)].view(len(queries), len(block))
    torch.mm(queries, block.T, out=products)
    return (products.view(torch.int16) if buffer.dtype == torch.bfloat16 else products).amax(dim=1)
