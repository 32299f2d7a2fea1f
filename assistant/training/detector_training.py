"""Trains the adapters of a frozen tower on pictures of many products: `looktwice train detector`.

The visual branch (adapters, against fixed sentences) and the textual branch (learned sentences, or directions for
layers, against frozen vectors) have losses of their own and share no logit: trained on one logit, each learns to
make up for the other (AdaptCLIP's ablation: 93.5 apart against 89.3 together). A run can be stopped at any time;
started again, it goes on and ends with the same weights. Held-out kinds, never trained on, are what progress is
judged by.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from assistant.adapters.directions import LayerDirections
from assistant.errors import TrainingError
from assistant.models.backbone import Backbone
from assistant.models.trained_adapter import TrainedAdapter
from assistant.progress import Tell, say_nothing
from assistant.prompts.learnable import LearnableContext
from assistant.training.acceleration import accelerate
from assistant.training.checkpoint import load_checkpoint, save_checkpoint
from assistant.training.dataset import TrainingData, split_kinds
from assistant.training.detector_branches import Branches, build_branches
from assistant.training.detector_evaluation import fit_types, judge
from assistant.training.picture_features import ViewConfig, Views, gather_views, views_key
from assistant.training.schedule import digest_of, draw_batches, rate_at

if TYPE_CHECKING:
    from accelerate import Accelerator

WORDS = ("sentences", "layers")
JUDGED = 200  # held-out views, about, that progress is judged on


@dataclass(frozen=True)
class TrainConfig:
    """How a detector is trained; validated, and saved beside the weights.

    `epochs` over all views, `batch` views a step, `rate` the highest learning rate, reached after a tenth of the
    steps and falling to zero. `held_out`: the share of kinds that progress is judged on. `naming`: how much the
    defect types count beside the outlines. `precision` is accelerate's "no", "bf16" or "fp16". `words`: whether
    the textual branch learns "sentences" for the text tower, or two directions for each of the "layers" and no
    text.
    """

    epochs: int = 4
    batch: int = 16
    rate: float = 1e-3
    decay: float = 0.05
    width: int = 64
    dropout: float = 0.1
    naming: float = 0.2
    held_out: float = 0.15
    seed: int = 0
    precision: str = "no"
    words: str = "sentences"
    checkpoint_every: int = 200
    views: ViewConfig = field(default_factory=ViewConfig)

    def __post_init__(self) -> None:
        if min(self.epochs, self.batch, self.width, self.checkpoint_every) < 1 or not 0 < self.rate < math.inf:
            raise TrainingError("Epochs, batch, width, rate and the steps to a checkpoint are positive numbers.")
        if not (0 <= self.dropout < 1 and 0 < self.held_out < 1):
            raise TrainingError("Dropout lies in [0, 1), and the share of kinds held out between 0 and 1.")
        if self.precision not in ("no", "bf16", "fp16"):
            raise TrainingError(f"There is no precision {self.precision!r}; there are no, bf16 and fp16.")
        if self.words not in WORDS:
            raise TrainingError(f"There are no words {self.words!r}; there are {' and '.join(WORDS)}.")


def train_detector(
    backbone: Backbone,
    data: TrainingData,
    folder: Path,
    config: TrainConfig | None = None,
    tell: Tell | None = None,
) -> TrainedAdapter:
    """Adapters trained on `data`, with their checkpoints and cached features in `folder`.

    Works with outlined defects, with labels alone, and with no defect at all, since anomalies are simulated on
    normal pictures. The same data, configuration and machine give the same weights, in one go or in several
    (but for "fp16", whose loss scale starts anew). TrainingError in one sentence, before anything is trained,
    where the data do not allow it or accelerate is missing.
    """
    config, tell = config or TrainConfig(), tell or say_nothing
    accelerator = accelerate(backbone, config.precision)
    if not accelerator.is_main_process:
        tell = say_nothing
    sides = dict(zip(_SIDES, split_kinds(data, config.held_out, config.seed), strict=True))
    for name, side in sides.items():
        _check_classes(side, config.views, name)
    beside, kept = config.words == "layers", folder / "features"
    views = {
        name: gather_views(backbone, side, config.views, kept, tell, beside=beside) for name, side in sides.items()
    }
    for name, side_views in views.items():
        if len(set(side_views.labels.tolist())) < 2:  # pictures that cannot be read are known only now
            raise TrainingError(_ONE_CLASS.format(name))
    keys = [views_key(backbone, side, config.views) for side in sides.values()]
    run = DetectorRun(accelerator, backbone, tuple(views.values()), config, tell)
    run.go(folder / f"checkpoint-{digest_of(config, keys)}.safetensors")
    typed = [i for i, example in enumerate(sides[_SIDES[1]].examples) if example.type]
    return run.result(backbone, torch.isin(run.unseen.examples, torch.tensor(typed, dtype=torch.long)))


class DetectorRun:
    """One training run on views of the taught and of the held-out kinds."""

    def __init__(
        self,
        accelerator: Accelerator,
        backbone: Backbone,
        views: tuple[Views, ...],
        config: TrainConfig,
        tell: Tell,
    ) -> None:
        self.accelerator, self.config, self.tell = accelerator, config, tell
        self.views, self.unseen = views
        self.steps = config.epochs * -(-len(self.views) // config.batch)
        branches = build_branches(
            backbone,
            self.views,
            width=config.width,
            dropout=config.dropout,
            seed=config.seed,
            words=config.words,
        )
        if isinstance(branches.textual, LearnableContext):
            backbone.text_tower[0].to(accelerator.device)  # a learnable context runs through it
        learnable = [p for p in branches.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(learnable, lr=config.rate, weight_decay=config.decay)
        self.branches, self.optimizer = accelerator.prepare(branches, optimizer)

    @property
    def plain(self) -> Branches:
        """The branches without what several devices wrap around them."""
        branches: Branches = self.accelerator.unwrap_model(self.branches)
        return branches

    def go(self, state: Path) -> None:
        """Take all steps that are left after the checkpoint `state`, and keep it up to date."""
        config, done = self.config, load_checkpoint(state, self.plain, self.optimizer)
        if done:
            self.tell(f"Going on after step {done} of {self.steps}.", done / self.steps)
        for step, index in enumerate(draw_batches(len(self.views), config.epochs, config.batch, config.seed)):
            if step < done:
                continue
            parts = self._learn(step, index)
            taken = step + 1
            if taken % self.config.checkpoint_every == 0 or taken == self.steps:
                if self.accelerator.is_main_process:
                    save_checkpoint(state, self.plain, self.optimizer, taken)
                self._report(taken, parts)

    def result(self, backbone: Backbone, real: Tensor) -> TrainedAdapter:
        """What was learned, on the CPU and frozen, with the final judgement; `real`: see `fit_types`."""
        plain = self.plain.eval()
        types, judged = fit_types(plain, self.unseen, real), judge(plain, self.unseen)
        textual = plain.textual
        pairs = textual.pairs if isinstance(textual, LayerDirections) else ()
        return TrainedAdapter(
            adapter=plain.visual.cpu().requires_grad_(False),
            directions=textual().detach().cpu(),
            types=types,
            layers=tuple(pair.detach().cpu() for pair in pairs),
            bundle=backbone.card.name,
            weights=backbone.digest,
            card={"config": json.dumps(asdict(self.config)), "held_out": judged.sentence()},
        )

    def _learn(self, step: int, index: Tensor) -> dict[str, Tensor]:
        """Take one step on a batch; the loss of each branch."""
        accelerator, config = self.accelerator, self.config
        torch.manual_seed(config.seed * 1_000_003 + step)  # dropout is the same whether or not it was resumed
        for group in self.optimizer.param_groups:
            group["lr"] = config.rate * rate_at(step, self.steps)
        self.branches.train()
        if len(index) >= accelerator.num_processes:  # else each takes all: an empty share has no loss
            index = index[accelerator.process_index :: accelerator.num_processes]
        with accelerator.autocast():
            parts: dict[str, Tensor] = self.branches(self.views[index].to(accelerator.device), config.naming)
        self.optimizer.zero_grad()
        accelerator.backward(torch.stack(list(parts.values())).sum())
        self.optimizer.step()
        return {name: loss.detach() for name, loss in parts.items()}

    def _report(self, taken: int, parts: dict[str, Tensor]) -> None:
        judged = judge(self.plain.eval(), self.unseen, most=JUDGED)
        loss = ", ".join(f"{name} {float(value):.3f}" for name, value in parts.items())
        sentence = f"Step {taken} of {self.steps}: loss {loss}; held-out kinds: {judged.sentence()}"
        self.tell(sentence, taken / self.steps)


def _check_classes(data: TrainingData, config: ViewConfig, name: str) -> None:
    if not data.examples:
        raise TrainingError("All pictures are of one kind, so no other can be held out to judge the training.")
    if not data.normals or not (data.defects or config.simulated):
        raise TrainingError(_ONE_CLASS.format(name))


_SIDES = ("training", "held-out")
_ONE_CLASS = "The {} pictures are all of one class; simulate anomalies or add the other."
