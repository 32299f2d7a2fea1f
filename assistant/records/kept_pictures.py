"""Whether a history keeps whole pictures, where, and how one is kept together with its row.

The store itself says so, in its settings, so that all stations that share it do the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from assistant.database.engine import Database
from assistant.database.place import Place
from assistant.database.tables import INSPECTIONS, SETTINGS
from assistant.errors import HistoryError, HistoryFault
from assistant.inspection import Inspection
from assistant.records.pictures import BESIDE, PictureFiles, content_of, place_of

PLACE = "pictures"
KEEPS = "pictures_kept"
"""The names of the settings: where pictures are, and whether new ones are kept, "yes" or "no"."""

LONGEST_PLACE = 255


@dataclass(frozen=True)
class PictureSettings:
    """Where the pictures of a store are, None where it never kept any, and whether it keeps new ones."""

    named: str | None = None
    keeps: bool = False


@dataclass(frozen=True)
class KeptPicture:
    """A picture whose file is written, for the row that is to name it."""

    content: bytes
    digest: str

    @property
    def columns(self) -> dict[str, str | int]:
        """What the row says of it."""
        return {"picture": self.digest, "picture_size": len(self.content)}


class KeptPictures:
    """The whole pictures of a history; `where` is the place of its store. The settings are read once."""

    def __init__(self, database: Database, where: Place) -> None:
        self._database, self._where = database, where
        self._settings: PictureSettings | None = None
        self._files: PictureFiles | None = None

    @property
    def settings(self) -> PictureSettings:
        """Whether pictures are kept, and where."""
        if self._settings is None:
            with self._database.read() as connection:
                asked = select(SETTINGS.c.name, SETTINGS.c.value)
                rows = {row.name: row.value for row in connection.execute(asked)}
            self._settings = PictureSettings(rows.get(PLACE), rows.get(KEEPS) == "yes")
        return self._settings

    @property
    def files(self) -> PictureFiles | None:
        """The files, None where no picture was ever kept."""
        if self._files is None and self.settings.named is not None:
            self._files = PictureFiles(place_of(self.settings.named, self._where))
        return self._files

    def keep(self, named: str = BESIDE) -> None:
        """Keep the picture of every inspection from now on, beside the store, in a folder or at a URL of fsspec.

        HistoryError where pictures lie elsewhere already.
        """
        before = self.settings.named
        if before is not None and named != before and self._any():
            raise HistoryError(
                "The history has pictures elsewhere: export it, and import it where they are to be."
            )
        if len(named) > LONGEST_PLACE:
            raise HistoryError(f"The place of pictures has at most {LONGEST_PLACE} characters.")
        self._note(PictureSettings(named, True))

    def stop(self) -> None:
        """Keep no more pictures; those that are there stay."""
        self._note(PictureSettings(self.settings.named, False))

    def write(self, inspection: Inspection) -> KeptPicture | None:
        """Write the file of an inspection's picture; None where none is kept, or there is none any more."""
        if not self.settings.keeps or self.files is None or (content := content_of(inspection)) is None:
            return None
        return KeptPicture(content, self.files.put(content))

    def settle(self, kept: KeptPicture) -> None:
        """See to it that the file is there while its row is being written: nobody clears the store meanwhile."""
        if self.files and not self.files.has(kept.digest, len(kept.content)):
            self.files.put(kept.content)

    def of(self, id: int) -> bytes | None:
        """The file of an inspection's picture; None where none was kept, HistoryFault where it is gone or bad."""
        with self._database.read() as connection:
            asked = select(INSPECTIONS.c.picture).where(INSPECTIONS.c.id == id)
            digest = connection.execute(asked).scalar()
        if digest is None or self.files is None:
            return None
        content = self.files.get(digest)
        if content is None:
            raise HistoryFault(f"The picture of the inspection {id} is gone.")
        return content

    def _any(self) -> bool:
        with self._database.read() as connection:
            asked = select(INSPECTIONS.c.id).where(INSPECTIONS.c.picture.is_not(None)).limit(1)
            return connection.execute(asked).scalar() is not None

    def _note(self, settings: PictureSettings) -> None:
        values = {KEEPS: "yes" if settings.keeps else "no"}
        values |= {PLACE: settings.named} if settings.named is not None else {}
        with self._database.write() as connection:
            connection.execute(SETTINGS.delete().where(SETTINGS.c.name.in_(list(values))))
            connection.execute(SETTINGS.insert(), [{"name": n, "value": v} for n, v in values.items()])
        self._settings, self._files = settings, None
