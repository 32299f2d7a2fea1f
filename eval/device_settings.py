"""Where and how exactly a tower is run when devices are compared, and what of that this machine can do."""

from __future__ import annotations

import gc
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from assistant.eval.seeded import load_seeded
from assistant.inspector import Inspector
from assistant.models.backbone import Backbone
from assistant.models.cache import bundle_folder
from assistant.models.card import load_card
from assistant.models.runtime import GRAPH


@dataclass(frozen=True)
class Setting:
    """A device, a runtime and a precision; `tf32` lets fp32 products round to ten bits where the card can."""

    device: str
    precision: str = "fp32"
    runtime: str = "torch"

    @property
    def name(self) -> str:
        """What a table calls it."""
        return f"{self.device}, {'OpenVINO' if self.runtime == 'openvino' else self.precision}"

    @property
    def bf16(self) -> bool:
        """Whether the tower runs in bfloat16."""
        return self.precision == "bf16"


REFERENCE = Setting("cpu")
"""What everything else is compared with: torch on the CPU in fp32."""


class Clock:
    """Seconds that are left of those that were given."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self._start = seconds, time.perf_counter()

    def used(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._start

    def before(self, share: float) -> bool:
        """Whether less than this share of the time is used."""
        return self.used() < share * self.seconds


def list_settings(device: str | None, bundle: str, seeded: bool) -> tuple[list[Setting], list[str]]:
    """The settings to compare with `REFERENCE` here, and sentences about those that are left out."""
    chosen: list[Setting] = []
    left_out: list[str] = []
    if not seeded and (bundle_folder(bundle) / GRAPH).is_file():
        if find_spec("openvino"):
            chosen.append(Setting("cpu", runtime="openvino"))
        else:
            left_out.append("OpenVINO is not installed.")
    if device is None:
        left_out.append("There is no CUDA device here: its rows are left out.")
        return [*chosen, Setting("cpu", "bf16")], left_out
    return [*chosen, *(Setting(device, precision) for precision in ("fp32", "TF32", "bf16"))], left_out


@contextmanager
def rounding(setting: Setting) -> Iterator[None]:
    """Within it, products in fp32 on a card are exact, or in TF32 where the setting says so."""
    switches: list[Any] = [torch.backends.cuda.matmul, torch.backends.cudnn]
    before = [switch.allow_tf32 for switch in switches]
    for switch in switches:
        switch.allow_tf32 = setting.precision == "TF32"
    try:
        yield
    finally:
        for switch, value in zip(switches, before, strict=True):
            switch.allow_tf32 = value


def load_inspector(bundle: str, setting: Setting, folder: Path | None) -> Inspector:
    """An inspector of a pulled bundle, or of the seeded towers in `folder`."""
    if folder is None:
        backbone = Backbone.load(bundle, device=setting.device, runtime=setting.runtime, bf16=setting.bf16)
    else:
        backbone = load_seeded(load_card(bundle), folder, torch.device(setting.device), bf16=setting.bf16)
    return Inspector(backbone)


def describe_machine(device: str | None) -> dict[str, Any]:
    """Names and versions of what was measured."""
    row: dict[str, Any] = {
        "processor": platform.machine(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "card": None,
    }
    if device is None:
        return row
    card = torch.cuda.get_device_properties(device)
    return row | {
        "card": card.name,
        "memory": round(card.total_memory / 2**30, 1),
        "capability": f"{card.major}.{card.minor}",
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
    }


def synchronise(device: torch.device) -> None:
    """Wait until a card has done what it was told; a CPU has already."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def release() -> None:
    """Give back what towers that are no longer used hold of a card, compiled ones too."""
    torch.compiler.reset()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def peak(device: torch.device, *, reset: bool = False) -> float | None:
    """The most memory in MB that tensors held on a card since the last reset; None on a CPU."""
    if device.type != "cuda":
        return None
    most = torch.cuda.max_memory_allocated(device) / 1e6
    if reset:
        torch.cuda.reset_peak_memory_stats(device)
    return round(most, 1)
