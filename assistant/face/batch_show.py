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
from assistant.language.catalogue import ENGLISH_WORDS, Wording, message
from assistant.language.retelling import retell
from assistant.records.batch_run import Run

NO_RUN = message("Choose pictures and press <b>Start batch</b>, or open a run from the list.")
NOTHING = message("There is no run yet.")
COLUMNS = (message("Begun"), message("What"), message("State"))

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


def show_standing(
    view: RunView, progress: RunProgress | None, failure: Failure | None, w: Wording = ENGLISH_WORDS
) -> str:
    """How far a run is, with a bar, its counts by verdict, and what keeps it from going on."""
    run, mine = view.run, progress if progress and progress.run == view.run.id else None
    label = html.escape(w("{n} of {total} pictures done", n=run.done, total=run.total))
    share = run.done / max(1, run.total)
    if mine and mine.comparing is not None and not run.done:
        share = mine.comparing
    when = f"<small>{html.escape(show_time(run.created))}</small>"
    parts = [
        f'<p class="what"><b>{html.escape(name_of(run, w))}</b> {when}</p>',
        f'<progress max="1" value="{share:.4f}" aria-label="{label}"></progress>',
        f'<p role="status">{html.escape(say_how_far(view, mine, w))}</p>',
        f'<p class="counts">{show_counts(view.counts, w=w)}</p>' if run.done else "",
        f"<p>{html.escape(view.agreed)}</p>" if view.agreed else "",
        f'<p class="why" role="alert">{html.escape(retell(w, failure.sentence))}</p>' if failure else "",
    ]
    return "".join(parts)


def say_how_far(view: RunView, progress: RunProgress | None, w: Wording = ENGLISH_WORDS) -> str:
    """One sentence about how far a run is."""
    done = {"n": view.run.done, "total": view.run.total}
    if view.standing == "waiting":
        return w("{n} of {total} done. It waits until the run before it has ended.", **done)
    if view.standing == "done":
        return w.count("The picture is done.", "All {n} pictures are done.", view.run.total)
    if view.standing == "purged":
        return w("{n} of {total} are left; the others were purged from the history.", **done)
    if view.standing == "halted":
        return w("{n} of {total} done, and stopped. What is done stays; Continue does the rest.", **done)
    if progress and progress.stopping:
        return w("{n} of {total} done. Stopping after this picture.", **done)
    if progress and progress.comparing is not None and not view.run.done:
        return w("Comparing the pictures with each other: {share}.", share=f"{progress.comparing:.0%}")
    if left := say_left(progress.seconds_left if progress else None):
        return w("{n} of {total} done, about {time} left.", **done, time=left)
    return w("{n} of {total} done.", **done)


def say_left(seconds: float | None) -> str:
    """How long it will take; "" where nobody can tell yet."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def show_chart(view: RunView, w: Wording = ENGLISH_WORDS) -> str:
    """The histogram of a run's scores, with its limits."""
    ordered: dict[str, list[float]] = {kind: view.scores[kind] for kind in reversed(READ) if view.scores.get(kind)}
    return draw_histogram(ordered, view.limits, w)


def show_worst(view: RunView, cards: Sequence[Card], w: Wording = ENGLISH_WORDS) -> str:
    """The worst pictures of a run, and how many of how many they are."""
    if not cards:
        return f"<p>{w('There is no such picture in this run.')}</p>"
    counted = {"n": len(cards), "total": view.matching}
    if len(cards) < view.matching:
        return show_cards(w("{n} of {total}, the highest score first", **counted), cards, w=w)
    return show_cards(w("{total}, the highest score first", **counted), cards, w=w)


def list_errors(view: RunView, w: Wording = ENGLISH_WORDS) -> str:
    """The pictures that could not be read, each with its sentence."""
    if not view.errors:
        return ""
    rows = "".join(
        f"<li><b>{html.escape(shown_name(row.inspection.path))}</b> "
        f"{html.escape(_about(retell(w, row.inspection.error or ''), row.inspection.path))}</li>"
        for row in view.errors
    )
    more = view.counts.get("error", 0) - len(view.errors)
    head = w("Not read (the first {n})", n=MOST_ERRORS) if more > 0 else w("Not read")
    rest = f"<p>{w('and {n} more, see the export', n=more)}</p>" if more > 0 else ""
    return f'<p class="head">{head}</p><ul>{rows}</ul>{rest}'


def list_runs(runs: Sequence[tuple[Run, Standing]], chosen: str, w: Wording = ENGLISH_WORDS) -> str:
    """The runs as a table, newest first."""
    entries = [
        ListedRow(run.id, (show_time(run.created), name_of(run, w), say_state(run, standing, w)))
        for run, standing in runs
    ]
    return show_listing(w("Runs"), COLUMNS, entries, w(NOTHING), chosen, w)


def say_state(run: Run, standing: Standing, w: Wording = ENGLISH_WORDS) -> str:
    """How far a run is, in a few words."""
    if standing == "done":
        return w("{n} done", n=run.total)
    words = {"at work": w("running"), "halted": w("not done"), "waiting": w("waiting"), "purged": w("purged")}
    return w("{state}, {n} of {total}", state=words[standing], n=run.done, total=run.total)


def name_of(run: Run, w: Wording = ENGLISH_WORDS) -> str:
    """What a run is about: product or way of judging, and lot."""
    product = run.settings.get("product")
    way = w("compared with each other") if run.settings.get("mode") == "mutual" else w("no product")
    named = str(product or way)
    return w("{name}, lot {lot}", name=named, lot=run.lot) if run.lot else named


def _about(error: str, path: str) -> str:
    """The sentence without the name that stands before it already."""
    return error.removeprefix(shown_name(path)).strip()
