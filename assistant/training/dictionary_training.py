"""Trains the sparse dictionary of a frozen tower on good pictures: `looktwice train dictionary`.

A picture with a simulated anomaly, or with a harmless change, is looked up in another copy of the same picture
(DictAS, Qu et al. 2025). A run can be stopped at any time; started again, it goes on and ends with the same
weights. Held-out kinds, never trained on, are what progress is judged by, beside plain nearest neighbour.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from assistant.adapters.patches import neighbourhood
from assistant.adapters.sparse import SparseConfig, SparseDictionary
from assistant.errors import TrainingError
from assistant.models.backbone import Backbone
from assistant.models.trained_dictionary import TrainedDictionary
from assistant.progress import Tell, say_nothing
from assistant.prompts.ensemble import state_vectors
from assistant.training import losses
from assistant.training.checkpoint import load_checkpoint, save_checkpoint
from assistant.training.dataset import TrainingData, split_kinds
from assistant.training.detector_branches import compare, thin
from assistant.training.dictionary_evaluation import compare_lookups
from assistant.training.picture_features import ViewConfig, adapter_shares, gather_views, views_key
from assistant.training.picture_pairs import Pairs, ReferenceConfig, draw_references, pair_views
from assistant.training.schedule import digest_of, draw_batches, rate_at

JUDGED = 45  # held-out pairs, about, that progress is judged on


@dataclass(frozen=True)
class DictionaryConfig:
    """How a dictionary is trained; validated, and saved beside the weights.

    `epochs` over all queries, `batch` pairs a step, `rate` the highest learning rate. `width`, `heads` and
    `dropout` are those of the generators. Values stay as they are for the first share `frozen` of the steps, 1 for
    all. `text` weighs the alignment with fixed sentences, where the tower's patches speak text; where they do not,
    there is none. `held_out`: the share of kinds that progress is judged on.
    """

    epochs: int = 4
    batch: int = 8
    rate: float = 1e-3
    decay: float = 0.05
    width: int = 128
    heads: int = 4
    dropout: float = 0.1
    frozen: float = 0.5
    text: float = 0.1
    held_out: float = 0.15
    seed: int = 0
    checkpoint_every: int = 100
    views: ViewConfig = field(default_factory=ViewConfig)

    def __post_init__(self) -> None:
        if min(self.epochs, self.batch, self.width, self.heads, self.checkpoint_every) < 1:
            raise TrainingError("Epochs, batch, width, heads and the steps to a checkpoint are positive numbers.")
        if not 0 < self.rate < math.inf or self.decay < 0 or self.text < 0 or self.width % self.heads:
            raise TrainingError(
                "The rate is positive, decay and text are not negative, and heads divide the width."
            )
        if not (0 <= self.dropout < 1 and 0 < self.held_out < 1 and 0 <= self.frozen <= 1):
            raise TrainingError(
                "Dropout lies in [0, 1), the share of steps with frozen values in [0, 1], and the share of kinds "
                "held out between 0 and 1."
            )


def train_dictionary(
    backbone: Backbone,
    data: TrainingData,
    folder: Path,
    config: DictionaryConfig | None = None,
    tell: Tell | None = None,
) -> TrainedDictionary:
    """A dictionary trained on `data`, with its checkpoints and cached features in `folder`.

    Good pictures are enough; real defects are compared with good pictures of their kind. The same data,
    configuration and machine give the same weights, in one go or in several. TrainingError in one sentence where
    the data do not allow it.
    """
    config, tell = config or DictionaryConfig(), tell or say_nothing
    sides = split_kinds(data, config.held_out, config.seed)
    for side in sides:
        _check(side, config.views)
    copies = ReferenceConfig(0, disturbed=config.views.disturbed, seed=config.views.seed)
    paired, keys = [], []
    for side in sides:
        queries = gather_views(backbone, side, config.views, folder / "features", tell)
        references = gather_views(backbone, side, copies, folder / "features", tell, draw_references)
        pairs = pair_views(side, queries, references)
        if len(set(pairs.queries.labels.tolist())) < 2:  # pictures that cannot be read are known only now
            raise TrainingError(_ONE_CLASS)
        paired.append(pairs)
        keys.append(views_key(backbone, side, config.views))
    run = DictionaryRun(backbone, paired[0], paired[1], config, tell)
    run.go(folder / f"dictionary-{digest_of(config, keys)}.safetensors")
    return run.result(backbone)


class TrainableDictionary(nn.Module):
    """A dictionary and what turns its distances into log-odds, which is left behind after training.

    `states` [2, C]: sentences for the text alignment; None: without.
    """

    def __init__(self, dictionary: SparseDictionary, states: Tensor | None) -> None:
        super().__init__()
        self.dictionary = dictionary
        self.states = states
        self.gain = nn.Parameter(torch.tensor(3.0))  # its logarithm: distances differ by hundredths
        self.offset = nn.Parameter(torch.tensor(0.2))

    def forward(self, pairs: Pairs, index: Tensor, rows: Tensor, shares: tuple[float, ...]) -> dict[str, Tensor]:
        """The losses "map", "picture", "discrimination" and perhaps "text" on the pairs of `index` and `rows`.

        One neighbourhood scale, drawn by torch's seed, and a quarter of the patches do for a step.
        """
        device = self.gain.device
        views = pairs.queries[index].to(device)
        scales = self.dictionary.config.scales
        scale = scales[int(torch.randint(len(scales), ()))]
        queries = neighbourhood(views.inputs(shares), scale)
        references = neighbourhood(pairs.references[rows].to(device).inputs(shares), scale)
        queries, masks = thin(queries, views.masks.float())
        references, _ = thin(references, references[..., 0])
        memory = self.dictionary.remember(references[:, None], scales=(1,))
        looked_up = self.dictionary.retrieve(queries, memory)
        distances = torch.stack([1 - (own * retrieved).sum(-1) for own, retrieved in looked_up]).mean(dim=0)
        logits = (distances - self.offset) * self.gain.exp()
        parts = {"picture": losses.verdict(losses.picture_logits(logits), views.labels)}
        outlined = views.outlined > 0
        if bool(outlined.any()):
            parts["map"] = losses.outline(logits[outlined], masks[outlined])
            parts["discrimination"] = losses.discrimination(distances[outlined], masks[outlined])
        if self.states is not None:
            own, retrieved = looked_up[0]
            parts["text"] = _speak(self.states.to(device), own, retrieved, distances, views.labels)
        return parts


class DictionaryRun:
    """One training run on pairs of the taught and of the held-out kinds."""

    def __init__(
        self, backbone: Backbone, pairs: Pairs, unseen: Pairs, config: DictionaryConfig, tell: Tell
    ) -> None:
        self.pairs, self.unseen, self.config, self.tell = pairs, unseen, config, tell
        self.shares = adapter_shares(backbone)
        self.steps = config.epochs * -(-len(pairs) // config.batch)
        speaks = backbone.aligns_text and config.text > 0
        states = state_vectors(backbone.encode_text) if speaks else None
        torch.manual_seed(config.seed)  # after the text tower is there: loading it draws too
        channels = pairs.queries[torch.arange(1)].inputs(self.shares).shape[-1]
        shape = SparseConfig((channels,), config.width, config.heads, dropout=config.dropout)
        self.trainable = TrainableDictionary(SparseDictionary(shape), states).to(backbone.runtime.device)
        self.optimizer = torch.optim.AdamW(self.trainable.parameters(), lr=config.rate, weight_decay=config.decay)

    def go(self, state: Path) -> None:
        """Take all steps that are left after the checkpoint `state`, and keep it up to date."""
        config, done = self.config, load_checkpoint(state, self.trainable, self.optimizer)
        if done:
            self.tell(f"Going on after step {done} of {self.steps}.", done / self.steps)
        for step, index in enumerate(draw_batches(len(self.pairs), config.epochs, config.batch, config.seed)):
            if step < done:
                continue
            parts = self._learn(step, index)
            taken = step + 1
            if taken % config.checkpoint_every == 0 or taken == self.steps:
                save_checkpoint(state, self.trainable, self.optimizer, taken)
                self._report(taken, parts)

    def result(self, backbone: Backbone) -> TrainedDictionary:
        """What was learned, on the CPU and frozen, with the final judgement."""
        dictionary = self.trainable.dictionary.eval()
        compared = compare_lookups(dictionary, self.unseen, self.shares)
        return TrainedDictionary(
            dictionary.cpu().requires_grad_(False),
            bundle=backbone.card.name,
            weights=backbone.digest,
            card={"config": json.dumps(asdict(self.config)), "held_out": compared.sentence()},
        )

    def _learn(self, step: int, index: Tensor) -> dict[str, Tensor]:
        config = self.config
        draw = config.seed * 1_000_003 + step
        torch.manual_seed(draw)  # what is drawn is the same whether or not the run was resumed
        for group in self.optimizer.param_groups:
            group["lr"] = config.rate * rate_at(step, self.steps)
        self.trainable.train()
        self.trainable.dictionary.freeze_values(step < config.frozen * self.steps)
        parts: dict[str, Tensor] = self.trainable(self.pairs, index, self.pairs.draw(index, draw), self.shares)
        weighed = [loss * (config.text if name == "text" else 1) for name, loss in parts.items()]
        self.optimizer.zero_grad()
        torch.stack(weighed).sum().backward()
        self.optimizer.step()
        return {name: loss.detach() for name, loss in parts.items()}

    def _report(self, taken: int, parts: dict[str, Tensor]) -> None:
        compared = compare_lookups(self.trainable.dictionary.eval(), self.unseen, self.shares, most=JUDGED)
        loss = ", ".join(f"{name} {float(value):.3f}" for name, value in sorted(parts.items()))
        sentence = f"Step {taken} of {self.steps}: loss {loss}; held-out kinds: {compared.sentence()}"
        self.tell(sentence, taken / self.steps)


def _check(data: TrainingData, config: ViewConfig) -> None:
    if not data.examples:
        raise TrainingError("All pictures are of one kind, so no other can be held out to judge the training.")
    if not data.normals or not (data.defects or config.simulated):
        raise TrainingError(_ONE_CLASS)


def _speak(states: Tensor, own: Tensor, retrieved: Tensor, distances: Tensor, labels: Tensor) -> Tensor:
    """Where a picture is strangest, what is retrieved is normal in words, and the picture what its label says."""
    where = (distances.detach() * SHARPEN).flatten(1).softmax(dim=1)[..., None]
    asked, answered = ((part.flatten(1, 2) * where).sum(dim=1) for part in (own, retrieved))
    normal = losses.verdict(compare(answered, states), torch.zeros_like(labels))
    return normal + losses.verdict(compare(asked, states), labels)


SHARPEN = 20.0
"""Distances are multiplied by it to choose the strangest patches, which the text alignment looks at."""

_ONE_CLASS = "The pictures are all of one class; simulate anomalies or add the other."
