"""Builds conversations that teach a language model to answer about an inspection: `looktwice train instructions`.

A folder with `instructions.json` in the manner of LLaVA, pictures and maps. Half of the pictures have a simulated
defect, half are good or merely look unusual.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from assistant.errors import ImageError, LooktwiceError, TrainingError
from assistant.files import write_atomically
from assistant.images.load import load_image
from assistant.inspection import Inspection, Verdict
from assistant.progress import Tell
from assistant.training.answer_parts import Case
from assistant.training.dataset import Example, TrainingData
from assistant.training.outline_facts import look_at
from assistant.training.phrasings import Split
from assistant.training.random_conversations import Turn, converse
from assistant.training.scene import Mask, Pixels
from assistant.training.simulated_inspections import draw_inspection
from assistant.training.synthesis import SMALLEST_SIDE, disturb, simulate

FILE = "instructions.json"
SIDE = 320  # pixels: no picture is larger
PER_PICTURE = 3  # conversations, each about limits, score and regions of its own
GREY, DISTURBED, TWICE = (
    0.3,
    0.5,
    0.3,
)  # shares of pictures without colour, disturbed, and with two kinds of defect
UNSURE = 0.25  # of the records go to review
PLAIN = 0.5  # of the records where all is moderate are drawn again
REGIONS = 3  # at most, where that can be had: more do not fit a short context

Inspect = Callable[[Pixels, Pixels, np.random.Generator], Inspection]
Marks = tuple[tuple[Mask, str], ...]


@dataclass(frozen=True)
class InstructionConfig:
    """`count` conversations drawn by `seed` with the phrasings of a `split`; `inspected` is the share of pictures
    that a detector looks at where one is given. TrainingError where a number makes no sense."""

    count: int = 6000
    seed: int = 0
    split: str = "train"
    inspected: float = 0.0

    def __post_init__(self) -> None:
        if self.count < 1 or self.seed < 0:
            raise TrainingError("At least one conversation is built, with a seed that is not negative.")
        if not 0 <= self.inspected <= 1:
            raise TrainingError(
                f"The share of pictures to inspect lies between 0 and 1, not at {self.inspected:g}."
            )
        if self.split not in ("train", "test"):
            raise TrainingError(f"The phrasings are split into train and test; there is no {self.split!r}.")


@dataclass(frozen=True, eq=False)
class MarkedPicture:
    """A picture to talk about: `pixels` [H, W, 3] uint8 and the outlines planted on it, none for a good one.

    `untouched` is the picture before that, None where there is none.
    """

    pixels: Pixels
    marks: Marks = ()
    untouched: Pixels | None = None


def build_instructions(
    data: TrainingData, out: Path, config: InstructionConfig, tell: Tell, inspect: Inspect | None = None
) -> int:
    """Write conversations about pictures of `data` into the folder `out` and return how many.

    Each row of `instructions.json` holds "id", "image" and "map", paths relative to it, "inspection" as of
    `Inspection.to_dict`, and "conversations", turns from "human" and "gpt". `inspect` looks at a share of the
    pictures; what it finds is used where it agrees with what was planted. A picture that cannot be read is left
    out, and `tell` hears its sentence. TrainingError where none can be read or `out` holds conversations already.
    """
    if (out / FILE).exists():
        raise TrainingError(f"{out} holds conversations already; choose a new folder.")
    if not data.normals:
        raise TrainingError("There is no normal picture to build conversations from.")
    for folder in (out / "pictures", out / "maps"):
        folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    pictures = -(-config.count // PER_PICTURE)
    order = _order(len(data.normals), pictures, config.seed)
    for number in range(pictures):
        rng = np.random.default_rng([config.seed, number])
        picture = _show(data, order[number : number + 8], bool(number % 2), rng, tell)
        tell("Building conversations", (number + 1) / pictures)
        if picture is None:
            continue
        path = f"pictures/{number:05d}.jpg"
        write_atomically(out / path, _jpeg(picture.pixels))
        some = inspect if inspect and rng.random() < config.inspected else None
        for case, turns in _talk(picture, path, "test" if config.split == "test" else "train", rng, some):
            rows.append(_write(out, len(rows), path, case.inspection, turns))
    if not rows:
        raise TrainingError("None of the pictures can be read.")
    rows = rows[: config.count]
    write_atomically(out / FILE, (json.dumps(rows, ensure_ascii=False, indent=1) + "\n").encode())
    return len(rows)


def _order(kept: int, wanted: int, seed: int) -> list[int]:
    """Which picture comes when: all of them before any comes again, with a few to spare."""
    rng = np.random.default_rng([seed, 2**32])
    order: list[int] = []
    while len(order) < wanted + 8:
        order += [int(n) for n in rng.permutation(kept)]
    return order


def _show(
    data: TrainingData, candidates: list[int], planted: bool, rng: np.random.Generator, tell: Tell
) -> MarkedPicture | None:
    """The first candidate that can be read, with a defect or without."""
    for index in candidates:
        example = data.normals[index]
        try:
            pixels = _read(example, rng)
        except ImageError as error:
            tell(str(error), 0.0)
            continue
        if not planted:
            return _calm(pixels, rng)
        return _read_outlined(data, rng, tell) or _plant(pixels, _read_other(data, rng), rng)
    return None


def _read_outlined(data: TrainingData, rng: np.random.Generator, tell: Tell) -> MarkedPicture | None:
    """A real defect with its outline, half of the time where there are any."""
    outlined = [e for e in data.defects if e.mask]
    if not outlined or rng.random() < 0.5:
        return None
    example = outlined[int(rng.integers(len(outlined)))]
    try:
        image = Image.fromarray(load_image(example.image).pixels)
        mask = Image.fromarray(load_image(example.mask).pixels.max(axis=2)) if example.mask else None
    except ImageError as error:
        tell(str(error), 0.0)
        return None
    scale = min(1.0, SIDE / max(image.size))
    size = (max(SMALLEST_SIDE, round(image.width * scale)), max(SMALLEST_SIDE, round(image.height * scale)))
    if mask is None or mask.size != image.size or max(size) > SIDE:
        return None
    outline = np.asarray(mask.resize(size, Image.Resampling.BOX)) > 0
    return MarkedPicture(np.array(image.resize(size, Image.Resampling.BICUBIC)), ((outline, example.type),))


def _read(example: Example, rng: np.random.Generator) -> Pixels:
    pixels = load_image(example.image).pixels
    if min(pixels.shape[:2]) < SMALLEST_SIDE:
        raise ImageError(f"{example.image.name} is smaller than {SMALLEST_SIDE} pixels.")
    height, width = (max(SMALLEST_SIDE, round(side * rng.uniform(0.55, 1))) for side in pixels.shape[:2])
    top, left = int(rng.integers(pixels.shape[0] - height + 1)), int(rng.integers(pixels.shape[1] - width + 1))
    image = Image.fromarray(pixels[top : top + height, left : left + width])
    side = int(rng.integers(3 * SIDE // 4, SIDE + 1))
    scale = min(side / max(image.size), 3.0)
    shape = [max(SMALLEST_SIDE, min(SIDE, round(s * scale))) for s in image.size]
    image = image.resize((shape[0], shape[1]), Image.Resampling.BICUBIC)
    if rng.random() < GREY:
        image = image.convert("L").convert("RGB")
    return np.array(image)


def _read_other(data: TrainingData, rng: np.random.Generator) -> Pixels | None:
    try:
        return _read(data.normals[int(rng.integers(len(data.normals)))], rng)
    except ImageError:
        return None


def _calm(pixels: Pixels, rng: np.random.Generator) -> MarkedPicture:
    return MarkedPicture(disturb(pixels, rng).pixels if rng.random() < DISTURBED else pixels, untouched=pixels)


def _plant(untouched: Pixels, other: Pixels | None, rng: np.random.Generator) -> MarkedPicture:
    pixels = untouched
    if rng.random() < DISTURBED / 2:
        pixels = disturb(pixels, rng).pixels
    marks: Marks = ()
    for _ in range(2 if rng.random() < TWICE else 1):
        made = simulate(pixels, rng, other=other, most=2)
        pixels, marks = made.pixels, (*marks, (made.mask, made.type))
    return MarkedPicture(pixels, marks, untouched)


def _talk(
    picture: MarkedPicture, path: str, split: Split, rng: np.random.Generator, inspect: Inspect | None
) -> Iterator[tuple[Case, list[Turn]]]:
    """The conversations about a picture, each with its own inspection."""
    for n in range(PER_PICTURE):
        real = _inspect(picture, inspect, rng) if inspect and n == 0 else None
        inspection = replace(real, path=path, created=None, ms=None) if real else _imagine(picture, path, rng)
        looks = {r.id: look for r in inspection.regions if (look := look_at(r, picture.pixels, picture.marks))}
        case = Case(inspection, looks)
        if turns := converse(case, rng, split):
            yield case, turns


def _imagine(picture: MarkedPicture, path: str, rng: np.random.Generator) -> Inspection:
    verdict: Verdict = "review" if rng.random() < UNSURE else "defect" if picture.marks else "good"
    size = (picture.pixels.shape[1], picture.pixels.shape[0])
    for _ in range(6):
        made = draw_inspection(path, size, picture.marks, verdict, rng)
        # Most marks come out moderate; a model that always says so would be right too often.
        plain = {r.severity for r in made.regions} == {"moderate"} and rng.random() < PLAIN
        if len(made.regions) <= REGIONS and not plain:
            break
    return made


def _inspect(picture: MarkedPicture, inspect: Inspect, rng: np.random.Generator) -> Inspection | None:
    """What a detector found, where it fits what was planted; None where it missed it or saw what is not there."""
    if picture.untouched is None:
        return None
    try:
        inspection = inspect(picture.pixels, picture.untouched, rng)
    except LooktwiceError:
        return None
    if inspection.status != "ok" or len(inspection.regions) > REGIONS:
        return None
    if not picture.marks:
        return inspection if inspection.verdict != "defect" else None
    hit = any(look_at(r, picture.pixels, picture.marks) for r in inspection.regions)
    return inspection if hit and inspection.verdict != "good" else None


def _write(out: Path, number: int, path: str, inspection: Inspection, turns: list[Turn]) -> dict[str, Any]:
    if inspection.coarse_map is None:
        raise ValueError("an inspection to talk about has its map")
    where = f"maps/{number:05d}.npy"
    content = io.BytesIO()
    np.save(content, inspection.coarse_map.astype(np.float16))
    write_atomically(out / where, content.getvalue())
    said = [(who, text) for turn in turns for who, text in zip(("human", "gpt"), turn, strict=True)]
    return {
        "id": f"{number:05d}",
        "image": path,
        "map": where,
        "inspection": inspection.to_dict(),
        "conversations": [{"from": who, "value": text} for who, text in said],
    }


def _jpeg(pixels: Pixels) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", quality=90)
    return content.getvalue()
