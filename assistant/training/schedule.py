"""In which order a run sees its views, how fast it learns at each step, and what tells two runs apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def draw_batches(count: int, epochs: int, batch: int, seed: int) -> Iterator[Tensor]:
    """Indices of `count` views in batches, each once an epoch; the order of an epoch depends on the seed alone."""
    for epoch in range(epochs):
        generator = torch.Generator().manual_seed(seed * 7919 + epoch)
        yield from torch.randperm(count, generator=generator).split(batch)


def rate_at(step: int, steps: int) -> float:
    """The share of the highest learning rate at a step: rising for a tenth of the steps, then falling to zero."""
    warm = max(1, steps // 10)
    if step < warm:
        return (step + 1) / warm
    return max(0.0, (steps - step) / max(1, steps - warm))


def digest_of(config: DataclassInstance, keys: Sequence[str]) -> str:
    """A short name for a configuration and the views it is run on."""
    content = json.dumps([asdict(config), list(keys)], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:12]
