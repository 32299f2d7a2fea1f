"""The product that a command compares pictures with: learned from good pictures, or kept under a name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.commands import console
from assistant.errors import LooktwiceError, NothingToInspect
from assistant.images.sources import Census, find_images

if TYPE_CHECKING:
    from assistant.inspector import Inspector
    from assistant.products.config import LearnConfig
    from assistant.products.product import Product

OF_REFERENCES = ("roi", "aligned", "registered", "views", "tiles", "memory", "counts")
"""The options that say how references are learned; a kept product was learned with its own."""

OPTIONS = {"counts": "count"}
"""How they are called in the shell, where it is otherwise."""


def learn_product(
    inspector: Inspector, name: str, references: Sequence[str | Path], config: LearnConfig
) -> Product:
    """Learn a product from good pictures and folders of them, and say what was found out about them."""
    pictures = list(find_images(references, census := Census()))
    console.say_left_out(census)
    if not pictures:
        raise NothingToInspect(f"There is no good picture in {', '.join(map(str, references))}.")
    with console.progress(f"Learning {name}", 1) as bar:
        product = inspector.learn(name, pictures, config, tell=bar.tell)
    if product.registration and config.registered is None:
        console.say("Parts are brought to the pose of the first reference (--unregistered leaves that out).")
    if product.aligned and config.aligned is None:
        console.say("The references lie alike: missing and moved parts count too (--not-aligned leaves that out).")
    for zone in product.counted:
        console.say(f"In the zone {zone.zone.name!r}, {zone.zone.expected} are counted in every reference.")
    if product.alike:
        console.say("The references are alike as whole pictures: one that differs as a whole counts too.")
    if product.window.levels:
        console.say(f"Every picture of {name} is read through the window {product.window}.")
    for remark in product.remarks:
        console.say(remark)
    return product


def find_product(
    inspector: Inspector, references: Sequence[Path] | None, product: str | None, config: LearnConfig
) -> Product | None:
    """The product to compare with, None for none; LooktwiceError for options that belong to references."""
    if references:
        return learn_product(inspector, "references", references, config)
    if product and config.window:
        raise LooktwiceError("--bit-depth and --window belong to --references: a product has a window of its own.")
    usual = type(config)()
    for name in OF_REFERENCES:
        chosen = getattr(config, name)
        if chosen is not None and (name == "roi" or chosen != getattr(usual, name)):
            option = OPTIONS.get(name, name)
            raise LooktwiceError(f"--{option} belongs to --references: a product was learned with its own.")
    return inspector.load(product) if product else None
