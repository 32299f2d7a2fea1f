"""How fast a device is and what memory it takes: batch sizes, stages, compiled towers, the language model.

Memory is what tensors held at most on a card; of a CPU it is not told.
"""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from assistant.adapters.rarity import rarity
from assistant.eval.device_agreement import Part
from assistant.eval.device_settings import Clock, Setting, peak, synchronise
from assistant.inspector import Inspector
from assistant.language.decoder import TorchDecoder
from assistant.models.backbone import Backbone
from assistant.models.runtime import TorchRuntime

T = TypeVar("T")
ENOUGH = 1.0  # seconds after which a batch size is measured well enough
TIMES = 5
"""How often a stage is timed."""

PROMPT = 60
"""Tokens of a prompt: as many as the pocket model reads at most for one question."""


@dataclass(frozen=True)
class Batch:
    """So many pictures at once through the towers of a bundle; `pictures_a_second` is None where memory ended."""

    bundle: str
    setting: str
    size: int
    pictures_a_second: float | None
    peak_mb: float | None


@dataclass(frozen=True)
class Stage:
    """One step of a few-shot inspection of one picture: its median time and the memory at its peak."""

    bundle: str
    setting: str
    stage: str
    ms: float
    peak_mb: float | None


@dataclass(frozen=True)
class Variant:
    """The towers laid out or compiled in another way; `speedup` is against the plain ones at the same batch."""

    bundle: str
    setting: str
    variant: str
    size: int
    pictures_a_second: float | None
    speedup: float | None
    first_call_s: float | None
    note: str = ""


@dataclass(frozen=True)
class Language:
    """A language model of random weights that reads a prompt and writes on.

    `same` of `written` tokens are the reference's, from the first on; `logits` is the largest difference after the
    prompt, as a share of the reference's largest.
    """

    setting: str
    first_token_ms: float
    tokens_a_second: float
    peak_mb: float | None
    written: int
    same: int
    logits: float


def towers_of(backbone: Backbone) -> list[Backbone]:
    """A backbone and its patch tower: what a picture goes through."""
    return [backbone, *([backbone.patch_tower] if backbone.patch_tower else [])]


def measure_batches(
    bundle: str, setting: str, backbone: Backbone, most: int, until: Callable[[], bool]
) -> Iterator[Batch]:
    """Batches of 1, 2, 4 and so on up to `most`, while `until` holds and memory lasts."""
    size, device = 1, backbone.runtime.device
    while size <= most and until():
        peak(device, reset=True)
        try:
            rate = _rate(backbone, size)
        except torch.OutOfMemoryError:
            rate = None
        yield Batch(bundle, setting, size, rate, peak(device))
        if rate is None:
            torch.cuda.empty_cache()
            return
        size *= 2


def measure_stages(bundle: str, setting: str, inspector: Inspector, part: Part) -> list[Stage]:
    """Each step of a few-shot inspection by itself; the first round warms up and does not count."""
    backbone, detector = inspector.backbone, inspector.detector
    device = backbone.runtime.device
    noted: dict[str, tuple[list[float], list[float | None]]] = {}

    def step(stage: str, work: Callable[..., T], *args: Any) -> T:
        synchronise(device)
        peak(device, reset=True)
        start = time.perf_counter()
        result = work(*args)
        synchronise(device)
        ms, most = noted.setdefault(stage, ([], []))
        ms.append(1000 * (time.perf_counter() - start))
        most.append(peak(device))
        return result

    product = step("learn four", inspector.learn, "stages", part.references)
    pictures = [part.pictures[i % len(part.pictures)] for i in range(16)]
    for pixels in pictures[: TIMES + 1]:
        for tower, name in zip(towers_of(backbone), ("image tower", "patch tower"), strict=False):
            step(name, tower.encode_image, tower.fit(pixels)[None])
        features = step("fit and towers", backbone.encode, [pixels])[0]
        tokens = step("join layers", detector.tokens, features)
        step("rarity", rarity, tokens)
        step("memory lookup", product.dictionary.lookup, tokens)
        step("score and map", detector.score, features, product)
        step("whole inspection", inspector.inspect, pixels, product)
    step("sixteen pictures", inspector.inspect, pictures, product)
    return [
        Stage(bundle, setting, stage, statistics.median(ms[1:] or ms), max((m for m in most if m), default=None))
        for stage, (ms, most) in noted.items()
    ]


def measure_variants(
    bundle: str, setting: str, backbone: Backbone, size: int, until: Callable[[], bool]
) -> Iterator[Variant]:
    """The towers as they are, in channels-last order, and compiled where that is no matter of minutes."""
    runtimes = [t.runtime for t in towers_of(backbone) if isinstance(t.runtime, TorchRuntime)]
    plain = [runtime.tower for runtime in runtimes]
    turn = partial(nn.Module.to, memory_format=torch.channels_last)
    ways: dict[str, Callable[[Any], Any]] = {"plain": lambda tower: tower, "channels-last": turn}
    if backbone.runtime.device.type != "cpu":
        ways["compiled"] = torch.compile
    base: float | None = None
    for variant, change in ways.items():
        if not until():
            return
        torch.compiler.reset()  # or what was compiled before counts as recompiling, which ends after some rounds
        try:
            for runtime, tower in zip(runtimes, plain, strict=True):
                runtime.tower = change(copy.deepcopy(tower))
            start = time.perf_counter()
            _run(backbone, size)
            first = time.perf_counter() - start
            rate = _rate(backbone, size)
        except Exception as error:  # a compiler fails in as many ways as there are compilers
            yield Variant(bundle, setting, variant, size, None, None, None, type(error).__name__)
            continue
        base = base or rate
        yield Variant(bundle, setting, variant, size, rate, rate / base, first)
    for runtime, tower in zip(runtimes, plain, strict=True):
        runtime.tower = tower


def measure_language(
    settings: Sequence[Setting],
    model: Any,
    written: int,
    clock: Clock,
) -> Iterator[Language]:
    """The same prompt of random words, read and written on under each setting.

    The first setting is the reference of the others.
    """
    words = np.random.default_rng(0).integers(3, model.config.vocab_size, PROMPT).tolist()
    rows = TorchDecoder(model).embed(words)
    expected: tuple[list[int], Any] | None = None
    for setting in settings:
        if expected is not None and not clock.before(1):
            return
        device = torch.device(setting.device)
        decoder = TorchDecoder(copy.deepcopy(model).to(device, torch.bfloat16 if setting.bf16 else torch.float32))
        if device.type != "cpu":
            _write(decoder, rows, 4)
        peak(device, reset=True)
        ids, logits, first, rest = _write(decoder, rows, written)
        expected = expected or (ids, logits)
        same = next((i for i, (a, b) in enumerate(zip(ids, expected[0], strict=True)) if a != b), written)
        apart = float(np.abs(logits - expected[1]).max() / np.abs(expected[1]).max())
        yield Language(setting.name, 1000 * first, (written - 1) / rest, peak(device), written, same, apart)


def _write(decoder: TorchDecoder, rows: Any, count: int) -> tuple[list[int], Any, float, float]:
    """Tokens, the logits after the prompt, seconds to the first token and seconds for the rest."""
    start = time.perf_counter()
    reading = decoder.start()
    after = logits = reading.extend(rows)
    ids, first = [int(logits.argmax())], time.perf_counter() - start
    while len(ids) < count:
        logits = reading.extend(decoder.embed(ids[-1:]))
        ids.append(int(logits.argmax()))
    return ids, after, first, max(1e-9, time.perf_counter() - start - first)


def _run(backbone: Backbone, size: int) -> None:
    for tower in towers_of(backbone):
        tower.runtime(_pixels(tower, size))
    synchronise(backbone.runtime.device)


def _rate(backbone: Backbone, size: int) -> float:
    """Pictures a second through all towers, pixels on the device; the first call warms up and does not count."""
    device = backbone.runtime.device
    fed = [(tower.runtime, _pixels(tower, size)) for tower in towers_of(backbone)]
    took: list[float] = []
    for _ in range(4):
        synchronise(device)
        start = time.perf_counter()
        for runtime, pixels in fed:
            runtime(pixels)
        synchronise(device)
        took.append(time.perf_counter() - start)
        if len(took) > 1 and sum(took) > ENOUGH:
            break
    return size / statistics.median(took[1:])


def _pixels(tower: Backbone, size: int) -> Tensor:
    side, device = tower.part.image_size, tower.runtime.device
    drawn = torch.randn(size, 3, side, side, generator=torch.Generator(device).manual_seed(0), device=device)
    return drawn
