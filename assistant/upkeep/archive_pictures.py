"""The whole pictures of a store in its export, and back; see `assistant.upkeep.archive`."""

from __future__ import annotations

import hashlib
import zipfile
from typing import Any

import sqlalchemy as sa

from assistant.database.engine import Database
from assistant.database.place import Place
from assistant.database.tables import INSPECTIONS
from assistant.progress import Tell
from assistant.records.kept_pictures import KeptPictures
from assistant.records.pictures import DamagedPicture, PictureFiles

FOLDER = "pictures"


def write_pictures(
    connection: sa.Connection, files: PictureFiles | None, archive: zipfile.ZipFile, tell: Tell
) -> dict[str, Any]:
    """Write every picture that a row names, once, and say how many files and bytes, and which were missing."""
    asked = sa.select(INSPECTIONS.c.picture).where(INSPECTIONS.c.picture.is_not(None)).distinct()
    digests = sorted(connection.execute(asked).scalars())
    missing, size = [], 0
    for done, digest in enumerate(digests):
        try:
            content = files.get(digest) if files else None
        except DamagedPicture:
            content = None
        if content is None:
            missing.append(digest)
            continue
        archive.writestr(f"{FOLDER}/{digest}", content, zipfile.ZIP_STORED)  # pictures are compressed already
        size += len(content)
        tell("Writing pictures", done / len(digests))
    return {"files": len(digests) - len(missing), "bytes": size, "missing": missing}


def read_pictures(
    archive: zipfile.ZipFile,
    told: dict[str, Any] | None,
    database: Database,
    where: Place,
    named: str,
    tell: Tell,
) -> int:
    """Keep every picture of an export, before the rows that name them, and return how many there were.

    Where the import goes no further, they are files that no inspection names. ValueError for one that is damaged
    or missing. The store keeps no new ones until it is told to.
    """
    if not told or not (told["files"] or told["missing"]):
        return 0
    pictures = KeptPictures(database, where)
    pictures.keep(named)
    pictures.stop()
    if pictures.files is None:
        raise RuntimeError("a place of pictures that is none")
    names = [name for name in archive.namelist() if name.startswith(f"{FOLDER}/")]
    if len(names) != told["files"]:
        raise ValueError("another number of pictures than the export says")
    for done, name in enumerate(names):
        content = archive.read(name)
        if hashlib.sha256(content).hexdigest() != name.removeprefix(f"{FOLDER}/"):
            raise ValueError("a damaged picture")
        pictures.files.put(content)
        tell("Reading pictures", done / len(names))
    return len(names)
