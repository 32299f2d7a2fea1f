"""How the page shows what came of an inspection: the order of the outcomes, and their colours as a style sheet."""

from __future__ import annotations

from assistant.inspection import Outcome
from assistant.language.catalogue import Wording, message
from assistant.language.terms import verdict_word
from assistant.overlay import VERDICT_COLORS

OUTCOMES: tuple[Outcome, ...] = ("defect", "review", "unrated", "good", "error")
"""What can come of an inspection, in the order of lists, filters and counts."""

SELDOM: tuple[Outcome, ...] = ("unrated", "error")
"""Those that are only counted where there are some."""

COLORS = VERDICT_COLORS | {"error": VERDICT_COLORS["defect"]}
"""Ground and ink of each outcome, as on every overlay."""


_ERROR = message("error")
"""The one outcome that is no verdict, as a word."""


def outcome_word(w: Wording, outcome: str) -> str:
    """An outcome as a word."""
    return w(_ERROR) if outcome == "error" else verdict_word(w, outcome)


def style_outcomes(selector: str) -> str:
    """The style of elements that have an outcome as a class: `selector`, such as "i", on its ground in its ink."""
    return "\n".join(
        f"{selector}.{outcome} {{ background: rgb{COLORS[outcome][0]}; color: rgb{COLORS[outcome][1]}; }}"
        for outcome in OUTCOMES
    )


def style_bars(selector: str) -> str:
    """As `style_outcomes`, for shapes that are drawn in the colour of the ground."""
    return "\n".join(f"{selector}.{outcome} {{ fill: rgb{COLORS[outcome][0]}; }}" for outcome in OUTCOMES)
