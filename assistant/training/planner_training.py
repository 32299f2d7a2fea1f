"""Trains the LoRA with which the pocket model chooses plans: `looktwice train planner`.

It learns lines of plans (`plan_choice.to_line`) after drawn questions (`plan_questions`), and nothing else: the
model's own weights stay as they are. A run can be stopped at any time; started again, it goes on, and it
ends with the same weights.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from assistant.errors import TrainingError
from assistant.language.pocket import load_language
from assistant.language.trained_language import CARD, PLANS, save_lora
from assistant.progress import Tell, say_nothing
from assistant.training.checkpoint import load_checkpoint, save_checkpoint
from assistant.training.initial_weights import add_lora
from assistant.training.plan_questions import Asked, draw_questions

JUDGED = 160  # questions, in phrasings that are never learned, that progress is judged on
WARM = 0.05  # of the run, in which the rate rises
POOL = 16  # batches that are sorted by length together
FLOOR = 0.02  # of the highest rate, at the least


@dataclass(frozen=True)
class PlannerConfig:
    """How the pocket model is trained to plan; validated, and written on the card.

    The run ends after `steps`, each of `batch` questions out of `questions`, which are drawn by `seed`; `rate` is
    the highest learning rate, on a cosine. `rank` of the LoRA, which lies in the blocks from `first` on.
    """

    steps: int = 420
    batch: int = 16
    questions: int = 8000
    rate: float = 1e-3
    rank: int = 16
    first: int = 10
    seed: int = 0
    checkpoint_every: int = 20

    def __post_init__(self) -> None:
        if min(self.batch, self.questions, self.rank, self.checkpoint_every, self.steps) < 1:
            raise TrainingError("Steps, questions, batch, rank and the steps to a checkpoint are positive.")
        if not 0 < self.rate < math.inf:
            raise TrainingError("The learning rate is positive.")
        if min(self.seed, self.first) < 0:
            raise TrainingError("The seed and the first block are not negative.")


def train_planner(
    bundle: str, work: Path, out: Path, config: PlannerConfig | None = None, tell: Tell | None = None
) -> dict[str, str]:
    """Train the language model of a bundle to plan, write LoRA and card to the folder `out`, return the card.

    Checkpoints are kept in `work`. ExplainerError where the model is missing, TrainingError where peft is.
    """
    config, tell = config or PlannerConfig(), tell or say_nothing
    tokenizer, frozen = load_language(bundle)
    if config.first >= frozen.config.num_hidden_layers:
        raise TrainingError(f"The model has {frozen.config.num_hidden_layers} blocks.")
    model = add_lora(frozen, bundle, config.rank, config.seed, config.first)
    tell("Drawing questions", 0.0)
    asked = draw_questions(config.questions, config.seed)
    unseen = draw_questions(JUDGED, config.seed, "test")
    run = PlannerRun(model, tokenizer, asked, unseen, config, tell)
    run.go(work / f"planner-{_digest(config, asked)}.safetensors")
    card = {"writes": PLANS, "config": json.dumps(asdict(config)), **run.facts()}
    save_lora(model, out)
    (out / CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return card


class Taught(nn.Module):
    """All that is learned, and how long that took: what a checkpoint holds."""

    seconds: Tensor

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.lora = nn.ParameterList(p for name, p in model.named_parameters() if "lora_" in name)
        self.register_buffer("seconds", torch.zeros((), dtype=torch.float64))


class PlannerRun:
    """One training run; the phrasings of `unseen` are never learned."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        asked: Sequence[Asked],
        unseen: Sequence[Asked],
        config: PlannerConfig,
        tell: Tell,
    ) -> None:
        self.model, self.tokenizer, self.config, self.tell = model, tokenizer, config, tell
        self.llama = model.get_base_model()
        self.asked, self.unseen, self.taught = asked, unseen, Taught(model)
        self.optimizer = torch.optim.AdamW(list(self.taught.lora), lr=config.rate, weight_decay=0.01)
        self.judged, self.steps = math.nan, 0

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
            start, self.steps = now, step + 1
            progress = self._progress(self.steps)
            if self.steps % self.config.checkpoint_every == 0 or progress >= 1:
                save_checkpoint(state, self.taught, self.optimizer, self.steps)
                self._report(progress, losses)
                losses = []
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
        """The mean loss of a token of a plan, after questions in phrasings that are never learned."""
        self.model.eval()
        total, count = 0.0, 0
        for at in range(0, len(self.unseen), self.config.batch):
            loss, said = self._loss(self.unseen[at : at + self.config.batch])
            total, count = total + float(loss) * said, count + said
        return total / count

    def _learn(self, step: int, batch: Sequence[Asked]) -> float:
        """Take one step on a batch and return its loss."""
        share = self._progress(step)
        height = max(FLOOR, min(1.0, share / WARM) * (1 + math.cos(math.pi * share)) / 2)
        self.optimizer.param_groups[0]["lr"] = self.config.rate * height
        self.model.train()
        loss, _ = self._loss(batch)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.taught.parameters(), 1.0)
        self.optimizer.step()
        return float(loss.detach())

    def _loss(self, batch: Sequence[Asked]) -> tuple[Tensor, int]:
        """The mean loss of a token of the plans, and how many there are."""
        rows, targets = [], []
        for asked in batch:
            prompt, line = (self.tokenizer.encode(t, add_special_tokens=False) for t in (asked.prompt, asked.line))
            rows.append(torch.tensor([*prompt, *line[:-1]]))
            targets.append(torch.tensor([*[-100] * (len(prompt) - 1), *line]))
        # What pads comes last and nothing looks ahead, so that no attention mask is needed.
        ids, next_one = pad_sequence(rows, True), pad_sequence(targets, True, -100)
        hidden = self.llama.model(input_ids=ids, use_cache=False).last_hidden_state
        said = next_one >= 0  # the head over a large vocabulary is worked out for plans alone
        logits = self.llama.lm_head(hidden[said])
        return nn.functional.cross_entropy(logits.float(), next_one[said]), int(said.sum())

    def _batches(self) -> Iterator[Sequence[Asked]]:
        """Batches of about one length each, in random order, over and over."""
        size, epoch = self.config.batch, 0
        while True:
            generator = torch.Generator().manual_seed(self.config.seed * 7919 + epoch)
            order = torch.randperm(len(self.asked), generator=generator).tolist()
            for start in range(0, len(order), size * POOL):
                pool = sorted(order[start : start + size * POOL], key=lambda n: _length(self.asked[n]))
                parts = [pool[at : at + size] for at in range(0, len(pool), size)]
                for part in torch.randperm(len(parts), generator=generator).tolist():
                    yield [self.asked[n] for n in parts[part]]
            epoch += 1

    def _progress(self, step: int) -> float:
        return min(1.0, step / self.config.steps)

    def _report(self, progress: float, losses: Sequence[float]) -> None:
        self.judged = self.judge()
        pace = float(self.taught.seconds) / self.steps
        self.tell(
            f"Step {self.steps}: loss {sum(losses) / len(losses):.3f}, on phrasings never learned "
            f"{self.judged:.3f}, {pace:.1f} s a step.",
            progress,
        )


def _length(asked: Asked) -> int:
    """About how long a question is: bytes, as a letter of Chinese takes several tokens."""
    return len(asked.question.encode()) + sum(len(q.encode()) for q, _ in asked.history[-1:])


def _digest(config: PlannerConfig, asked: Sequence[Asked]) -> str:
    said = hashlib.sha256(json.dumps(asdict(config)).encode())
    for one in asked:
        said.update(f"{one.question}\n{one.line}\n".encode())
    return said.hexdigest()[:12]
