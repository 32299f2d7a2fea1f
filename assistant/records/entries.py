"""The entries of the history: an inspection as it is kept, a question with its answer, and a query for them.

Below stands how each is written as the plain columns of a table, and read again.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from assistant.errors import HistoryError, HistoryFault, told
from assistant.images.sources import shown_name
from assistant.inspection import Answer, Inspection, Outcome, Seen
from assistant.language.catalogue import ENGLISH_WORDS, Wording
from assistant.records.agreement import SignOff

if TYPE_CHECKING:
    from PIL.Image import Image

Order = Literal["newest", "oldest", "score", "place"]
Signed = Literal["no", "yes", "good", "defect"]

PREVIEW_SIDE = 512
"""Pixels along the longer side of a preview at most."""

LONGEST_LOT = 100
"""Characters in the name of a lot, wherever one is given."""

MOST_ROWS = 500
"""Rows of a page at most."""

LONGEST_TEXT = 300
"""Characters in the part of a file's name that is searched for."""


@dataclass(frozen=True)
class Query:
    """A query for inspections; whatever is left out is not asked for.

    `product` and `lot`: the very name, "" for those without one. `since` and `until`: when it was inspected,
    the first included and the last not; without a time zone they are UTC. `text`: part of the file's name,
    whatever the case. `run` and its order "place" are those of a batch run. `signed`: whether somebody signed the
    part off, or as what.
    """

    product: str | None = None
    verdicts: tuple[Outcome, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    lot: str | None = None
    text: str = ""
    run: str | None = None
    order: Order = "newest"
    signed: Signed | None = None

    def __post_init__(self) -> None:
        if unknown := set(self.verdicts) - set(get_args(Outcome)):
            raise HistoryError(f"There is no verdict {str(sorted(unknown)[0])[:40]!r}.")
        if self.order not in get_args(Order):
            raise HistoryError(f"There is no order {str(self.order)[:40]!r}.")
        if self.signed is not None and self.signed not in get_args(Signed):
            raise HistoryError(f"A part is signed off or not: no, yes, good or defect, not {self.signed[:40]!r}.")
        if len(self.text) > LONGEST_TEXT:
            raise HistoryError(f"A part of a name has at most {LONGEST_TEXT} characters.")


@dataclass(frozen=True)
class KeptInspection:
    """An inspection in the history: its id, when it was inspected (UTC), its lot, and its place in a run.

    `sign_off` is what a person decided about it, the newest that stands; None where nobody did.
    """

    id: int
    inspection: Inspection
    created: datetime
    lot: str = ""
    run: str | None = None
    place: int | None = None
    has_preview: bool = False
    sign_off: SignOff | None = None


@dataclass(frozen=True)
class Page:
    """One page of the inspections that a query finds, how many there are in all, and how many of each outcome.

    `counts` leaves the verdicts of the query out, so that it says how many others would find.
    """

    rows: tuple[KeptInspection, ...]
    total: int
    counts: Counter[str]


@dataclass(frozen=True)
class Turn:
    """A question, its answer, and when it was given (UTC)."""

    question: str
    answer: Answer
    created: datetime


def check_lot(lot: str) -> str:
    """The name of a lot as it is shown; HistoryError for one that is too long or not printable."""
    return _check_word(lot, told(f"A lot has a name of at most {LONGEST_LOT} printable characters."))


def check_group(group: str) -> str:
    """The word for a camera, a light or a lot as it is shown; HistoryError as for `check_lot`."""
    return _check_word(group, told(f"A group has a name of at most {LONGEST_LOT} printable characters."))


def _check_word(word: str, unfit: str) -> str:
    plain = " ".join(word.split())
    if len(plain) > LONGEST_LOT or not plain.isprintable():
        raise HistoryError(unfit)
    return plain


def as_text(time: datetime) -> str:
    """A time as it is kept: UTC with microseconds, so that the order of the texts is that of the times."""
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    try:
        aware = aware.astimezone(UTC)
    except OverflowError:  # within a day of the first or the last date there is, where the zone says nothing
        aware = aware.replace(tzinfo=UTC)
    return aware.isoformat(timespec="microseconds")


def dump(content: Any) -> str:
    """Strict JSON that any database takes."""
    # ASCII only: not every database takes a zero byte or half a character, and JSON has escapes for both.
    return json.dumps(content, allow_nan=False)


def as_searched(text: str) -> str:
    """A text in the form in which names are searched: printable, in one case."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text).casefold()


def to_row(inspection: Inspection) -> dict[str, Any]:
    """The columns of an inspection; `from_row` and `read_map` reverse it."""
    row: dict[str, Any] = {
        "name": as_searched(shown_name(inspection.path)),
        "verdict": inspection.outcome,
        "score": inspection.score if inspection.status == "ok" else None,
        "product": as_name(inspection.product or ""),
        "created": as_text(_inspected(inspection)),
        "row": dump(inspection.to_dict()),
    }
    if inspection.coarse_map is not None:
        coarse = inspection.coarse_map
        # Half precision keeps three digits; divided by its peak, a map of any size stays within its range.
        peak = float(np.abs(coarse).max(initial=0.0)) or 1.0
        row["map"] = (coarse / peak).astype("<f2").tobytes()
        row["map_height"], row["map_width"] = coarse.shape
        row["map_peak"] = peak
    return row


def as_name(name: str) -> str:
    """A product's name as it is kept in a column of its own: printable, at most 255 characters."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)[:255]


def _inspected(inspection: Inspection) -> datetime:
    try:
        return datetime.fromisoformat(inspection.created or "")
    except ValueError:  # a picture that could not be read has no time
        return datetime.now(UTC)


def from_row(row: Any) -> KeptInspection:
    """The inspection of a row, without its map; HistoryFault where it is damaged or another version wrote it."""
    try:
        inspection = Inspection.from_dict(json.loads(row.row))
        created = datetime.fromisoformat(row.created)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise HistoryFault(
            f"The inspection {row.id} is damaged or was kept by another version, and cannot be read."
        ) from error
    return KeptInspection(row.id, inspection, created, row.lot, row.run, row.place)


def from_any_row(row: Any) -> KeptInspection:
    """As `from_row`; what cannot be read becomes a picture with that error, so that it hides no other."""
    try:
        return from_row(row)
    except HistoryFault as error:
        unread = Inspection(f"inspection {row.id}", "error", str(error))
        try:
            created = datetime.fromisoformat(row.created)
        except (ValueError, TypeError):
            created = datetime.fromtimestamp(0, UTC)
        return KeptInspection(row.id, unread, created, str(row.lot or ""), row.run, row.place)


def read_map(row: Any) -> NDArray[np.float32] | None:
    """The map [h, w] float32 of a row, to three digits; None where it has none."""
    if row.map is None:
        return None
    half = np.frombuffer(row.map, "<f2").reshape(row.map_height, row.map_width)
    return (half.astype(np.float32) * np.float32(row.map_peak)).astype(np.float32)


def read_answer(row: dict[str, Any]) -> Answer:
    """The answer of a row."""
    lines = {"seen": tuple(Seen(**line) for line in row.get("seen", ()))}
    return Answer(**row | lines | {name: tuple(row[name]) for name in ("regions", "notices")})


def tell_disagreements(count: int, w: Wording = ENGLISH_WORDS) -> str:
    """How many inspections a second look disagrees with, in a sentence; "" for none."""
    if not count:
        return ""
    return w.count(
        "A second look disagrees with one of these verdicts: a person should look.",
        "A second look disagrees with {n} of these verdicts: a person should look.",
        count,
    )


def shrink(picture: Image | NDArray[np.uint8]) -> bytes:
    """A picture as a JPEG of at most `PREVIEW_SIDE` pixels a side, without any metadata."""
    from PIL import Image as pillow

    # Through bare pixels: a JPEG would take comments along from the picture it was.
    opened = pillow.fromarray(np.asarray(picture)) if isinstance(picture, np.ndarray) else picture
    small = pillow.fromarray(np.asarray(opened.convert("RGB")))
    small.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    sink = io.BytesIO()
    small.save(sink, "JPEG", quality=85)
    return sink.getvalue()
