"""The options that several commands have in common, and the inspector that they ask for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from assistant.images.masks import load_mask
from assistant.inspection import AskedMode

if TYPE_CHECKING:
    from assistant.inspector import Inspector

Bundle = Annotated[str, typer.Option("--bundle", help="Model bundle; see `looktwice bundles`.")]
Device = Annotated[str | None, typer.Option("--device", help="cpu, cuda, cuda:1, mps; the best one by default.")]
References = Annotated[
    list[Path] | None, typer.Option("--references", help="Good pictures: a folder or a file; may be repeated.")
]
Mode = Annotated[AskedMode, typer.Option("--mode", help="How to judge.")]
ProductName = Annotated[str | None, typer.Option("--product", help="A product learned with `looktwice learn`.")]
Target = Annotated[
    float, typer.Option("--false-alarms", help="Share of good pictures that may be called defective.")
]
ZeroShotLimits = Annotated[
    bool,
    typer.Option(
        "--zero-shot-limits", help="Without good pictures, decide by what those of other products score."
    ),
]
Roi = Annotated[
    Path | None, typer.Option("--roi", help="Mask picture of a reference: white where to look, black elsewhere.")
]
Ignore = Annotated[
    Path | None, typer.Option("--ignore", help="Mask picture of a reference: white where not to look.")
]
Aligned = Annotated[
    bool | None,
    typer.Option(
        "--aligned/--not-aligned",
        help="Parts lie alike in all pictures; found out from two or more references by default.",
    ),
]
Tiles = Annotated[
    int, typer.Option("--tiles", help="Cut pictures into so many tiles a side, 1 to 4, to see small defects.")
]
Memory = Annotated[
    str,
    typer.Option("--memory", help="nearest, or trained: by the dictionary that is shipped or your own."),
]
ExplainerName = Annotated[
    str | None,
    typer.Option(
        "--explainer", help="Who answers: template, pocket, a bundle, a folder, or https://host/v1#model."
    ),
]
ReportFile = Annotated[
    Path | None, typer.Option("--report", help="Write a report with pictures and words: .html or .pdf.")
]
Views = Annotated[str, typer.Option("--views", help="plain, or flips or turns for parts that lie at any angle.")]


def open_inspector(bundle: str, device: str | None, at_once: int = 4, explainer: str | None = None) -> Inspector:
    """The inspector for a command; pictures are read by several threads, so it takes one of them all."""
    from assistant.inspector import Inspector

    return Inspector.from_pretrained(bundle, device=device, at_once=at_once, explainer=explainer)


def read_mask(path: Path | None) -> NDArray[np.bool_] | None:
    """A mask picture as [H, W], true where somebody painted; None for no path, ImageError for what is no mask."""
    return None if path is None else load_mask(path)
