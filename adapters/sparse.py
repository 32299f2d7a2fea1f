"""The sparse dictionary: patches are rebuilt from the few good ones that fit, and what cannot be is anomalous.

Query, key and value generators read frozen patches; sparsemax picks the entries (DictAS, Qu et al. 2025). All
three start as the identity, so that untrained it does what a nearest-neighbour memory does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import (
    adaptive_avg_pool2d,
    embedding_bag,
    gelu,
    normalize,
    pad,
    scaled_dot_product_attention,
)

from .patches import neighbourhood
from .similarity import cosines
from .sparsemax import sparsemax

SHARPNESS = 50.0
"""Cosines are multiplied by it at first: an entry closer than all others by 1/50 is chosen alone."""

CONTEXT = 10
"""Patches attend to their own picture at so many cells a side: what is around, at a part of the cost."""

_BLOCK = 1024  # queries scored at once: bounds the scores to _BLOCK x entries
_GROUP = 8  # entries of which at first only the best is looked at


@dataclass(frozen=True)
class SparseConfig:
    """The shape of a `SparseDictionary`.

    `layers`: how many numbers of a patch belong to each layer that is looked up on its own; a single number joins
    all. `width`: that of the generators; `heads` divides it. `nearest`: entries that sparsemax chooses from, exact
    as long as fewer get a weight. `scales`: odd sides of the neighbourhoods, the map being the mean over them.
    ValueError where these make no sense.
    """

    layers: tuple[int, ...]
    width: int = 128
    heads: int = 4
    nearest: int = 64
    scales: tuple[int, ...] = (1, 3)
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if not self.layers or not self.scales or min(*self.layers, self.width, self.heads, self.nearest) < 1:
            raise ValueError("a sparse dictionary has layers, scales, a width, heads and entries to choose from")
        if self.width % self.heads:
            raise ValueError(f"{self.heads} heads do not divide a width of {self.width}")
        if any(scale < 1 or scale % 2 != 1 for scale in self.scales):
            raise ValueError("a neighbourhood has an odd side")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout lies in [0, 1), not at {self.dropout}")

    @property
    def channels(self) -> int:
        """How many numbers a patch has."""
        return sum(self.layers)


@dataclass(frozen=True)
class Remembered:
    """What is kept of references: for each scale and, in it, each layer, keys and values [M, N, c].

    M is 1 where all queries share the references, else the number of queries.
    """

    scales: tuple[int, ...]
    keys: tuple[tuple[Tensor, ...], ...]
    values: tuple[tuple[Tensor, ...], ...]

    @property
    def nbytes(self) -> int:
        """Bytes that keys and values take."""
        tensors = [t for kept in (self.keys, self.values) for scale in kept for t in scale]
        return sum(t.numel() * t.element_size() for t in tensors)

    def each(self, change: Callable[[Tensor], Tensor]) -> Remembered:
        """The same with every tensor of keys and values changed alike."""
        keys, values = (tuple(tuple(map(change, scale)) for scale in kept) for kept in (self.keys, self.values))
        return Remembered(self.scales, keys, values)

    def condense(self) -> Remembered:
        """The same in bfloat16, and the keys less their mean.

        That takes the same from all scores of a query, which changes no weight, and leaves small numbers, which
        bfloat16 tells apart: trained keys may all lie close together.
        """
        centred = tuple(tuple(key - key.mean(dim=1, keepdim=True) for key in scale) for scale in self.keys)
        return Remembered(self.scales, centred, self.values).each(Tensor.bfloat16)

    @classmethod
    def join(cls, parts: Sequence[Remembered]) -> Remembered:
        """What is kept of the references of all parts, which have the same scales and layers, in their order."""
        keys, values = (
            tuple(
                tuple(torch.cat(layer, dim=1) for layer in zip(*scale, strict=True))
                for scale in zip(*kept, strict=True)
            )
            for kept in ([part.keys for part in parts], [part.values for part in parts])
        )
        return cls(parts[0].scales, keys, values)


class Generator(nn.Module):
    """Patches [B, h, w, c] of unit length, as another view of them of the same shape; at first, the same.

    Normalisation, self-attention within each picture, a small residual network, and a residual around it all.
    """

    def __init__(self, channels: int, config: SparseConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.norm = nn.LayerNorm(channels)
        self.down = nn.Linear(channels, width)
        self.ask = nn.Linear(width, width)
        self.offer = nn.Linear(width, 2 * width)
        self.gather = nn.Linear(width, width)
        self.middle = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
        self.up = nn.Linear(width, channels)
        self.dropout = nn.Dropout(config.dropout)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.down(self.norm(tokens))
        hidden = hidden + self.gather(self._attend(hidden))
        hidden = hidden + self.middle(self.dropout(hidden))
        return normalize(tokens + self.up(gelu(hidden)), dim=-1)

    def _attend(self, hidden: Tensor) -> Tensor:
        batch, h, w, width = hidden.shape
        small = adaptive_avg_pool2d(hidden.permute(0, 3, 1, 2), (min(h, CONTEXT), min(w, CONTEXT)))
        keys, values = self.offer(small.flatten(2).transpose(1, 2)).chunk(2, dim=-1)
        asked = self.ask(hidden).flatten(1, 2)
        parts = (t.unflatten(2, (self.heads, -1)).transpose(1, 2) for t in (asked, keys, values))
        mixed = scaled_dot_product_attention(*parts)
        return mixed.transpose(1, 2).reshape(batch, h, w, width)


class LayerLookup(nn.Module):
    """The generators of one layer, and how sharply its entries are told apart."""

    def __init__(self, channels: int, config: SparseConfig) -> None:
        super().__init__()
        self.nearest = config.nearest
        self.query, self.key, self.value = (Generator(channels, config) for _ in range(3))
        self.log_sharpness = nn.Parameter(torch.tensor(SHARPNESS).log())

    def keep(self, references: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values [M, N, c] of references [M, R, h, w, c]; each picture attends to itself alone."""
        groups = len(references)
        pictures = references.flatten(0, 1)
        keys, values = self.key(pictures), self.value(pictures)
        return keys.reshape(groups, -1, keys.shape[-1]), values.reshape(groups, -1, values.shape[-1])

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Values of queries [B, h, w, c], and what is retrieved for them, both of unit length."""
        asked, own = self.query(queries), self.value(queries)
        values = values.to(asked.dtype)
        flat = asked.flatten(1, 2)
        shared = len(keys) == 1
        retrieved = [
            self._retrieve(rows, keys if shared else keys[i : i + 1], values if shared else values[i : i + 1])
            for i, picture in enumerate(flat)
            for rows in picture.split(_BLOCK)
        ]
        return own, normalize(torch.cat(retrieved), dim=-1).view(own.shape)

    def _retrieve(self, rows: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        quick = keys.dtype == torch.bfloat16
        alike = cosines(rows, keys[0]) if quick else rows @ keys[0].T.to(rows.dtype)
        best, which = largest(alike, min(self.nearest, alike.shape[1]))
        weights = sparsemax(best.to(rows.dtype) * self.log_sharpness.exp())
        return embedding_bag(which, values[0], per_sample_weights=weights, mode="sum")


class SparseDictionary(nn.Module):
    """Looks patches up in references; see `SparseConfig` for the parts.

    Patches are unit vectors [.., C] with the layers one after the other. The order of references does not matter.
    """

    def __init__(self, config: SparseConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(LayerLookup(channels, config) for channels in config.layers)

    def remember(self, references: Tensor, scales: Sequence[int] = ()) -> Remembered:
        """What is kept of references [R, h, w, C] for any query, or [B, R, h, w, C] with those of each query.

        `scales` are by default those of the configuration. ValueError for another number of channels.
        """
        self._check(references, (4, 5))
        shaped = references if references.ndim == 5 else references[None]
        chosen = tuple(scales) or self.config.scales
        keys, values = [], []
        for scale in chosen:
            pooled = neighbourhood(shaped.flatten(0, 1), scale).view(shaped.shape)
            kept = [layer.keep(part) for layer, part in zip(self._lookups, self._split(pooled), strict=True)]
            keys.append(tuple(key for key, _ in kept))
            values.append(tuple(value for _, value in kept))
        return Remembered(chosen, tuple(keys), tuple(values))

    def look_up(self, queries: Tensor, memory: Remembered) -> Tensor:
        """How far queries [B, h, w, C] are from what is retrieved for them: maps [B, h, w] in [0, 2]."""
        parts = [1 - (own * retrieved).sum(-1) for own, retrieved in self.retrieve(queries, memory)]
        return torch.stack(parts).mean(dim=0).clamp(0, 2)

    def retrieve(self, queries: Tensor, memory: Remembered) -> list[tuple[Tensor, Tensor]]:
        """The queries' own values and what is retrieved, [B, h, w, c] each, for every scale and layer."""
        self._check(queries, (4,))
        if len(memory.keys[0][0]) not in (1, len(queries)):
            raise ValueError("each query has references of its own, or all share them")
        retrieved = []
        for scale, keys, values in zip(memory.scales, memory.keys, memory.values, strict=True):
            parts = self._split(neighbourhood(queries, scale))
            retrieved += [layer(*given) for layer, *given in zip(self.layers, parts, keys, values, strict=True)]
        return retrieved

    def freeze_values(self, frozen: bool) -> None:
        """Whether the value generators stay as they are: trained from the start, all values become alike."""
        for layer in self._lookups:
            layer.value.requires_grad_(not frozen)

    @property
    def _lookups(self) -> list[LayerLookup]:
        return [layer for layer in self.layers if isinstance(layer, LayerLookup)]

    def _split(self, tokens: Tensor) -> list[Tensor]:
        if len(self.config.layers) == 1:
            return [tokens]
        return [normalize(part, dim=-1) for part in tokens.split(self.config.layers, dim=-1)]

    def _check(self, tokens: Tensor, dimensions: tuple[int, ...]) -> None:
        if tokens.ndim not in dimensions or tokens.shape[-1] != self.config.channels:
            raise ValueError(
                f"patches {tuple(tokens.shape)} do not have {self.config.channels} channels on a grid"
            )


def largest(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` largest of each row [n, m] and where they are, [n, count] each, in no order.

    As `topk` finds them, and more than twice as fast on a processor: they lie in those groups of entries whose
    best are the largest.
    """
    entries = scores.shape[1]
    if count * _GROUP >= entries:
        return scores.topk(count, dim=1, sorted=False)
    groups = pad(scores, (0, -entries % _GROUP), value=-torch.inf).unflatten(1, (_GROUP, -1))
    chosen = groups.amax(dim=1).topk(count, dim=1, sorted=False).indices
    left = groups.gather(2, chosen[:, None].expand(-1, _GROUP, -1)).flatten(1)
    best, which = left.topk(count, dim=1, sorted=False)
    return best, chosen.gather(1, which % count) + which // count * groups.shape[2]
