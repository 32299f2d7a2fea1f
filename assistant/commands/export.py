"""`looktwice export`: a product as one graph that onnxruntime or OpenVINO runs, with a card and runners."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from assistant.commands import console
from assistant.commands.options import Bundle, Device, KeptName, open_inspector
from assistant.errors import LooktwiceError
from assistant.models.card import DEFAULT


def export(
    name: KeptName,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="A new folder; with --verify also an exported one.")
    ],
    format: Annotated[str, typer.Option("--format", help="onnx, or openvino.")] = "onnx",
    int8: Annotated[bool, typer.Option("--int8", help="Run the tower in int8.")] = False,
    size: Annotated[
        str | None,
        typer.Option("--size", metavar="WxH", help="Pixels of the pictures; by default those of the references."),
    ] = None,
    verify: Annotated[
        list[Path] | None,
        typer.Option("--verify", metavar="DIR", help="Pictures to compare with the library; the card tells."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write the card as JSON.")] = False,
    bundle: Bundle = DEFAULT,
    device: Device = None,
) -> None:
    """Write a product into a folder that decides the same without this library.

    The folder holds one graph from pixels to map, score and verdict, a card with digests, limits and what was
    compared, and runners in Python and C++. With --verify an exported folder is compared, and written first where
    it is not there.
    """
    from assistant.export.card import CARD

    pictures = console.gather(verify) if verify else []
    inspector = open_inspector(bundle, device)
    product = inspector.load(name)
    with console.progress(f"Exporting {name}", 1) as bar:
        if pictures and (out / CARD).is_file():
            card = inspector.verify_export(product, out, pictures, tell=bar.tell)
        else:
            card = inspector.export(
                product, out, format, int8=int8, size=_read_size(size), verify=pictures, tell=bar.tell
            )
    if as_json or not sys.stdout.isatty():
        print(json.dumps(card.to_dict(), ensure_ascii=False, allow_nan=False, indent=1))
    else:
        print(card.text, end="")
    flips = len(card.parity.flips) if card.parity else 0
    if flips:
        console.say(f"{flips} verdicts differ from the library's: see parity in {CARD}.")
    raise typer.Exit(1 if flips and not card.int8 else 0)


def _read_size(text: str | None) -> tuple[int, int] | None:
    """A size as people write it, 640x480."""
    if text is None:
        return None
    found = re.fullmatch(r"([1-9]\d{0,4})[xX]([1-9]\d{0,4})", text.strip())
    if not found:
        raise LooktwiceError(f"{text!r} is no size: write width and height in pixels, as in 640x480.")
    return int(found[1]), int(found[2])
