"""accelerate's `Accelerator` for a training run, on the device of its tower."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assistant.errors import TrainingError
from assistant.models.backbone import Backbone

if TYPE_CHECKING:
    from accelerate import Accelerator


def accelerate(backbone: Backbone, precision: str) -> Accelerator:
    """What spreads a run over devices in a precision, "no", "bf16" or "fp16".

    TrainingError where the precision cannot be used or accelerate is missing.
    """
    try:
        from accelerate import Accelerator
    except ImportError:
        raise TrainingError('Training needs accelerate: run `pip install "looktwice[train]"`.') from None
    try:
        return Accelerator(mixed_precision=precision, cpu=backbone.runtime.device.type == "cpu")
    except ValueError as error:  # also where this process has trained with another precision
        raise TrainingError(f"The precision {precision} cannot be used here.") from error
