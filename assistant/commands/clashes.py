"""Refuses outputs that would touch an input, or become one: compared before the first picture is opened."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from assistant.commands.targets import is_standard
from assistant.errors import LooktwiceError
from assistant.images.sources import EXTENSIONS

FileId = tuple[int, int]


def check_outputs(
    files: Mapping[str, Path | None],
    folders: Mapping[str, Path | None],
    inputs: Iterable[Path],
    named: Iterable[Path],
) -> None:
    """LooktwiceError where an output is an input, lies among the inputs, or is another output.

    `files` and `folders`: outputs by the option that names them, None for none. `inputs`: every picture and mask
    that is read; `named`: the files and folders that the user typed for them. Links are followed, and two names of
    one file are one file.
    """
    wanted = {option: path for option, path in files.items() if path is not None}
    drawn = {option: path for option, path in folders.items() if path is not None}
    _check_each_other(wanted | drawn)
    typed = [Path(os.path.realpath(path)) for path in named if Path(path).is_dir()]
    pictures = [Path(path) for path in inputs]
    ids = {found: path for path in pictures if (found := _file_id(path))}
    for option, path in wanted.items():
        found = _file_id(path)
        if found and (taken := ids.get(found)):
            what = "the picture " if taken.suffix.lower() in EXTENSIONS else ""
            raise LooktwiceError(f"{option} would replace {what}{taken.name}: name another file.")
        if path.suffix.lower() in EXTENSIONS:
            raise LooktwiceError(f"{option} writes no picture: {path.name} has the name of one.")
    homes = {os.path.realpath(path.parent): path for path in pictures} | {
        os.path.dirname(os.path.realpath(path)): path for path in pictures
    }
    for option, path in drawn.items():
        real = Path(os.path.realpath(path))
        if (picture := homes.get(str(real))) is not None:
            raise LooktwiceError(f"{option} is the folder of the picture {picture.name}: name another folder.")
        if (folder := next((one for one in typed if real.is_relative_to(one)), None)) is not None:
            raise LooktwiceError(
                f"{option} lies in {folder.name}, whose pictures are read: what is drawn there would be read the "
                "next time. Name a folder elsewhere."
            )


def _check_each_other(outputs: Mapping[str, Path]) -> None:
    seen: dict[FileId | str, str] = {}
    for option, path in outputs.items():
        same = seen.setdefault("-" if is_standard(path) else _file_id(path) or os.path.realpath(path), option)
        if same != option:
            raise LooktwiceError(f"{same} and {option} name one file: give each its own.")


def _file_id(path: Path) -> FileId | None:
    """Device and inode of what a path leads to; None where there is nothing yet."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino
