"""The options that several commands have in common, and the inspector that they ask for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import numpy as np
import typer
from numpy.typing import NDArray

from assistant.database.place import is_url
from assistant.errors import LooktwiceError
from assistant.images.masks import load_mask
from assistant.images.window import Window
from assistant.inspection import AskedMode
from assistant.models.card import card_names, own_names
from assistant.products.names import default_folder, default_products, product_names

if TYPE_CHECKING:
    from assistant.inspector import Inspector


def read_share(text: str | float) -> float:
    """A share as people write it, "0.05" or "5%"; typer.BadParameter for anything else."""
    number = str(text).strip()
    try:
        return float(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
    except ValueError:
        raise typer.BadParameter(f"{number!r} is no share, as in 0.05 or 5%") from None


def complete_product(incomplete: str) -> list[str]:
    """The names of the user's products that begin so, for the shell."""
    return [name for name in _product_names() if name.startswith(incomplete)]


def _product_names() -> list[str]:
    if not is_url(default_products()):
        return product_names(default_folder())
    from assistant.products.opened import open_products

    try:
        return open_products().names()
    except LooktwiceError:
        return []


def complete_bundle(incomplete: str) -> list[str]:
    """The names of the bundles that begin so, for the shell."""
    return [name for name in [*card_names(), *own_names()] if name.startswith(incomplete)]


Bundle = Annotated[
    str,
    typer.Option(
        "--bundle",
        autocompletion=complete_bundle,
        help="Model bundle, or a TOML card of your own; see `looktwice bundles`.",
    ),
]
Device = Annotated[str | None, typer.Option("--device", help="cpu, cuda, cuda:1, mps; the best one by default.")]
References = Annotated[
    list[Path] | None,
    typer.Option("--references", metavar="PATH", help="Good pictures: a folder or a file; may be repeated."),
]
Mode = Annotated[
    AskedMode,
    typer.Option("--mode", metavar="MODE", help=f"How to judge: {', '.join(get_args(AskedMode))}."),
]
ProductName = Annotated[
    str | None,
    typer.Option("--product", autocompletion=complete_product, help="A product learned with `looktwice learn`."),
]
KeptName = Annotated[
    str, typer.Argument(autocompletion=complete_product, help="A product learned with `looktwice learn`.")
]
Target = Annotated[
    float,
    typer.Option(
        "--false-alarms",
        parser=read_share,
        metavar="SHARE",
        help="Share of good pictures that may be called defective: 0.05 or 5%.",
    ),
]
ZeroShotLimits = Annotated[
    bool,
    typer.Option(
        "--zero-shot-limits", help="Without good pictures, decide by what those of other products score."
    ),
]
BitDepth = Annotated[
    int | None,
    typer.Option(
        "--bit-depth",
        min=8,
        max=16,
        metavar="BITS",
        help="Bits of the camera; by default found out from the series.",
    ),
]
Levels = Annotated[
    tuple[float, float] | None,
    typer.Option("--window", metavar="LOW HIGH", help="Stored values of black and white, beyond 8 bits."),
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
Registered = Annotated[
    bool | None,
    typer.Option(
        "--registered/--unregistered",
        help="Bring each part to the pose of the first reference; found out by default.",
    ),
]
Counts = Annotated[
    list[str] | None,
    typer.Option(
        "--count",
        metavar="ZONE",
        help="How many alike things lie in a box: pins=8@4,6,30,20.",
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


def read_window(bit_depth: int | None, levels: tuple[float, float] | None) -> Window | None:
    """The window that was asked for, None for none; LooktwiceError for one that makes no sense."""
    if bit_depth is None and levels is None:
        return None
    try:
        low, high = levels or (None, None)
        return Window(low, high, bit_depth)
    except ValueError as error:
        raise LooktwiceError(f"No picture can be read through that: {error}.") from error


def read_mask(path: Path | None) -> NDArray[np.bool_] | None:
    """A mask picture as [H, W], true where somebody painted; None for no path, ImageError for what is no mask."""
    return None if path is None else load_mask(path)
