"""`looktwice learn`, `teach` and `products`: products are learned, taught, listed and forgotten."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.commands import console
from assistant.commands.listings import AsJson, print_contents, print_products
from assistant.commands.options import (
    Aligned,
    BitDepth,
    Bundle,
    Counts,
    Device,
    Ignore,
    KeptName,
    Levels,
    Memory,
    Registered,
    Roi,
    Target,
    Tiles,
    Views,
    complete_product,
    open_inspector,
    read_mask,
    read_window,
)
from assistant.commands.references import learn_product
from assistant.commands.what_if import NewTarget, effect_on
from assistant.models.card import DEFAULT

if TYPE_CHECKING:
    from assistant.commands.lessons import Lesson
    from assistant.inspector import Inspector
    from assistant.products.product import Product
    from assistant.products.store import ProductStore


def learn(
    name: Annotated[str, typer.Argument(help="What to call the product.")],
    references: Annotated[list[Path], typer.Option("--references", help="Good pictures: a folder or a file.")],
    bundle: Bundle = DEFAULT,
    false_alarms: Target = 0.05,
    roi: Roi = None,
    ignore: Ignore = None,
    aligned: Aligned = None,
    registered: Registered = None,
    views: Views = "plain",
    tiles: Tiles = 1,
    memory: Memory = "nearest",
    bit_depth: BitDepth = None,
    levels: Levels = None,
    count: Counts = None,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Take the place of a product of that name; teach --undo brings it back."),
    ] = False,
    device: Device = None,
) -> None:
    """Learn a product from one to a few good pictures, and keep it under its name."""
    from assistant.errors import ProductError
    from assistant.products.config import LearnConfig
    from assistant.products.store import TakenName

    window = read_window(bit_depth, levels)
    masks = read_mask(roi), read_mask(ignore)
    config = LearnConfig(
        views,
        tiles,
        memory,
        aligned,
        *masks,
        false_alarms,
        window=window,
        registered=registered,
        counts=count or (),
    )
    inspector = open_inspector(bundle, device)
    try:
        product = inspector.store.learn(
            name, lambda: learn_product(inspector, name, references, config), replace=replace
        )
    except TakenName as error:
        raise ProductError(f"{error} --replace learns it anew, and `looktwice teach` adds to it.") from error
    console.print_product(product)
    if product.past:
        console.say(
            f"It took the place of an earlier one; `looktwice teach {shlex.quote(name)} --undo` brings it back."
        )


def teach(
    name: KeptName,
    good: Annotated[list[Path] | None, typer.Option("--good", help="Pictures of good parts to add.")] = None,
    defect: Annotated[
        list[Path] | None, typer.Option("--defect", help="Pictures of defects to recognise.")
    ] = None,
    label: Annotated[str | None, typer.Option("--label", help="What to call the defect.")] = None,
    mask: Annotated[Path | None, typer.Option("--mask", help="Mask picture: white where the defect is.")] = None,
    remove: Annotated[int | None, typer.Option("--remove", help="Take away what has this id.")] = None,
    roi: Roi = None,
    ignore: Ignore = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take back the last change; up to eight.")] = False,
    recalibrate: Annotated[bool, typer.Option("--recalibrate", help="Work out the limits again.")] = False,
    false_alarms: NewTarget = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Take pictures far above the limit for good parts without asking.")
    ] = False,
    bundle: Bundle = DEFAULT,
    device: Device = None,
) -> None:
    """Teach a product more: good parts, known defects, masks. Its limits are worked out again at once.

    Without an option, list what it holds: an id, a kind and a name a row. --roi and --ignore take the place of
    both of its masks. What a change does to recent inspections is said from the scores in your history.
    """
    from assistant.commands.lessons import Lesson, change_rows
    from assistant.products.summary import contents_of
    from assistant.records.what_if import describe

    lesson = Lesson(
        good or (), defect or (), label, mask, remove, roi, ignore, undo, recalibrate, false_alarms, yes
    )
    inspector = open_inspector(bundle, device)
    if not lesson:
        print_contents(contents_of(inspector.load(name)))
        return
    before, after = _give(inspector, name, lesson)
    effect = effect_on(before, after)
    for row in change_rows(before, after, effect, undo):
        console.print_change(row)
    if after is not before:
        console.say(describe(effect))
    if (was := before.calibration.method) in ("checked", "production") and was != after.calibration.method:
        again = "check --apply" if was == "checked" else "recalibrate"
        told = "Its limits follow from its good parts alone again"
        console.say(f"{told}; `looktwice {again}` renews them.")


def products(
    remove: Annotated[
        str | None, typer.Option(autocompletion=complete_product, help="Forget the product of this name.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Forget it without asking.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the products that were learned; with --remove, forget one for good, where you say so or with --yes."""
    from assistant.products.opened import open_products

    store = open_products()
    if remove:
        _remove(store, remove, yes)
    print_products(store, as_json)


def _remove(store: ProductStore, name: str, yes: bool) -> None:
    """Forget a product for good; ProductError where nobody wants that, or there is none."""
    from assistant.errors import ProductError

    if name not in store.names():
        raise ProductError(store.missing(name))
    if not yes:
        lost = f"All that {name!r} has learned goes, and there is no way back."
        if not console.has_person():
            raise ProductError(f"{lost} Nothing was changed; --yes forgets it.")
        console.say(lost)
        if not typer.confirm("Forget it?", err=True):
            raise ProductError("Nothing was changed.")
    with store.held(name):
        store.delete(name)


def _give(inspector: Inspector, name: str, lesson: Lesson) -> tuple[Product, Product]:
    """A product before and after a lesson; a doubtful one is asked about on a terminal, and refused elsewhere."""
    from assistant.commands.lessons import give
    from assistant.errors import ProductError
    from assistant.products.teaching import DoubtfulTeaching
    from assistant.records.what_if import describe

    try:
        return inspector.store.change(name, lambda p: give(inspector, p, lesson), load=inspector.load)
    except DoubtfulTeaching as doubt:
        why = f"{doubt} {describe(effect_on(doubt.before, doubt.after))}"
        if not console.has_person():
            raise ProductError(f"{why} Nothing was changed; --yes teaches it all the same.") from doubt
    console.say(why)
    if not typer.confirm("Is it a good part all the same?", err=True):
        raise ProductError("Nothing was changed.")
    sure = dataclasses.replace(lesson, confirm=True)
    return inspector.store.change(name, lambda p: give(inspector, p, sure), load=inspector.load)
