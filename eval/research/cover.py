"""Draws the picture at the head of the README: `python -m assistant.eval.research.cover`.

Each generated example is learned from its four good parts; its defective part stands above, and below it what
was found, as `looktwice inspect --overlays` draws it.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from PIL import Image

from assistant.eval.research.house import HERE
from assistant.face.examples import EXAMPLES, make_example
from assistant.images.load import load_image
from assistant.inspector import Inspector
from assistant.overlay import draw_overlay

GAP = 12


def draw_cover(inspector: Inspector, folder: Path) -> Image.Image:
    """A sheet of the examples in a folder: pictures in the upper row, overlays in the lower one."""
    columns = []
    for name in EXAMPLES:
        example = make_example(name, folder)
        product = inspector.learn("part", list(example.references))
        [result] = inspector.inspect([example.pictures[0]], product)
        pixels = load_image(example.pictures[0]).pixels
        drawn = draw_overlay(pixels, result)
        columns.append((Image.fromarray(pixels).resize((drawn.width, drawn.width)), drawn))
    width, height = columns[0][1].size
    sheet = Image.new("RGB", ((width + GAP) * len(columns) - GAP, width + GAP + height), "white")
    for i, (picture, drawn) in enumerate(columns):
        sheet.paste(picture, (i * (width + GAP), 0))
        sheet.paste(drawn, (i * (width + GAP), width + GAP))
    return sheet


def main(
    out: Annotated[Path, typer.Argument(help="The JPEG file to write.")] = HERE / "docs" / "cover.jpg",
) -> None:
    """Draw the picture at the head of the README."""
    with TemporaryDirectory() as folder:
        sheet = draw_cover(Inspector.from_pretrained("pocket"), Path(folder))
    sheet.resize((sheet.width * 2 // 3, sheet.height * 2 // 3)).save(out, "JPEG", quality=88, optimize=True)


if __name__ == "__main__":
    typer.run(main)
