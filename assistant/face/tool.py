"""What a program with a language model may call over MCP: one tool, which remembers nothing between two calls.

The endpoints of the page are for the page: what they know of a visitor lies in a session, and over MCP all callers
would share one. A picture comes in base64 and never by address.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
from gradio.events import api

from assistant.errors import LooktwiceError
from assistant.face.session import Result, Session, inspect_pictures, stream_chat
from assistant.face.shared import WORK, Resources
from assistant.face.words import sentence
from assistant.images.encoded import decode_base64
from assistant.images.load import DEFAULT_CAPS
from assistant.language.shown_answer import as_text

ABOUT = (
    "Looks for defects in one picture of a part. picture: the file (PNG, JPEG, BMP, TIFF or WebP) in base64. "
    "product: the name of a saved product to compare it with, or nothing. question: what to answer about the "
    "result, or nothing. Gives the verdict (good, review or defect), score, threshold and regions, and an answer. "
    "The verdict is the detector's, and no question can change it."
)


def require_mcp() -> None:
    """LooktwiceError where the MCP package is missing."""
    try:
        import mcp  # noqa: F401
    except ImportError as error:
        raise LooktwiceError('The MCP server needs another package: run `pip install "gradio[mcp]"`.') from error


def offer_tool(shared: Resources, page: gr.Blocks) -> None:
    """Make `Tool.inspect_picture` the one endpoint of a page that is documented, and so its only MCP tool."""
    for event in page.fns.values():
        if event.api_visibility == "public":
            event.api_visibility = "undocumented"
    api(Tool(shared).inspect_picture, api_name="inspect_picture", api_description=ABOUT, **WORK)


@dataclass(frozen=True)
class Tool:
    """What a caller may do; every call begins from nothing."""

    shared: Resources

    def inspect_picture(self, picture: str, product: str = "", question: str = "") -> str:
        """The row of an inspection as JSON, without its map, and `answer` where something was asked; see ABOUT."""
        try:
            path = self._keep(picture)
            shown: Result = inspect_pictures(self.shared, [path], [], product, Session()).shown
            row = shown.inspection.to_dict()
            if question.strip():
                *_, shown = stream_chat(self.shared, question, shown)
                row["answer"] = as_text(shown.turns[-1].answer)
            return json.dumps(row, ensure_ascii=False)
        except Exception as error:
            raise gr.Error(sentence(error), print_exception=False) from error

    def _keep(self, picture: str) -> str:
        """The file of a picture in base64, among the uploads."""
        if len(picture) > DEFAULT_CAPS.max_bytes * 4 / 3 + 4:
            raise LooktwiceError(f"The picture is larger than {DEFAULT_CAPS.max_bytes // 1_000_000} MB.")
        data = decode_base64(picture, "The picture")
        os.makedirs(self.shared.uploads, exist_ok=True)
        path = Path(tempfile.mkdtemp(prefix="tool-", dir=self.shared.uploads)) / "picture"
        path.write_bytes(data)
        return str(path)
