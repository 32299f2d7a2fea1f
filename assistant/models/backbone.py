"""The frozen backbone: pictures and sentences in, features out, whichever tower runs where."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize

from assistant.errors import ProcessError, WeightsError
from assistant.images.geometry import fit_size
from assistant.images.pose import Pose
from assistant.models.cache import bundle_folder, weights_digest
from assistant.models.card import Bundle, ImageTower, load_card
from assistant.models.granted import fit_threads
from assistant.models.runtime import (
    CLASS_NAMES,
    GRAPH,
    OpenVinoRuntime,
    Runtime,
    TorchRuntime,
    choose_runtime,
)
from assistant.models.towers import CLASSES, PatchTower, Tokenize, build_image_tower, build_text_tower, pick_device
from assistant.models.weights import load_tensors
from assistant.processes import check_models, settle_models


@dataclass(frozen=True, eq=False)
class Features:
    """What the towers say about a batch of B pictures of one size.

    `layers`: one tensor [B, h_l, w_l, C_l] float32 per layer of the card, fine to coarse for convolutional
    towers. `vector`: [B, D] float32, unit length, comparable with `Backbone.encode_text`. `text_patches`:
    the patches in that same space [B, h, w, D], or None where the tower does not align patches with text. `pose`:
    how the picture lay before it was brought to a frame, None where the tower saw it as it is.
    """

    layers: tuple[Tensor, ...]
    vector: Tensor
    text_patches: Tensor | None = None
    pose: Pose | None = None
    _made: dict[Hashable, Tensor] = field(default_factory=dict, init=False, repr=False)

    def __len__(self) -> int:
        return len(self.vector)

    def once(self, what: Hashable, make: Callable[[], Tensor]) -> Tensor:
        """What `make` makes of these features, made once and kept with them under the name `what`."""
        if what not in self._made:
            self._made[what] = make()
        return self._made[what]

    def __getitem__(self, index: slice) -> Features:
        text_patches = None if self.text_patches is None else self.text_patches[index]
        return Features(tuple(layer[index] for layer in self.layers), self.vector[index], text_patches, self.pose)


class Backbone:
    """A bundle's towers, ready to run; see `Backbone.load`.

    `part` is the card's entry of the image tower that `runtime` runs. Where it `aligns_text`, features have
    `text_patches`. `patch_tower`, where there is one, gives the layers in place of the image tower. `classes`:
    names of everyday things and their text vectors [N, D]. `digest`: see `assistant.models.cache.weights_digest`.
    `home` is the process it works in.
    """

    def __init__(
        self,
        card: Bundle,
        runtime: Runtime,
        *,
        part: ImageTower | None = None,
        aligns_text: bool = False,
        patch_tower: Backbone | None = None,
        text: Callable[[], tuple[torch.nn.Module, Tokenize]] | None = None,
        classes: tuple[Sequence[str], Tensor] | None = None,
        digest: str = "",
    ) -> None:
        self.card = card
        self.part = part or card.image
        self.runtime = runtime
        self.aligns_text = aligns_text
        self.patch_tower = patch_tower
        self.classes = classes
        self.digest = digest
        self.home = settle_models()
        self._load_text = text
        self._lock = threading.Lock()

    @classmethod
    def load(
        cls,
        name: str = "pocket",
        *,
        device: str | None = None,
        runtime: str = "auto",
        bf16: bool = False,
        folder: Path | None = None,
    ) -> Backbone:
        """Load a pulled bundle, with its patch tower where it has one.

        `name` is that of a bundle, or the path of a card of one's own. `runtime` is "torch", "openvino", or
        "auto": OpenVINO where the device is the CPU, its files are there and bf16 is not asked for, else torch.
        WeightsError says which command fetches what is missing.
        """
        check_models()
        card = load_card(name)
        where = pick_device(device)
        if where.type == "cpu":
            fit_threads()
        folder = folder or bundle_folder(name)
        chosen, _ = choose_runtime(runtime, where, folder, bf16=bf16)
        aligns_text, patch_tower = False, None
        if chosen == "openvino":
            runner: Runtime = OpenVinoRuntime(folder / GRAPH)
        else:
            tower = build_image_tower(card, folder)
            aligns_text = tower.aligns_text
            runner = TorchRuntime(tower, where, bf16=bf16)
        if card.patch_tower:
            second = TorchRuntime(build_image_tower(card, folder, card.patch_tower), where, bf16=bf16)
            patch_tower = cls(card, second, part=card.patch_tower)
        return cls(
            card,
            runner,
            aligns_text=aligns_text,
            patch_tower=patch_tower,
            text=lambda: build_text_tower(card, folder),
            classes=_read_classes(folder),
            digest=weights_digest(name),
        )

    def __getstate__(self) -> object:
        raise ProcessError(
            "A loaded inspector cannot be sent to another process: load one there by Inspector.from_pretrained."
        )

    @property
    def widest(self) -> Backbone:
        """Of two towers the one that sees more."""
        return max((tower for tower in (self, self.patch_tower) if tower), key=lambda t: t.part.image_size)

    @property
    def shares(self) -> tuple[float, ...]:
        """How much each of `Features.layers` counts in a map; empty where they count alike."""
        return (self.patch_tower or self).part.shares

    def fit_size(self, width: int, height: int, side: int | None = None) -> tuple[int, int]:
        """The size (width, height) at which a picture of a size is shown to the tower (`geometry.fit_size`)."""
        return fit_size(width, height, side or self.part.image_size, self.part.multiple)

    def fit(self, pixels: NDArray[np.uint8], side: int | None = None) -> Tensor:
        """Bring a picture [H, W, 3] uint8 to the size the tower sees: [3, h, w] float32, normalised.

        The aspect ratio is kept as closely as the tower's grid allows (`fit_size`), and the whole
        picture is shown, so that a map on the grid covers the whole picture.
        """
        self.home.check()
        height, width = pixels.shape[:2]
        size = self.fit_size(width, height, side)
        planes = torch.from_numpy(np.asarray(resize(pixels, size), dtype=np.float32).transpose(2, 0, 1) / 255)
        mean, std = (torch.tensor(v).view(3, 1, 1) for v in (self.part.mean, self.part.std))
        return (planes - mean) / std

    def torch_tower(self) -> PatchTower:
        """The image tower as a module of torch; read from its file where it runs compiled."""
        if isinstance(self.runtime, TorchRuntime):
            return self.runtime.tower
        return build_image_tower(self.card, bundle_folder(self.card.name), self.part)

    def encode_image(self, batch: Tensor) -> Features:
        """Features of a batch [B, 3, h, w] float32 of pictures made by `fit`."""
        self.home.check()
        *layers, vector = self.runtime(batch)
        text_patches = normalize(layers.pop(), dim=-1) if self.aligns_text else None
        return Features(tuple(layers), normalize(vector, dim=-1), text_patches)

    def encode(self, pictures: Sequence[NDArray[np.uint8]], side: int | None = None) -> list[Features]:
        """Features of pictures of any sizes, each as a batch of one, in order.

        Pictures that end up at one size run together. Where the bundle has a patch tower, the layers are its.
        """
        fitted = [self.fit(pixels, side) for pixels in pictures]
        encoded: list[Features | None] = [None] * len(fitted)
        for shape in dict.fromkeys(planes.shape for planes in fitted):
            which = [i for i, planes in enumerate(fitted) if planes.shape == shape]
            features = self.encode_image(torch.stack([fitted[i] for i in which]))
            for place, i in enumerate(which):
                encoded[i] = features[place : place + 1]
        ours = [features for features in encoded if features is not None]
        if self.patch_tower is None:
            return ours
        theirs = self.patch_tower.encode(pictures, side)
        return [replace(one, layers=other.layers) for one, other in zip(ours, theirs, strict=True)]

    @torch.inference_mode()
    def encode_text(self, texts: list[str]) -> Tensor:
        """Unit vectors [T, D] float32 of sentences, in the space of `Features.vector`."""
        if not texts:
            raise ValueError("there is no sentence to encode")
        self.home.check()
        tower, tokenize = self.text_tower
        device = next(tower.parameters()).device
        parts = [tower(tokenize(texts[i : i + 64]).to(device)) for i in range(0, len(texts), 64)]
        return normalize(torch.cat(parts).float(), dim=-1).cpu()

    def recognise(self, vector: Tensor, at_least: float = 0.75) -> tuple[str, ...]:
        """Names of everyday things that a picture as a whole resembles, most alike first, at most three.

        `vector` is one row [D] of `Features.vector`. A name counts from a cosine of `at_least`; often there is
        none, since a close-up of a product resembles nothing on the list.
        """
        if self.classes is None:
            return ()
        names, vectors = self.classes
        likely, which = (vectors @ vector.cpu().float()).topk(min(3, len(names)))
        return tuple(names[int(i)] for i, cosine in zip(which, likely, strict=True) if cosine >= at_least)

    @cached_property
    def text_tower(self) -> tuple[torch.nn.Module, Tokenize]:
        """The text tower and what makes its tokens; WeightsError where it was loaded without."""
        if self._load_text is None:
            raise WeightsError(f"The bundle {self.card.name!r} was loaded without a text tower.")
        with self._lock, torch.inference_mode(False):  # or a learned context could not be trained through it
            tower, tokenize = self._load_text()
            return tower.to(self.runtime.device), tokenize


def _read_classes(folder: Path) -> tuple[Sequence[str], Tensor] | None:
    """The names of everyday things that a pull wrote, and their text vectors [N, D]."""
    if not (folder / CLASS_NAMES).is_file():
        return None
    names = json.loads((folder / CLASS_NAMES).read_text(encoding="utf-8"))
    return names, load_tensors(folder / CLASSES)["names"]


def resize(pixels: NDArray[np.uint8], size: tuple[int, int]) -> Image.Image:
    """A picture [H, W, 3] uint8 at a size (width, height), as every tower is shown it; at its own, the same."""
    return Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)
