"""Words about an inspection: every answer cites the evidence, and none can change it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assistant.language.template import answer, explain

if TYPE_CHECKING:
    from assistant.language.loading import load_explainer

__all__ = ["answer", "explain", "load_explainer"]


def __getattr__(name: str) -> object:
    """Load `load_explainer` on first use (PEP 562): the template needs nothing of what it needs."""
    if name != "load_explainer":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from assistant.language.loading import load_explainer

    return load_explainer
