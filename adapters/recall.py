"""A memory looked up through a trained `SparseDictionary`, where `Dictionary` takes the nearest patch.

`Recall` gives distances as `Dictionary.lookup` does, from what the trained generators make of the same patches.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from .dictionary import Dictionary
from .sparse import Remembered, SparseDictionary


class Recall:
    """Keys and values of a dictionary's references, in bfloat16: twice its bytes for each neighbourhood scale.

    A generator reads a reference as the picture it is, so all patches of each must be there, from one view.
    ValueError where they are not, or have another number of channels.
    """

    def __init__(self, trained: SparseDictionary, memory: Dictionary) -> None:
        self.trained = trained
        self._made_of = memory.entries, memory.owners
        grids = {owner: normalize(memory.grid(owner).float(), dim=-1) for owner in memory.ids()}
        with torch.no_grad():
            self._kept = Remembered.join([trained.remember(grid[None]) for grid in grids.values()]).condense()
        self._owners = torch.cat([torch.full((grid[..., 0].numel(),), owner) for owner, grid in grids.items()])

    @property
    def nbytes(self) -> int:
        """Bytes that keys and values take."""
        return self._kept.nbytes

    def is_of(self, memory: Dictionary) -> bool:
        """Whether it was made of what the memory holds now."""
        entries, owners = self._made_of
        return entries is memory.entries and owners is memory.owners

    def lookup(self, queries: Tensor, without: int | None = None) -> Tensor:
        """How far queries are from what is retrieved for them: [B, h, w, C] -> [B, h, w] float32 in [0, 2].

        `without` leaves one reference out. ValueError where nothing is left to compare with.
        """
        kept = self._kept
        if without is not None:
            mine = (self._owners != without).nonzero()[:, 0].to(kept.keys[0][0].device)
            kept = kept.each(lambda table: table[:, mine])
        if not kept.keys[0][0].shape[1]:
            raise ValueError("there is no entry to compare with")
        with torch.no_grad():
            return self.trained.look_up(queries.to(kept.keys[0][0].device), kept)
