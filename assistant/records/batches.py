"""Batches: many pictures inspected into the history, row by row; a run that was killed or stopped goes on.

`plan_batch` writes down what is to be inspected and how, `run_batch` does what of it is left; which places are
filled and who holds a run is kept in `assistant.records.batch_run`.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.errors import ImageError, LooktwiceError, NothingToInspect, ProductError
from assistant.images.series import settle_window
from assistant.images.sources import Census, find_images, shown_name
from assistant.images.window import Window
from assistant.inspection import AskedMode, Inspection, present_name
from assistant.records.batch_run import HOLD, Run, State, default_owner
from assistant.records.drift import DriftWatch
from assistant.records.entries import check_group

if TYPE_CHECKING:
    from PIL.Image import Image

    from assistant.inspector import Inspector
    from assistant.products.product import Product
    from assistant.records.history import History

Stop = Callable[[], bool]


@dataclass(frozen=True)
class RunReport:
    """A report on a run: `done` of `total` pictures have their row in the history, and keep it whatever happens.

    `inspection` is the one that was just kept, under `id`; None before the first and in the last report of a run,
    whose `state` is no longer "running". `seconds_left` is a guess from the pictures so far, None before the
    first.
    """

    run: str
    done: int
    total: int
    state: State = "running"
    seconds_left: float | None = None
    inspection: Inspection | None = None
    id: int | None = None


def plan_batch(
    inspector: Inspector,
    history: History,
    paths: Iterable[str | Path],
    product: Product | None = None,
    mode: AskedMode = "auto",
    *,
    target_false_alarm: float = 0.05,
    lot: str = "",
    group: str = "",
    zero_shot_limits: bool = False,
    window: Window | None = None,
    more: Mapping[str, Any] | None = None,
    census: Census | None = None,
    confined: bool = False,
) -> Run:
    """A new run over the pictures and folders at `paths`, in the history as "stopped" until `run_batch` does it.

    `product`, `mode`, `target_false_alarm`, `zero_shot_limits` and `window` as for `Inspector.inspect`. `more` is
    kept in the run's settings, for whoever has to find the product again. `group` is that of each picture.
    `census` counts what folders hold and is not read; `confined` as for `find_images`. LooktwiceError where there
    is no picture or the request makes no sense.
    """
    # says what makes no sense
    inspector.inspect([], product, mode, target_false_alarm=target_false_alarm, window=window)
    group, census = check_group(group), census or Census()
    sources = [os.path.abspath(path) for path in find_images(paths, census, confined=confined)]
    if not sources:
        where = ", ".join(map(str, paths))
        raise NothingToInspect(
            f"There is no picture in {where}; not read: {census}."
            if census.left_out
            else f"There is no picture in {where}."
        )
    settings = {
        **(more or {}),
        "mode": present_name(mode),
        "target_false_alarm": target_false_alarm,
        "product": product.name if product else None,
        "bundle": inspector.backbone.card.name,
        "zero_shot_limits": zero_shot_limits,
        **({"window": window.to_dict()} if window else {}),
        **({"group": group} if group else {}),
        "basis": _basis(inspector, product, present_name(mode), target_false_alarm, zero_shot_limits),
    }
    return history.runs.finish(history.runs.start(sources, settings, lot).id)


def run_batch(
    inspector: Inspector,
    history: History,
    run: str,
    product: Product | None = None,
    *,
    stop: Stop | None = None,
    tell: Callable[[float], None] | None = None,
    previews: bool = True,
    anyway: bool = False,
    watch: DriftWatch | None = None,
) -> Iterator[RunReport]:
    """Inspect what is left of a run, and report after each picture whose row is kept; lazily.

    `product`: the run's, loaded by its name where it is left out. `stop` is asked between pictures; once it says
    true, or the iterator is closed, the run is "stopped" and can be continued. `previews` keeps each picture's
    overlay. A picture that cannot be read gets an error row. `watch`, by default one of the history, notes where
    limits have stopped fitting.

    A run in mode "mutual" judges all its pictures against each other, so that its rows come at the end, all of
    them again after a stop; how far the comparing is, in [0, 1], goes to `tell`.

    HistoryError where the run is done or somebody works on it. ProductError where the product, its limits or the
    bundle are not what they were when the run was planned, unless `anyway`.
    """
    planned = history.runs.get(run)
    known = _as_planned(inspector, planned, product, anyway)
    held = history.runs.claim(run, f"{default_owner()} {secrets.token_hex(4)}")
    try:
        yield RunReport(run, held.done, held.total)
        drift = watch or DriftWatch(history)
        asked = _Watch(history, run, stop, tell)
        yield from _inspect_rest(inspector, history, held, known, asked, previews, drift)
    finally:
        left = history.runs.finish(run)
    yield RunReport(run, left.done, left.total, left.state)


def _inspect_rest(
    inspector: Inspector,
    history: History,
    run: Run,
    product: Product | None,
    watch: _Watch,
    previews: bool,
    drift: DriftWatch,
) -> Iterator[RunReport]:
    rest = history.runs.rest(run.id)
    missing = {place for place, _ in rest}
    mode = run.settings["mode"]
    places = list(enumerate(run.sources)) if mode == "mutual" and rest else rest
    target = run.settings["target_false_alarm"]
    sources = watch.watched(Path(source) for _, source in places)
    start, before = time.monotonic(), run.total - len(rest)
    try:
        rows = inspector.inspect(
            sources,
            product,
            mode,
            target_false_alarm=target,
            zero_shot_limits=run.settings.get("zero_shot_limits", False),
            window=None if product else _window_of(run, mode, watch),
            tell=watch.tell,
        )
        with closing(rows):
            for (place, _), row in zip(places, rows, strict=True):
                if place not in missing:
                    continue
                preview = _overlay(row) if previews else None
                if "uploads" in run.settings:  # where they lie meanwhile is nobody's business
                    row = replace(row, path=shown_name(row.path))
                row = drift.see(replace(row, group=run.settings.get("group", "")))
                id = history.add(row, lot=run.lot, preview=preview, run=run.id, place=place)
                missing.remove(place)
                done = run.total - len(missing)
                pace = (time.monotonic() - start) / (done - before)
                yield RunReport(run.id, done, run.total, "running", pace * len(missing), row, id)
                watch.look()
    except _Stopped:
        return


def _window_of(run: Run, mode: AskedMode, watch: _Watch) -> Window | None:
    """The window that a run without a product was begun with, or that its pictures teach for mutual mode."""
    asked = asked_window(run.settings)
    if mode != "mutual":
        return asked
    return settle_window([Path(source) for source in run.sources], asked, lambda _: watch.look())[0]


def asked_window(settings: Mapping[str, Any]) -> Window | None:
    """The window that is kept in the settings of a run, None for none."""
    return Window.from_dict(settings["window"]) if settings.get("window") else None


class _Stopped(Exception):
    """Somebody wants the run to stop."""


class _Watch:
    """Looks, wherever a run comes by, whether it is to stop, and says that somebody still works on it."""

    def __init__(
        self, history: History, run: str, stop: Stop | None, tell: Callable[[float], None] | None
    ) -> None:
        self._history, self._run, self._stop, self._tell = history, run, stop, tell
        self._renewed = time.monotonic()

    def look(self) -> None:
        if self._stop and self._stop():
            raise _Stopped
        if time.monotonic() - self._renewed > HOLD / 4:
            with self._history.database.write() as connection:
                self._history.runs.renew(connection, self._run)
            self._renewed = time.monotonic()

    def watched(self, sources: Iterable[Path]) -> Iterator[Path]:
        for source in sources:
            self.look()
            yield source

    def tell(self, share: float) -> None:
        self.look()
        if self._tell:
            self._tell(share)


def _as_planned(inspector: Inspector, run: Run, product: Product | None, anyway: bool) -> Product | None:
    """The product of a run; ProductError where the run would go on with another basis than it began with."""
    settings = run.settings
    if "basis" not in settings:
        raise LooktwiceError(f"The run {run.id} was not planned as a batch.")
    if product is None and settings["product"] is not None:
        product = inspector.load(settings["product"])
    decide = settings.get("zero_shot_limits", False)
    if not anyway and settings["basis"] != _basis(
        inspector, product, settings["mode"], settings["target_false_alarm"], decide
    ):
        name = settings["product"]
        raise ProductError(
            f"The product {name!r} changed since the run {run.id} began, so its rows could not be compared: start "
            "a new run, or continue anyway."
            if name
            else f"The bundle or its limits changed since the run {run.id} began, so its rows could not be "
            "compared: start a new run, or continue anyway."
        )
    return product


def _basis(inspector: Inspector, product: Product | None, mode: AskedMode, target: float, decide: bool) -> str:
    """A digest of what scores and limits rest on: the weights, and a product or the bundle's limits."""
    parts = [inspector.backbone.digest]
    if product:
        # References that were given as files are learned again, later and otherwise the same.
        parts.append(replace(product, created="").sealed().seal)
    elif mode != "mutual":
        parts.append(json.dumps(asdict(inspector.limits_for(None, target, decide)), sort_keys=True))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _overlay(row: Inspection) -> Image | None:
    """The overlay of an inspection; None where it was not read, or the file is another by now."""
    if row.status == "error":
        return None
    from assistant.overlay import draw_overlay

    try:
        return draw_overlay(row.picture().pixels, row, bar=False)  # what a bar says stands beside it
    except (ImageError, ValueError):
        return None
