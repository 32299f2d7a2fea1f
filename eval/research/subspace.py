"""A memory that keeps no patch, beside the nearest one: `python -m assistant.eval.research.subspace SPEC ...`.

It keeps the directions in which good patches vary, as in SubspaceAD (CVPR 2026); what a patch has outside of them
is its anomaly. No part of it belongs to one reference: to score a reference without itself, or to forget one, it
is built again from the others. It was not taken: docs/memory.md says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
import typer
from torch import Tensor

from assistant.adapters.dictionary import Dictionary
from assistant.adapters.patches import top_mean
from assistant.adapters.rarity import rarity
from assistant.detection.config import SHIPPED
from assistant.detection.detector import Detector
from assistant.eval.datasets import Dataset, open_datasets
from assistant.eval.metrics import image_auroc
from assistant.images.load import load_image
from assistant.models.backbone import Backbone

SHARE = 0.99
"""The share of the good patches' variance that the directions account for."""

MOST_BYTES = 1_000_000
"""Bytes at most: room for all directions of the pocket tower's 472 numbers, and for 323 of 1536 numbers."""


class Subspace:
    """The mean of good patches, float32 [C], and `rank` orthonormal directions from it, float16 [rank, C].

    float16 halves the memory, and moves a residual by less than 0.001. Residuals are halved squared lengths: that
    is the unit of `Dictionary`, since of two unit vectors one minus the cosine is half their squared distance.
    """

    def __init__(self, mean: Tensor, directions: Tensor) -> None:
        _check(mean, directions)
        self.mean = mean
        self.directions = directions

    @classmethod
    def build(
        cls,
        references: Mapping[int, Tensor],
        share: float = SHARE,
        device: torch.device | str = "cpu",
    ) -> Subspace:
        """The subspace of the references' patches: {id: unit vectors [n, C] or [..., C]}, views among them.

        It has as few directions as account for `share` of the variance, and no more than `MOST_BYTES` allow.
        ValueError for no patch, patches of different sizes, or a share outside (0, 1].
        """
        if not 0 < share <= 1:
            raise ValueError(f"a share lies in (0, 1], not at {share}")
        groups = [p.detach().reshape(-1, p.shape[-1]).to(device, torch.float32) for p in references.values()]
        count = sum(map(len, groups))
        if not count:
            raise ValueError("a subspace is built on at least one patch")
        if len(sizes := {group.shape[1] for group in groups}) > 1:
            raise ValueError(f"patches of different sizes cannot be compared: {sorted(sizes)}")
        mean = torch.stack([group.double().sum(dim=0) for group in groups]).sum(dim=0).div(count).float()
        variances, directions = _principal(groups, mean)
        room = max(0, MOST_BYTES - 4 * len(mean)) // (2 * len(mean))
        rank = min(_rank(variances, share), room)
        return cls(mean, directions[:rank].to(torch.float16).contiguous())

    def lookup(self, queries: Tensor) -> Tensor:
        """Half the squared length of what each centred query has outside: [..., C] -> [...] float32."""
        centred = queries.to(self.mean.device, torch.float32) - self.mean
        basis = self.directions.float()
        outside = centred - (centred @ basis.T) @ basis
        return outside.square().sum(dim=-1) / 2

    def to(self, device: torch.device | str) -> None:
        """Move the memory to a device; nothing is copied where it is there already."""
        self.mean, self.directions = self.mean.to(device), self.directions.to(device)

    @property
    def rank(self) -> int:
        """How many directions there are."""
        return len(self.directions)

    @property
    def nbytes(self) -> int:
        """Bytes that the mean and the directions take, at most `MOST_BYTES`."""
        return sum(t.numel() * t.element_size() for t in (self.mean, self.directions))

    def state_dict(self) -> dict[str, Tensor]:
        """Tensors that `load_state_dict` turns back into the same memory."""
        return {"mean": self.mean.cpu(), "directions": self.directions.cpu()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Replace the memory; ValueError where tensors are missing, left over or do not fit together."""
        if set(state) != {"mean", "directions"}:
            raise ValueError(f"a subspace is made of mean and directions, not of {', '.join(sorted(state))}")
        mean, directions = state["mean"], state["directions"]
        _check(mean, directions)
        device = self.mean.device
        self.mean, self.directions = mean.to(device), directions.to(device)


def _principal(groups: list[Tensor], mean: Tensor) -> tuple[Tensor, Tensor]:
    """Variances [C], falling, and the directions [C, C] that they belong to, as rows."""
    scatter = torch.zeros(len(mean), len(mean), device=mean.device)
    for group in groups:
        centred = group - mean
        scatter += centred.T @ centred
    values, vectors = torch.linalg.eigh(scatter.double())
    return values.flip(0).clamp_min(0), vectors.flip(1).T.float()


def _rank(variances: Tensor, share: float) -> int:
    """The fewest of the falling variances that add up to the share; 0 where there is none to speak of."""
    total = float(variances.sum())
    if total < 1e-12:
        return 0
    # One step of rounding below, so that a share of 1 asks for no direction without variance.
    reached = variances.cumsum(0) / total >= share - 1e-12
    return int(reached.int().argmax()) + 1


def _check(mean: Tensor, directions: Tensor) -> None:
    if mean.ndim != 1 or directions.ndim != 2 or directions.shape[1] != len(mean):
        raise ValueError("mean and directions do not fit together")
    if (mean.dtype, directions.dtype) != (torch.float32, torch.float16):
        raise ValueError("the mean is float32 and directions are float16")
    if not bool(torch.isfinite(mean).all()) or not bool(torch.isfinite(directions).all()):
        raise ValueError("the subspace holds numbers that are not finite")


@torch.inference_mode()
def measure(
    detector: Detector, dataset: Dataset, shots: int, seed: int = 0, share: float = SHARE
) -> dict[str, float]:
    """Image AUROC in [0, 1] of the nearest neighbour and the subspace, each alone and blended with rarity."""
    good = [load_image(sample.image).pixels for sample in dataset.references(shots, seed)]
    patches = {i: detector.tokens(features)[0] for i, features in enumerate(detector.encode(good))}
    memories = {"nearest": Dictionary.build(patches), "subspace": Subspace.build(patches, share)}
    scores: dict[str, list[float]] = {}
    for sample in dataset.test:
        (features,) = detector.encode([load_image(sample.image).pixels])
        tokens = detector.tokens(features)
        rare = rarity(tokens)
        for name, memory in memories.items():
            for weight, way in ((1.0, "alone"), (SHIPPED.memory_share, "with rarity")):
                anomaly = weight * memory.lookup(tokens) + (1 - weight) * rare
                scores.setdefault(f"{name}, {way}", []).append(float(top_mean(anomaly, SHIPPED.top_share)[0]))
    return {name: image_auroc(dataset.labels, values) for name, values in scores.items()}


def main(
    datasets: Annotated[list[str], typer.Argument(help="As for `looktwice eval`.")],
    shots: Annotated[int, typer.Option(min=1, help="References.")] = 4,
    limit: Annotated[int, typer.Option(help="Test pictures a set at most.")] = 60,
    share: Annotated[float, typer.Option(help="The share of the variance that is kept.")] = SHARE,
    bundle: str = "pocket",
) -> None:
    """Print image AUROC in percent of both memories on each set."""
    detector = Detector(Backbone.load(bundle))
    for dataset in open_datasets(datasets):
        figures = measure(detector, dataset.limit(limit), shots, share=share)
        typer.echo(f"{dataset.name}: " + "; ".join(f"{name} {100 * value:.1f}" for name, value in figures.items()))


if __name__ == "__main__":
    typer.run(main)
