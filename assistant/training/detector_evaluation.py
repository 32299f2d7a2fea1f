"""Judges trained branches on kinds they were not trained on, and sets how sure they may be about defect types.

It is a check within training, on views made like the training views; real benchmarks are in `assistant.eval`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from scipy.stats import rankdata
from torch import Tensor

from assistant.adapters.patches import join_layers
from assistant.adapters.rarity import rarity
from assistant.adapters.visual import centre, focus
from assistant.models.trained_adapter import WEIGHT, TypeScale
from assistant.training.detector_branches import Branches, compare
from assistant.training.losses import FREE, FULL, picture_logits
from assistant.training.picture_features import Views

BATCH = 16
SURE = 0.5
"""A type is named where, on kinds never trained on, at least this share of such answers was right."""

TEMPERATURES = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.6, 8.0)


@dataclass(frozen=True)
class Judgement:
    """Image AUROC of each branch, and patch AP of rarity alone, of the adapter's map and of both; in percent.

    `said_auroc` and `said_ap` are of what a zero-shot score reads, NaN where it reads none. An AP is NaN where no
    defect is outlined."""

    map_auroc: float
    vector_auroc: float
    words_auroc: float
    rarity_ap: float
    map_ap: float
    focused_ap: float
    said_auroc: float = math.nan
    said_ap: float = math.nan

    def sentence(self) -> str:
        """The figures in one line."""
        pictures = f"map {self.map_auroc:.1f}, vector {self.vector_auroc:.1f}, words {self.words_auroc:.1f}"
        said = "" if math.isnan(self.said_auroc) else f", zero-shot {self.said_auroc:.1f}"
        if math.isnan(self.map_ap):
            return f"image AUROC {pictures}{said}; no outline to judge maps by"
        places = f"rarity {self.rarity_ap:.1f}, map {self.map_ap:.1f}, focused {self.focused_ap:.1f}"
        placed = "" if math.isnan(self.said_ap) else f", zero-shot {self.said_ap:.1f}"
        return f"image AUROC {pictures}{said}; patch AP {places}{placed}"


@torch.inference_mode()
def judge(branches: Branches, views: Views, most: int | None = None) -> Judgement:
    """Judge the branches on views, on `most` of them spread evenly where that is given."""
    step = 1 if most is None else max(1, len(views) // most)
    chosen = views[torch.arange(0, len(views), step)]
    device = next(branches.parameters()).device
    rare, seen, whole, words, said = [], [], [], [], []
    for index in torch.arange(len(chosen)).split(BATCH):
        part = chosen[index].to(device)
        tokens = part.inputs(branches.shares)
        rare.append(rarity(join_layers(part.layers, shares=branches.shares)))
        seen.append(branches.visual.evidence(branches.visual.read(tokens)))
        whole.append(branches.visual.judge(part.vector.float()))
        words.append(compare(part.vector.float(), branches.textual()))
        if (spoken := branches.say(part)) is not None:
            said.append(spoken)
    own, evidence = torch.cat(rare).cpu(), torch.cat(seen).cpu()
    labels = chosen.labels
    outlined = chosen.outlined > 0
    masks = chosen.masks[outlined].float()
    return Judgement(
        auroc(labels, picture_logits(evidence)),
        auroc(labels, torch.cat(whole).cpu()),
        auroc(labels, torch.cat(words).cpu()),
        patch_ap(masks, own[outlined]),
        patch_ap(masks, evidence[outlined]),
        patch_ap(masks, focus(own, centre(evidence), WEIGHT)[outlined]),
        *_judge_said(torch.cat(said).cpu(), labels, outlined, masks) if said else (),
    )


def _judge_said(said: Tensor, labels: Tensor, outlined: Tensor, masks: Tensor) -> tuple[float, float]:
    return auroc(labels, picture_logits(said)), patch_ap(masks, said[outlined])


@torch.inference_mode()
def fit_types(branches: Branches, views: Views, real: Tensor | None = None) -> TypeScale:
    """The temperature that makes type probabilities true on held-out kinds, and from where a type is named.

    `real` [N] bool says which views show real defects of a known type. Where there are some they alone decide, and
    the types can be trusted; simulated defects only look like their types.
    """
    trusted = real is not None and bool(real.any())
    if real is not None and trusted:
        views = views[real.nonzero()[:, 0]]
    device = next(branches.parameters()).device
    rows, truth = [], []
    for index in torch.arange(len(views)).split(BATCH):
        part = views[index].to(device)
        at = (part.masks >= FULL) & (part.types >= 0)[:, None, None]
        if not bool(at.any()):
            continue
        logits = branches.visual.type_logits(branches.visual.read(part.inputs(branches.shares)))
        for one, inside, kind in zip(logits, at, part.types, strict=True):
            if bool(inside.any()):
                rows.append(one[inside].mean(dim=0).cpu())
                truth.append(int(kind))
    if not rows:
        return TypeScale()
    logits, wanted = torch.stack(rows).float(), torch.tensor(truth)
    misfit = [float(torch.nn.functional.cross_entropy(logits / t, wanted)) for t in TEMPERATURES]
    temperature = TEMPERATURES[misfit.index(min(misfit))]
    best, which = (logits / temperature).softmax(dim=1).max(dim=1)
    right = (which == wanted).float()
    order = best.argsort(descending=True)
    share = right[order].cumsum(0) / torch.arange(1, len(order) + 1)
    enough = (share >= SURE).nonzero()
    known_from = float(best[order][int(enough[-1])]) if len(enough) else 1.0
    return TypeScale(temperature, known_from, float(right.mean()), len(rows), trusted)


def auroc(labels: Tensor, scores: Tensor) -> float:
    """Area under the ROC curve in percent, 50 where there is but one class."""
    ranks = rankdata(scores.float().numpy())
    good, bad = int((labels == 0).sum()), int((labels == 1).sum())
    if not good or not bad:
        return 50.0
    above = float(ranks[(labels == 1).numpy()].sum()) - bad * (bad + 1) / 2
    return 100 * above / (good * bad)


def patch_ap(masks: Tensor, maps: Tensor) -> float:
    """Average precision over patches in percent, those that are partly defective left out."""
    counts = (masks >= FULL) | (masks < FREE)
    truth, scores = (masks >= FULL)[counts], maps[counts]
    hits = truth[scores.argsort(descending=True, stable=True)].double()
    if not bool(hits.any()):
        return float("nan")
    precision = hits.cumsum(0) / torch.arange(1, len(hits) + 1)
    return 100 * float((precision * hits).sum() / hits.sum())
