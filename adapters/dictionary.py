"""The few-shot memory: patch descriptors of good pictures, looked up by nearest neighbour.

`Dictionary` is the seam for every memory: build, lookup, add, remove, state_dict. This one is exact and needs
no training. It knows patches and who owns them, not pictures or thresholds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from .similarity import cosines, nearest

CAPACITY = 60_000
"""Entries kept at most: with the pocket tower's 472 numbers each, in bf16, 57 MB."""

_BLOCK = 2048  # queries scored at once: bounds the memory that their similarities take

_SIDE = 8  # cells a side that are looked up together: smaller blocks have less around them, and are more of them


class Dictionary:
    """Unit vectors of good patches, each with the id of the reference it comes from and its place in it.

    Entries are bfloat16 [N, C] on one device, which halves the memory. Places are int16 [N, 2], down and right
    in thousandths of the picture, -1 where nobody said. Distances are one minus cosine, in [0, 2], and accurate
    to about 0.005.
    """

    def __init__(self, capacity: int = CAPACITY, device: torch.device | str = "cpu") -> None:
        if capacity < 1:
            raise ValueError(f"a dictionary holds at least one entry, not {capacity}")
        self.capacity = capacity
        self.entries = torch.empty(0, 0, dtype=torch.bfloat16, device=device)
        self.owners = torch.empty(0, dtype=torch.int64, device=device)
        self.places = torch.empty(0, 2, dtype=torch.int16, device=device)

    @classmethod
    def build(
        cls,
        references: Mapping[int, Tensor],
        capacity: int = CAPACITY,
        device: torch.device | str = "cpu",
    ) -> Dictionary:
        """A dictionary of the references' patches: {id: unit vectors [n, C], or [h, w, C] where places count}."""
        dictionary = cls(capacity, device)
        dictionary._append(references)
        return dictionary

    def add(self, owner: int, patches: Tensor) -> None:
        """Take in the patches [n, C] or [h, w, C] of one more reference.

        ValueError where the id is taken or C differs.
        """
        self._append({owner: patches})

    def remove(self, owner: int) -> None:
        """Forget a reference; KeyError where it is not there."""
        kept = self.owners != owner
        if bool(kept.all()):
            raise KeyError(f"the dictionary has no reference {owner}")
        self.keep(kept)

    def keep(self, which: Tensor) -> None:
        """Forget all entries but these: indices [n] in rising order, or bools [N]."""
        self.entries, self.owners, self.places = self.entries[which], self.owners[which], self.places[which]

    def to(self, device: torch.device | str) -> None:
        """Move the memory to a device; nothing is copied where it is there already."""
        self.entries, self.owners = self.entries.to(device), self.owners.to(device)
        self.places = self.places.to(device)

    def lookup(self, queries: Tensor, without: int | None = None) -> Tensor:
        """The distance of each query to its nearest entry: [..., C] -> [...] float32.

        `without` leaves one reference out, which is how a reference is scored against the others. ValueError
        where nothing is left to compare with.
        """
        entries = self.entries if without is None else self.entries[self.owners != without]
        if not len(entries):
            raise ValueError("there is no entry to compare with")
        flat = queries.reshape(-1, queries.shape[-1]).to(entries.device)
        parts = [nearest(rows, entries) for rows in flat.split(_BLOCK)]
        return (1 - torch.cat(parts).float()).clamp_min(0).reshape(queries.shape[:-1])

    def lookup_nearby(self, queries: Tensor, without: int | None = None, reach: int = 2) -> Tensor:
        """The distance of each query to its nearest entry around the same place: [B, h, w, C] -> [B, h, w].

        Entries count up to `reach` cells of the queries' grid away, which is what soft alignment comes to for
        parts that always lie alike: something missing or moved has no match there, although it has one
        elsewhere. Where no entry lies around a place, infinite. ValueError where nothing is left to compare with.
        """
        known = self.places[:, 0] >= 0
        if without is not None:
            known &= self.owners != without
        mine = known.nonzero()[:, 0]
        entries, places = self.entries[mine], self.places[mine]
        if not len(entries):
            raise ValueError("there is no entry to compare with")
        _, h, w, _ = queries.shape
        rows, columns = (cells_of(places[:, axis], size) for axis, size in enumerate((h, w)))
        queries, strips = queries.to(entries.device), []
        for top in range(0, h, _SIDE):
            down = torch.arange(top, min(h, top + _SIDE), device=entries.device)
            row = ((rows >= top - reach) & (rows < top + len(down) + reach)).nonzero()[:, 0]
            strip = []
            for left in range(0, w, _SIDE):
                across = torch.arange(left, min(w, left + _SIDE), device=entries.device)
                beside = (columns[row] >= left - reach) & (columns[row] < left + len(across) + reach)
                here = row[beside]
                block = queries[:, top : top + len(down), left : left + len(across)]
                if not len(here):
                    strip.append(torch.full(block.shape[:3], torch.inf, device=entries.device))
                    continue
                far = ((rows[here] - down[:, None]).abs() > reach)[:, None]
                far = far | ((columns[here] - across[:, None]).abs() > reach)
                alike = cosines(block.flatten(0, 2), entries[here]).float().view(*block.shape[:3], -1)
                strip.append((1 - alike.masked_fill(far, -torch.inf).amax(dim=3)).clamp_min(0))
            strips.append(torch.cat(strip, dim=2))
        return torch.cat(strips, dim=1)

    def covers(self, h: int, w: int, without: int | None = None, reach: int = 2) -> bool:
        """Whether `lookup_nearby` finds an entry around each place of a grid [h, w]; thinned, it may not."""
        known = self.places[:, 0] >= 0
        if without is not None:
            known &= self.owners != without
        held = torch.zeros(1, h, w)
        held[0, cells_of(self.places[known, 0].cpu(), h), cells_of(self.places[known, 1].cpu(), w)] = 1
        return bool(max_pool2d(held, 2 * reach + 1, 1, reach).all())

    def grid(self, owner: int) -> Tensor:
        """The patches [h, w, C] of a reference as they lie in its picture.

        ValueError where the memory holds only some of them, several views, or a mere list.
        """
        mine = self.owners == owner
        entries, places = self.entries[mine], self.places[mine]
        h, w = (len(torch.unique(places[:, axis])) for axis in (0, 1))
        grid = entries.view(h, w, -1) if 0 < len(entries) == h * w else None
        if grid is None or not torch.equal(_places_of(grid).to(places.device), places):
            raise ValueError(f"the dictionary does not hold the whole picture of reference {owner}")
        return grid

    def ids(self) -> list[int]:
        """The references in memory, in the order they came."""
        return list(dict.fromkeys(torch.unique_consecutive(self.owners).tolist()))

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def nbytes(self) -> int:
        """Bytes that the entries, their owners and places take."""
        return sum(t.numel() * t.element_size() for t in (self.entries, self.owners, self.places))

    def state(self) -> tuple[Tensor, Tensor, Tensor]:
        """The tensors that it holds now: entries, owners and places. They are replaced and never written to."""
        return self.entries, self.owners, self.places

    def state_dict(self) -> dict[str, Tensor]:
        """Tensors that `load_state_dict` turns back into the same memory."""
        return {"entries": self.entries.cpu(), "owners": self.owners.cpu(), "places": self.places.cpu()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Replace the memory; ValueError where tensors are missing, left over or do not fit together."""
        if set(state) != {"entries", "owners", "places"}:
            raise ValueError(
                f"a dictionary is made of entries, owners and places, not of {', '.join(sorted(state))}"
            )
        entries, owners, places = state["entries"], state["owners"], state["places"]
        if entries.ndim != 2 or owners.shape != entries.shape[:1] or places.shape != (len(entries), 2):
            raise ValueError("entries, owners and places do not fit together")
        if (entries.dtype, owners.dtype, places.dtype) != (torch.bfloat16, torch.int64, torch.int16):
            raise ValueError("entries are bfloat16, owners int64 and places int16")
        if not bool(torch.isfinite(entries).all()):
            raise ValueError("the entries hold numbers that are not finite")
        device = self.entries.device
        self.entries, self.owners, self.places = entries.to(device), owners.to(device), places.to(device)

    def _append(self, references: Mapping[int, Tensor]) -> None:
        if taken := sorted(set(references) & set(self.ids())):
            raise ValueError(f"the dictionary already has a reference {taken[0]}")
        sizes = {p.shape[-1] for p in references.values()} | ({self.entries.shape[1]} if len(self) else set())
        if len(sizes) > 1:
            raise ValueError(f"patches of different sizes cannot be compared: {sorted(sizes)}")
        device = self.entries.device
        places = [_places_of(p).to(device) for p in references.values()]
        flat = {i: p.detach().reshape(-1, p.shape[-1]).to(device, torch.bfloat16) for i, p in references.items()}
        owners = [torch.full((len(p),), i, dtype=torch.int64, device=device) for i, p in flat.items()]
        self.entries = torch.cat([self.entries, *flat.values()] if len(self) else [*flat.values()])
        self.owners = torch.cat([self.owners, *owners])
        self.places = torch.cat([self.places, *places])
        if len(self) > self.capacity:
            self.keep(coreset(self.entries, self.capacity))


def cells_of(thousandths: Tensor, size: int) -> Tensor:
    """The cells, of `size` along an axis, that places lie in."""
    return (thousandths.long() * size // 1000).clamp_max(size - 1)


def _places_of(patches: Tensor) -> Tensor:
    """The middles of the cells of a grid [h, w, C] as places [h * w, 2]; -1 for a mere list [n, C]."""
    if patches.ndim == 2:
        return torch.full((len(patches), 2), -1, dtype=torch.int16)
    h, w = patches.shape[:2]
    down, right = ((torch.arange(n) * 2 + 1) * 500 // n for n in (h, w))
    return torch.cartesian_prod(down, right).to(torch.int16)


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
    """Patches of the views of one reference, each [1, h, w, C], as a table; one view alone stays [h, w, C]."""
    views = list(groups)
    if len(views) == 1:
        return views[0][0]
    return torch.cat([tokens.reshape(-1, tokens.shape[-1]) for tokens in views])
