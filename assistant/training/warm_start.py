"""Starts a training of a language model from what an earlier one left: its projector and its LoRA.

Both are put into fresh ones of the same shape.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load
from torch import Tensor

from assistant.adapters.projector import Projector
from assistant.errors import ExplainerError, TrainingError
from assistant.language.trained_language import LORA, PROJECTOR, TrainedProjector

SETTINGS = "adapter_config.json"
_SHAPE = ("r", "lora_alpha", "target_modules")  # settings of a LoRA that its tensors do not tell


@dataclass(frozen=True, eq=False)
class WarmStart:
    """The projector and the LoRA in a folder, and the digest of both files; `settings`: the LoRA's shape."""

    folder: Path
    projector: Projector
    lora: dict[str, Tensor]
    settings: dict[str, Any]
    digest: str

    @classmethod
    def load(cls, folder: Path, bundle: str, weights: str) -> WarmStart:
        """Read what was trained for the towers of `bundle` in the state `weights`.

        TrainingError in one sentence where the folder holds none, a file is damaged, or it was for others.
        """
        if not all((folder / name).is_file() for name in (PROJECTOR, LORA, SETTINGS)):
            raise TrainingError(f"{folder} holds no earlier training to start with.")
        try:
            trained = TrainedProjector.load(folder / PROJECTOR)
            content = (folder / LORA).read_bytes()
            lora, settings = load(content), json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
            shape = {name: _plain(settings[name]) for name in _SHAPE}
        except ExplainerError as error:
            raise TrainingError(str(error)) from error
        except Exception as error:  # safetensors and json each have errors of their own
            raise TrainingError(f"The LoRA in {folder} is damaged; train or fetch it again.") from error
        if (trained.bundle, trained.weights) != (bundle, weights):
            raise TrainingError(
                f"The earlier training in {folder} was for other weights than those of the bundle {bundle!r}."
            )
        digest = hashlib.sha256((folder / PROJECTOR).read_bytes() + content).hexdigest()[:16]
        return cls(folder, trained.projector, lora, shape, digest)

    def put_into(self, projector: Projector, model: Any) -> str:
        """Set a projector, and the LoRA of a peft model, to what was learned, and return the digest.

        TrainingError where one of them has another shape.
        """
        from peft import get_peft_model_state_dict, set_peft_model_state_dict

        fresh = get_peft_model_state_dict(model, save_embedding_layers=False)  # else peft asks a hub about them
        given = model.peft_config["default"]
        alike = self.settings == {name: _plain(getattr(given, name)) for name in _SHAPE}
        if self.projector.config != projector.config or not alike or _shapes(fresh) != _shapes(self.lora):
            raise TrainingError(
                f"The earlier training in {self.folder} has another shape; give the rank it was made with."
            )
        projector.load_state_dict(self.projector.state_dict())
        set_peft_model_state_dict(model, self.lora)
        return self.digest


def _shapes(tensors: dict[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def _plain(setting: Any) -> Any:
    return setting if isinstance(setting, int | float) else sorted(setting)
