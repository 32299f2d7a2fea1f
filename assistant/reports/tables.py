"""The tables of a report, in plain words: thresholds, pictures that are not shown in full, and those not read.

Whoever lays the words out, as HTML or PDF, also escapes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from assistant.reports.content import Report
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
    rows = (
        (
            as_name(one.path),
            as_name(one.product or ""),
            kind_of(one),
            amount(one.score),
            "" if one.verdict == "unrated" else amount(one.threshold),
            one.standing if one.verdict == "unrated" else f"{one.p_value:.3g}",
            str(len(one.regions)),
        )
        for one in report.rest
    )
    last = "p-value or rank" if any(one.verdict == "unrated" for one in report.rest) else "p-value"
    names = ("Picture", "Product", "Verdict", "Score", "Threshold", last, "Regions")
    return Table("Other pictures", names, rows)


def tabulate_unread(report: Report) -> Table:
    """The pictures that could not be read, and why."""
    rows = ((as_name(one.path), visible(one.error)) for one in report.unread)
    return Table("Pictures that could not be read", ("Picture", "Why"), rows)
