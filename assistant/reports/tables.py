"""The tables of a report, in plain words: thresholds, pictures that are not shown in full, and those not read.

Whoever lays the words out, as HTML or PDF, also escapes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from assistant.inspection import Inspection
from assistant.reports.content import Entry, Report
from assistant.reports.words import amount, as_name, kind_of, say_origin, visible

Row = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Table:
    """A table: its title, the names of its columns, and its rows, which can be read once."""

    title: str
    names: Row
    rows: Iterator[Row]


def tabulate_limits(report: Report) -> Table:
    """The thresholds and where they come from."""
    rows = (
        (
            as_name(limit.product or "none"),
            amount(limit.threshold),
            amount(limit.review),
            f"{limit.pictures:,}",
            visible(say_origin(limit.evidence)) if limit.evidence else "",
        )
        for limit in report.limits
    )
    names = ("Product", "Threshold", "Review from", "Pictures", "Origin of the threshold")
    return Table("Thresholds", names, rows)


def tabulate_rest(report: Report) -> Table:
    """The pictures that are not shown in full; the verdict as a key of `LABELS`."""
    last = "p-value or rank" if any(e.inspection.verdict == "unrated" for e in report.rest) else "p-value"
    names = ("Picture", "Product", "Verdict", "Score", "Threshold", last, "Regions")
    return _with_sign_offs("Other pictures", names, _cells, report.rest)


def tabulate_unread(report: Report) -> Table:
    """The pictures that could not be read, and why."""

    def cells(one: Inspection) -> Row:
        return as_name(one.path), visible(one.error)

    return _with_sign_offs("Pictures that could not be read", ("Picture", "Why"), cells, report.unread)


def _cells(one: Inspection) -> Row:
    unrated = one.verdict == "unrated"
    return (
        as_name(one.path),
        as_name(one.product or ""),
        kind_of(one),
        amount(one.score),
        "" if unrated else amount(one.threshold),
        one.standing if unrated else one.say_p(3),
        str(len(one.regions)),
    )


def _with_sign_offs(title: str, names: Row, cells: Callable[[Inspection], Row], entries: Sequence[Entry]) -> Table:
    """A table of inspections, with a column of what people decided where they did."""
    if not any(entry.signed for entry in entries):
        return Table(title, names, (cells(entry.inspection) for entry in entries))
    rows = ((*cells(entry.inspection), _say_decision(entry)) for entry in entries)
    return Table(title, (*names, "Signed off"), rows)


def _say_decision(entry: Entry) -> str:
    signed = entry.signed
    return visible(f"{signed.decision} ({signed.name}: {signed.reason})") if signed else ""
