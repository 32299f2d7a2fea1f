"""From a name to an explainer: none, the pocket model, a bundle's large one, a folder, or an endpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from assistant.errors import ExplainerError
from assistant.models.cache import bundle_folder
from assistant.models.card import ENDING, Card, card_names, load_any_card, own_names
from assistant.models.sources import HubFolder

if TYPE_CHECKING:
    from assistant.language.explainer import Explainer
    from assistant.models.backbone import Backbone

TEMPLATE = "template"
POCKET = "pocket"


def load_explainer(
    name: str,
    backbone: Backbone | None = None,
    *,
    adapter: Path | str | None = None,
    device: str | None = None,
    key_variable: str | None = None,
) -> Explainer | None:
    """The explainer of this name; None for "template", which needs no model.

    `name`: "template"; "pocket"; a pulled bundle or card with a vision-language model, such as "standard", or the
    path of a card of one's own; a folder with one; or "https://host/v1#model" for an OpenAI-compatible endpoint,
    http on this machine only. `backbone` is what the pocket model sees with; it loads its own where that is None
    or of a bundle for large models.
    `adapter` is a folder with a LoRA adapter, for a large model on this machine, and `device` where that runs.
    `key_variable` names the environment variable with the key of an endpoint. ExplainerError where there is
    nothing of this name or it cannot be used, WeightsError where a bundle is not on this machine.
    """
    if "://" in name:
        return _reach(name, key_variable)
    if name == TEMPLATE:
        return None
    if name == POCKET:
        return _load_pocket(backbone, device)
    if name in (*card_names(), *own_names()) or name.endswith(ENDING):
        return _load_bundled(name, adapter, device)
    if Path(name).expanduser().is_dir():
        from assistant.language.transformers import TransformersExplainer

        return TransformersExplainer.load(Path(name).expanduser(), adapter=adapter, device=device)
    raise ExplainerError(
        f"There is no explainer {name!r}: give {_choices()}, a folder with a model, or https://host/v1#model."
    )


def _choices() -> str:
    large = [name for name in card_names() if _has_large_model(load_any_card(name))]
    return ", ".join([TEMPLATE, POCKET, *large])


def _has_large_model(card: Card) -> bool:
    return card.language is not None and card.language.kind == "vision"


def _load_pocket(backbone: Backbone | None, device: str | None) -> Explainer:
    from assistant.language.pocket import PocketExplainer
    from assistant.models.backbone import Backbone

    if backbone is None or _has_large_model(backbone.card):
        backbone = Backbone.load(POCKET, device=device)
    explainer: Explainer = PocketExplainer.load(backbone)
    return explainer


def _load_bundled(name: str, adapter: Path | str | None, device: str | None) -> Explainer:
    part = load_any_card(name).language
    if part is None or part.kind != "vision":
        raise ExplainerError(f"The bundle {name!r} has no language model that reads pictures; give {_choices()}.")
    from assistant.language.transformers import TransformersExplainer

    called = part.source.repo.split("/")[-1] if isinstance(part.source, HubFolder) else load_any_card(name).name
    folder = bundle_folder(name) / "language"
    return TransformersExplainer.load(folder, adapter=adapter, device=device, name=called)


def _reach(name: str, key_variable: str | None) -> Explainer:
    from assistant.language.openai import KEY_VARIABLE, OpenAIExplainer

    url, _, model = name.partition("#")
    return OpenAIExplainer(url, model, key_variable=key_variable or KEY_VARIABLE)
