"""One row of numbers for each reference: the ground that `Wholes` and `Strengths` stand on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class ReferenceRows:
    """A row [D] for each of two references or more, and whose it is; ValueError where they do not fit together."""

    rows: Tensor
    owners: tuple[int, ...]

    kind: ClassVar[str]
    """What the rows are, which is also the name of their tensor."""
    dtype: ClassVar[torch.dtype]

    def __post_init__(self) -> None:
        if self.rows.ndim != 2 or self.rows.dtype != self.dtype or not bool(torch.isfinite(self.rows).all()):
            raise ValueError(f"{self.kind} are rows of finite {str(self.dtype).removeprefix('torch.')} numbers")
        if len(self.rows) != len(self.owners) or len({*self.owners}) != len(self.rows) or len(self.rows) < 2:
            raise ValueError(f"two {self.kind} or more have an owner each")

    @classmethod
    def of(cls, rows: Mapping[int, Tensor]) -> Self:
        """Rows [D] by their owners, on the CPU."""
        return cls(torch.stack([*rows.values()]).cpu(), tuple(rows))

    @property
    def nbytes(self) -> int:
        """Bytes of the rows."""
        return self.rows.numel() * self.rows.element_size()

    def others(self, without: int | None = None) -> Tensor:
        """The rows [N, D], without those of one owner."""
        return self.rows[torch.tensor([owner != without for owner in self.owners])]

    def drop(self, owner: int) -> Self | None:
        """The same without an owner's row; None where that leaves fewer than two."""
        kept = tuple(known for known in self.owners if known != owner)
        return type(self)(self.others(owner), kept) if len(kept) > 1 else None

    def state_dict(self) -> dict[str, Tensor]:
        """Tensors that `from_state_dict` turns back into the same."""
        return {self.kind: self.rows, "owners": torch.tensor(self.owners)}

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Tensor]) -> Self:
        """The same from its tensors; ValueError where some are missing, left over or do not fit."""
        if set(state) != {cls.kind, "owners"} or state["owners"].ndim != 1:
            raise ValueError(f"{cls.kind} are kept as {cls.kind} and owners")
        return cls(state[cls.kind], tuple(int(owner) for owner in state["owners"]))
