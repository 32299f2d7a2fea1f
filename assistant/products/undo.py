"""What it takes to go back: for each change of a product, the settings and the rows that the change took away.

A step turns the state after a change into the one before it, exactly. It keeps only what the newer state has
not, so that a picture more costs next to nothing and a picture less costs its patches. It knows tensors and
settings, and not what they mean.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from assistant.models.digests import digest_state, octets

MOST_STEPS = 8
MOST_BYTES = 16_000_000
"""Older steps go where the steps take more than this; the newest one always stays."""

_HEADER = "looktwice.undo"
Tensors = Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Step:
    """The way back over one change: `after` is the digest of the state that it starts from.

    `settings` are those before the change. `rows` holds, for each tensor before the change, which row of the
    same tensor after it to take, int32, -1 for one of the `lost` rows; a tensor without `rows` is the same.
    """

    after: str
    settings: str
    names: tuple[str, ...]
    rows: Tensors
    lost: Tensors

    @classmethod
    def between(cls, old: tuple[str, Tensors], new: tuple[str, Tensors]) -> Step:
        """The step from a state (settings, tensors) back to an older one."""
        rows, lost = {}, {}
        for name, tensor in old[1].items():
            newer = new[1].get(name)
            if newer is None or not _same(tensor, newer):
                rows[name], lost[name] = _difference(tensor, newer)
        return cls(digest_state(*new), old[0], tuple(old[1]), rows, lost)

    def revert(self, tensors: Tensors) -> tuple[str, dict[str, Tensor]]:
        """The older state of the newer state's tensors."""
        return self.settings, {name: self._restore(name, tensors) for name in self.names}

    @property
    def nbytes(self) -> int:
        """Bytes that the step takes."""
        kept = [*self.rows.values(), *self.lost.values()]
        return len(self.settings) + sum(t.numel() * t.element_size() for t in kept)

    def _restore(self, name: str, tensors: Tensors) -> Tensor:
        if name not in self.rows:
            return tensors[name]
        rows, lost = self.rows[name].long(), self.lost[name]
        found = lost.new_empty((len(rows), *lost.shape[1:]))
        found[rows < 0] = lost
        if bool((rows >= 0).any()):
            found[rows >= 0] = tensors[name][rows[rows >= 0]]
        return found


def trim(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The newest steps that keep within `MOST_STEPS` and `MOST_BYTES`, oldest first."""
    kept: list[Step] = []
    for step in reversed(steps[-MOST_STEPS:]):
        if kept and sum(s.nbytes for s in kept) + step.nbytes > MOST_BYTES:
            break
        kept.insert(0, step)
    return tuple(kept)


def pack(steps: Sequence[Step]) -> bytes:
    """Steps as the content of a safetensors file."""
    from safetensors.torch import save

    tensors: dict[str, Tensor] = {}
    for i, step in enumerate(steps):
        tensors |= {f"{i}.rows.{name}": t.contiguous() for name, t in step.rows.items()}
        tensors |= {f"{i}.lost.{name}": t.contiguous() for name, t in step.lost.items()}
    header = [{"after": s.after, "settings": s.settings, "names": s.names} for s in steps]
    return save(tensors, {_HEADER: json.dumps(header)})


def unpack(content: bytes, after: str) -> tuple[Step, ...]:
    """The steps of a file that lead back from the state with this digest, oldest first; none where none fits.

    A crash between two files leaves a step too many: those after the fitting one are left out.
    """
    from safetensors.torch import load

    tensors = load(content)
    length = int.from_bytes(content[:8], "little")
    header: list[dict[str, Any]] = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][_HEADER])
    steps = []
    for i, row in enumerate(header):
        rows, lost = (
            {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}
            for start in (f"{i}.rows.", f"{i}.lost.")
        )
        steps.append(Step(row["after"], row["settings"], tuple(row["names"]), rows, lost))
    while steps and steps[-1].after != after:
        steps.pop()
    return tuple(steps)


def _same(one: Tensor, other: Tensor) -> bool:
    return one.dtype == other.dtype and one.shape == other.shape and torch.equal(one, other)


def _difference(old: Tensor, new: Tensor | None) -> tuple[Tensor, Tensor]:
    """For each row of `old`, the row of `new` that equals it or -1, and the rows that `new` has not."""
    known: dict[bytes, int] = {}
    if new is not None and new.dtype == old.dtype and new.shape[1:] == old.shape[1:]:
        known = {row: i for i, row in enumerate(_split(new))}
    rows = torch.tensor([known.get(row, -1) for row in _split(old)], dtype=torch.int32)
    return rows, old[rows < 0].clone()


def _split(tensor: Tensor) -> list[bytes]:
    return [row.tobytes() for row in octets(tensor).reshape(len(tensor), -1).numpy()] if len(tensor) else []
