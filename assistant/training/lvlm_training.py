"""Trains the projector and a LoRA of a small language model: `looktwice train lvlm`.

First the projector alone, then the projector and a LoRA on the attention and MLP layers; the towers and the
model's own weights stay as they are. Only answers are learned, never questions or evidence. A run can be stopped
at any time; started again, it goes on, and where its length is given in steps it ends with the same weights. A
run may also start with what an earlier one left.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from assistant.adapters.projector import Projector
from assistant.errors import TrainingError
from assistant.language.pocket import load_language
from assistant.language.trained_language import PROJECTOR, TrainedProjector, save_lora
from assistant.models.backbone import Backbone
from assistant.progress import Tell, say_nothing
from assistant.training.acceleration import accelerate
from assistant.training.checkpoint import load_checkpoint, save_checkpoint
from assistant.training.conversation_batches import Batch, Lesson, in_batches, lay_batch, make_lessons
from assistant.training.conversation_features import gather_visual_tokens
from assistant.training.conversations import Conversation, split_conversations
from assistant.training.initial_weights import add_lora, draw_projector
from assistant.training.warm_start import WarmStart

if TYPE_CHECKING:
    from accelerate import Accelerator

STEPS = 1000  # where nobody says how long
JUDGED = 48  # held-out conversations, at most, that progress is judged on
WARM = 0.05  # of each stage, in which the rate rises
LATER = 0.3  # of the projector's rate is left for the second stage


@dataclass(frozen=True)
class LvlmConfig:
    """How a language model is trained; validated, and saved beside the weights.

    The run ends after `steps`, or after `minutes` of training, or after whichever comes first. `batch`
    conversations a step; `rate` the highest learning rate of the LoRA and `eye_rate` of the projector, on a
    cosine. `rank` and `dropout` of the LoRA; dropout makes a step a third longer. `first`: the share of the
    run for the projector alone. `blind`: the share of conversations whose picture is withheld, so that the
    model can also read evidence alone. `longest`: tokens of a conversation; later turns are left out.
    `held_out`: the share of pictures that progress is judged on. `precision` is accelerate's "no" or "bf16".
    """

    steps: int | None = None
    minutes: float | None = None
    batch: int = 8
    rate: float = 2e-4
    eye_rate: float = 1e-3
    rank: int = 16
    dropout: float = 0.0
    first: float = 0.15
    blind: float = 0.1
    longest: int = 768
    held_out: float = 0.05
    seed: int = 0
    precision: str = "bf16"
    checkpoint_every: int = 50

    def __post_init__(self) -> None:
        counts = (
            self.batch,
            self.rank,
            self.longest,
            self.checkpoint_every,
            1 if self.steps is None else self.steps,
        )
        if min(counts) < 1 or not (self.minutes is None or 0 < self.minutes < math.inf):
            raise TrainingError("Steps, minutes, batch, rank, length and the steps to a checkpoint are positive.")
        if not (0 < self.rate < math.inf and 0 < self.eye_rate < math.inf and self.seed >= 0):
            raise TrainingError("Learning rates are positive, and the seed is not negative.")
        if not (0 <= min(self.dropout, self.first, self.blind) and max(self.dropout, self.first, self.blind) < 1):
            raise TrainingError("Dropout, the first stage and the share of withheld pictures lie in [0, 1).")
        if not 0 < self.held_out < 1:
            raise TrainingError("The share of pictures held out lies between 0 and 1.")
        if self.precision not in ("no", "bf16"):
            raise TrainingError(f"There is no precision {self.precision!r}; there are no and bf16.")

    def going_on(self) -> LvlmConfig:
        """The second stage alone, at its own rates: for a projector that has been trained already."""
        return replace(self, first=0.0, eye_rate=LATER * self.eye_rate)

    def progress(self, step: int, seconds: float) -> float:
        """How far a run is after so many steps and seconds, in [0, 1]."""
        steps = self.steps or (None if self.minutes else STEPS)
        by_steps = step / steps if steps else 0.0
        return min(1.0, max(by_steps, seconds / (60 * self.minutes) if self.minutes else 0.0))


def train_lvlm(
    backbone: Backbone,
    conversations: Sequence[Conversation],
    work: Path,
    out: Path,
    config: LvlmConfig | None = None,
    tell: Tell | None = None,
    start: Path | None = None,
) -> dict[str, str]:
    """Train on conversations, write projector and LoRA to the folder `out`, and return the card of the run.

    Checkpoints and visual tokens are kept in `work`. `start`: a folder of an earlier training to begin with; its
    projector is trained already, so there is no first stage, and the card says its digest. TrainingError in one
    sentence where the conversations do not allow training, `start` does not fit, or a library is missing.
    """
    config, tell = config or LvlmConfig(), tell or say_nothing
    config = config.going_on() if start else config
    accelerator = accelerate(backbone, config.precision, "lvlm")
    sides = split_conversations(conversations, config.held_out, config.seed)
    bundle = backbone.card.name
    tokenizer, frozen = load_language(bundle)
    half = torch.bfloat16 if config.precision == "bf16" else torch.float32
    frozen = frozen.to(half)  # type: ignore[arg-type]  # transformers' wrapper hides `self`
    model = add_lora(frozen, bundle, config.rank, config.dropout, config.seed)
    projector = draw_projector(backbone, model, config.seed)
    begun = WarmStart.load(start, bundle, backbone.digest).put_into(projector, model) if start else ""
    taught, unseen = (
        make_lessons(tokenizer, side, gather_visual_tokens(backbone, side, work / "sights", tell), config.longest)
        for side in sides
    )
    if not taught or not unseen:
        raise TrainingError(f"No conversation is short enough to be learned within {config.longest} tokens.")
    run = LvlmRun(accelerator, Taught(projector, model), model, taught, unseen, config, tell)
    run.go(work / f"checkpoint-{_digest(config, backbone, begun, taught, unseen)}.safetensors")
    card = {"config": json.dumps(asdict(config)), "conversations": str(len(taught)), **run.facts()}
    card |= {"start": begun} if begun else {}
    save_lora(run.model, out)
    TrainedProjector(run.taught.projector, bundle, backbone.digest, card).save(out / PROJECTOR)
    (out / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return card


class Taught(nn.Module):
    """All that is learned, and how long that took: what a checkpoint holds."""

    seconds: Tensor

    def __init__(self, projector: Projector, model: nn.Module) -> None:
        super().__init__()
        self.projector = projector
        self.lora = nn.ParameterList(p for name, p in model.named_parameters() if "lora_" in name)
        self.register_buffer("seconds", torch.zeros((), dtype=torch.float64))


class LvlmRun:
    """One training run on lessons; `unseen` are never learned from."""

    def __init__(
        self,
        accelerator: Accelerator,
        taught: Taught,
        model: Any,
        lessons: Sequence[Lesson],
        unseen: Sequence[Lesson],
        config: LvlmConfig,
        tell: Tell,
    ) -> None:
        self.accelerator, self.config, self.tell = accelerator, config, tell
        self.model = model.to(accelerator.device)
        self.llama = self.model.get_base_model()
        self.lessons = lessons
        self.unseen = sorted(unseen, key=len)[:: max(1, len(unseen) // JUDGED)]
        self.taught = taught.to(accelerator.device)
        groups = [{"params": list(taught.projector.parameters())}, {"params": list(taught.lora)}]
        self.optimizer = torch.optim.AdamW(groups, lr=config.rate, weight_decay=0.01)
        self.first = config.first if any(lesson.visual for lesson in lessons) else 0.0
        self.judged = math.nan

    def go(self, state: Path) -> None:
        """Take all steps that are left after the checkpoint `state`, and keep it up to date."""
        done = load_checkpoint(state, self.taught, self.optimizer)
        if done:
            self.tell(f"Going on after step {done}.", self._progress(done))
        start, losses = time.perf_counter(), []
        for step, batch in enumerate(self._batches()):
            if step < done:
                continue
            if self._progress(step) >= 1:
                break
            losses.append(self._learn(step, batch))
            now = time.perf_counter()
            self.taught.seconds += now - start
            start, taken = now, step + 1
            progress = self._progress(taken)
            if taken % self.config.checkpoint_every == 0 or progress >= 1:
                save_checkpoint(state, self.taught, self.optimizer, taken)
                self._report(taken, progress, losses)
                losses = []
        self.steps = step
        if math.isnan(self.judged):
            self.judged = self.judge()

    def facts(self) -> dict[str, str]:
        """What is worth writing on the card."""
        return {
            "steps": str(self.steps),
            "minutes": f"{float(self.taught.seconds) / 60:.0f}",
            "held-out loss": f"{self.judged:.4f}",
        }

    @torch.no_grad()
    def judge(self) -> float:
        """The mean loss of a token of an answer, over held-out conversations."""
        self.model.eval()
        total, count = 0.0, 0
        for part in in_batches(self.unseen, self.config.batch):
            batch = self._lay(part, blind=())
            said = int((batch.targets >= 0).sum())
            total, count = total + float(self._loss(batch)) * said, count + said
        return total / count

    def _learn(self, step: int, lessons: Sequence[Lesson]) -> float:
        """Take one step on a batch and return its loss."""
        torch.manual_seed(self.config.seed * 1_000_003 + step)  # the same whether or not the run was resumed
        second = self._set_rates(step)
        self.model.train()
        hidden = (torch.rand(len(lessons)) < self.config.blind).tolist() if second else ()
        loss = self._loss(self._lay(lessons, hidden))
        self.optimizer.zero_grad()
        if loss.requires_grad:  # in the first stage, a batch without any picture teaches nothing
            self.accelerator.backward(loss)
            torch.nn.utils.clip_grad_norm_(self.taught.parameters(), 1.0)
            self.optimizer.step()
        return float(loss.detach())

    def _set_rates(self, step: int) -> bool:
        """Set what is learned and how fast; whether this is the second stage."""
        progress, config = self._progress(step), self.config
        second = progress >= self.first
        share = (progress - self.first) / (1 - self.first) if second else progress / self.first
        height = max(0.02, min(1.0, share / WARM)) * (1 + math.cos(math.pi * share)) / 2
        eyes, lora = self.optimizer.param_groups
        eyes["lr"] = config.eye_rate * height * (LATER if second and self.first else 1.0)
        lora["lr"] = config.rate * height
        layers = self.model.base_model  # the first stage is faster without a LoRA
        (layers.enable_adapter_layers if second else layers.disable_adapter_layers)()
        return second

    def _loss(self, batch: Batch) -> Tensor:
        with self.accelerator.autocast():
            hidden = self.llama.model(inputs_embeds=batch.embeddings, use_cache=False).last_hidden_state
            said = batch.targets >= 0  # the head over a large vocabulary is worked out for answers alone
            logits = self.llama.lm_head(hidden[said])
        return nn.functional.cross_entropy(logits.float(), batch.targets[said])

    def _lay(self, lessons: Sequence[Lesson], blind: Sequence[bool]) -> Batch:
        table = self.llama.get_input_embeddings()
        return lay_batch(lessons, table, self.taught.projector, blind or [False] * len(lessons))

    def _batches(self) -> Iterator[list[Lesson]]:
        epoch = 0
        while True:
            generator = torch.Generator().manual_seed(self.config.seed * 7919 + epoch)
            yield from in_batches(self.lessons, self.config.batch, generator)
            epoch += 1

    def _progress(self, step: int) -> float:
        return self.config.progress(step, float(self.taught.seconds))

    def _report(self, taken: int, progress: float, losses: Sequence[float]) -> None:
        self.judged = self.judge()
        pace = float(self.taught.seconds) / taken
        self.tell(
            f"Step {taken}: loss {sum(losses) / len(losses):.3f}, on held-out pictures {self.judged:.3f}, "
            f"{pace:.1f} s a step.",
            progress,
        )


def _digest(
    config: LvlmConfig, backbone: Backbone, begun: str, taught: Sequence[Lesson], unseen: Sequence[Lesson]
) -> str:
    said = hashlib.sha256(json.dumps([asdict(config), backbone.digest, *filter(None, [begun])]).encode())
    for lesson in (*taught, *unseen):
        said.update(repr((lesson.sequence.ids, lesson.sequence.eye, lesson.key)).encode())
    return said.hexdigest()[:12]
