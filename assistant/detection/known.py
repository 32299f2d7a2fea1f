"""Known defects: patches of defects that were given as examples, with the names that people gave them.

A patch that is nearer to a known defect than to anything good counts up to twice. What looks like a good
reference keeps its value, and nothing is ever lowered. (Normal and abnormal references together: NAGL, Wang et
al. 2025; the rule here is our own and needs no training.) Knows patches, and neither pictures nor limits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from assistant.adapters.dictionary import Dictionary
from assistant.adapters.similarity import cosines
from assistant.inspection import DefectType

CAPACITY = 4_000
"""Patches of known defects kept at most: with the pocket tower's 472 numbers each, 4 MB."""

MOST_PATCHES = 256
"""Patches taken from one example, the strangest ones."""

LEAST = 0.2
"""The share of a region's patches that must be nearer to a known defect than to anything good, to be named."""


@dataclass(frozen=True)
class KnownDefect:
    """One defect given as an example: its id, its file's base name, its label, a digest of its pixels.

    `extent`: the side of a square as large as it, as a share of its picture's, 0 where nobody outlined it.
    """

    id: int
    name: str
    label: str
    digest: str = ""
    extent: float = 0.0


@dataclass(frozen=True, eq=False)
class KnownDefects:
    """The known defects of a product; adding to them and taking from them gives others."""

    defects: tuple[KnownDefect, ...] = ()
    dictionary: Dictionary = field(default_factory=lambda: Dictionary(CAPACITY))

    def __post_init__(self) -> None:
        if len({defect.id for defect in self.defects}) < len(self.defects):
            raise ValueError("two known defects have one id")
        if set(self.dictionary.ids()) - {defect.id for defect in self.defects}:
            raise ValueError("there are patches of a defect that is not named")

    def __bool__(self) -> bool:
        return len(self.dictionary) > 0

    @property
    def nbytes(self) -> int:
        """Bytes that the patches take."""
        return self.dictionary.nbytes if self else 0

    def with_example(self, defect: KnownDefect, patches: Tensor) -> KnownDefects:
        """These and one more, with its patches [n, C] of unit length."""
        memory = copy_of(self.dictionary, patches.device)
        memory.add(defect.id, patches)
        return KnownDefects((*self.defects, defect), memory)

    def without(self, id: int) -> KnownDefects:
        """These but for one."""
        memory = less(self.dictionary, id)
        kept = tuple(defect for defect in self.defects if defect.id != id)
        return KnownDefects(kept, memory) if len(memory) else KnownDefects(kept)

    def contrast(self, tokens: Tensor, memory: Dictionary, without: int | None = None) -> Tensor:
        """How much nearer each patch is to a known defect than to a good one: [..., C] -> [...] in [-1, 1].

        With g and d the distances to the good and to the known defective patches, (g - d) / (g + d): 1 for the
        very same patch, 0 where both are as near, negative where it is good. `memory` holds the good patches,
        `without` one of its references.
        """
        good, bad = memory.lookup(tokens, without), self.dictionary.lookup(tokens)
        contrast: Tensor = (good - bad) / (good + bad).clamp_min(1e-6)
        return contrast

    def recognise(self, tokens: Tensor, contrast: Tensor, mask: Tensor) -> tuple[DefectType, ...]:
        """The labels that a region carries, the likeliest first, and none where it is like no known defect.

        `tokens` [h, w, C], `contrast` and `mask` [h, w], the mask true in the region. The probability of a label
        is the share of the region's patches that are nearest to it and nearer than to anything good.
        """
        inside = mask.to(tokens.device)
        alike = tokens[inside & (contrast > 0).to(tokens.device)]
        count = int(inside.sum())
        if len(alike) < LEAST * count or not len(alike):
            return ()
        nearest = cosines(alike.to(self.dictionary.entries.device), self.dictionary.entries).argmax(dim=1)
        labels = {defect.id: defect.label for defect in self.defects}
        shares: dict[str, float] = {}
        for owner in self.dictionary.owners[nearest].tolist():
            shares[labels[owner]] = shares.get(labels[owner], 0.0) + 1 / count
        ranked = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
        return tuple(DefectType(label, round(min(1.0, share), 4), "known") for label, share in ranked[:3])

    def state_dict(self) -> dict[str, Tensor]:
        """The tensors of its patches; none where there are none."""
        return self.dictionary.state_dict() if self else {}

    def rows(self) -> list[dict[str, Any]]:
        """Its defects as JSON-ready rows."""
        rows = [asdict(defect) for defect in self.defects]
        return [{k: v for k, v in row.items() if k != "extent" or v} for row in rows]  # so that old seals hold

    @classmethod
    def from_state(cls, rows: Sequence[Mapping[str, Any]], tensors: Mapping[str, Tensor]) -> KnownDefects:
        """Rebuild from `rows` and `state_dict`; ValueError where they do not fit together."""
        memory = Dictionary(CAPACITY)
        if tensors:
            memory.load_state_dict(tensors)
        return cls(tuple(KnownDefect(**row) for row in rows), memory)


def raise_known(maps: Tensor, contrast: Tensor, weight: float = 1.0) -> Tensor:
    """Maps raised where patches resemble known defects: by 1 + weight x contrast where that is positive."""
    return maps * (1 + weight * contrast.clamp_min(0).to(maps.device))


def choose_patches(tokens: Tensor, distance: Tensor, found: Tensor, mask: Tensor | None, least: float) -> Tensor:
    """The patches [n, C] of a defective picture that show the defect, at most `MOST_PATCHES`.

    `tokens` [h, w, C]; `distance` [h, w] to the nearest good patch; `found` [h, w], its map. `mask` [h, w] bool
    says where the defect is; without one it is taken to be where the map exceeds `least`, or the hottest 2 %.
    Patches that look more like good ones than half of the picture does are no sign of a defect and left out.
    """
    if mask is None:
        mask = found > least
        if not bool(mask.any()):
            mask = found >= found.flatten().topk(max(1, round(0.02 * found.numel()))).values[-1]
    strange = mask & (distance >= distance.median())
    chosen = strange if bool(strange.any()) else mask
    order = distance[chosen].argsort(descending=True, stable=True)[:MOST_PATCHES]
    return tokens[chosen][order]


def copy_of(memory: Dictionary, device: torch.device | str | None = None) -> Dictionary:
    """A memory that can be changed without changing this one; the tensors are shared until then."""
    copy = Dictionary(memory.capacity, device or memory.entries.device)
    if len(memory):
        copy.load_state_dict(memory.state_dict())
    return copy


def less(memory: Dictionary, *owners: int) -> Dictionary:
    """Another memory without what this one holds of some owners; thinned, it may hold nothing of them."""
    copy = copy_of(memory)
    for owner in set(owners) & set(copy.ids()):
        copy.remove(owner)
    return copy
