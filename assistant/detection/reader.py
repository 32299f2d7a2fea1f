"""Reads patches in words: where something looks abnormal, and which type of defect a region looks like.

It uses what was learned for the bundle, or, without that, the space that the tower shares with text. Scores and
limits are not its business: evidence moves a map's weight within the picture and never changes the score.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from assistant.adapters.text_map import TEMPERATURE
from assistant.adapters.visual import focus
from assistant.detection.good_parts import fit_mask
from assistant.inspection import UNKNOWN, DefectType
from assistant.models.backbone import Backbone, Features
from assistant.models.trained_adapter import WEIGHT, TrainedAdapter, TypeScale
from assistant.prompts.defects import DEFECTS
from assistant.prompts.ensemble import defect_vectors

Types = Callable[[NDArray[np.bool_]], tuple[DefectType, ...]]

NAMED = 3


@dataclass(frozen=True, eq=False)
class Reading:
    """What was read from one picture. `evidence` [h, w]: log-odds of "abnormal" above the picture's own ground,
    None where nothing was learned. `types` [h, w, T]: bfloat16 logits over the vocabulary, as they were learned
    where these are trusted, else of its texts; None where the tower does not align patches with text either."""

    evidence: Tensor | None
    types: Tensor | None


class Reader:
    """Reads the features of one backbone, with what was `learned` for it, if anything."""

    def __init__(self, backbone: Backbone, learned: TrainedAdapter | None) -> None:
        self.backbone = backbone
        self.learned = learned.on(backbone.runtime.device) if learned else None

    @torch.inference_mode()
    def read(self, features: Features) -> Reading | None:
        """What the patches of a picture, a batch of one, say in words; None for a tower that has none."""
        if not self.learned:
            types = self._named(features)
            return None if types is None else Reading(None, types)
        words = self.learned.read(features, self.backbone.shares)
        evidence = self.learned.evidence(words)[0]
        if not self.learned.types.trusted:
            return Reading(evidence, self._named(features))
        return Reading(evidence, self.learned.adapter.type_logits(words)[0].to(torch.bfloat16))

    def _named(self, features: Features) -> Tensor | None:
        """Logits over the vocabulary by its texts alone; None where the tower does not align patches with text."""
        if features.text_patches is None:
            return None
        types = features.text_patches[0] @ self._types.to(features.text_patches).T / TEMPERATURE
        return types.to(torch.bfloat16)

    def focus(
        self, found: Tensor, reading: Reading | None, share: float, looked_at: Tensor | None = None
    ) -> Tensor:
        """A map [h, w] with its weight where the evidence lies, the mean of its strangest `share` unchanged.

        The share is that of the patches `looked_at` [H, W], all of them by default; the others are 0 and stay so.
        """
        if reading is None or reading.evidence is None:
            return found
        evidence = interpolate(reading.evidence[None, None], found.shape, mode="bilinear", align_corners=False)
        seen = 1.0 if looked_at is None else float(fit_mask(looked_at, *found.shape).mean())
        moved: Tensor = focus(found[None], evidence[0].to(found.device), WEIGHT, max(share * seen, 1e-9))[0]
        return moved

    def ranker(self, reading: Reading | None) -> Types | None:
        """Ranks the vocabulary for a region, a mask on the map's grid; None where types are not trusted."""
        if reading is None or reading.types is None:
            return None
        trusted = self.learned is not None and self.learned.types.trusted
        types, scale = reading.types, self.learned.types if self.learned and trusted else TypeScale(1.0, 0.0)

        def rank(mask: NDArray[np.bool_]) -> tuple[DefectType, ...]:
            h, w = types.shape[:2]
            inside = interpolate(torch.from_numpy(mask)[None, None].float(), (h, w), mode="area")[0, 0] > 0
            mean = types[inside.to(types.device)].float().mean(dim=0)
            chances, which = (mean / scale.temperature).softmax(dim=0).topk(NAMED)
            if float(chances[0]) < scale.known_from:
                return (DefectType(UNKNOWN, round(1 - float(chances[0]), 4)),)
            return tuple(
                DefectType(DEFECTS[int(i)].name, round(float(p), 4)) for p, i in zip(chances, which, strict=True)
            )

        return rank

    @cached_property
    def _types(self) -> Tensor:
        vectors: Tensor = defect_vectors(self.backbone.encode_text)
        return vectors
