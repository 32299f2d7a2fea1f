"""A row of buttons, each of which makes a file and has the browser fetch it at once."""

from __future__ import annotations

import html
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from assistant.face.exports import Ending
from assistant.face.shared import QUIET
from assistant.face.words import sentence

NAMES: dict[Ending, str] = {"csv": "CSV", "jsonl": "JSONL", "html": "HTML report", "pdf": "PDF report"}


@dataclass(frozen=True)
class DownloadRow:
    """The widgets of the row: a button for each of NAMES, and the hidden one that fetches the file."""

    buttons: tuple[gr.Button, ...]
    file: gr.DownloadButton


def lay_out_downloads() -> DownloadRow:
    """Lay out the row."""
    with gr.Row():
        buttons = tuple(gr.Button(name, size="sm", min_width=90) for name in NAMES.values())
    # A column that becomes visible shows what was hidden in it; the style of the page keeps this one from sight.
    fetcher = gr.DownloadButton(visible="hidden", elem_id=f"file-{secrets.token_hex(4)}", elem_classes="fetch")
    return DownloadRow(buttons, fetcher)


def wire_downloads(row: DownloadRow, write: Callable[..., str], inputs: Sequence[Any]) -> None:
    """Wire the row: `write` takes one of NAMES and the values of `inputs`, and gives the path of a file."""
    # The button that fetches a file has none to fetch until it is written.
    fetch = f"() => setTimeout(() => document.querySelector('#{row.file.elem_id}')?.click(), 200)"
    for button, ending in zip(row.buttons, NAMES, strict=True):
        done = button.click(partial(offer, write, ending), list(inputs), row.file, **QUIET)
        done.success(None, None, None, js=fetch, **QUIET)


def offer(write: Callable[..., str], ending: Ending, *values: Any) -> str | None:
    """The path of a file that was written; None, and a sentence on the screen, where it cannot be."""
    try:
        return write(ending, *values)
    except Exception as error:
        gr.Warning(html.escape(sentence(error)))
        return None
