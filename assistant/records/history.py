"""The history: inspections with their map, preview and conversation, kept in a database to be found again.

Its runs are in `assistant.records.batch_run`, what people decided in `assistant.records.sign_offs`, its tables in
`assistant.database.tables`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from assistant.database.place import Place, default_place
from assistant.errors import HistoryError
from assistant.inspection import Answer, Inspection, rank_score
from assistant.records.agreement import SIGN_OFF_COLUMNS, current, to_cells
from assistant.records.drift import as_stream, to_part
from assistant.records.entries import (
    MOST_ROWS,
    KeptInspection,
    Page,
    Query,
    Turn,
    as_text,
    check_lot,
    dump,
    from_any_row,
    from_row,
    read_answer,
    read_map,
    shrink,
    to_row,
)

if TYPE_CHECKING:
    from PIL.Image import Image


class History:
    """The inspections in a file, or in a database by its URL; safe to share between threads and programs.

    HistoryError, in one sentence, where it cannot be opened, read or written.
    """

    def __init__(self, where: Place) -> None:
        try:
            from assistant.database.schema import open_database
        except ImportError as error:
            raise HistoryError("The history needs SQLAlchemy: install looktwice[history].") from error
        from assistant.records.batch_run import Runs
        from assistant.records.kept_pictures import KeptPictures
        from assistant.records.sign_offs import SignOffs

        self.database = open_database(where)
        self.runs = Runs(self.database)
        self.sign_offs = SignOffs(self.database)
        self.pictures = KeptPictures(self.database, where)

    def add(
        self,
        inspection: Inspection,
        *,
        lot: str = "",
        preview: Image | NDArray[np.uint8] | None = None,
        run: str | None = None,
        place: int | None = None,
    ) -> int:
        """Keep an inspection and return its id; a place of a run that is taken already keeps what it has.

        `preview`: the picture or its overlay, kept as a small JPEG without any of its metadata. The whole picture
        is kept where `pictures` says so.
        """
        from sqlalchemy.exc import IntegrityError

        from assistant.database.engine import take_turns
        from assistant.database.tables import INSPECTIONS, P_VALUES

        if (run is None) != (place is None):
            raise ValueError("a run and a place in it belong together")
        values = to_row(inspection) | {"lot": check_lot(lot), "run": run, "place": place}
        if preview is not None:
            values["preview"] = shrink(preview)
        if kept := self.pictures.write(inspection):
            values |= kept.columns
        try:
            with self.database.write() as connection:
                if run is not None:
                    self.runs.renew(connection, run)
                part = to_part(inspection)
                if part:  # whoever follows a stream reads on from the last id: none may come after a later one
                    take_turns(connection, as_stream(part))
                done = connection.execute(INSPECTIONS.insert().values(**values))
                id = int(done.inserted_primary_key[0])  # type: ignore[index]
                if part:
                    connection.execute(P_VALUES.insert().values(inspection=id, created=values["created"], **part))
                if kept:
                    self.pictures.settle(kept)
                return id
        except IntegrityError as error:
            if (taken := self._at(run, place)) is None:
                raise HistoryError(f"There is no run {str(run)[:40]!r}.") from error
            return taken

    def get(self, id: int) -> KeptInspection:
        """One inspection with its map; HistoryError where there is none with this id."""
        from assistant.database.tables import INSPECTIONS
        from assistant.records.sign_offs import read_sign_offs

        with self.database.read() as connection:
            signed = current(read_sign_offs(connection, id))
            row = connection.execute(INSPECTIONS.select().where(INSPECTIONS.c.id == id)).one_or_none()
        if row is None:
            raise HistoryError(f"There is no inspection {id} in the history.")
        kept = from_row(row)
        return replace(kept, inspection=replace(kept.inspection, coarse_map=read_map(row)), sign_off=signed)

    def preview(self, id: int) -> bytes | None:
        """The preview of an inspection as a JPEG; None where none was kept."""
        from assistant.database.tables import INSPECTIONS

        chosen = INSPECTIONS.select().with_only_columns(INSPECTIONS.c.preview).where(INSPECTIONS.c.id == id)
        with self.database.read() as connection:
            return connection.execute(chosen).scalar()

    def search(self, query: Query | None = None, page: int = 1, size: int = 50) -> Page:
        """The inspections that a query finds, without their maps, by pages of `size` from page 1 on."""
        from sqlalchemy import func

        from assistant.database.tables import INSPECTIONS
        from assistant.records.queries import conditions, find_rows

        if page < 1 or not 1 <= size <= MOST_ROWS:
            raise HistoryError(f"Pages count from 1 and have 1 to {MOST_ROWS} rows.")
        query = query or Query()
        with self.database.read() as connection:
            any_verdict = conditions(replace(query, verdicts=()))
            grouped = INSPECTIONS.select().with_only_columns(INSPECTIONS.c.verdict, func.count())
            counted = connection.execute(grouped.where(*any_verdict).group_by(INSPECTIONS.c.verdict)).all()
            counts = Counter({str(verdict): int(count) for verdict, count in counted})
            rows = tuple(map(_shown, find_rows(connection, query, (page - 1) * size, size)))
        total = sum(count for verdict, count in counts.items() if not query.verdicts or verdict in query.verdicts)
        return Page(rows, total, counts)

    def disagreements(self, query: Query | None = None) -> int:
        """How many of the inspections that a query finds a second look disagrees with, in some answer."""
        from sqlalchemy import func, select

        from assistant.database.tables import INSPECTIONS, TURNS
        from assistant.records.queries import conditions

        # In the JSON of an answer no text can hold these letters: its quotes are written with a backslash.
        says = TURNS.c.answer.like('%"disagrees": "%') & TURNS.c.answer.not_like('%"disagrees": "",%')
        looked = INSPECTIONS.c.id.in_(select(TURNS.c.inspection).where(says))
        counted = INSPECTIONS.select().with_only_columns(func.count())
        with self.database.read() as connection:
            return int(connection.execute(counted.where(*conditions(query or Query()), looked)).scalar() or 0)

    def every(self, query: Query | None = None) -> Iterator[KeptInspection]:
        """All that a query finds, one by one, as the history was when the first was asked for."""
        from assistant.records.queries import find_rows

        with self.database.read() as connection:
            yield from map(_shown, find_rows(connection, query or Query()))

    def scores(self, query: Query | None = None) -> dict[str, list[float]]:
        """The scores of all that a query finds, by verdict; a picture that could not be read has no score."""
        from assistant.database.tables import INSPECTIONS
        from assistant.records.queries import conditions

        columns = INSPECTIONS.c
        wanted = INSPECTIONS.select().with_only_columns(columns.verdict, columns.score)
        scores: dict[str, list[float]] = {}
        with self.database.read() as connection:
            for verdict, score in connection.execute(wanted.where(*conditions(query or Query()))):
                if score is not None:
                    scores.setdefault(verdict, []).append(score)
        return scores

    def names(self, kind: Literal["product", "lot"], most: int = MOST_ROWS) -> list[str]:
        """The products, or the lots, that anything was kept of, sorted; "" stands for none."""
        from assistant.database.tables import INSPECTIONS

        column = INSPECTIONS.c[kind]
        chosen = INSPECTIONS.select().with_only_columns(column).distinct().order_by(column).limit(most)
        with self.database.read() as connection:
            return sorted(connection.execute(chosen).scalars())

    def export(self, query: Query, file: str | Path) -> int:
        """Write what a query finds to a .csv or .jsonl file and return the number of rows.

        The rows are those of a run, see `assistant.records.rows`, each with its `id` and `lot` in front, and with
        what a person decided: `sign_off` in a .jsonl file, and `SIGN_OFF_COLUMNS` at the end of a table.
        """
        from assistant.records.rows import COLUMNS, write_csv, write_jsonl

        ending = Path(file).suffix.lower()
        if ending not in (".csv", ".jsonl"):
            raise HistoryError("The history is exported to a .csv or a .jsonl file.")
        found = map(self.ranker(query), self.every(query))
        try:
            if ending == ".csv":
                return write_csv(map(_flat, found), file, ("id", "lot", *COLUMNS, *SIGN_OFF_COLUMNS))
            return write_jsonl(map(to_json_row, found), file)
        except OSError as error:
            why = error.strerror or "an error"
            raise HistoryError(f"The export cannot be written: {why}.") from error

    def add_turn(self, id: int, question: str, answer: Answer) -> None:
        """Keep a question about an inspection, and its answer."""
        from sqlalchemy.exc import IntegrityError

        from assistant.database.tables import TURNS

        content = {
            "question": dump(question),
            "answer": dump(asdict(answer)),
            "created": as_text(datetime.now(UTC)),
        }
        try:
            with self.database.write() as connection:
                connection.execute(TURNS.insert().values(inspection=id, **content))
        except IntegrityError as error:
            raise HistoryError(f"There is no inspection {id} in the history.") from error

    def turns(self, id: int) -> tuple[Turn, ...]:
        """The conversation about an inspection, oldest first."""
        from assistant.database.tables import TURNS

        with self.database.read() as connection:
            rows = connection.execute(TURNS.select().where(TURNS.c.inspection == id).order_by(TURNS.c.id)).all()
        return tuple(
            Turn(
                json.loads(row.question), read_answer(json.loads(row.answer)), datetime.fromisoformat(row.created)
            )
            for row in rows
        )

    def forget_turns(self, id: int) -> None:
        """Remove the conversation about an inspection."""
        from assistant.database.tables import TURNS

        with self.database.write() as connection:
            connection.execute(TURNS.delete().where(TURNS.c.inspection == id))

    def purge(self, before: datetime, *, keep_signed: bool = False) -> int:
        """Remove what was inspected before a time, with all that belongs to it, and return how many inspections.

        A run that somebody works on is spared; any other that loses rows cannot be continued. `keep_signed` spares
        what is signed off.
        """
        from assistant.records.retention import remove_old

        return remove_old(self.database, self.runs, as_text(before), keep_signed)

    def close(self) -> None:
        """Close the file or the connections."""
        self.database.close()

    def ranker(self, query: Query) -> Callable[[KeptInspection], KeptInspection]:
        """What gives the unrated pictures of a run that is done their ranks in it; others stay as they are."""
        if not query.run or self.runs.get(query.run).state != "done":
            return lambda kept: kept
        scores = sorted(self.scores(Query(run=query.run)).get("unrated", ()))

        def rank(kept: KeptInspection) -> KeptInspection:
            one = kept.inspection
            if one.verdict != "unrated":
                return kept
            return replace(kept, inspection=replace(one, rank=rank_score(one.score, scores)))

        return rank

    def _at(self, run: str | None, place: int | None) -> int | None:
        from assistant.database.tables import INSPECTIONS

        chosen = INSPECTIONS.select().with_only_columns(INSPECTIONS.c.id)
        with self.database.read() as connection:
            return connection.execute(
                chosen.where(INSPECTIONS.c.run == run, INSPECTIONS.c.place == place)
            ).scalar()


def default_history() -> Place:
    """$LOOKTWICE_HISTORY where that is set, a path or the URL of a database, else a file of the user's."""
    return default_place()


def to_json_row(kept: KeptInspection) -> dict[str, Any]:
    """An inspection of a history as a JSON-ready row."""
    signed = kept.sign_off.to_dict() if kept.sign_off else None
    return {"id": kept.id, "lot": kept.lot, "sign_off": signed, **kept.inspection.to_dict()}


def _flat(kept: KeptInspection) -> dict[str, Any]:
    from assistant.records.rows import flatten

    return {"id": kept.id, "lot": kept.lot, **flatten(kept.inspection), **to_cells(kept.sign_off)}


def _shown(row: Any) -> KeptInspection:
    from assistant.records.sign_offs import read_standing

    return replace(from_any_row(row), has_preview=bool(row.has_preview), sign_off=read_standing(row))
