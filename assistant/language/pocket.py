"""The language model in the box: it chooses which facts answer a question that the rules do not know.

It reads a short prompt (`plan_prompt`) and writes a plan among the words that fit the schema (`plan_choice`), so
it can misstate nothing whatever its weights. A yes or no it cannot give either: one needs every word of a question
accounted for, which rules can promise and a model of this size cannot. One that was not trained to plan is not
asked: the rules plan alone.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from assistant.errors import ExplainerError
from assistant.language.decoder import CompiledDecoder, Decoder, Reading, TorchDecoder, can_compile
from assistant.language.explainer import Prompt
from assistant.language.plan import Plan, to_dict
from assistant.language.plan_choice import TokenTrie, write_line
from assistant.language.plan_prompt import state_question
from assistant.language.rules import complete
from assistant.language.trained_language import LORA, find_trained, merge_lora, writes_plans
from assistant.models.backbone import Backbone
from assistant.models.cache import bundle_folder
from assistant.models.pull import without_bars

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Array = NDArray[np.float32]


class PocketExplainer:
    """An `Explainer` that runs here, without a network. Safe to share between threads. See `load`.

    `plans`: whether it was trained to plan. With `alone` it is asked everything, and not only what the rules do
    not know; with `tests` it may choose what a yes or no is computed from. Both are for measuring.
    """

    context = 1_000_000
    """Tokens: nothing has to be left out for it, as it reads the question and the one before it alone."""

    looks = False

    def __init__(
        self,
        decoder: Decoder,
        tokenizer: Any,
        name: str = "pocket",
        *,
        plans: bool = True,
        alone: bool = False,
        tests: bool = False,
    ) -> None:
        self.decoder, self.tokenizer, self.name = decoder, tokenizer, name
        self.plans, self.after_rules, self.tests = plans, not alone, tests
        self._lock = threading.Lock()
        self._kept: tuple[Reading, list[int]] | None = None

    @classmethod
    def load(
        cls,
        backbone: Backbone,
        *,
        tuned: Path | None = None,
        runtime: str = "auto",
        alone: bool = False,
        tests: bool = False,
    ) -> PocketExplainer:
        """The language model of a backbone's bundle, with what was trained for it.

        `tuned` is a folder as `looktwice train planner` writes it, by default the user's own or the shipped one.
        `runtime` is "torch", "openvino", or "auto": OpenVINO where the device is the CPU and the model is a Llama.
        ExplainerError where a part is missing.
        """
        if runtime not in ("auto", "torch", "openvino"):
            raise ExplainerError(f"There is no runtime {runtime!r}; the runtimes are auto, torch and openvino.")
        bundle, device = backbone.card.name, backbone.runtime.device
        folder = tuned or find_trained(bundle)
        tokenizer, model = load_language(bundle)
        compiled = runtime != "torch" and can_compile(model.config) and device.type == "cpu"
        if runtime == "openvino" and not compiled:
            raise ExplainerError("This language model cannot run in OpenVINO here; use the torch runtime.")
        if folder and (folder / LORA).is_file():
            model = merge_lora(model, folder)
        plans = folder is not None and writes_plans(folder)
        if compiled:
            return cls(CompiledDecoder(model), tokenizer, bundle, plans=plans, alone=alone, tests=tests)
        placed = model.to(device, torch.bfloat16)  # type: ignore[arg-type]  # transformers' wrapper hides `self`
        return cls(TorchDecoder(placed), tokenizer, bundle, plans=plans, alone=alone, tests=tests)

    def count(self, text: str) -> int:
        """How many tokens a text takes."""
        return len(self.tokenizer.encode(text, add_special_tokens=False))

    def stream(self, prompt: Prompt) -> Iterator[str]:
        """The likeliest plan of those that fit the schema, as JSON; the same prompt gives the same."""
        asked = state_question(prompt.inspections, prompt.question, prompt.history)
        yield json.dumps(to_dict(self._plan(prompt, self.tokenizer.encode(asked, add_special_tokens=False))))

    def _plan(self, prompt: Prompt, ids: list[int]) -> Plan:
        reading, read = self._resume(ids)

        def take(tokens: Sequence[int]) -> Array:
            scores = reading.extend(self.decoder.embed(tokens))
            read.extend(tokens)
            return scores

        trie = TokenTrie(lambda word: self.tokenizer.encode(word, add_special_tokens=False), take)
        trie.begin(take(ids[len(read) :]))
        plan = complete(write_line(prompt.inspections, trie.choose), tests=self.tests)
        with self._lock:
            self._kept = reading, read
        return plan

    def _resume(self, ids: list[int]) -> tuple[Reading, list[int]]:
        """A reading of the first of `ids`, as many as the last prompt began with; and which those are."""
        with self._lock:
            kept, self._kept = self._kept, None
        if kept is None:
            return self.decoder.start(), []
        reading, read = kept
        same = 0
        while same < min(len(read), len(ids) - 1) and read[same] == ids[same]:
            same += 1
        reading.crop(same)
        return reading, ids[:same]


def load_language(bundle: str) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    """The tokenizer and the causal model (float32, on the CPU) of a bundle; ExplainerError where missing."""
    folder = bundle_folder(bundle) / "language"
    if not (folder / "model.safetensors").is_file():
        raise ExplainerError(
            f"The language model of the bundle {bundle!r} is not on this machine: run "
            f'`pip install "looktwice[lvlm]"`, then `looktwice pull {bundle}`.'
        )
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        with without_bars():
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model = AutoModelForCausalLM.from_pretrained(
                folder, dtype=torch.float32, local_files_only=True, use_safetensors=True
            )
    except (OSError, ValueError, RuntimeError) as error:
        raise ExplainerError(
            f"The language model of the bundle {bundle!r} is damaged: run `looktwice pull {bundle}` again."
        ) from error
    return tokenizer, model
