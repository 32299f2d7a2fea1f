"""The trained adapter of a bundle: it reads patches in words, and says how sure the types of defects may be.

`looktwice train detector` makes it, and its file is called so: `<bundle>.detector.safetensors`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

from torch import Tensor

from assistant.adapters.patches import join_layers
from assistant.adapters.visual import AdapterConfig, VisualAdapter, centre
from assistant.models.backbone import Features
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
    """An adapter for the towers of a bundle.

    `directions` [2, D]: the sentences of the textual branch.
    """

    kind: ClassVar[str] = "detector"
    folder: ClassVar[str] = "detectors"

    adapter: VisualAdapter
    directions: Tensor
    types: TypeScale

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
        return tensors | {"directions": self.directions}

    @classmethod
    def _build(cls, header: dict[str, Any], tensors: dict[str, Tensor]) -> Self:
        state = {n.removeprefix("adapter."): t for n, t in tensors.items() if n.startswith("adapter.")}
        adapter = VisualAdapter(AdapterConfig(**header["adapter"]), state["states"], state["types"])
        adapter.load_state_dict(state)
        adapter.eval().requires_grad_(False)
        types = TypeScale(**header["types"])
        made_for = {name: header[name] for name in ("bundle", "weights", "card")}
        return cls(adapter, tensors["directions"], types, **made_for)
