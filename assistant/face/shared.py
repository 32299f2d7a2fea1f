"""What the places of one server share: the warm inspector, the history, and where uploads lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assistant.inspector import Inspector

if TYPE_CHECKING:
    from assistant.records.history import History

ACTOR = "browser"
"""Who changed a product, for the audit log, when it was somebody at this page."""

WORK: dict[str, Any] = {"concurrency_id": "inspector", "concurrency_limit": 1}
"""For events that use the inspector: they come one after the other."""

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
"""For events that are over at once and are nobody's endpoint."""


@dataclass(frozen=True, eq=False)
class Desk:
    """`uploads` is Gradio's folder of what visitors hand in; `history` is None where nothing is kept.

    `folders` are those of this machine whose pictures a batch may read without an upload.
    """

    inspector: Inspector
    uploads: str
    history: History | None = None
    folders: tuple[str, ...] = ()

    def products(self) -> list[tuple[str, str]]:
        """The choices of a product, the first being none."""
        return [("none", ""), *((name, name) for name in self.inspector.store.names())]
