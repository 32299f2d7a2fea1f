"""A large vision-language model on this machine, by transformers: any that reads pictures and has a chat template.

It reads a local folder of safetensors and runs no code from it. It is held to the schema of a plan by
`assistant.language.held` where that knows its tokenizer, and told it otherwise. Rules and layout come from
`assistant.prompts.instruct`, pictures from `assistant.language.captioned_pictures`.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from assistant.errors import ExplainerError
from assistant.language.captioned_pictures import View, show
from assistant.language.explainer import Prompt
from assistant.language.held import find_holder
from assistant.language.plan_text import without_thinking
from assistant.language.replies import ASKED, HELD, reply_rules, reply_schema
from assistant.models.towers import pick_device
from assistant.prompts.instruct import LOOK_RULES, Message, ask_fenced, lay_out

ANSWER = 640
"""Tokens that an answer may take."""

LONGEST_CONTEXT = 32768  # models that read more are not given more: it costs memory and adds nothing
ROOM = 1.4  # bytes of memory for a byte of weights, so that pictures and cache fit beside them
RUNS_CODE = {"auto_map", "custom_pipelines", "_attn_implementation_internal", "_experts_implementation_internal"}
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")


class TransformersExplainer:
    """A vision-language model of transformers, answering greedily. Safe to share: it answers one at a time."""

    def __init__(self, model: Any, processor: Any, name: str, *, answer_tokens: int = ANSWER) -> None:
        self._model, self._processor, self._name = model, processor, name
        self._tokenizer = processor.tokenizer
        positions = getattr(model.config.get_text_config(), "max_position_embeddings", None) or LONGEST_CONTEXT
        self._context = min(int(positions), LONGEST_CONTEXT)
        self._answer = min(answer_tokens, self._context // 4)
        self._control = _control_tokens(self._tokenizer)
        thinks = "enable_thinking" in str(getattr(processor, "chat_template", ""))
        self._quiet = {"enable_thinking": False} if thinks else {}
        self._holder = find_holder(self._tokenizer)
        self._turn = threading.Lock()
        _answer_greedily(model, self._tokenizer)

    @classmethod
    def load(
        cls,
        folder: Path | str,
        *,
        adapter: Path | str | None = None,
        device: str | None = None,
        four_bit: bool | None = None,
        name: str | None = None,
        answer_tokens: int = ANSWER,
    ) -> TransformersExplainer:
        """The model in a local folder, such as SmolVLM2, Qwen2.5-VL or LLaVA-OneVision.

        `adapter` is a folder with a LoRA adapter as peft saves it. On CUDA it runs in bfloat16, elsewhere in
        float32. `four_bit` needs CUDA, bitsandbytes and accelerate; None takes it where they are there and the
        weights would not fit otherwise. ExplainerError where the folder is not such a model, asks for code of
        its own, holds no safetensors, or needs a package that is missing.
        """
        folder, on = Path(folder), pick_device(device)
        _check_folder(folder)
        if adapter is not None:
            _check_adapter(Path(adapter))
        quantised = _wants_four_bit(folder, on, four_bit)
        model, processor = _read(folder, on, quantised)
        if adapter is not None:
            model = _adapt(model, Path(adapter), on)
        return cls(model.eval(), processor, name or folder.resolve().name, answer_tokens=answer_tokens)

    @property
    def name(self) -> str:
        """Who wrote an answer: the name of the folder, unless another was given."""
        return self._name

    @property
    def context(self) -> int:
        """How many tokens fit, pictures, question and answer together."""
        return self._context

    def count(self, text: str) -> int:
        """How many tokens a text takes."""
        return len(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    @property
    def how(self) -> str:
        """How it is held to a plan."""
        return HELD if self._holder else ASKED

    def stream(self, prompt: Prompt) -> Iterator[str]:
        """Pieces of the plan, by words; closing the iterator ends the work after the token in hand.

        Where all does not fit, pictures are left out from the last on, then the oldest turns. ExplainerError
        where even so it does not fit, or the model fails.
        """
        schema = reply_schema(prompt)
        question = prompt.question
        if not self._holder and not prompt.options:
            question = ask_fenced(question, schema)
        fed = self._read_in(prompt, question, reply_rules(prompt), prompt.history)
        yield from without_thinking(self._generate(fed, schema, cuts=not prompt.options))

    def odds_of_yes(self, prompt: Prompt, question: str) -> float | None:
        """How likely it answers a question about the pictures with yes, in [0, 1]; None for want of such words."""
        words = [
            [f"{space}{word}" for space in ("", " ") for word in side] for side in (("Yes", "yes"), ("No", "no"))
        ]
        first = [{self._first_token(word) for word in side} - {self._tokenizer.unk_token_id} for side in words]
        yes, no = first[0] - first[1], first[1] - first[0]
        if not yes or not no:
            return None
        fed = self._read_in(prompt, question, LOOK_RULES, ())
        with self._turn, torch.inference_mode():
            likely = self._model(**fed).logits[0, -1].float().softmax(dim=-1)
        sums = [float(likely[list(tokens)].sum()) for tokens in (yes, no)]
        return sums[0] / sum(sums) if sum(sums) > 0 else None

    def _first_token(self, word: str) -> int | None:
        ids = self._tokenizer(word, add_special_tokens=False)["input_ids"]
        return ids[0] if ids else self._tokenizer.unk_token_id

    def _read_in(self, prompt: Prompt, question: str, rules: str, history: tuple[tuple[str, str], ...]) -> Any:
        """What the model is fed, on its device, short enough to leave room for the answer."""
        views, device = show(prompt.subjects), self._model.device
        for pictures, turns in _cuts(len(views), len(history)):
            captions = [caption for caption, _ in views[:pictures]]
            layout = lay_out(prompt.evidence, captions, question, history[len(history) - turns :], rules)
            fed = self._feed(layout, views[:pictures])
            if fed["input_ids"].shape[-1] <= self._context - self._answer:
                return fed.to(device, dtype=self._model.dtype)
        raise ExplainerError(f"The question is too long for {self._name}, which reads {self._context} tokens.")

    def _feed(self, layout: list[Message], views: list[View]) -> Any:
        try:
            return self._processor.apply_chat_template(
                [self._turn_of(message, views) for message in layout],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
                **self._quiet,
            )
        except Exception as error:  # what a processor cannot read fails in as many ways as there are processors
            raise ExplainerError(f"{self._name} cannot read these pictures and this question.") from error

    def _turn_of(self, message: Message, views: list[View]) -> dict[str, Any]:
        parts = [
            {"type": "image", "image": views[part][1]}
            if isinstance(part, int)
            else {"type": "text", "text": self._control.sub(" ", part)}
            for part in message.parts
        ]
        return {"role": message.role, "content": parts}

    def _generate(self, fed: Any, schema: Mapping[str, Any], cuts: bool) -> Iterator[str]:
        """Pieces of text; with `cuts`, ExplainerError at the end of one that did not come to its own."""
        from transformers import LogitsProcessorList, StoppingCriteriaList, TextIteratorStreamer

        held = [self._holder.hold(schema, fed["input_ids"].shape[-1])] if self._holder else []
        pieces = TextIteratorStreamer(self._tokenizer, skip_prompt=True, skip_special_tokens=True)
        stop, failure, said = threading.Event(), [], fed["input_ids"]

        def work() -> None:
            nonlocal said
            try:
                with self._turn:
                    if not stop.is_set():
                        said = self._model.generate(
                            **fed,
                            streamer=pieces,
                            max_new_tokens=self._answer,
                            logits_processor=LogitsProcessorList(held),
                            stopping_criteria=StoppingCriteriaList([_ends_on(stop)]),
                        )
            except Exception as error:
                failure.append(error)
            finally:
                pieces.on_finalized_text("", stream_end=True)  # or the reader would wait for ever

        worker = threading.Thread(target=work, name="explainer", daemon=True)
        worker.start()
        begun = False
        try:
            for piece in pieces:
                piece = piece if begun else piece.lstrip()
                if piece:
                    begun = True
                    yield piece
        finally:
            stop.set()
            worker.join()
        if failure:
            short = "ran out of memory" if isinstance(failure[0], torch.OutOfMemoryError) else "failed to answer"
            raise ExplainerError(f"The language model {self._name} {short}.") from failure[0]
        if cuts and said.shape[-1] >= fed["input_ids"].shape[-1] + self._answer:
            raise ExplainerError(
                f"{self._name} reached the longest answer that it may give, so its answer is cut short."
            )


def _ends_on(stop: threading.Event) -> Callable[..., torch.Tensor]:
    """A stopping criterion that holds for every sequence once `stop` is set."""

    def done(tokens: torch.Tensor, scores: torch.Tensor, **_: Any) -> torch.Tensor:
        return torch.full((tokens.shape[0],), stop.is_set(), dtype=torch.bool, device=tokens.device)

    return done


def _cuts(pictures: int, turns: int) -> Iterator[tuple[int, int]]:
    """How many pictures and turns to keep, the next less than the one before: pictures go first."""
    least = min(1, pictures)
    yield from ((kept, turns) for kept in range(pictures, least, -1))
    yield from ((least, kept) for kept in range(turns, -1, -1))
    if pictures:
        yield 0, 0


def _control_tokens(tokenizer: Any) -> re.Pattern[str]:
    """Matches what only a template may say: turns, pictures, ends. In a question it is nothing but text."""
    added = [token for token in tokenizer.get_added_vocab() if token[:1] in ("<", "[")]
    control = {token for token in [*tokenizer.all_special_tokens, *added] if token.strip()}
    longest_first = sorted(control, key=lambda token: (-len(token), token))
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")


def _answer_greedily(model: Any, tokenizer: Any) -> None:
    settings = model.generation_config
    settings.do_sample = False
    settings.temperature = settings.top_p = settings.top_k = None
    if settings.pad_token_id is None:
        settings.pad_token_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0


def _check_folder(folder: Path) -> None:
    if not (folder / "config.json").is_file():
        raise ExplainerError(f"The folder {folder.name!r} holds no language model: it has no config.json.")
    if not any(folder.glob("*.safetensors")):
        raise ExplainerError(
            f"The folder {folder.name!r} holds no safetensors, and weights are read from nothing else."
        )
    for file in sorted(folder.glob("*.json")):
        if file.name.endswith("config.json") and _asks_for_code(_read_json(file)):
            raise ExplainerError(f"The model in {folder.name!r} asks for code of its own, which is not run.")


def _check_adapter(folder: Path) -> None:
    if missing := [file for file in ADAPTER_FILES if not (folder / file).is_file()]:
        raise ExplainerError(f"The folder {folder.name!r} holds no LoRA adapter: it has no {missing[0]}.")
    settings = _read_json(folder / ADAPTER_FILES[0])
    if not isinstance(settings, dict) or settings.get("peft_type") != "LORA":
        raise ExplainerError(f"The adapter in {folder.name!r} is not a LoRA adapter.")


def _read_json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ExplainerError(f"The file {file.name} of {file.parent.name!r} is damaged.") from error


def _asks_for_code(settings: Any) -> bool:
    if isinstance(settings, dict):
        return bool(RUNS_CODE & settings.keys()) or any(map(_asks_for_code, settings.values()))
    return isinstance(settings, list) and any(map(_asks_for_code, settings))


def _wants_four_bit(folder: Path, device: torch.device, asked: bool | None) -> bool:
    there = device.type == "cuda" and all(map(find_spec, ("bitsandbytes", "accelerate")))
    if asked and not there:
        raise ExplainerError("Weights in 4 bits need a CUDA device and the packages bitsandbytes and accelerate.")
    if asked is not None or not there:
        return bool(asked)
    size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    return bool(torch.cuda.mem_get_info(device)[0] < ROOM * size)


def _read(folder: Path, device: torch.device, four_bit: bool) -> tuple[Any, Any]:
    """The model on its device and its processor; ExplainerError where either cannot be had."""
    from transformers import AutoModelForImageTextToText, AutoProcessor, BitsAndBytesConfig

    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    local = {"local_files_only": True, "trust_remote_code": False}
    how: dict[str, Any] = {}
    try:
        if four_bit:
            kind = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype)
            how = {"quantization_config": kind, "device_map": {"": device}}
        processor = AutoProcessor.from_pretrained(folder, **local)
        model: Any = AutoModelForImageTextToText.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, **local, **how
        )
        model = model if four_bit else model.to(device)
    except ImportError as error:
        raise ExplainerError(
            f"The model in {folder.name!r} needs packages that are not installed: "
            'run `pip install "looktwice[lvlm]"`.'
        ) from error
    except torch.OutOfMemoryError as error:
        raise ExplainerError(
            f"There is not enough memory on {device} for the model in {folder.name!r}."
        ) from error
    except Exception as error:  # a folder made elsewhere can be wrong in any way
        raise ExplainerError(
            f"The model in {folder.name!r} cannot be loaded: it reads no pictures, or is damaged."
        ) from error
    reads_pictures = getattr(processor, "image_processor", None) is not None and hasattr(processor, "tokenizer")
    if not reads_pictures or not getattr(processor, "chat_template", None):
        raise ExplainerError(f"The model in {folder.name!r} has no chat template for pictures.")
    return model, processor


def _adapt(model: Any, folder: Path, device: torch.device) -> Any:
    try:
        from peft import PeftModel
    except ImportError as error:
        raise ExplainerError('An adapter needs peft: run `pip install "looktwice[lvlm]"`.') from error
    try:
        return PeftModel.from_pretrained(model, str(folder), torch_device=str(device))
    except Exception as error:  # an adapter of another model fails in any of several ways
        raise ExplainerError(f"The adapter in {folder.name!r} does not fit the model.") from error
