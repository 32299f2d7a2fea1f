"""What words say of a picture whose product is unknown: by a prompt ensemble, or by what was learned.

Where a tower aligns patches with text, or directions were learned for its layers, they have a say in the score.
The seam is `ScoringConfig`: its fields that begin with "text" choose who speaks and how that joins rarity.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from assistant.adapters.fusion import harmonic
from assistant.adapters.patches import top_mean
from assistant.adapters.text_map import text_map
from assistant.detection.config import ScoringConfig
from assistant.detection.scored import Scored
from assistant.models.backbone import Backbone, Features
from assistant.models.trained_adapter import TrainedAdapter
from assistant.prompts.ensemble import state_vectors


class Words:
    """What is said of the pictures of one backbone, in zero-shot scores and in no others."""

    def __init__(self, backbone: Backbone) -> None:
        self.backbone = backbone

    @cached_property
    def learned(self) -> TrainedAdapter | None:
        """What was trained for the bundle, on its device; WeightsError where that was for other weights."""
        trained = TrainedAdapter.find(self.backbone.card.name, self.backbone.digest)
        return trained.on(self.backbone.runtime.device) if trained else None

    def decides(self, config: ScoringConfig) -> bool:
        """Whether what was learned has a say in zero-shot scores."""
        learned = self.learned if config.text_learned else None
        return learned is not None and learned.decides(aligns_text=self.backbone.aligns_text)

    def digest(self, config: ScoringConfig) -> str:
        """A digest of what was learned where it decides, "" where it does not: limits hold for one of them."""
        return self.learned.digest if self.learned and self.decides(config) else ""

    def score(self, rare: Tensor, features: Features, config: ScoringConfig) -> Scored:
        """The zero-shot map and score of a picture, a batch of one, by its rarity [1, h, w] and by words.

        Where words were learned, the score is the harmonic mean of the map's and of what is said of the picture as
        a whole; the map is scaled along, so that both keep one unit.
        """
        if not self.decides(config):
            anomaly = self._with_prompts(rare, features, config.text_share)
            return Scored(anomaly[0], float(top_mean(anomaly, config.top_share)[0]))
        said, whole = self._learned_of_these().say(features)
        anomaly = join(rare, _fit(said, rare), config.text_share, config.text_fusion)
        top = top_mean(anomaly, config.top_share)
        value = harmonic(top, whole, config.text_whole) if config.text_whole else top
        scale = torch.where(top > 0, value / top.clamp_min(1e-12), torch.ones_like(top))
        return Scored((anomaly * scale[:, None, None])[0], float(value[0]))

    def _with_prompts(self, rare: Tensor, features: Features, share: float) -> Tensor:
        if features.text_patches is None:
            return rare
        words = text_map(features.text_patches, self._states.to(features.text_patches.device))
        return join(rare, _fit(words, rare), share, "mean")

    def _learned_of_these(self) -> TrainedAdapter:
        if self.learned is None:
            raise ValueError("nothing was learned for these towers")
        return self.learned

    @cached_property
    def _states(self) -> Tensor:
        return state_vectors(self.backbone.encode_text)


def join(rare: Tensor, words: Tensor, share: float, fusion: str) -> Tensor:
    """Rarity and words, both [B, h, w], as one map in which words count by `share`; see `FUSIONS`.

    Where rarity is 0 everywhere it says nothing, on a grid too small for it say, and the harmonic mean is of words
    alone: nothing would be found by it.
    """
    if fusion != "harmonic":
        return (1 - share) * rare + share * words
    silent = (rare <= 0).flatten(1).all(dim=1)[:, None, None]
    return torch.where(silent & (share > 0), words, harmonic(rare, words, share))


def _fit(said: Tensor, rare: Tensor) -> Tensor:
    return interpolate(said[:, None], rare.shape[1:], mode="bilinear")[:, 0]
