"""What the places of a page share: the loaded inspector, the kept products, the history, the folder of uploads.

And the language: a page is built once for each, and every place words what it shows by the `w` of its `Resources`.
"""

from __future__ import annotations

import copy
import html
from typing import TYPE_CHECKING, Any

import gradio as gr

from assistant.face.upload_store import UploadStore
from assistant.face.words import sentence
from assistant.face.worker import Worker
from assistant.inspector import Inspector
from assistant.language.catalogue import ENGLISH_WORDS, Wording
from assistant.products.live_store import LiveProducts
from assistant.records.drift import DriftWatch
from assistant.records.entries import LONGEST_LOT
from assistant.records.what_if import judged_earlier

if TYPE_CHECKING:
    from assistant.inspection import Inspection
    from assistant.records.history import History

ACTOR = "browser"
"""Who changed a product, for the audit log, when it was somebody at this page."""

WORK: dict[str, Any] = {"concurrency_id": "inspector", "concurrency_limit": 1}
"""For events that use the inspector: they come one after the other."""

QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
"""For events that are over at once and are nobody's endpoint."""


def scroll_to(selector: str, *, always: bool = False) -> str:
    """The script that brings an element into view, on a phone or `always`: there it lies below all else."""
    where = "true" if always else "innerWidth < 700"
    found = f"document.querySelector('{selector}')"
    return f"() => {{ if ({where}) setTimeout(() => {found}?.scrollIntoView({{ block: 'start' }}), 50); }}"


def lay_out_shipped(w: Wording) -> gr.Checkbox:
    """Lay out the switch that lets the shipped limits decide where nothing is known of a product."""
    return gr.Checkbox(
        label=w("Let limits of other products decide"),
        info=w("Only where there is neither product nor references: they know nothing of this part."),
    )


def lay_out_group(w: Wording) -> gr.Textbox:
    """Lay out the word for a camera, a light or a lot, whose parts are watched for drift by themselves."""
    return gr.Textbox(
        value="",  # or whoever calls the page by its API would have to give one
        label=w("Camera or light (optional)"),
        info=w("A word of yours: what has the same one is watched for drift by itself."),
        max_lines=1,
        max_length=LONGEST_LOT,
    )


class Resources:
    """What all places of a page work with.

    `uploads` is Gradio's folder of what visitors hand in; `history` is None where nothing is kept. `folders` are
    those of this machine whose pictures a batch may read without an upload. `products` are the kept ones, and the
    only way to change them; a service beside the page gives its own. `drift` watches whether limits
    still fit, `worker` does the batches. `w` are the words of whoever looks at the page, and `main` says that it
    is the one whose endpoints are for programs, too.
    """

    w: Wording = ENGLISH_WORDS
    main: bool = True

    def __init__(
        self,
        inspector: Inspector,
        uploads: str,
        history: History | None = None,
        folders: tuple[str, ...] = (),
        products: LiveProducts | None = None,
    ) -> None:
        self.inspector, self.uploads, self.history, self.folders = inspector, uploads, history, folders
        self.drift = DriftWatch(history)
        self.products = products or LiveProducts(inspector.store, inspector.load)
        self.worker = Worker(inspector, history, UploadStore(history)) if history else None

    def in_language(self, language: str, *, main: bool) -> Resources:
        """The same, worded in a language."""
        other = copy.copy(self)
        other.w, other.main = Wording(language), main
        return other

    def door(self, name: str) -> dict[str, Any]:
        """What makes an event of the main page the endpoint of a name; that of any other is for its page alone."""
        return {"api_name": name} if self.main else {"api_visibility": "private"}

    def say(self, error: Exception) -> str:
        """One sentence for whatever went wrong, see `words.sentence`."""
        return sentence(error, self.w)

    def warn(self, error: Exception) -> None:
        """The same as a message that comes up on the page."""
        gr.Warning(html.escape(self.say(error)), title=self.w("Warning"))

    def is_outdated(self, inspection: Inspection) -> bool:
        """Whether the product of an inspection has changed since it judged; False where it cannot be read."""
        row = self.products.summary(inspection.product) if inspection.product else None
        return row is not None and row.error is None and judged_earlier(inspection, row)

    def choose_product(self, chosen: str | None, none: str = "") -> gr.Dropdown:
        """The products to choose from as they are now, after `none`; who chose one that is gone has chosen none.

        The choice goes along, since a list that gets other choices alone keeps a place in it and not a name.
        """
        names = self.products.names()
        choices = [(none or self.w("none"), ""), *((name, name) for name in names)]
        return gr.Dropdown(choices, value=chosen if chosen in names else "")
