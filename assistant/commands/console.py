"""What the command line shows: tables, progress and single sentences. Only rows go to standard output."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import markup
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from assistant.commands.targets import is_standard
from assistant.errors import NothingToInspect
from assistant.images.sources import Census, find_images, fit_to_print, shown_name
from assistant.inspection import UNRATED, Answer, Inspection

if TYPE_CHECKING:
    from assistant.products.product import Product

_CONTROL = re.compile("[\x7f-\x9f]")
COLOURS = {"good": "green", "review": "yellow", "defect": "red", "unrated": "cyan", "error": "magenta"}

STRANGEST = 5
"""Unrated pictures that are named after a run."""


def escape(text: str) -> str:
    """A text of somebody else's for a console: neither markup nor control characters do anything."""
    return markup.escape(fit_to_print(text))


class ProgressBar:
    """A progress bar on standard error; silent where that is not a terminal."""

    def __init__(self, bar: Progress, task: TaskID) -> None:
        self._bar, self._task = bar, task

    def advance(self) -> None:
        """One more picture is done."""
        self._bar.advance(self._task)

    def move(self, fraction: float) -> None:
        """So much of the whole is done, in [0, 1]."""
        self._bar.update(self._task, completed=fraction * (self._bar.tasks[self._task].total or 1))

    def tell(self, message: str, fraction: float) -> None:
        """So much of the whole is done, in [0, 1], and what is being done."""
        self._bar.update(self._task, description=escape(message))
        self.move(fraction)


@contextmanager
def progress(title: str, total: int) -> Iterator[ProgressBar]:
    """Show progress while the block runs."""
    err = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(
        *columns, TimeRemainingColumn(), console=err, transient=True, disable=not err.is_terminal
    ) as bar:
        yield ProgressBar(bar, bar.add_task(escape(title), total=total))


def comparing(progress_bar: ProgressBar, count: int) -> Callable[[float], None]:
    """Show how far the comparing of mutual mode is, which takes the time; its rows come at once at the end."""

    def tell(fraction: float) -> None:
        progress_bar.tell("Comparing the pictures", fraction * (1 - 1 / max(2, count)))

    return tell


def gather(paths: Sequence[Path], census: Census | None = None) -> list[Path]:
    """The pictures at these paths; NothingToInspect where there is none. `census` counts what is not read."""
    census = census or Census()
    pictures = list(find_images(paths, census))
    say_left_out(census)
    if not pictures:
        raise NothingToInspect(f"There is no picture in {', '.join(map(str, paths))}.")
    return pictures


def row_printer(as_json: bool = False) -> Callable[[Inspection], None]:
    """What prints each result: JSON into a pipe or where asked for, a line of a table on a terminal."""
    return _print_line if sys.stdout.isatty() and not as_json else _print_json


def say_written(files: Mapping[str, Path | None], *folders: Path | None) -> None:
    """The files that were written, and the folders that were drawn into."""
    written = [
        str(path)
        for path in (*files.values(), *folders)
        if path is not None and path.exists() and not is_standard(path)
    ]
    if written:
        say(f"Written: {', '.join(written)}.")


def say_left_out(census: Census) -> None:
    """How many pictures of which kind are not read; nothing where all are."""
    if census.left_out:
        say(f"Not read: {census}.")


def print_summary(counts: Counter[str], mode: str, compared: bool, census: Census | None = None) -> None:
    """How many of each verdict and how many were not read, and a hint where another mode would see more."""
    err = Console(stderr=True)
    words = [f"[{COLOURS[name]}]{counts[name]} {name}[/]" for name in COLOURS if counts[name]]
    left_out = f"; not read: {escape(str(census))}" if census and census.left_out else ""
    err.print(f"{sum(counts.values())} pictures: {', '.join(words) or 'none'}{left_out}.", soft_wrap=True)
    if counts["unrated"]:
        say(
            f"Unrated: {UNRATED} (--references GOOD, or --mode mutual). --zero-shot-limits decides by what good "
            "pictures of other products score."
        )
    elif not compared and mode in ("auto", "zero-shot") and sum(counts.values()) >= 8:
        say(
            "Each picture was judged by itself. If they show one product, --references GOOD or --mode mutual "
            "sees much more."
        )


def print_strangest(strangest: Sequence[tuple[float, str]], count: int) -> None:
    """The unrated pictures of a finished run with the highest scores, of `count` in all, by (score, path)."""
    for place, (score, path) in enumerate(strangest, start=1):
        say(f"{place} of {count} by score: {score:.4f}  {shown_name(path)}")


def exit_status(counts: Counter[str]) -> int:
    """1 where a picture was not read or there was none, else 3 where one is unrated, else 0."""
    if counts["error"] or not sum(counts.values()):
        return 1
    return 3 if counts["unrated"] else 0


def print_product(one: Product) -> None:
    """What a learned product rests on."""
    limits = one.calibration
    say(
        f"Learned {one.name!r} from {len(one.references)} good picture(s): defect above {limits.threshold:.4g}, "
        f"review above {limits.review_threshold:.4g} ({limits.evidence.origin}). "
        f"Memory {one.nbytes / 1e6:.1f} MB."
    )


def print_change(row: Mapping[str, Any]) -> None:
    """What one change of a product did: JSON into a pipe, a sentence on a terminal."""
    if not sys.stdout.isatty():
        print_row(row)
        return
    what = f"{row['change']} {row['name'] or ''}".strip() if row["change"] else "nothing new"
    what += f" ({row['label']})" if row.get("label") else ""
    say(
        f"{'Taken back: ' if row['undone'] else ''}{what}. {row['product']!r} now has {row['references']} good "
        f"picture(s) and {row['defects']} known defect(s), defect above {row['threshold']:.4g}, "
        f"review above {row['review_threshold']:.4g}, {row['bytes'] / 1e6:.1f} MB."
    )


def print_answer(snapshots: Iterable[Answer]) -> Answer:
    """An answer on standard output, as it grows where that is a terminal; its notices go to the person.

    What a model sees follows under a line of its own. Returns the last snapshot, the answer that stands.
    """
    from assistant.language.shown_answer import head_look, list_look, warn_of

    live, shown, waited = sys.stdout.isatty(), "", False
    said = Answer("")
    for said in snapshots:
        if not said.text:
            waited = waited or _say_waiting(said)
            continue
        text = fit_to_print(said.text)
        if live and text.startswith(shown):
            print(text[len(shown) :], end="", flush=True)
            shown = text
    text = fit_to_print(said.text)
    if shown and text != shown:
        print()  # what was shown does not stand: the whole answer follows
        shown = ""
    print(text[len(shown) :])
    if said.more:
        print(fit_to_print(said.more))
    if banner := warn_of(said):
        print(f"\n! {fit_to_print(banner)}")
    if said.seen:
        print(f"\n{fit_to_print(head_look(said))}:")
        for line in list_look(said):
            print(f"  ~ {fit_to_print(line)}")
    for notice in said.notices:
        say(notice)
    return said


def _say_waiting(said: Answer) -> bool:
    for notice in said.notices:
        say(notice)
    return True


def has_person() -> bool:
    """Whether somebody at a terminal can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def say(sentence: str) -> None:
    """A sentence for the person, on standard error."""
    err = Console(stderr=True)
    err.print(escape(sentence), highlight=False, soft_wrap=not err.is_terminal)


def complain(sentence: str) -> None:
    """A sentence about what went wrong, on standard error."""
    Console(stderr=True).print(f"[red]{escape(sentence)}[/]", highlight=False, soft_wrap=True)


def _print_json(row: Inspection) -> None:
    write_line(row.to_json())


def print_row(row: Mapping[str, Any]) -> None:
    """A row of JSON on standard output, at once."""
    write_line(json.dumps(dict(row), ensure_ascii=False, allow_nan=False))


def write_line(line: str) -> None:
    """A line of JSON on standard output, with nothing in it that a terminal obeys."""
    line = _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", line)  # JSON itself escapes the others
    sys.stdout.buffer.write((line + "\n").encode("utf-8", errors="backslashreplace"))
    sys.stdout.buffer.flush()


def _print_line(row: Inspection) -> None:
    out = Console()
    name = escape(shown_name(row.path))
    if row.status == "error":
        why = f"{escape(row.path)}: {escape(row.error or '')}"
        out.print(f"[magenta]error [/]  {why}", highlight=False, soft_wrap=True)
        return
    graded = (f"{r.id} {r.position}" + f" ({r.severity})" * (r.severity != "unrated") for r in row.regions[:3])
    places = ", ".join(graded)
    verdict = f"[{COLOURS[row.outcome]}]{row.verdict:<7}[/]"
    limits = "" if row.verdict == "unrated" else f" / {row.threshold:.4f}  p {row.say_p()}"
    out.print(
        f"{verdict} {row.score:.4f}{limits}  {name}  {places}",
        highlight=False,
        soft_wrap=True,
    )
