"""Which process something lives in: a forked child has its parent's memory, but not the threads that work on it.

What waits for such a thread waits forever, so whoever has threads asks first.
"""

from __future__ import annotations

import os

from assistant.errors import ProcessError

_loading: list[int] = []
"""The process that loaded the first model, once one has."""


class Home:
    """The process that something was made in."""

    def __init__(self) -> None:
        self._process = os.getpid()

    def check(self) -> None:
        """ProcessError in a process that was forked from it since."""
        if os.getpid() != self._process:
            raise ProcessError(
                "This process was forked from one that had loaded its models, which do not work here: start it by "
                '"spawn" or load the inspector in it alone.'
            )


def check_models() -> None:
    """ProcessError in a child of a process that has loaded a model: what it would load there may hang."""
    if _loading and _loading[0] != os.getpid():
        raise ProcessError(
            "This process was forked from one that had loaded its models, so it cannot load its own: start it by "
            '"spawn", or load no model before the fork.'
        )


def settle_models() -> Home:
    """The home of a model that was loaded; ProcessError as `check_models`."""
    check_models()
    home = Home()
    if not _loading:
        _loading.append(os.getpid())
    return home
