"""What a frozen tower sees of the training pictures, worked out once and kept on disk.

Each normal picture gives one normal view, plain or disturbed, and some views with simulated anomalies; a picture
of a real defect gives one view. Shards are written whole, so an interrupted run goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save
from torch import Tensor
from torch.nn.functional import interpolate

from assistant.adapters.patches import join_layers
from assistant.errors import ImageError, TrainingError
from assistant.files import write_atomically
from assistant.images.load import load_image
from assistant.models.backbone import Backbone, Features, resize
from assistant.models.weights import load_tensors
from assistant.progress import Tell
from assistant.prompts.defects import DEFECTS
from assistant.training.dataset import TrainingData
from assistant.training.outlines import crop, read_mask, share_of
from assistant.training.synthesis import KINDS, disturb, simulate

SHARD = 64  # examples in a file
GREY = 0.4  # of all pictures are shown without colour, as many cameras in inspection have none
BATCH = 8


@dataclass(frozen=True)
class ViewConfig:
    """How training pictures are made from pictures: `simulated` views with anomalies for each normal picture,
    kinds of anomaly to choose from (all where empty), whether normal views are `disturbed`, and the seed.
    TrainingError where `simulated` or the seed is negative or a kind is unknown."""

    simulated: int = 2
    anomalies: tuple[str, ...] = ()
    disturbed: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if self.simulated < 0 or self.seed < 0:
            raise TrainingError("The number of simulated defects and the seed are not negative.")
        if unknown := set(self.anomalies) - set(KINDS):
            raise TrainingError(f"There is no kind of simulated defect called {min(unknown)!r}.")


@dataclass(frozen=True)
class Views:
    """N views as the tower sees them. `layers`: one [N, h_l, w_l, C_l] per layer, or the text patches alone; then
    `beside` holds the layers where they are wanted too, no finer than the masks.

    `vector` [N, D]; `masks` [N, h, w], the share of each patch that is defective; `labels` [N] in {0, 1};
    `outlined` [N], whether the mask is known; `types` [N], an index into the vocabulary or -1; `examples` [N],
    which picture the view was made from. Features are float16 here and float32 in `inputs`.
    """

    layers: tuple[Tensor, ...]
    vector: Tensor
    masks: Tensor
    labels: Tensor
    outlined: Tensor
    types: Tensor
    examples: Tensor
    beside: tuple[Tensor, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Tensor) -> Views:
        return self._each(lambda tensor: tensor[index])

    def to(self, device: torch.device) -> Views:
        """The same views on a device."""
        return self._each(lambda tensor: tensor.to(device))

    @property
    def deep(self) -> tuple[Tensor, ...]:
        """What `Features.layers` are in an inspection, where they were kept."""
        return self.beside or self.layers

    def inputs(self, shares: Sequence[float]) -> Tensor:
        """What an adapter reads: patches [N, h, w, C] float32 of unit length."""
        if len(self.layers) == 1 and not shares:
            return torch.nn.functional.normalize(self.layers[0].float(), dim=-1)
        return join_layers(self.layers, shares=shares)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Views:
        rest = {f.name: change(getattr(self, f.name)) for f in fields(self) if f.name not in _SEVERAL}
        layers, beside = (tuple(map(change, several)) for several in (self.layers, self.beside))
        return Views(layers, **rest, beside=beside)


_SEVERAL = ("layers", "beside")


def adapter_shares(backbone: Backbone) -> tuple[float, ...]:
    """The shares that `Views.inputs` takes: none for a tower that gives patches in the space of text."""
    return () if backbone.aligns_text else backbone.shares


def gather_views(
    backbone: Backbone,
    data: TrainingData,
    config: ViewConfig,
    folder: Path,
    tell: Tell,
    draw: Draw | None = None,
    *,
    beside: bool = False,
) -> Views:
    """The views of all examples, from `folder` where they are there already, made and kept there otherwise.

    `beside`: keep the layers of a tower that aligns patches with text as well.

    `draw` makes the views of one example, by default `draw_views`; one that makes others needs another class of
    `config`, by which the folders are told apart. A picture that cannot be read is left out; `tell` hears its
    sentence. TrainingError where none can be read.
    """
    beside = beside and backbone.aligns_text
    folder = folder / (views_key(backbone, data, config) + ("-layers" if beside else ""))
    count = -(-len(data.examples) // SHARD)
    shards = []
    for number in range(count):
        path = folder / f"{number:05d}.safetensors"
        if not path.is_file():
            rows = list(_look(backbone, data, config, _shard(data, number), tell, draw or draw_views, beside))
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, save(_pack(rows)) if rows else b"")
        if path.stat().st_size:
            shards.append(load_tensors(path))
        tell("Looking at the training pictures", (number + 1) / count)
    if not shards:
        raise TrainingError("None of the training pictures can be read.")
    return _unpack(shards)


@dataclass(frozen=True)
class View:
    """A picture to be shown to the tower, made from the example number `example`; see `Views` for the rest."""

    pixels: NDArray[np.uint8]
    mask: NDArray[np.bool_] | None  # None: nobody outlined it
    label: int
    type: str
    example: int


Draw = Callable[[TrainingData, int, ViewConfig], Iterable[View]]


def _shard(data: TrainingData, number: int) -> range:
    return range(number * SHARD, min((number + 1) * SHARD, len(data.examples)))


def _look(
    backbone: Backbone,
    data: TrainingData,
    config: ViewConfig,
    which: range,
    tell: Tell,
    draw: Draw,
    beside: bool,
) -> Iterator[dict[str, Tensor]]:
    side = backbone.part.image_size
    waiting: list[View] = []
    for i in which:
        try:
            waiting += draw(data, i, config)
        except ImageError as error:
            tell(str(error), i / len(data.examples))
    for start in range(0, len(waiting), BATCH):
        part = waiting[start : start + BATCH]
        seen = _show(backbone, part)
        second = backbone.patch_tower
        deep = _show(second, part).layers if second and (beside or seen.text_patches is None) else seen.layers
        layers = (seen.text_patches,) if seen.text_patches is not None else deep
        grid = max((tuple(layer.shape[1:3]) for layer in layers), key=lambda s: s[0] * s[1])
        also = [_thin(layer, (grid[0], grid[1])) for layer in deep] if beside else []
        for n, view in enumerate(part):
            row = {f"layer.{k}": layer[n].cpu().half() for k, layer in enumerate(layers)}
            row |= {f"beside.{k}": layer[n].cpu().half() for k, layer in enumerate(also)}
            mask = np.zeros(view.pixels.shape[:2], bool) if view.mask is None else view.mask
            yield row | {
                "vector": seen.vector[n].cpu().half(),
                "masks": share_of(mask, side, (grid[0], grid[1])).half(),
                "labels": torch.tensor(view.label),
                "outlined": torch.tensor(int(view.mask is not None)),
                "types": torch.tensor(_TYPES.get(view.type, -1)),
                "examples": torch.tensor(view.example),
            }


def _thin(layer: Tensor, grid: tuple[int, int]) -> Tensor:
    """A layer [B, h, w, C] that is finer than a grid (h, w) by the patches nearest to its cells: room is dear."""
    if layer.shape[1] * layer.shape[2] <= grid[0] * grid[1]:
        return layer
    return interpolate(layer.permute(0, 3, 1, 2), grid, mode="nearest-exact").permute(0, 2, 3, 1)


def _show(tower: Backbone, views: Sequence[View]) -> Features:
    """What a tower sees of views, each as a square of its own size."""
    side = tower.part.image_size
    return tower.encode_image(
        torch.stack([tower.fit(np.asarray(resize(v.pixels, (side, side))), side) for v in views])
    )


def open_example(
    data: TrainingData, number: int, config: ViewConfig
) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None, np.random.Generator]:
    """The part of an example that all its views show, its mask there, and the draws that follow.

    The same number and seed show the same part. ImageError where the picture cannot be read.
    """
    example = data.examples[number]
    rng = np.random.default_rng([config.seed, number])
    pixels = load_image(example.image).pixels
    mask = read_mask(example, pixels.shape[:2])
    if mask is not None or not example.label:  # a defect that nobody outlined could be cut away
        pixels, mask = crop(pixels, mask, rng)
    if rng.random() < GREY:
        pixels = np.repeat(np.asarray(Image.fromarray(pixels).convert("L"))[..., None], 3, axis=2)
    return pixels, mask, rng


def draw_views(data: TrainingData, number: int, config: ViewConfig) -> Iterator[View]:
    """The views of one example: a normal one and some with simulated anomalies, or a defect as it is."""
    example = data.examples[number]
    pixels, mask, rng = open_example(data, number, config)
    if example.label:
        yield View(pixels, mask, int(mask is None or bool(mask.any())), example.type, number)
        return
    calm = disturb(pixels, rng).pixels if config.disturbed and rng.random() < 0.5 else pixels
    yield View(calm, np.zeros(calm.shape[:2], bool), 0, "", number)
    other = data.normals[int(rng.integers(len(data.normals)))]
    try:
        strange = load_image(other.image).pixels
    except ImageError:
        strange = None
    for _ in range(config.simulated):
        kind = str(rng.choice(config.anomalies)) if config.anomalies else None
        made = simulate(calm if rng.random() < 0.5 else pixels, rng, kind=kind, other=strange)
        yield View(made.pixels, made.mask, 1, made.type, number)


def _pack(rows: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}


def _unpack(shards: Sequence[dict[str, Tensor]]) -> Views:
    whole = {name: torch.cat([shard[name] for shard in shards]) for name in shards[0]}
    rest = {f.name: whole[f.name] for f in fields(Views) if f.name not in _SEVERAL}
    return Views(_numbered(whole, "layer."), beside=_numbered(whole, "beside."), **rest)


def _numbered(tensors: dict[str, Tensor], prefix: str) -> tuple[Tensor, ...]:
    """The tensors whose names are a prefix and a number, by their number."""
    return tuple(tensors[f"{prefix}{k}"] for k in range(sum(name.startswith(prefix) for name in tensors)))


def views_key(backbone: Backbone, data: TrainingData, config: ViewConfig) -> str:
    """What the views depend on, as a name: tower, pictures by path and size, and how views are made."""
    rows = [(str(e.image), str(e.mask), e.label, e.type, e.image.stat().st_size) for e in data.examples]
    content = json.dumps([backbone.digest, backbone.part.image_size, asdict(config), rows])
    return hashlib.sha256(content.encode()).hexdigest()[:16]


_TYPES = {defect.name: i for i, defect in enumerate(DEFECTS)}
