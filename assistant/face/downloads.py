"""A row of buttons, each of which makes a file and has the browser fetch it at once."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from assistant.face.exports import Ending
from assistant.face.shared import QUIET, Resources
from assistant.language.catalogue import Wording, message

NAMES: dict[Ending, str] = {
    "csv": "CSV",
    "jsonl": "JSONL",
    "html": message("HTML report"),
    "pdf": message("PDF report"),
}


@dataclass(frozen=True)
class DownloadRow:
    """The widgets of the row: a button for each of NAMES, and the hidden one that fetches the file."""

    buttons: tuple[gr.Button, ...]
    file: gr.DownloadButton


def lay_out_downloads(w: Wording) -> DownloadRow:
    """Lay out the row."""
    with gr.Row():
        buttons = tuple(gr.Button(w(name), size="sm", min_width=90) for name in NAMES.values())
    # A column that becomes visible shows what was hidden in it; the style of the page keeps this one from sight.
    fetcher = gr.DownloadButton(
        w("Download"), visible="hidden", elem_id=f"file-{secrets.token_hex(4)}", elem_classes="fetch"
    )
    return DownloadRow(buttons, fetcher)


def wire_downloads(row: DownloadRow, write: Callable[..., str], inputs: Sequence[Any], shared: Resources) -> None:
    """Wire the row: `write` takes one of NAMES and the values of `inputs`, and gives the path of a file."""
    # The button that fetches a file has none to fetch until it is written.
    fetch = f"() => setTimeout(() => document.querySelector('#{row.file.elem_id}')?.click(), 200)"
    for button, ending in zip(row.buttons, NAMES, strict=True):
        done = button.click(partial(offer, shared, write, ending), list(inputs), row.file, **QUIET)
        done.success(None, None, None, js=fetch, **QUIET)


def offer(shared: Resources, write: Callable[..., str], ending: Ending, *values: Any) -> str | None:
    """The path of a file that was written; None, and a sentence on the screen, where it cannot be."""
    try:
        return write(ending, *values)
    except Exception as error:
        shared.warn(error)
        return None
