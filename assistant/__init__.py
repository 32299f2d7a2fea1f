"""Finds defects it was never trained on, shows where, decides with a threshold, and talks about the evidence.

The names below are all that most programs need; each is loaded when it is first asked for, so that this import
is free.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assistant.errors import ImageError, LooktwiceError
    from assistant.images.load import load_image
    from assistant.inspection import Answer, Inspection, Region
    from assistant.inspector import Inspector
    from assistant.overlay import draw_overlay
    from assistant.products.product import Product

    __version__: str

__all__ = [
    "Answer",
    "ImageError",
    "Inspection",
    "Inspector",
    "LooktwiceError",
    "Product",
    "Region",
    "__version__",
    "draw_overlay",
    "load_image",
]

_HOMES = {
    "Answer": "inspection",
    "ImageError": "errors",
    "Inspection": "inspection",
    "Inspector": "inspector",
    "LooktwiceError": "errors",
    "Product": "products.product",
    "Region": "inspection",
    "draw_overlay": "overlay",
    "load_image": "images.load",
}


def __getattr__(name: str) -> Any:
    """Load a public name on first use (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        found: Any = version("looktwice")
    elif name in _HOMES:
        from importlib import import_module

        found = getattr(import_module(f"assistant.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
