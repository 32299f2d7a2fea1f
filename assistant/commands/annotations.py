"""Annotations for other programs: the options that `inspect` has for them, and `looktwice history annotate`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from assistant.commands import console
from assistant.commands.filters import Name, Product, RunName, SignedAs, Since, Until, to_query
from assistant.errors import HistoryError

if TYPE_CHECKING:
    from assistant.annotations import AnnotationWriter, Format
    from assistant.records.entries import KeptInspection, Query
    from assistant.records.history import History

FORMATS = "coco, coco-rle, yolo, yolo-segment, labelme or masks"

AnnotationsFolder = Annotated[
    Path | None,
    typer.Option("--annotations", metavar="DIR", help="Write regions as annotations into this folder."),
]
AnnotationFormat = Annotated[str, typer.Option("--format", help=f"Of the annotations: {FORMATS}.")]
CopyPictures = Annotated[
    bool, typer.Option("--copy", help="Copy the pictures beside their annotations; YOLO always does.")
]
ReplaceAnnotations = Annotated[
    bool, typer.Option("--replace", help="Replace the annotations that the folder holds from before.")
]


def annotate(
    folder: Annotated[Path, typer.Argument(help="A new or an empty folder.")],
    format: AnnotationFormat = "coco",
    copy: CopyPictures = False,
    replace: ReplaceAnnotations = False,
    product: Product = None,
    verdict: Annotated[
        list[str] | None, typer.Option("--verdict", help="Only defect, review or good; may be repeated.")
    ] = None,
    lot: Annotated[str | None, typer.Option("--lot", help="Only this lot.")] = None,
    since: Since = None,
    until: Until = None,
    text: Name = "",
    run: RunName = None,
    signed: SignedAs = None,
) -> None:
    """Write inspections as annotations for other programs: regions with their outlines, and pictures without any.

    Of several inspections of a picture the newest counts. What a person signed off as good has no regions.
    """
    from assistant.records.history import History, default_history

    query = to_query(product, verdict, lot, since, until, text, run, signed)
    with closing(History(default_history())) as kept:
        paths = [one.inspection.path for one in kept.every(query)]
        if not paths:
            raise HistoryError("No inspection in the history fits.")
        writer = open_writer(folder, format, paths, copy, replace)
        with writer, console.progress("Annotating", len(paths)) as bar:
            for one in _with_maps(kept, query):
                writer.add(one.inspection, one.sign_off.decision if one.sign_off else None)
                bar.advance()
    for sentence in writer.report.sentences():
        console.say(sentence)
    console.say_written({}, folder)


def open_writer(folder: Path, format: str, paths: Iterable[str], copy: bool, replace: bool) -> AnnotationWriter:
    """What annotates pictures at these paths, which are named relative to the folder that has them all."""
    from assistant.annotations import AnnotationWriter
    from assistant.annotations.writer import common_folder

    root = common_folder(list(paths))
    return AnnotationWriter(folder, cast("Format", format), root=root, copy=copy, replace=replace)


def _with_maps(kept: History, query: Query) -> Iterator[KeptInspection]:
    """What a query finds, newest first, each with its map; one that is damaged becomes an error without."""
    for one in kept.every(query):
        try:
            yield kept.get(one.id)
        except HistoryError:
            yield one
