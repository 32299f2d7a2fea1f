"""What one visitor does in the History place: search, open an inspection again, remove."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from assistant.errors import HistoryError
from assistant.face.exports import show_time
from assistant.face.listing import ListedRow
from assistant.face.session import Result
from assistant.face.sign_off import standing_of
from assistant.face.upload_store import UploadStore
from assistant.face.verdicts import OUTCOMES
from assistant.images.sources import shown_name
from assistant.language.catalogue import ENGLISH_WORDS, Wording, message
from assistant.language.wording import number
from assistant.records.entries import KeptInspection, Page, Query
from assistant.records.history import History

PAGE = 50
"""Inspections on a page."""

ANY, NONE = "any", "none"
"""The choices of a name that are no name; a name itself is chosen as "=name"."""

COLUMNS = (
    message("Picture"),
    message("When"),
    message("Product"),
    message("Lot"),
    message("Verdict"),
    message("Score / limit"),
    message("Decision"),
)


@dataclass(frozen=True)
class Filters:
    """What a visitor looks for, as the widgets say it; dates as YYYY-MM-DD on this machine's clock.

    `open`: only what waits for a person's decision, in review unless other verdicts are chosen.
    """

    product: str = ANY
    verdicts: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    lot: str = ANY
    text: str = ""
    open: bool = False

    @property
    def query(self) -> Query:
        """What the history is asked; HistoryError, in one sentence, for what makes no sense."""
        since, until = parse_day(self.since), parse_day(self.until)
        if since and until and since > until:
            raise HistoryError("The first day lies after the last one.")
        verdicts = tuple(v for v in OUTCOMES if v in self.verdicts)
        return Query(
            product=_name(self.product),
            verdicts=verdicts or (("review",) if self.open else ()),
            since=since,
            until=until + timedelta(days=1) if until else None,
            lot=_name(self.lot),
            text=self.text.strip(),
            signed="no" if self.open else None,
        )


def parse_day(text: str) -> datetime | None:
    """The beginning of a day on this machine's clock, None for ""; HistoryError for what is no day."""
    if not text.strip():
        return None
    try:
        return datetime.strptime(text.strip()[:10], "%Y-%m-%d").astimezone()
    except (ValueError, OverflowError) as error:
        raise HistoryError("Write a day as 2026-03-31.") from error


def choices(names: Sequence[str], w: Wording = ENGLISH_WORDS) -> list[tuple[str, str]]:
    """The choices of a product or a lot: any, none, and each name."""
    return [(w("any"), ANY), (w("none"), NONE), *((name, f"={name}") for name in names if name)]


def chosen_of(there: Sequence[tuple[str, str]], chosen: str | None) -> str:
    """What is chosen among some choices: what was, or "any" where that is gone."""
    return next((value for _, value in there if value == chosen), ANY)


def find(history: History, filters: Filters, page: int) -> tuple[Page, int]:
    """A page of what is found, and its number: the last one where there are fewer."""
    query = filters.query
    rows = history.search(query, max(1, page), PAGE)
    last = max(1, -(-rows.total // PAGE))
    if page > last:
        return history.search(query, last, PAGE), last
    return rows, max(1, page)


def open_kept(history: History, id: str) -> tuple[KeptInspection, Result]:
    """An inspection as it was kept, and the same with its preview and its conversation, to be shown."""
    if not id.isdecimal() or len(id) > 15:
        raise HistoryError("There is no such inspection in the history.")
    kept = history.get(int(id))
    if kept.run:
        kept = history.ranker(Query(run=kept.run))(kept)
    inspection = replace(kept.inspection, path=shown_name(kept.inspection.path))
    return kept, Result(inspection, preview=history.preview(kept.id), turns=history.turns(kept.id), kept=kept.id)


def entry_of(kept: KeptInspection, outdated: bool = False, w: Wording = ENGLISH_WORDS) -> ListedRow:
    """An inspection as a row of `COLUMNS`; `outdated`: its product has changed since."""
    inspection = kept.inspection
    verdict = inspection.outcome
    limit = "" if verdict == "unrated" else f" / {number(inspection.threshold)}"
    judged = "" if inspection.status == "error" else f"{number(inspection.score)}{limit}"
    name = shown_name(inspection.path)
    product = f"{inspection.product or ''}{' *' if outdated else ''}"
    cells = (name, show_time(kept.created), product, kept.lot, verdict, judged, standing_of(kept, w))
    return ListedRow(str(kept.id), cells, verdict)


def purge(history: History, before: datetime) -> int:
    """Remove what was inspected before a time, with what runs kept for it; how many inspections that were."""
    count = history.purge(before)
    UploadStore(history).sweep()
    return count


def _name(chosen: str) -> str | None:
    if chosen.startswith("="):
        return chosen[1:]
    return "" if chosen == NONE else None
