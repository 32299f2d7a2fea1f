"""The trained detector of a bundle: it reads patches in words, and knows which way "abnormal" lies.

`looktwice train detector` makes it, and its file is called so: `<bundle>.detector.safetensors`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from assistant.adapters.directions import direction_map
from assistant.adapters.patches import join_layers
from assistant.adapters.text_map import text_map
from assistant.adapters.visual import TEMPERATURE, AdapterConfig, VisualAdapter, centre
from assistant.models.backbone import Features
from assistant.models.digests import digest_state
from assistant.models.trained import Trained

WEIGHT = 0.02
"""How far evidence moves a map: in cosine distance for one unit of log-odds.

On ball screws and boards 0.05 is as good with references and better without; it costs more where the map was sharp
already, so most of the gain has to do."""


@dataclass(frozen=True)
class TypeScale:
    """How defect types are ranked, set on `count` defects of kinds that were held out from training.

    Logits are divided by `temperature`; a type less likely than `known_from` is called unknown; `accuracy` is the
    share of right first guesses. Types are shown only where they are `trusted`: where those defects were real. On
    simulated ones the pocket tower is right in 45 % of 14 types, and on real ones wrong twice as often as right.
    """

    temperature: float = 1.0
    known_from: float = 1.0
    accuracy: float = 0.0
    count: int = 0
    trusted: bool = False


@dataclass(frozen=True, eq=False)
class TrainedAdapter(Trained):
    """What was trained for the towers of a bundle: a visual and a textual branch.

    `directions` [2, D]: what "normal" and "abnormal" were learned to be in the space of a picture's vector, and of
    its patches where the tower aligns them with text. `layers`: where no text tower was asked, a pair [2, C_l] for
    each layer of `Features.layers` instead, see `assistant.adapters.directions`.
    """

    kind: ClassVar[str] = "detector"
    folder: ClassVar[str] = "detectors"

    adapter: VisualAdapter
    directions: Tensor
    types: TypeScale
    layers: tuple[Tensor, ...] = ()

    def on(self, device: torch.device) -> Self:
        """The same on a device."""
        self.adapter.to(device)
        pairs = tuple(pair.to(device) for pair in self.layers)
        return replace(self, directions=self.directions.to(device), layers=pairs)

    @cached_property
    def digest(self) -> str:
        """The sha256 of its shape and weights, whatever made them."""
        return digest_state(json.dumps(self._settings()), self._tensors())

    def decides(self, *, aligns_text: bool) -> bool:
        """Whether what was learned has a say in the score of a picture whose product is unknown.

        An adapter that reads a tower of other words does not: it knows well where a defect is, and badly whether
        there is one.
        """
        return aligns_text or bool(self.layers)

    def say(self, features: Features) -> tuple[Tensor, Tensor]:
        """How probably each patch [B, h, w] and each picture [B] is abnormal, in [0, 1]; see `decides`.

        Of an aligned tower the mean of what the visual branch says, learned patches against fixed sentences, and
        the textual one, frozen patches against learned sentences (AdaptCLIP, Gao et al. 2025). With directions for
        layers, what these say alone (UniADet, Gao et al. 2026).
        """
        by_words = text_map(features.vector, self.directions, TEMPERATURE)
        if self.layers:
            return direction_map(features.layers, self.layers), by_words
        if features.text_patches is None:
            raise ValueError("words that were learned for aligned patches say nothing of others")
        seen = torch.sigmoid(self.adapter.evidence(self.adapter.read(features.text_patches)))
        told = text_map(features.text_patches, self.directions, TEMPERATURE)
        return (seen + told) / 2, (torch.sigmoid(self.adapter.judge(features.vector)) + by_words) / 2

    def read(self, features: Features, shares: Sequence[float]) -> Tensor:
        """Patches in the space of the text tower [B, h, w, D]: its own, or the layers joined by `shares`."""
        tokens = features.text_patches
        if tokens is None:
            tokens = join_layers(features.layers, shares=shares)
        return self.adapter.read(tokens)

    def evidence(self, words: Tensor) -> Tensor:
        """Log-odds of "abnormal" [B, h, w] above each picture's own ground, of patches that were read."""
        return centre(self.adapter.evidence(words))

    def _settings(self) -> dict[str, Any]:
        return {"adapter": asdict(self.adapter.config), "types": asdict(self.types)}

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {f"adapter.{name}": tensor for name, tensor in self.adapter.state_dict().items()}
        pairs = {f"layer.{number}": pair for number, pair in enumerate(self.layers)}
        return tensors | {"directions": self.directions} | pairs

    @classmethod
    def _build(cls, header: dict[str, Any], tensors: dict[str, Tensor]) -> Self:
        state = {n.removeprefix("adapter."): t for n, t in tensors.items() if n.startswith("adapter.")}
        adapter = VisualAdapter(AdapterConfig(**header["adapter"]), state["states"], state["types"])
        adapter.load_state_dict(state)
        adapter.eval().requires_grad_(False)
        types = TypeScale(**header["types"])
        count = sum(name.startswith("layer.") for name in tensors)
        layers = tuple(tensors[f"layer.{number}"] for number in range(count))
        made_for = {name: header[name] for name in ("bundle", "weights", "card")}
        return cls(adapter, tensors["directions"], types, layers, **made_for)
