"""What a visitor hands in: only what was uploaded is opened, and no address is followed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import gradio as gr

from assistant.errors import LooktwiceError
from assistant.language.catalogue import ENGLISH_WORDS, Wording


def uploaded_path(upload: dict[str, Any], folder: str) -> str:
    """The file of an upload; LooktwiceError for one that a client names without having uploaded it."""
    path = os.path.realpath(upload.get("path") or "")
    if not Path(path).is_relative_to(os.path.realpath(folder)) or os.path.isdir(path):
        raise LooktwiceError("Only a picture that was uploaded can be used.")
    return path


def refuse_addresses(upload: Any, w: Wording = ENGLISH_WORDS) -> None:
    """Keep Gradio from fetching an address that a client names instead of uploading a file."""
    store = upload.async_move_resource_to_block_cache

    async def store_file(place: Any) -> str | None:
        if "://" in str(place):
            raise gr.Error(w("Upload the picture itself: addresses are not followed."), print_exception=False)
        return await store(place)

    upload.async_move_resource_to_block_cache = store_file  # type: ignore[assignment,method-assign]
