"""Words about an inspection: whoever answers plans which facts to tell, and code alone words them.

A question goes to `rules` or to a language model, which makes a `plan`; `facts` words it. See docs/language.md.
"""

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
