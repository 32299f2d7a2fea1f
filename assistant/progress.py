"""How long work says how far it is: a callable that takes what is being done and the fraction of the whole."""

from __future__ import annotations

from collections.abc import Callable

Tell = Callable[[str, float], None]
"""Told what is being done, and the fraction of the whole that is done, in [0, 1]."""


def say_nothing(message: str, fraction: float) -> None:
    """Take the place of a progress display."""
