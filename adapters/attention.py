"""A second path through a ViT's last blocks, in which values attend to values.

The path that `read_values` builds is the one of CLIP Surgery (Li et al., 2023) and of DPAM in AnomalyCLIP (Zhou et
al., ICLR 2024). It starts as the tokens that enter the first of these blocks. Each block adds one thing: its
attention over its own input on the original path, with the values in the place of queries and keys. No MLP and
no output of the second path itself is fed in. Patches then keep to patches that look like them, which text can
be compared with. open_clip's blocks are taken by their parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention


def read_values(
    visual: Any, pixels: Tensor, layers: Sequence[int], depth: int | None = None
) -> tuple[list[Tensor], Tensor]:
    """Patch maps from the second path, and the picture's vector from the original one, untouched.

    `visual` is an open_clip `VisionTransformer`, `pixels` [B, 3, h, w] are normalised, `layers` rising block
    indices. The last `depth` blocks have a second path; four in five where it is None, which gives the published
    19 of 24 (AnomalyCLIP, ViT-L) and 9 of 12 (AdaptCLIP, ViT-B). A layer before them is the original path's.

    Returns one tensor [B, h_patches, w_patches, C] per layer, before the last norm, and the vector [B, D] exactly
    as `visual` gives it. Until it returns, the outputs of these blocks are all in memory. ValueError where the
    tower has no such blocks.
    """
    blocks = value_blocks(visual)
    depth = len(blocks) * 4 // 5 if depth is None else depth
    if not 1 <= depth < len(blocks):
        raise ValueError(f"a second path of {depth} blocks does not fit a tower of {len(blocks)}")
    first = len(blocks) - depth
    entered = range(first - 1, max(layers))  # block k takes what block k - 1 gave
    indices = sorted({i for i in layers if i < first} | set(entered))
    out = visual.forward_intermediates(pixels, indices=indices, output_fmt="NLC", output_extra_tokens=True)
    read = zip(out["image_intermediates_prefix"], out["image_intermediates"], strict=True)
    given = {i: torch.cat(parts, dim=1) for i, parts in zip(indices, read, strict=True)}
    paths = {i: given[i] for i in layers if i < first}
    for i in range(first, max(layers) + 1):
        so_far = given[i - 1] if i == first else paths[i - 1]
        # A new tensor for each layer: added in place, all layers kept so far would turn into the last one.
        paths[i] = so_far + attend_values(blocks[i], given[i - 1])
    h, w = (side // patch for side, patch in zip(pixels.shape[2:], visual.patch_size, strict=True))
    maps = [paths[i][:, -h * w :].unflatten(1, (h, w)) for i in layers]
    return maps, out["image_features"]


def attend_values(block: Any, tokens: Tensor) -> Tensor:
    """What a block's attention adds to its input [B, L, C] when values attend to values: [B, L, C].

    The scale, the output projection and the layer scale are the block's own.
    """
    attention: nn.MultiheadAttention = block.attn
    width, bias = attention.embed_dim, attention.in_proj_bias
    values = linear(
        block.ln_1(tokens), attention.in_proj_weight[2 * width :], None if bias is None else bias[2 * width :]
    )
    heads = values.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)
    mixed = scaled_dot_product_attention(heads, heads, heads).transpose(1, 2).flatten(-2)
    added: Tensor = block.ls_1(attention.out_proj(mixed))
    return added


def value_blocks(visual: nn.Module) -> list[nn.Module]:
    """The blocks of an open_clip ViT; ValueError where the tower is none, or its attention is of another make."""
    blocks = list(getattr(getattr(visual, "transformer", None), "resblocks", []))
    if len(blocks) < 2 or not all(isinstance(getattr(b, "attn", None), nn.MultiheadAttention) for b in blocks):
        raise ValueError("values can attend to values only in a tower of plain attention blocks")
    return blocks
