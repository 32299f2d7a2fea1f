"""The outbox of a journal: the letters to sinks that wait, and those that were given up."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from assistant.errors import LineError
from assistant.line.event import Event
from assistant.line.journal_tables import CONTENTS, LETTERS
from assistant.line.sink import Attachments, Letter


@dataclass(frozen=True)
class Dead:
    """A result that was given up: the id of its letter, why a sink did not take it, since when (UNIX time)."""

    id: int
    sink: str
    event: Event
    tries: int
    error: str
    created: float


class Outbox:
    """The letters in a journal. `news` is notified when there are more. LineError as for the journal."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[sa.Connection]], pictures: Path) -> None:
        self._transaction, self._pictures = transaction, pictures
        self.news = threading.Condition()

    def next(self, sink: str) -> Letter | None:
        """The oldest letter to a sink whose time has come, None for none."""
        wanted = sa.select(LETTERS, CONTENTS.c.event).join(CONTENTS, CONTENTS.c.part == LETTERS.c.part)
        wanted = wanted.where(LETTERS.c.sink == sink, LETTERS.c.state == "waiting", LETTERS.c.due <= time.time())
        with self._transaction() as connection:
            row = connection.execute(wanted.order_by(LETTERS.c.id).limit(1)).one_or_none()
        if row is None:
            return None
        event, part = Event(json.loads(row.event)), row.part
        return Letter(row.id, sink, event, row.tries, lambda: self._attachments(part), lambda: self._picture(part))

    def age(self, letter: Letter) -> float:
        """Seconds since a letter was written, or was put back by hand."""
        with self._transaction() as connection:
            begun = connection.execute(sa.select(LETTERS.c.created).where(LETTERS.c.id == letter.id)).scalar()
        return time.time() - (begun or 0.0)

    def delivered(self, letter: Letter) -> None:
        """A letter was taken: it is forgotten, and what only it needed with it."""
        self._remove([letter.id])

    def put_off(self, letter: Letter, seconds: float, error: str) -> None:
        """A letter was refused and is tried again after so many seconds."""
        due = time.time() + seconds
        with self._transaction() as connection:
            changed = LETTERS.update().where(LETTERS.c.id == letter.id)
            connection.execute(changed.values(tries=letter.tries + 1, due=due, error=error))

    def bury(self, letter: Letter, error: str) -> None:
        """A letter is given up; it is kept until somebody sends it again or drops it."""
        with self._transaction() as connection:
            changed = LETTERS.update().where(LETTERS.c.id == letter.id)
            connection.execute(changed.values(state="dead", tries=letter.tries + 1, error=error))

    def dead(self) -> list[Dead]:
        """The letters that were given up, oldest first."""
        wanted = sa.select(LETTERS, CONTENTS.c.event).join(CONTENTS, CONTENTS.c.part == LETTERS.c.part)
        with self._transaction() as connection:
            rows = connection.execute(wanted.where(LETTERS.c.state == "dead").order_by(LETTERS.c.id)).all()
        return [Dead(r.id, r.sink, Event(json.loads(r.event)), r.tries, r.error, r.created) for r in rows]

    def again(self, ids: Sequence[int] = ()) -> int:
        """Put letters that were given up back, all of them or these; how many."""
        chosen = LETTERS.c.state == "dead"
        if ids:
            chosen &= LETTERS.c.id.in_(ids)
        back = {"state": "waiting", "tries": 0, "due": 0.0, "created": time.time()}
        with self._transaction() as connection:
            return int(connection.execute(LETTERS.update().where(chosen).values(**back)).rowcount)

    def drop(self, ids: Sequence[int] = ()) -> int:
        """Forget letters that were given up, all of them or these; how many."""
        chosen = LETTERS.c.state == "dead"
        if ids:
            chosen &= LETTERS.c.id.in_(ids)
        with self._transaction() as connection:
            found = list(connection.execute(sa.select(LETTERS.c.id).where(chosen)).scalars())
        self._remove(found)
        return len(found)

    def waiting(self) -> Counter[str]:
        """How many results wait for each sink, those that were given up aside."""
        counted = sa.select(LETTERS.c.sink, sa.func.count()).where(LETTERS.c.state == "waiting")
        with self._transaction() as connection:
            return Counter(dict(map(tuple, connection.execute(counted.group_by(LETTERS.c.sink)))))

    def _attachments(self, part: int) -> Attachments:
        with self._transaction() as connection:
            row = connection.execute(sa.select(CONTENTS).where(CONTENTS.c.part == part)).one()
        return Attachments(row.map, row.preview)

    def _picture(self, part: int) -> bytes:
        with self._transaction() as connection:
            name = connection.execute(sa.select(CONTENTS.c.picture).where(CONTENTS.c.part == part)).scalar()
        try:
            return (self._pictures / name).read_bytes() if name else b""
        except OSError as error:
            raise LineError(f"The copy of a picture cannot be read: {error.strerror or 'an error'}.") from error

    def _remove(self, ids: Sequence[int]) -> None:
        """Forget letters, and contents that no letter needs any more."""
        with self._transaction() as connection:
            gone: list[str] = []
            for id in ids:
                part = connection.execute(sa.select(LETTERS.c.part).where(LETTERS.c.id == id)).scalar()
                connection.execute(LETTERS.delete().where(LETTERS.c.id == id))
                left = connection.execute(sa.select(LETTERS.c.id).where(LETTERS.c.part == part).limit(1)).scalar()
                if left is None and part is not None:
                    copies = sa.select(CONTENTS.c.picture).where(CONTENTS.c.part == part)
                    gone += filter(None, connection.execute(copies).scalars())
                    connection.execute(CONTENTS.delete().where(CONTENTS.c.part == part))
        for name in gone:
            with suppress(OSError):
                (self._pictures / name).unlink()
