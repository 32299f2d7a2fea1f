"""Words about an inspection: whoever answers plans which facts to tell, and code alone words them.

A question goes to `rules` or to a language model, which makes a `plan`; `facts` words it. See docs/language.md.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assistant.language.loading import load_explainer
    from assistant.language.template import answer, explain

__all__ = ["answer", "explain", "load_explainer"]

_PLACES = {"answer": "template", "explain": "template", "load_explainer": "loading"}


def __getattr__(name: str) -> object:
    """Load a name on first use (PEP 562): catalogues and schemas need nothing of what the answers need."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"assistant.language.{_PLACES[name]}"), name)
