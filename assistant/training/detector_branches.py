"""The two branches of a detector that are trained side by side, and the losses that each has for itself.

The visual branch is an adapter compared with fixed sentences, the textual one learned sentences compared with
frozen vectors, or in place of sentences two directions for each layer. They have no parameter and no logit in
common.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from assistant.adapters.directions import LayerDirections, direction_map, lean
from assistant.adapters.visual import TEMPERATURE, AdapterConfig, VisualAdapter
from assistant.models.backbone import Backbone
from assistant.prompts.ensemble import defect_vectors, state_vectors
from assistant.prompts.learnable import ContextConfig, LearnableContext, LearnedDirections
from assistant.training import losses
from assistant.training.picture_features import Views, adapter_shares


class Branches(nn.Module):
    """A visual and a textual branch for views whose layers count by `shares`."""

    def __init__(
        self, visual: VisualAdapter, textual: nn.Module, shares: Sequence[float], *, aligns_text: bool
    ) -> None:
        super().__init__()
        self.visual = visual
        self.textual = textual
        self.shares = tuple(shares)
        self.aligns_text = aligns_text

    def forward(self, views: Views, naming: float) -> dict[str, Tensor]:
        """The loss of each branch, "visual" and "textual", on a batch; `naming` weighs the defect types."""
        tokens, whole_masks = views.inputs(self.shares), views.masks.float()
        masks = whole_masks
        if self.training:
            tokens, masks = thin(tokens, whole_masks)
        vector = views.vector.float()
        words = self.visual.read(tokens)
        seen = self.visual.evidence(words)
        outlined = views.outlined > 0
        visual = losses.verdict(self.visual.judge(vector), views.labels)
        visual = visual + losses.verdict(losses.picture_logits(seen), views.labels)
        directions = self.textual()
        textual = losses.verdict(compare(vector, directions), views.labels)
        if bool(outlined.any()):
            visual = visual + losses.outline(seen[outlined], masks[outlined])
            named = self.visual.type_logits(words[outlined])
            visual = visual + naming * losses.naming(named, masks[outlined], views.types[outlined])
            if isinstance(self.textual, LayerDirections):
                textual = textual + _outline_layers(views[outlined], whole_masks[outlined], self.textual.pairs)
            elif self.aligns_text:
                textual = textual + losses.outline(compare(tokens[outlined], directions), masks[outlined])
        return {"visual": visual, "textual": textual}

    def say(self, views: Views) -> Tensor | None:
        """How probably each patch is abnormal as a zero-shot score will read it: [N, h, w].

        None where it reads nothing. See `TrainedAdapter.say`, which says the same of one picture.
        """
        if isinstance(self.textual, LayerDirections):
            grid = views.masks.shape[1], views.masks.shape[2]
            return direction_map(views.deep, self.textual.pairs, grid)
        if not self.aligns_text:
            return None
        tokens = views.inputs(self.shares)
        seen = torch.sigmoid(self.visual.evidence(self.visual.read(tokens)))
        return (seen + torch.sigmoid(compare(tokens, self.textual()))) / 2


def _outline_layers(views: Views, masks: Tensor, pairs: Sequence[Tensor]) -> Tensor:
    """The mean over layers of what each says alone against the outlines: no layer makes up for another."""
    each = []
    for layer, pair in zip(views.deep, pairs, strict=True):
        logits = interpolate(lean(layer, pair)[:, None], masks.shape[1:], mode="bilinear", align_corners=False)
        each.append(losses.outline(logits[:, 0], masks))
    return torch.stack(each).mean()


def thin(tokens: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """A quarter of the patches [B, h, w, C] and of their masks [B, h, w], every second one from a random start.

    Neighbours teach much the same: another quarter each step is nearly as good as all, and four times as quick.
    Grids with a side under 16 stay whole.
    """
    if min(masks.shape[1:]) < 16:
        return tokens, masks
    top, left = torch.randint(0, 2, (2,)).tolist()
    return tokens[:, top::2, left::2], masks[:, top::2, left::2]


def compare(vectors: Tensor, directions: Tensor) -> Tensor:
    """Log-odds of "abnormal" of unit vectors [..., D] by two directions [2, D], as CLIP scores them."""
    return vectors @ (directions[1] - directions[0]) / TEMPERATURE


def build_branches(
    backbone: Backbone, views: Views, *, width: int, dropout: float, seed: int, words: str = "sentences"
) -> Branches:
    """Fresh branches for a tower: sentences from its text tower, adapters of the sizes that its patches have.

    `words`: whether the textual branch learns "sentences", or directions for "layers", which no text tower reads.
    `seed` decides what is drawn. It becomes torch's own, set after the text tower is there: loading it draws too.
    """
    states, types = state_vectors(backbone.encode_text), defect_vectors(backbone.encode_text)
    shares = adapter_shares(backbone)
    inputs = views[torch.arange(1)].inputs(shares).shape[-1]
    shape = AdapterConfig(inputs, states.shape[1], width, dropout)
    textual: nn.Module = LearnedDirections(states)
    if words == "layers":
        textual = LayerDirections([layer.shape[-1] for layer in views.deep], states.shape[1], seed)
    elif backbone.aligns_text:
        textual = LearnableContext(*backbone.text_tower, ContextConfig(seed=seed))
    torch.manual_seed(seed)
    return Branches(VisualAdapter(shape, states, types), textual, shares, aligns_text=backbone.aligns_text)
