"""A joint space for a tower that was trained on class labels: its posterior, spoken in a text tower's vectors.

Convex combination of semantic embeddings (Norouzi et al., ICLR 2014): the picture's vector is the mean of the
class names' text vectors, weighted by the probabilities of the most likely classes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize


class ClassEmbedding(nn.Module):
    """Pooled features [B, F] -> unit vectors [B, D] in the space of the text tower.

    `names`: [K, D] text vectors of the K class names. The `most` likely classes count, as in the paper, which
    uses 10.
    """

    names: Tensor

    def __init__(self, features: int, names: Tensor, most: int = 10) -> None:
        super().__init__()
        self.classifier = nn.Linear(features, names.shape[0])
        self.register_buffer("names", normalize(names.float(), dim=-1))
        self.most = min(most, names.shape[0])

    def forward(self, pooled: Tensor) -> Tensor:
        likely, which = self.classifier(pooled).softmax(dim=-1).topk(self.most, dim=-1)
        likely = likely / likely.sum(dim=-1, keepdim=True)
        return normalize(torch.einsum("bk,bkd->bd", likely, self.names[which]), dim=-1)
