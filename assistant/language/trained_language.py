"""What was trained for a bundle's language model, in one folder: a LoRA as peft saves it, and a card.

The folder `<bundle>.language` lies beside the card of the bundle, or in the cache where a user trained it with
`looktwice train planner`: `adapter_config.json`, `adapter_model.safetensors` and `card.json`. One that `looktwice
train lvlm` wrote holds a projector for pictures, too, and is no planner.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import safe_open
from safetensors.torch import save

from assistant.adapters.projector import Projector, ProjectorConfig
from assistant.errors import ExplainerError
from assistant.files import write_atomically
from assistant.models.card import card_folder
from assistant.models.places import cache_root

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SCHEMA = 1
SUFFIX = ".language"
PROJECTOR = "projector.safetensors"
LORA = "adapter_model.safetensors"
CARD = "card.json"
PLANS = "plans"
"""What a card says under "writes" where the LoRA was trained to write lines of `plan_choice`."""


@dataclass(frozen=True, eq=False)
class TrainedProjector:
    """A projector for the towers of `bundle` in the state `weights`; `card`: what made it, as text."""

    projector: Projector
    bundle: str
    weights: str
    card: Mapping[str, str] = field(default_factory=dict)

    def save(self, path: Path) -> Path:
        """Write the file in half precision, atomically."""
        header = {
            "schema": SCHEMA,
            "bundle": self.bundle,
            "weights": self.weights,
            "projector": asdict(self.projector.config),
            "card": dict(self.card),
        }
        tensors = {n: t.detach().cpu().half().contiguous() for n, t in self.projector.state_dict().items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        return write_atomically(path, save(tensors, {"looktwice": json.dumps(header)}))

    @classmethod
    def load(cls, path: Path) -> TrainedProjector:
        """Read the file; ExplainerError in one sentence where it is damaged or of another kind."""
        try:
            with safe_open(str(path), "pt") as file:
                header = json.loads((file.metadata() or {})["looktwice"])
                tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 - not a dict
            if header["schema"] != SCHEMA:
                raise ValueError("another schema")
            projector = Projector(ProjectorConfig(**header["projector"]))
            projector.load_state_dict(tensors)
            if not all(bool(t.isfinite().all()) for t in tensors.values()):
                raise ValueError("not finite")
            return cls(projector.eval().requires_grad_(False), header["bundle"], header["weights"], header["card"])
        except Exception as error:  # whatever a damaged file leads to, nothing half-read comes out
            raise ExplainerError(f"The projector {path.name!r} is damaged; train or fetch it again.") from error


def user_folder(bundle: str) -> Path:
    """Where what a user trained is kept."""
    return cache_root() / "languages" / f"{bundle}{SUFFIX}"


def find_trained(bundle: str) -> Path | None:
    """The folder of what was trained to plan, the user's own before the shipped one; None where there is none."""
    for folder in (user_folder(bundle), Path(str(card_folder() / f"{bundle}{SUFFIX}"))):
        if writes_plans(folder):
            return folder
    return None


def writes_plans(folder: Path) -> bool:
    """Whether what lies in a folder was trained to plan, as its card says."""
    return (folder / LORA).is_file() and read_card(folder).get("writes") == PLANS


def load_projector(folder: Path, bundle: str, weights: str) -> TrainedProjector:
    """The projector in a folder; ExplainerError where it is for other towers than these."""
    trained = TrainedProjector.load(folder / PROJECTOR)
    if trained.weights != weights:
        raise ExplainerError(
            f"The language adapter in {folder} was trained for other weights than those of the bundle "
            f"{bundle!r}; train it again with `looktwice train lvlm`, or delete the folder."
        )
    return trained


def read_card(folder: Path) -> dict[str, str]:
    """What the card of a training says; nothing where there is none that can be read."""
    try:
        said = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): str(value) for name, value in said.items()} if isinstance(said, dict) else {}


def merge_lora(model: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """A model with a LoRA worked into its weights; ExplainerError where it does not fit or peft is missing."""
    if not (folder / LORA).is_file():  # peft would look for a pickle
        raise ExplainerError(f"There is no file {LORA} in {folder}.")
    try:
        from peft import PeftModel
    except ImportError:
        raise ExplainerError('The language adapter needs peft: run `pip install "looktwice[lvlm]"`.') from None
    try:
        return PeftModel.from_pretrained(model, str(folder)).merge_and_unload()
    except Exception as error:  # peft has no error of its own for a file that does not fit
        raise ExplainerError(f"The language adapter in {folder} is damaged or made for another model.") from error


def save_lora(model: Any, folder: Path) -> None:
    """Write the LoRA of a peft model as bfloat16, each file whole or not at all."""
    import torch
    from peft import get_peft_model_state_dict

    whole = get_peft_model_state_dict(model, save_embedding_layers=False)  # else peft asks a hub about them
    small = {n: t.detach().cpu().to(torch.bfloat16) for n, t in whole.items()}
    folder.mkdir(parents=True, exist_ok=True)
    stage = folder / f".{secrets.token_hex(8)}"
    try:
        model.save_pretrained(str(stage), state_dict=small, safe_serialization=True, save_embedding_layers=False)
        for name in (LORA, "adapter_config.json"):
            (stage / name).chmod(0o644)  # safetensors writes files that only their maker can read
            os.replace(stage / name, folder / name)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
