"""What is learned on the side of the text: a context of free tokens, or a shift of finished directions.

Either module is called without arguments and gives unit vectors, as `state_vectors` does. Both stand on a frozen
text tower, or on its vectors; `assistant.training` trains them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

Tokenize = Callable[[list[str]], Tensor]

_SPREAD = 0.02  # of fresh tokens: that of the word embeddings in CLIP's own initialisation
_PARTS = ("token_embedding", "positional_embedding", "transformer", "ln_final", "text_projection")


@dataclass(frozen=True)
class ContextConfig:
    """The shape of a learnable context.

    `tokens` free tokens stand before each entry of `words`, row 0 normal and row 1 abnormal. `deep` is the number
    of text layers with learned tokens, counted from the first, whose learned tokens are the context itself; each
    later one has `deep_tokens` of its own, for both rows, in the places of the first tokens of the context. 0
    means none. AnomalyCLIP has 12 tokens, `deep` 9 and 4 deep tokens. `seed` decides the fresh tokens.
    """

    tokens: int = 12
    words: tuple[str, str] = ("object", "damaged object")
    deep: int = 0
    deep_tokens: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        if self.tokens < 1:
            raise ValueError(f"a context has at least one token, not {self.tokens}")
        if len(self.words) != 2 or not all(word.strip() for word in self.words):
            raise ValueError("words are two, one for normal and one for abnormal, and neither is empty")
        if self.deep != 0 and self.deep < 2:
            raise ValueError(f"deep counts the first layer too: it is 0 or at least 2, not {self.deep}")
        if self.deep and not 1 <= self.deep_tokens <= self.tokens:
            raise ValueError(f"{self.deep_tokens} deep tokens do not fit in a context of {self.tokens}")


class LearnableContext(nn.Module):
    """Two sentences of free tokens and fixed words, read by a frozen CLIP text tower: () -> [2, D].

    AnomalyCLIP (Zhou et al., ICLR 2024): the words name no product, so the same context serves any. `tower` is an
    open_clip `CLIP`, a `TextTransformer`, or a wrapper that has the `CLIP` as `model`; `tokenize` is its
    tokenizer. The tower's text half is frozen for good and not taken in: the state dict holds the learned tokens
    alone, and whoever moves the module to another device moves the tower as well.

    `context`: [2, tokens, C] and `deep`: [deep - 1, deep_tokens, C], float32. Returns float32 of unit length, row
    0 normal and row 1 abnormal. ValueError where the tower does not read from left to right up to an end token,
    or is too short for the sentence or for `deep`.
    """

    ids: Tensor
    ends: Tensor

    def __init__(self, tower: nn.Module, tokenize: Tokenize, config: ContextConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ContextConfig()
        text = _text_half(tower)
        layers = len(text.transformer.resblocks)
        if config.deep > layers:
            raise ValueError(f"a text tower of {layers} layers has no {config.deep} to learn tokens for")
        _freeze(text)
        self._text = (text,)  # in a tuple, or it would become part of this module
        weight = text.token_embedding.weight
        ids = tokenize(list(config.words)).to(weight.device)
        ends = _find_ends(text, ids) + config.tokens
        self._length = int(ends.max()) + 1
        room = text.positional_embedding.shape[0]
        if self._length > room:
            raise ValueError(
                f"{config.tokens} tokens and the words do not fit in the {room} places of the text tower"
            )
        self.register_buffer("ids", ids, persistent=False)
        self.register_buffer("ends", ends, persistent=False)
        fresh = torch.Generator().manual_seed(config.seed)
        shapes = (2, config.tokens), (max(config.deep - 1, 0), config.deep_tokens)
        context, deep = (torch.randn(*s, weight.shape[1], generator=fresh) * _SPREAD for s in shapes)
        self.context = nn.Parameter(context.to(weight.device))
        self.deep = nn.Parameter(deep.to(weight.device)) if config.deep else None

    def forward(self) -> Tensor:
        text = self._text[0]
        dtype = text.transformer.get_cast_dtype()
        words = text.token_embedding(self.ids).to(dtype)
        x = torch.cat([words[:, :1], self.context.to(dtype), words[:, 1:]], dim=1)
        # Nothing behind the end can be seen from it: leaving it away changes nothing and is five times as quick.
        x = x[:, : self._length]
        x = self._run(x + text.positional_embedding[: x.shape[1]].to(dtype))
        pooled = text.ln_final(x)[torch.arange(2, device=x.device), self.ends]
        projection = text.text_projection
        if isinstance(projection, nn.Linear):
            pooled = projection(pooled)
        elif projection is not None:
            pooled = pooled @ projection
        return normalize(pooled.float(), dim=-1)

    def _run(self, x: Tensor) -> Tensor:
        """The frozen transformer, [2, L, C] -> [2, L, C], with the deep tokens put in before their layers."""
        transformer, mask = self._text[0].transformer, self._text[0].attn_mask[: x.shape[1], : x.shape[1]]
        deep = {} if self.deep is None else dict(enumerate(self.deep.to(x.dtype), start=1))
        for i, block in enumerate(transformer.resblocks):
            if i in deep:
                own = deep[i].expand(2, -1, -1)
                x = torch.cat([x[:, :1], own, x[:, 1 + own.shape[1] :]], dim=1)
            if transformer.batch_first:
                x = block(x, attn_mask=mask)
            else:
                x = block(x.transpose(0, 1), attn_mask=mask).transpose(0, 1)
        return x


class LearnedDirections(nn.Module):
    """Finished text vectors and a learned shift of each: () -> [T, D] float32 of unit length.

    For towers that read whole sentences. `base` [T, D] comes from the prompt ensemble and is kept, normalised, in
    the state dict, so that the text tower is not needed afterwards. The shift starts at zero. ValueError where a
    row of `base` has no direction.
    """

    base: Tensor

    def __init__(self, base: Tensor) -> None:
        super().__init__()
        if base.ndim != 2 or base.numel() == 0:
            raise ValueError(f"directions are [T, D] with something in them, not {tuple(base.shape)}")
        lengths = base.float().norm(dim=-1)
        if not bool((torch.isfinite(lengths) & (lengths > 0)).all()):
            raise ValueError("a direction is zero or not finite")
        self.register_buffer("base", normalize(base.detach().float(), dim=-1))
        self.delta = nn.Parameter(torch.zeros_like(self.base))

    def forward(self) -> Tensor:
        return normalize(self.base + self.delta, dim=-1)


def _text_half(tower: nn.Module) -> Any:
    """Where the parts of the text tower are; ValueError where it is not a causal tower that ends on a token."""
    text: Any = getattr(tower, "model", tower)
    causal = getattr(text, "attn_mask", None) is not None and getattr(text, "cls_emb", None) is None
    if not (causal and all(hasattr(text, part) for part in _PARTS)) or _pooling(text)[0] not in ("argmax", "eos"):
        raise ValueError("a context can be learned only for a CLIP text tower that pools at the end token")
    return text


def _pooling(text: Any) -> tuple[str, int]:
    """How the tower finds the end token, and its id: `CLIP` and `TextTransformer` name them differently."""
    prefix = "text_" if hasattr(text, "text_pool_type") else ""
    return getattr(text, f"{prefix}pool_type"), getattr(text, f"{prefix}eos_id")


def _find_ends(text: Any, ids: Tensor) -> Tensor:
    pool, end = _pooling(text)
    return ids.argmax(dim=-1) if pool == "argmax" else (ids == end).int().argmax(dim=-1)


def _freeze(text: Any) -> None:
    for part in (getattr(text, name) for name in _PARTS):
        if part is not None:
            part.requires_grad_(False)
