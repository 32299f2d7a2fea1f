"""The language model in the box: a small causal model that sees the picture through a projector.

It keeps what it has read between the turns of a conversation. One that was trained to plan chooses its plan among
the words that fit the schema (`plan_choice`), so it can misstate nothing; one that was trained in sentences, as
what ships was, is not asked: the rules plan in its place.
"""

from __future__ import annotations

import hashlib
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
from assistant.language.explainer import Prompt, Subject
from assistant.language.plan import to_dict
from assistant.language.plan_choice import TokenTrie, write_line
from assistant.language.token_sequence import TokenSequence, end_ids, tokenize
from assistant.language.trained_language import (
    LORA,
    PROJECTOR,
    TrainedProjector,
    find_trained,
    load_projector,
    merge_lora,
)
from assistant.language.visual_tokens import see
from assistant.models.backbone import Backbone
from assistant.models.cache import bundle_folder
from assistant.models.pull import without_bars
from assistant.prompts.chat import converse

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

CONTEXT = 2048
"""Tokens that are read at most; the model could read more, but not within a second."""

LONGEST = 120
"""Tokens of an answer at most."""

PLANS = "plans"
"""What the card of a training says under "writes" where its answers are lines of `plan_choice`."""

NO_REPEAT = 12
"""So many tokens in a row are never written twice in one answer: small models fall into loops."""

Array = NDArray[np.float32]
Key = int | tuple[str, int]


class PocketExplainer:
    """An `Explainer` that runs here, without a network. Safe to share between threads.

    With several inspections, or without a picture, it reads the evidence alone: it was trained on one picture at a
    time. See `PocketExplainer.load`.
    """

    name: str
    context: int = CONTEXT

    def __init__(
        self,
        decoder: Decoder,
        tokenizer: Any,
        backbone: Backbone | None = None,
        trained: TrainedProjector | None = None,
        name: str = "pocket",
    ) -> None:
        self.decoder, self.tokenizer, self.backbone, self.trained_projector = decoder, tokenizer, backbone, trained
        self.name = name
        self._ends = end_ids(tokenizer) | set(tokenizer.all_special_ids)
        self._lock = threading.Lock()
        self._kept: tuple[Reading, list[Key]] | None = None
        self._seen: tuple[str, Array] | None = None

    @classmethod
    def load(
        cls, backbone: Backbone, *, tuned: Path | None = None, plain: bool = False, runtime: str = "auto"
    ) -> PocketExplainer:
        """The language model of a backbone's bundle, with what was trained for it.

        `tuned` is a folder as `looktwice train lvlm` writes it, by default the user's own or the shipped one;
        `plain` leaves it out: the model as it came, without eyes. `runtime` is "torch", "openvino", or "auto":
        OpenVINO where the device is the CPU and the model is a Llama. ExplainerError where a part is missing.
        """
        if runtime not in ("auto", "torch", "openvino"):
            raise ExplainerError(f"There is no runtime {runtime!r}; the runtimes are auto, torch and openvino.")
        bundle, device = backbone.card.name, backbone.runtime.device
        folder = None if plain else tuned or find_trained(bundle)
        tokenizer, model = load_language(bundle)
        compiled = runtime != "torch" and can_compile(model.config) and device.type == "cpu"
        if runtime == "openvino" and not compiled:
            raise ExplainerError("This language model cannot run in OpenVINO here; use the torch runtime.")
        if folder and (folder / LORA).is_file():
            model = merge_lora(model, folder)
        trained, name = None, bundle if folder else f"{bundle} (untrained)"
        if folder and (folder / PROJECTOR).is_file():
            trained = load_projector(folder, bundle, backbone.digest)
            if trained.projector.config.hidden != model.config.hidden_size:
                raise ExplainerError(f"The projector in {folder} is made for another language model.")
        if compiled:
            return cls(CompiledDecoder(model), tokenizer, backbone, trained, name)
        placed = model.to(device, torch.bfloat16)  # type: ignore[arg-type]  # transformers' wrapper hides `self`
        return cls(TorchDecoder(placed), tokenizer, backbone, trained, name)

    @property
    def plans(self) -> bool:
        """Whether it was trained to plan, as the card of its training says."""
        return bool(self.trained_projector and self.trained_projector.card.get("writes") == PLANS)

    def count(self, text: str) -> int:
        """How many tokens a text takes."""
        return len(self.tokenizer.encode(text, add_special_tokens=False))

    def stream(self, prompt: Prompt) -> Iterator[str]:
        """The plan as JSON where it was trained to plan, else sentences: the most likely words, at most 120
        tokens.

        The same prompt gives the same. Closing the iterator ends the work. ExplainerError where the evidence and
        the question are too long.
        """
        name, seen = self._look(prompt.subjects)
        sequence = self._fit(prompt, 0 if seen is None else len(seen))
        keys, at = _keys(sequence, name, seen), sequence.eye or 0
        reading, read = self._resume(keys)
        try:
            rows = self.decoder.embed(sequence.ids)
            if seen is not None:
                rows = np.concatenate([rows[:at], seen, rows[at:]])
            logits = reading.extend(rows[len(read) :])
            read += keys[len(read) :]
            if self.plans:
                yield self._plan(prompt, reading, read, logits)
            else:
                yield from self._write(reading, read, logits)
        finally:
            if reading.length == len(read):  # else it stopped halfway through a token
                with self._lock:
                    self._kept = reading, read

    def _plan(self, prompt: Prompt, reading: Reading, read: list[Key], logits: Array) -> str:
        """The likeliest plan of those that fit the schema."""

        def take(tokens: Sequence[int]) -> Array:
            scores = reading.extend(self.decoder.embed(tokens))
            read.extend(tokens)
            return scores

        trie = TokenTrie(lambda word: self.tokenizer.encode(word, add_special_tokens=False), take)
        trie.begin(logits)
        return json.dumps(to_dict(write_line(prompt.inspections, trie.choose)))

    def _write(self, reading: Reading, read: list[Key], logits: Array) -> Iterator[str]:
        written: list[int] = []
        said = ""
        while len(written) < LONGEST and (token := _choose(logits, written)) not in self._ends:
            written.append(token)
            text = self.tokenizer.decode(written, clean_up_tokenization_spaces=False).lstrip()
            if len(text) > len(said) and not text.endswith("\ufffd"):  # else a letter is not whole yet
                yield text[len(said) :]
                said = text
            logits = reading.extend(self.decoder.embed([token]))
            read.append(token)

    def _fit(self, prompt: Prompt, seen: int) -> TokenSequence:
        """The conversation as tokens, without the oldest turns where it would be too long."""
        turns = list(prompt.history)
        while True:
            messages = converse(prompt.evidence, turns, prompt.question, sees=seen > 0)
            sequence = tokenize(self.tokenizer, messages)
            if len(sequence) + seen + LONGEST <= self.context:
                return sequence
            if not turns:
                raise ExplainerError("The evidence and the question are longer than the language model can read.")
            del turns[0]

    def _look(self, subjects: tuple[Subject, ...]) -> tuple[str, Array | None]:
        """The picture's tokens [T, hidden], and a name for what they show; None where there is nothing to see."""
        subject = subjects[0]
        if len(subjects) > 1 or subject.picture is None or not self.trained_projector or not self.backbone:
            return "", None
        name, kept = _name(subject), self._seen
        if kept and kept[0] == name:
            return kept
        tokens = see(self.backbone, subject.picture, subject.inspection)
        if tokens is None:
            return "", None
        with torch.inference_mode():
            seen: Array = self.trained_projector.projector([row.float() for row in tokens.rows]).numpy()
        self._seen = name, seen
        return name, seen

    def _resume(self, keys: list[Key]) -> tuple[Reading, list[Key]]:
        """A reading of the first of `keys`, as many as the last conversation began with; and which those are."""
        with self._lock:
            kept, self._kept = self._kept, None
        if kept is None:
            return self.decoder.start(), []
        reading, read = kept
        same = 0
        while same < min(len(read), len(keys) - 1) and read[same] == keys[same]:
            same += 1
        reading.crop(same)
        return reading, keys[:same]


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


def _keys(sequence: TokenSequence, name: str, seen: Array | None) -> list[Key]:
    """One key for each row that is read: two conversations are the same as far as their keys are."""
    keys: list[Key] = list(sequence.ids)
    if seen is not None and sequence.eye is not None:
        keys[sequence.eye : sequence.eye] = [(name, n) for n in range(len(seen))]
    return keys


def _name(subject: Subject) -> str:
    said = hashlib.blake2b(subject.inspection.to_json().encode(), digest_size=16)
    for pixels in (subject.picture, subject.inspection.coarse_map):
        if pixels is not None:
            said.update(repr(pixels.shape).encode())
            said.update(np.ascontiguousarray(pixels).data)
    return said.hexdigest()


def _choose(logits: Array, written: list[int]) -> int:
    """The likeliest token that does not repeat the last `NO_REPEAT` tokens for a second time."""
    tail = written[-(NO_REPEAT - 1) :]
    if len(tail) == NO_REPEAT - 1:
        for at in range(len(written) - len(tail)):
            if written[at : at + len(tail)] == tail:
                logits[written[at + len(tail)]] = -np.inf
    return int(logits.argmax())
