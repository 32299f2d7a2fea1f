"""The few-shot memory: patch descriptors of good pictures, looked up by nearest neighbour.

`Dictionary` is the seam for every memory: build, lookup, add, remove, state_dict. This one is exact and needs
no training. It knows patches and who owns them, not pictures or thresholds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from .similarity import cosines

CAPACITY = 60_000
"""Entries kept at most: with the pocket tower's 472 numbers each, in bf16, 57 MB."""

_BLOCK = 2048  # queries scored at once: bounds the similarity matrix to _BLOCK x entries


class Dictionary:
    """Unit vectors of good patches, each with the id of the reference it comes from.

    Entries are bfloat16 [N, C] on one device, which halves the memory. Distances are one minus cosine, in
    [0, 2], and accurate to about 0.005.
    """

    def __init__(self, capacity: int = CAPACITY, device: torch.device | str = "cpu") -> None:
        if capacity < 1:
            raise ValueError(f"a dictionary holds at least one entry, not {capacity}")
        self.capacity = capacity
        self.entries = torch.empty(0, 0, dtype=torch.bfloat16, device=device)
        self.owners = torch.empty(0, dtype=torch.int64, device=device)

    @classmethod
    def build(
        cls,
        references: Mapping[int, Tensor],
        capacity: int = CAPACITY,
        device: torch.device | str = "cpu",
    ) -> Dictionary:
        """A dictionary of the references' patches: {id: [n, C] unit vectors}."""
        dictionary = cls(capacity, device)
        dictionary._append(references)
        return dictionary

    def add(self, owner: int, patches: Tensor) -> None:
        """Take in the patches [n, C] of one more reference; ValueError where the id is taken or C differs."""
        self._append({owner: patches})

    def remove(self, owner: int) -> None:
        """Forget a reference; KeyError where it is not there."""
        kept = self.owners != owner
        if bool(kept.all()):
            raise KeyError(f"the dictionary has no reference {owner}")
        self.entries, self.owners = self.entries[kept], self.owners[kept]

    def to(self, device: torch.device | str) -> None:
        """Move the memory to a device; nothing is copied where it is there already."""
        self.entries, self.owners = self.entries.to(device), self.owners.to(device)

    def lookup(self, queries: Tensor, without: int | None = None) -> Tensor:
        """The distance of each query to its nearest entry: [..., C] -> [...] float32.

        `without` leaves one reference out, which is how a reference is scored against the others. ValueError
        where nothing is left to compare with.
        """
        entries = self.entries if without is None else self.entries[self.owners != without]
        if not len(entries):
            raise ValueError("there is no entry to compare with")
        flat = queries.reshape(-1, queries.shape[-1]).to(entries.device)
        parts = [cosines(rows, entries).amax(dim=1) for rows in flat.split(_BLOCK)]
        return (1 - torch.cat(parts).float()).clamp_min(0).reshape(queries.shape[:-1])

    def ids(self) -> list[int]:
        """The references in memory, in the order they came."""
        return list(dict.fromkeys(self.owners.tolist()))

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def nbytes(self) -> int:
        """Bytes that the entries and their owners take."""
        return sum(t.numel() * t.element_size() for t in (self.entries, self.owners))

    def state_dict(self) -> dict[str, Tensor]:
        """Tensors that `load_state_dict` turns back into the same memory."""
        return {"entries": self.entries.cpu(), "owners": self.owners.cpu()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Replace the memory; ValueError where tensors are missing, left over or do not fit together."""
        if set(state) != {"entries", "owners"}:
            raise ValueError(f"a dictionary is made of entries and owners, not of {', '.join(sorted(state))}")
        entries, owners = state["entries"], state["owners"]
        if entries.ndim != 2 or owners.shape != entries.shape[:1]:
            raise ValueError("entries and owners do not fit together")
        if entries.dtype != torch.bfloat16 or owners.dtype != torch.int64:
            raise ValueError("entries are bfloat16 and owners int64")
        if not bool(torch.isfinite(entries).all()):
            raise ValueError("the entries hold numbers that are not finite")
        device = self.entries.device
        self.entries, self.owners = entries.to(device), owners.to(device)

    def _append(self, references: Mapping[int, Tensor]) -> None:
        if taken := sorted(set(references) & set(self.ids())):
            raise ValueError(f"the dictionary already has a reference {taken[0]}")
        sizes = {p.shape[1] for p in references.values()} | ({self.entries.shape[1]} if len(self) else set())
        if len(sizes) > 1:
            raise ValueError(f"patches of different sizes cannot be compared: {sorted(sizes)}")
        device = self.entries.device
        entries = [p.detach().to(device, torch.bfloat16) for p in references.values()]
        owners = [torch.full((len(p),), i, dtype=torch.int64, device=device) for i, p in references.items()]
        self.entries = torch.cat([self.entries, *entries] if len(self) else entries)
        self.owners = torch.cat([self.owners, *owners])
        if len(self) > self.capacity:
            kept = coreset(self.entries, self.capacity)
            self.entries, self.owners = self.entries[kept], self.owners[kept]


def coreset(entries: Tensor, size: int, *, seed: int = 0, dimensions: int = 32) -> Tensor:
    """Indices [size], rising, of entries that cover the rest: greedy k-center, as in PatchCore.

    Each step takes the entry farthest from all taken ones, in a random projection to `dimensions` numbers
    (Sinha et al. 2020), which changes the choice little and the time a lot. Takes O(N * size) time and O(N)
    memory. The farthest entries come in groups of 1/1000 of the size, so that large memories stay quick.
    """
    if size >= len(entries):
        return torch.arange(len(entries), device=entries.device)
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(entries.shape[1], dimensions, generator=generator).to(entries.device)
    points = entries.float() @ directions / dimensions**0.5
    first = torch.cdist(points, points.mean(0, keepdim=True)).argmax().view(1)
    nearest = torch.cdist(points, points[first]).squeeze(1)
    nearest[first] = -1.0
    group = max(1, size // 1000)
    taken = [first]
    count = 1
    while count < size:
        fresh = nearest.topk(min(group, size - count)).indices
        taken.append(fresh)
        count += len(fresh)
        nearest = torch.minimum(nearest, torch.cdist(points, points[fresh]).amin(dim=1))
        nearest[fresh] = -1.0
    return torch.cat(taken).sort().values


def merge(groups: Iterable[Tensor]) -> Tensor:
    """Patches of several views of one reference as one [n, C] table: each [B, h, w, C] is flattened."""
    return torch.cat([tokens.reshape(-1, tokens.shape[-1]) for tokens in groups])
