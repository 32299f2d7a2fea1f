"""What was trained for a bundle's language model, in one folder: a LoRA as peft saves it, and a card.

The folder `<bundle>.language` lies beside the card of the bundle, or in the cache where a user trained it with
`looktwice train planner`: `adapter_config.json`, `adapter_model.safetensors` and `card.json`.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.errors import ExplainerError
from assistant.models.card import card_folder
from assistant.models.places import cache_root

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SUFFIX = ".language"
LORA = "adapter_model.safetensors"
CARD = "card.json"
PLANS = "plans"
"""What a card says under "writes" where the LoRA was trained to write lines of `plan_choice`."""


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
