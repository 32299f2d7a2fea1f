"""Judges a dictionary beside plain nearest neighbour, on the same pairs of kinds that it was not trained on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from assistant.adapters.patches import top_mean
from assistant.adapters.similarity import cosines
from assistant.adapters.sparse import SparseDictionary
from assistant.training.detector_evaluation import auroc, patch_ap
from assistant.training.picture_pairs import Pairs


@dataclass(frozen=True)
class Comparison:
    """Image AUROC and patch AP in percent, of the dictionary and of nearest neighbour. The AP is NaN where no
    defect is outlined."""

    auroc: float
    nearest_auroc: float
    ap: float
    nearest_ap: float

    def sentence(self) -> str:
        """The figures in one line."""
        pictures = f"image AUROC {self.auroc:.1f}, nearest neighbour {self.nearest_auroc:.1f}"
        if math.isnan(self.ap):
            return f"{pictures}; no outline to judge maps by"
        return f"{pictures}; patch AP {self.ap:.1f}, nearest neighbour {self.nearest_ap:.1f}"


@torch.inference_mode()
def compare_lookups(
    dictionary: SparseDictionary, pairs: Pairs, shares: Sequence[float], most: int | None = None
) -> Comparison:
    """Judge on all pairs, or on `most` of them, always the same ones; each query has one reference."""
    device = next(dictionary.parameters()).device
    # Drawn, since every n-th pair may well be a normal one: pictures come with equally many views.
    index = torch.randperm(len(pairs), generator=torch.Generator().manual_seed(0))[:most].sort().values
    rows = pairs.first(index)
    trained, plain = [], []
    for i, row in zip(index, rows, strict=True):
        query = pairs.queries[i[None]].to(device).inputs(shares)
        reference = pairs.references[row[None]].to(device).inputs(shares)
        trained.append(dictionary.look_up(query, dictionary.remember(reference)).cpu())
        plain.append(nearest(query, reference).cpu())
    chosen = pairs.queries[index]
    maps, others = torch.cat(trained), torch.cat(plain)
    outlined = chosen.outlined > 0
    masks = chosen.masks[outlined].float()
    return Comparison(
        auroc(chosen.labels, top_mean(maps)),
        auroc(chosen.labels, top_mean(others)),
        patch_ap(masks, maps[outlined]),
        patch_ap(masks, others[outlined]),
    )


def nearest(queries: Tensor, references: Tensor) -> Tensor:
    """One minus the cosine to the nearest patch of all references: [B, h, w, C], [R, h, w, C] -> [B, h, w]."""
    alike = cosines(queries.flatten(0, 2), references.flatten(0, 2)).amax(dim=1).float()
    return (1 - alike).clamp_min(0).view(queries.shape[:3])
