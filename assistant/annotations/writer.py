"""Writes inspections as annotations, one by one as they come, so that a run that is stopped leaves a whole set."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Literal, get_args

from assistant.annotations.coco import Coco
from assistant.annotations.copies import copy_of
from assistant.annotations.folder import AnnotationFolder
from assistant.annotations.labelled import Categories, Labelled, Layout
from assistant.annotations.labelme import LabelMe
from assistant.annotations.masks import Masks
from assistant.annotations.yolo import Yolo
from assistant.errors import ImageError, LooktwiceError
from assistant.images.kinds import EXTENSIONS
from assistant.images.sources import shown_name
from assistant.inspection import Inspection
from assistant.outlines import outlines_of

Format = Literal["coco", "coco-rle", "yolo", "yolo-segment", "labelme", "masks"]
FORMATS: tuple[Format, ...] = get_args(Format)


@dataclass
class AnnotationReport:
    """What was written: pictures, regions, and how many of these are boxes, since no map tells more.

    `turned` pictures were copied upright. `unread` could not be read when they were inspected, `repeats` are
    pictures that were there already, and `left_out`, names and reasons, could not be copied: none of them is among
    the annotations. `cleared` are pictures that a person signed off as good: their regions are left out.
    """

    pictures: int = 0
    regions: int = 0
    boxes: int = 0
    turned: int = 0
    repeats: int = 0
    cleared: int = 0
    unread: list[str] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)

    def sentences(self) -> list[str]:
        """What somebody must know who uses the annotations, the counts first."""
        said = [f"{_count(self.pictures, 'picture')} annotated, with {_count(self.regions, 'region')}."]
        if self.boxes:
            said.append(f"{_count(self.boxes, 'outline')} no more than a box: no map shows the shape.")
        if self.turned:
            said.append(f"{_count(self.turned, 'picture')} that a tag turns: copied upright, as PNG of 8 bits.")
        if self.cleared:
            said.append(f"{_count(self.cleared, 'picture')} signed off as good: without regions.")
        if self.repeats:
            said.append(f"Left out: {_count(self.repeats, 'inspection')} of pictures that are there already.")
        if self.unread:
            said.append(f"Left out: {_count(len(self.unread), 'picture')} that could not be read.")
        said += [f"Left out: {name}, {why}." for name, why in self.left_out]
        return said


class AnnotationWriter:
    """Writes inspections into a folder in one of `FORMATS`, in a `with` block; `report` says what came of it.

    `root` is the folder that names of pictures are relative to. `copy` copies the pictures too, which "yolo"
    always does. `categories` fixes the numbers of these names; others follow in the order in which they come. A
    folder that holds anything else is refused, and one with annotations of before unless `replace`. LooktwiceError
    where the request makes no sense, or nothing can be written.
    """

    def __init__(
        self,
        folder: str | Path,
        format: Format = "coco",
        *,
        root: str | Path | None = None,
        copy: bool = False,
        categories: Iterable[str] = (),
        replace: bool = False,
    ) -> None:
        if format not in FORMATS:
            raise LooktwiceError(
                f"There is no format {str(format)[:40]!r}; the formats are: {', '.join(FORMATS)}."
            )
        self.report = AnnotationReport()
        self.folder = Path(folder)
        self._folder = AnnotationFolder(self.folder, replace=replace)
        self._root = os.path.abspath(root) if root is not None else ""
        self._layout = _layout(format, self._folder, Categories(categories), self._root)
        self._copy = copy or self._layout.copies
        self._seen: set[str] = set()

    def __enter__(self) -> AnnotationWriter:
        self._folder.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._layout.finish()

    def add(self, inspection: Inspection, signed: str | None = None) -> None:
        """Write the annotations of one picture; `signed` is what a person decided, "good" or "defect"."""
        name, report = shown_name(inspection.path), self.report
        if inspection.status == "error":
            report.unread.append(name)
            return
        source = os.path.abspath(inspection.path) if _is_file(inspection.path) else None
        if source is not None and source in self._seen:
            report.repeats += 1
            return
        try:
            content, ending, turned = copy_of(inspection, source) if self._copy else (b"", "", False)
        except ImageError as error:
            report.left_out.append((name, str(error)))
            return
        if source is not None:
            self._seen.add(source)
        place = self._name(inspection.path, source, ending)
        if self._copy:
            self._folder.write(PurePosixPath(self._layout.pictures) / place, content)
            report.turned += turned
        cleared = signed == "good" and bool(inspection.regions)
        outlines = () if cleared else outlines_of(inspection)
        self._layout.add(Labelled(place, inspection, outlines, source, self._copy, signed))
        report.pictures += 1
        report.regions += len(outlines)
        report.boxes += sum(one.is_box for one in outlines)
        report.cleared += cleared

    def _name(self, path: str, source: str | None, ending: str) -> PurePosixPath:
        """The name of a picture among the annotations, below its folders where the format keeps them."""
        inside = self._root and source is not None and Path(source).is_relative_to(self._root)
        relative = os.path.relpath(source or "", self._root) if inside else shown_name(path)
        if source is not None and isinstance(self._layout, Coco) and not self._copy:
            return PurePosixPath(Path(relative if inside else source).as_posix())  # it names the very file
        named = PurePosixPath(Path(relative).as_posix())
        if self._layout.flat:
            named = PurePosixPath(named.name)
        if ending and named.suffix.lower() != ending.lower():
            bare = named.suffix.lower() in EXTENSIONS  # "part.0001" has no ending that could be replaced
            named = named.with_suffix(ending) if bare else named.with_name(named.name + ending)
        return self._folder.unique(named)


def write_annotations(
    inspections: Iterable[Inspection],
    folder: str | Path,
    format: Format = "coco",
    *,
    root: str | Path | None = None,
    copy: bool = False,
    categories: Iterable[str] = (),
    replace: bool = False,
) -> AnnotationReport:
    """Write inspections as annotations, see `AnnotationWriter`; `root` is by default the folder that has all."""
    if root is None:
        inspections = list(inspections)
        root = common_folder([one.path for one in inspections])
    with AnnotationWriter(folder, format, root=root, copy=copy, categories=categories, replace=replace) as writer:
        for one in inspections:
            writer.add(one)
    return writer.report


def common_folder(paths: Sequence[str]) -> str | None:
    """The folder in which all pictures lie that are files, deep or not; None where there is none."""
    folders = {os.path.dirname(os.path.abspath(path)) for path in paths if _is_file(path)}
    try:
        return os.path.commonpath(folders) if folders else None
    except ValueError:  # several drives
        return None


def _layout(format: Format, folder: AnnotationFolder, categories: Categories, root: str) -> Layout:
    match format:
        case "coco" | "coco-rle":
            return Coco(folder, categories, root, rle=format == "coco-rle")
        case "yolo" | "yolo-segment":
            return Yolo(folder, categories, segments=format == "yolo-segment")
        case "labelme":
            return LabelMe(folder)
        case "masks":
            return Masks(folder)


def _is_file(path: str) -> bool:
    """Whether a path names a file, here now or kept with its whole path."""
    return os.path.isabs(path) or os.path.lexists(path)


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
