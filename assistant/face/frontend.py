"""Finds and loads the browser front end, which is a file of its own beside the package: `app.py`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from assistant.errors import LooktwiceError


def load_frontend() -> ModuleType:
    """The front end as a module; LooktwiceError where its file or Gradio is missing."""
    if importlib.util.find_spec("gradio") is None:
        raise LooktwiceError('The chat needs Gradio: run `pip install "looktwice[ui]"`.')
    checkout = Path(__file__).resolve().parents[2] / "app.py"
    installed = Path(sys.prefix) / "share" / "looktwice" / "app.py"
    file = next((f for f in (checkout, installed) if f.is_file()), None)
    spec = importlib.util.spec_from_file_location("looktwice_app", file) if file else None
    if spec is None or spec.loader is None:
        raise LooktwiceError("The front end app.py is not installed; install looktwice again.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
