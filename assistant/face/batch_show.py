"""What the Batch place shows of a run, as HTML: how far it is, its scores, its errors, and the list of runs."""

from __future__ import annotations

import html
from collections.abc import Sequence

from assistant.face.batch_steps import MOST_ERRORS, READ, RunView, Standing
from assistant.face.cards import Card, show_cards
from assistant.face.chart import draw_histogram
from assistant.face.exports import show_time
from assistant.face.listing import BADGES, ListedRow, show_counts, show_listing
from assistant.face.worker import Failure, RunProgress
from assistant.images.sources import shown_name
from assistant.records.batch_run import Run

NO_RUN = "Choose pictures and press <b>Start batch</b>, or open a run from the list."
NOTHING = "There is no run yet."
COLUMNS = ("Begun", "What", "State")

STYLE = (
    """
p { margin: 2px 0 6px; }
.what b { font-size: 16px; margin-right: 8px; overflow-wrap: anywhere; }
small { opacity: 0.75; }
progress { appearance: none; display: block; width: 100%; height: 12px; border: 0; border-radius: 6px;
  overflow: hidden; background: var(--background-fill-secondary);
  box-shadow: inset 0 0 0 1px var(--border-color-primary); }
progress::-webkit-progress-bar { background: none; }
progress::-webkit-progress-value { background: var(--color-accent); }
progress::-moz-progress-bar { background: var(--color-accent); }
.why { border-left: 4px solid var(--error-border-color); padding-left: 10px; }
.head { font-weight: 600; }
ul { margin: 0 0 8px; padding-left: 18px; }
li { overflow-wrap: anywhere; }
"""
    + BADGES
)
"""The style of what is shown here."""


def show_standing(view: RunView, progress: RunProgress | None, failure: Failure | None) -> str:
    """How far a run is, with a bar, its counts by verdict, and what keeps it from going on."""
    run, mine = view.run, progress if progress and progress.run == view.run.id else None
    label = html.escape(f"{run.done} of {run.total} pictures done")
    share = run.done / max(1, run.total)
    if mine and mine.comparing is not None and not run.done:
        share = mine.comparing
    when = f"<small>{html.escape(show_time(run.created))}</small>"
    parts = [
        f'<p class="what"><b>{html.escape(name_of(run))}</b> {when}</p>',
        f'<progress max="1" value="{share:.4f}" aria-label="{label}"></progress>',
        f'<p role="status">{html.escape(say_standing(view, mine))}</p>',
        f'<p class="counts">{show_counts(view.counts)}</p>' if run.done else "",
        f"<p>{html.escape(view.agreed)}</p>" if view.agreed else "",
        f'<p class="why" role="alert">{html.escape(failure.sentence)}</p>' if failure else "",
    ]
    return "".join(parts)


def say_standing(view: RunView, progress: RunProgress | None) -> str:
    """One sentence about how far a run is."""
    done = f"{view.run.done} of {view.run.total}"
    if view.standing == "waiting":
        return f"{done} done. It waits until the run before it has ended."
    if view.standing == "done":
        return f"All {view.run.total} pictures are done." if view.run.total != 1 else "The picture is done."
    if view.standing == "purged":
        return f"{done} are left; the others were purged from the history."
    if view.standing == "halted":
        return f"{done} done, and stopped. What is done stays; Continue does the rest."
    if progress and progress.stopping:
        return f"{done} done. Stopping after this picture."
    if progress and progress.comparing is not None and not view.run.done:
        return f"Comparing the pictures with each other: {progress.comparing:.0%}."
    return f"{done} done{say_left(progress.seconds_left if progress else None)}."


def say_left(seconds: float | None) -> str:
    """How long it will take, in words; "" where nobody can tell yet."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f", about {max(1, round(seconds))} s left"
    if seconds < 5400:
        return f", about {round(seconds / 60)} min left"
    return f", about {seconds / 3600:.1f} h left"


def show_chart(view: RunView) -> str:
    """The histogram of a run's scores, with its limits."""
    ordered: dict[str, list[float]] = {kind: view.scores[kind] for kind in reversed(READ) if view.scores.get(kind)}
    return draw_histogram(ordered, view.limits)


def show_worst(view: RunView, cards: Sequence[Card]) -> str:
    """The worst pictures of a run, and how many of how many they are."""
    if not cards:
        return "<p>There is no such picture in this run.</p>"
    more = f" {len(cards)} of" if len(cards) < view.matching else ""
    return show_cards(f"{more} {view.matching}, the highest score first".strip(), cards)


def list_errors(view: RunView) -> str:
    """The pictures that could not be read, each with its sentence."""
    if not view.errors:
        return ""
    rows = "".join(
        f"<li><b>{html.escape(shown_name(row.inspection.path))}</b> "
        f"{html.escape(_about(row.inspection.error or '', row.inspection.path))}</li>"
        for row in view.errors
    )
    more = view.counts.get("error", 0) - len(view.errors)
    rest = f"<p>and {more} more, see the export</p>" if more > 0 else ""
    return f'<p class="head">Not read{f" (the first {MOST_ERRORS})" if more > 0 else ""}</p><ul>{rows}</ul>{rest}'


def list_runs(runs: Sequence[tuple[Run, Standing]], chosen: str) -> str:
    """The runs as a table, newest first."""
    entries = [
        ListedRow(run.id, (show_time(run.created), name_of(run), say_state(run, standing)))
        for run, standing in runs
    ]
    return show_listing("Runs", COLUMNS, entries, NOTHING, chosen)


def say_state(run: Run, standing: Standing) -> str:
    """How far a run is, in a few words."""
    if standing == "done":
        return f"{run.total} done"
    words = {"at work": "running", "halted": "not done", "waiting": "waiting", "purged": "purged"}
    return f"{words[standing]}, {run.done} of {run.total}"


def name_of(run: Run) -> str:
    """What a run is about: product or way of judging, and lot."""
    product = run.settings.get("product")
    way = "compared with each other" if run.settings.get("mode") == "mutual" else "no product"
    return f"{product or way}{f', lot {run.lot}' if run.lot else ''}"


def _about(error: str, path: str) -> str:
    """The sentence without the name that stands before it already."""
    return error.removeprefix(shown_name(path)).strip()
