"""What was learned for a bundle beside its frozen towers: adapters, sentences, and how sure types may be.

One safetensors file, `<bundle>.detector.safetensors`, lies beside the card, or in the cache where a user trained
it with `looktwice train detector`. This module reads and writes that file; it trains nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from assistant.adapters.patches import join_layers
from assistant.adapters.visual import AdapterConfig, VisualAdapter, centre
from assistant.models.backbone import Features
from assistant.models.cache import cache_root
from assistant.models.card import card_folder
from assistant.models.trained import choose_trained, read_trained, write_trained

SCHEMA = 1
SUFFIX = ".detector.safetensors"

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
class Learned:
    """Trained parts for the towers of `bundle` in the state `weights`.

    `directions` [2, D]: the sentences of the textual branch. `card`: what made it, as text.
    """

    adapter: VisualAdapter
    directions: Tensor
    types: TypeScale
    bundle: str
    weights: str
    card: Mapping[str, str] = field(default_factory=dict)

    def read(self, features: Features, shares: Sequence[float]) -> Tensor:
        """Patches in the words of the text tower, [B, h, w, D]: `text_patches`, or the layers joined by `shares`."""
        tokens = features.text_patches
        if tokens is None:
            tokens = join_layers(features.layers, shares=shares)
        return self.adapter.read(tokens)

    def evidence(self, words: Tensor) -> Tensor:
        """Log-odds of "abnormal" [B, h, w] above each picture's own ground, of patches that were read."""
        return centre(self.adapter.evidence(words))

    def save(self, path: Path) -> Path:
        """Write the file, atomically."""
        tensors = {f"adapter.{name}": tensor for name, tensor in self.adapter.state_dict().items()}
        tensors["directions"] = self.directions
        header = {
            "schema": SCHEMA,
            "bundle": self.bundle,
            "weights": self.weights,
            "adapter": asdict(self.adapter.config),
            "types": asdict(self.types),
            "card": dict(self.card),
        }
        return write_trained(path, tensors, header)

    @classmethod
    def load(cls, path: Path) -> Learned:
        """Read the file; WeightsError in one sentence where it is damaged or of another kind."""
        return read_trained(path, SCHEMA, _build, "detector")


def _build(header: dict[str, Any], tensors: dict[str, Tensor]) -> Learned:
    state = {n.removeprefix("adapter."): t for n, t in tensors.items() if n.startswith("adapter.")}
    adapter = VisualAdapter(AdapterConfig(**header["adapter"]), state["states"], state["types"])
    adapter.load_state_dict(state)
    adapter.eval().requires_grad_(False)
    types = TypeScale(**header["types"])
    return Learned(adapter, tensors["directions"], types, header["bundle"], header["weights"], header["card"])


def user_learned(bundle: str) -> Path:
    """Where a detector that a user trained is kept."""
    return cache_root() / "detectors" / f"{bundle}{SUFFIX}"


def load_learned(bundle: str, weights: str) -> Learned | None:
    """What was learned for a bundle, the user's own before the shipped one; None where there is nothing.

    WeightsError where it was made for towers in another state.
    """
    shipped = Path(str(card_folder() / f"{bundle}{SUFFIX}"))
    return choose_trained(user_learned(bundle), shipped, Learned.load, bundle, weights, "detector")
