"""`looktwice inspect` and `looktwice ask`: pictures in, rows or an answer out."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.commands import console
from assistant.commands.annotations import (
    AnnotationFormat,
    AnnotationsFolder,
    CopyPictures,
    ReplaceAnnotations,
    open_writer,
)
from assistant.commands.history import GroupName, Keep, LotName, open_kept, watch_drift
from assistant.commands.options import (
    Aligned,
    BitDepth,
    Bundle,
    Counts,
    Device,
    ExplainerName,
    Levels,
    Memory,
    Mode,
    ProductName,
    References,
    Registered,
    ReportFile,
    Roi,
    Target,
    Tiles,
    Views,
    ZeroShotLimits,
    open_inspector,
    read_mask,
    read_window,
)
from assistant.commands.references import find_product
from assistant.errors import LooktwiceError
from assistant.images.sources import Census
from assistant.models.card import DEFAULT

if TYPE_CHECKING:
    from assistant.commands.outputs import Outputs


def inspect(
    paths: Annotated[list[Path], typer.Argument(help="Pictures and folders of pictures.")],
    references: References = None,
    product: ProductName = None,
    mode: Mode = "auto",
    bundle: Bundle = DEFAULT,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write JSON rows, one a picture, to this file.")
    ] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write a CSV table to this file.")] = None,
    overlays: Annotated[
        Path | None, typer.Option(help="Draw map and boxes of each picture into this folder.")
    ] = None,
    pairs: Annotated[
        Path | None, typer.Option(help="Draw each region beside the same place on a good part into this folder.")
    ] = None,
    report: ReportFile = None,
    annotations: AnnotationsFolder = None,
    format: AnnotationFormat = "coco",
    copy: CopyPictures = False,
    replace_annotations: ReplaceAnnotations = False,
    keep: Keep = False,
    lot: LotName = None,
    group: GroupName = "",
    false_alarms: Target = 0.05,
    zero_shot_limits: ZeroShotLimits = False,
    roi: Roi = None,
    aligned: Aligned = None,
    registered: Registered = None,
    views: Views = "plain",
    tiles: Tiles = 1,
    memory: Memory = "nearest",
    bit_depth: BitDepth = None,
    levels: Levels = None,
    count: Counts = None,
    device: Device = None,
    at_once: Annotated[int, typer.Option("--at-once", min=1, metavar="N", help="Pictures encoded together.")] = 4,
) -> None:
    """Inspect pictures: score, threshold, verdict and regions for each, one JSON row a picture.

    Without references each picture is looked at by itself and stays unrated: a score, a rank and the strangest
    places. With --references or --product it is compared with good parts, with --mode mutual the pictures are
    compared with each other. On a terminal a table is shown; into a pipe go the JSON rows. The exit status is 3
    where pictures are unrated, 1 where one was not read.
    """
    from assistant.commands.outputs import Outputs, write_results
    from assistant.products.config import LearnConfig
    from assistant.records.drift import in_group
    from assistant.records.entries import check_group

    if references and product:
        raise LooktwiceError("Give either --references or --product, not both.")
    if references and mode in ("zero-shot", "mutual"):
        raise LooktwiceError(f"Mode {mode!r} uses no references: leave out --references or --mode.")
    if pairs and not (references or product):
        raise LooktwiceError("--pairs shows regions beside good parts: give --references or --product.")
    group = check_group(group)
    outputs = Outputs(out, csv, overlays, report, open_kept(keep, lot), lot or "", pairs)
    watch = watch_drift(outputs.history, bool(references or product))
    sources = console.gather(paths, census := Census())
    if annotations:
        writer = open_writer(annotations, format, map(str, sources), copy, replace_annotations)
        outputs = replace(outputs, annotations=writer)
    elif copy or replace_annotations or format != "coco":
        raise LooktwiceError("--format, --copy and --replace belong to --annotations: name a folder for them.")
    _check_outputs(outputs, sources, paths, references or [], roi)
    mask, window = read_mask(roi), read_window(bit_depth, levels)
    config = LearnConfig(
        views, tiles, memory, aligned, mask, None, false_alarms, None, window, registered, count or ()
    )
    inspector = open_inspector(bundle, device, at_once)
    known = find_product(inspector, references, product, config)
    outputs = replace(outputs, product=known)
    with console.progress("Inspecting", len(sources)) as bar:
        tell = console.comparing(bar, len(sources)) if mode == "mutual" else None
        results = inspector.inspect(
            sources if mode == "mutual" else iter(sources),
            known,
            mode,
            target_false_alarm=false_alarms,
            zero_shot_limits=zero_shot_limits,
            window=None if known else window,
            tell=tell,
        )
        show = console.row_printer(out is not None) if outputs.printed else None
        with outputs.opened() as places:
            counts = write_results(in_group(results, group), places, show, bar.advance, watch)
    for sentence in watch.report():
        console.say(sentence)
    console.print_summary(counts, mode, known is not None, census)
    console.say_written(outputs.files, *outputs.folders.values())
    raise typer.Exit(console.exit_status(counts))


def _check_outputs(
    outputs: Outputs, sources: Sequence[Path], paths: Sequence[Path], references: Sequence[Path], roi: Path | None
) -> None:
    """LooktwiceError where what is written would touch what is read."""
    from assistant.commands.clashes import check_outputs
    from assistant.images.sources import find_images

    read = [*sources, *find_images(references), *([roi] if roi else [])]
    check_outputs(outputs.files, outputs.folders, read, [*paths, *references])


def ask(
    image: Annotated[Path, typer.Argument(help="A picture.")],
    question: Annotated[str, typer.Argument(help='For example "Where is it, and how large?"')],
    references: References = None,
    product: ProductName = None,
    bundle: Bundle = DEFAULT,
    explainer: ExplainerName = None,
    report: ReportFile = None,
    language: Annotated[
        str | None, typer.Option("--language", help="Of the answer: en, de, es or zh; by default the question's.")
    ] = None,
    group: GroupName = "",
    device: Device = None,
) -> None:
    """Inspect a picture and answer a question about it: facts from its record, and apart what a model sees.

    The exit status is 1 where the picture was not read, or whoever was to answer failed.
    """
    from assistant.commands.outputs import Outputs, report_answer
    from assistant.products.config import LearnConfig
    from assistant.records.drift import in_group
    from assistant.records.entries import check_group

    group = check_group(group)
    outputs = Outputs(report=report)
    _check_outputs(outputs, [image], [image], references or [], None)
    inspector = open_inspector(bundle, device, explainer=explainer)
    known = find_product(inspector, references, product, LearnConfig())
    (result,) = map(watch_drift(None).see, in_group(inspector.inspect([image], known), group))
    outputs = replace(outputs, product=known)
    spoken = inspector.stream(result, question, picture=image, language=language, product=known)
    answer = console.print_answer(spoken) if outputs.printed else deque(spoken, 1)[0]
    report_answer(result, question, answer, outputs)
    console.say_written(outputs.files)
    raise typer.Exit(1 if result.status == "error" or answer.failed else 0)
