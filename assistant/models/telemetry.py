"""Keeps the libraries underneath from telling anybody that they are used: nothing is sent anywhere.

It works inside this process alone, when a library is first needed: no file of the user's is written, and nothing
happens at import.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from types import ModuleType

_LOCK = threading.Lock()
_REPORTER = "openvino_telemetry"


def import_openvino() -> ModuleType:
    """OpenVINO without its reports, which its import alone would send.

    The package that sends them is one that OpenVINO does without where it is not installed, and for the length of
    this import it is not. A program that imported OpenVINO before has made that choice itself.
    """
    with _LOCK:
        if "openvino" in sys.modules:
            return importlib.import_module("openvino")
        before = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == _REPORTER}
        sys.modules[_REPORTER] = None  # type: ignore[assignment]  # what an import of it then finds is: nothing
        try:
            return importlib.import_module("openvino")
        finally:
            del sys.modules[_REPORTER]
            sys.modules.update(before)


def silence_hub() -> None:
    """Keep the model hub's library from saying in its requests what runs here; call it before the first of them.

    It reads its switch once, at its import, so that is set as well where it was imported already.
    """
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["HF_HUB_DISABLE_UPDATE_CHECK"] = "1"
    if constants := sys.modules.get("huggingface_hub.constants"):
        for name in ("HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_UPDATE_CHECK"):
            setattr(constants, name, True)
