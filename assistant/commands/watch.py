"""`looktwice watch`: inspects what arrives in a folder or before a camera, for as long as it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.commands import console
from assistant.commands.history import GroupName
from assistant.commands.options import (
    BitDepth,
    Bundle,
    Device,
    Levels,
    ProductName,
    References,
    Target,
    ZeroShotLimits,
    open_inspector,
    read_share,
    read_window,
)
from assistant.errors import LineError, LooktwiceError, unknown_name
from assistant.models.card import DEFAULT

if TYPE_CHECKING:
    from assistant.line.keeping import Kept
    from assistant.line.settings import SinkSettings

UNSET = ("settings", "once")
"""Options that a file of settings does not set."""

SHELL_SINKS = {"jsonl": "lines", "sort_into": "folders", "webhook": "webhook"}
"""The options that name a sink, by the kind of it."""


def watch(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(help="A folder that fills, a video, rtsp://..., usb:0; or env:NAME of one.")
    ] = "",
    product: ProductName = None,
    references: References = None,
    settings: Annotated[
        Path | None, typer.Option("--settings", help="A TOML file with options and sinks.")
    ] = None,
    jsonl: Annotated[
        Path | None, typer.Option("--jsonl", help="Append each result to this file, a line of JSON each.")
    ] = None,
    sort_into: Annotated[
        Path | None, typer.Option("--sort-into", help="Copy each picture into a folder of its verdict in here.")
    ] = None,
    webhook: Annotated[
        str | None,
        typer.Option("--webhook", metavar="URL", help="Post each result, signed by $LOOKTWICE_WEBHOOK_SECRET."),
    ] = None,
    verdict: Annotated[
        list[str] | None,
        typer.Option("--verdict", help="Only these to the sinks named here; may be repeated."),
    ] = None,
    station: Annotated[str, typer.Option("--station", help="A word for the station, told with each result.")] = "",
    lot: Annotated[str, typer.Option("--lot", help="The lot's name, for the history.")] = "",
    group: GroupName = "",
    history: Annotated[
        str | None, typer.Option("--history", help="A file or a database's URL; by default your own.")
    ] = None,
    journal: Annotated[
        Path | None, typer.Option("--journal", help="What is known and owed; by default yours for this source.")
    ] = None,
    new_only: Annotated[
        bool, typer.Option("--new-only", help="Leave out what lies there when the journal is begun.")
    ] = False,
    once: Annotated[
        bool, typer.Option("--once", help="End when what is there is inspected and handed on.")
    ] = False,
    every: Annotated[
        float, typer.Option("--every", min=0.01, metavar="SECONDS", help="How often to look at the folder.")
    ] = 0.5,
    settle: Annotated[
        float,
        typer.Option("--settle", min=0, metavar="SECONDS", help="How long a file stays as it is, to be whole."),
    ] = 1.0,
    give_up: Annotated[
        float,
        typer.Option("--give-up", min=0, metavar="SECONDS", help="How long to wait for one that is not readable."),
    ] = 30.0,
    trigger: Annotated[
        str, typer.Option("--trigger", metavar="WHEN", help="Which frames of a camera: every, change or call.")
    ] = "every",
    nth: Annotated[int, typer.Option("--nth", min=1, metavar="N", help="With every: each n-th frame.")] = 1,
    change: Annotated[
        float,
        typer.Option("--change", parser=read_share, metavar="SHARE", help="With change: how much of brightness."),
    ] = 0.02,
    listen: Annotated[
        str, typer.Option("--listen", metavar="HOST:PORT", help="With call: where POST /trigger is taken.")
    ] = "",
    false_alarms: Target = 0.05,
    zero_shot_limits: ZeroShotLimits = False,
    bit_depth: BitDepth = None,
    levels: Levels = None,
    bundle: Bundle = DEFAULT,
    device: Device = None,
) -> None:
    """Inspect each part that arrives once, into the history and to the sinks, until it is told to end.

    What it knows and owes is in a journal, so that after a stop, a kill or a power cut it goes on where it was.
    A part is known by its bytes: the same again under another name is not inspected. Ctrl-C or SIGTERM ends it,
    with status 0.
    """
    from assistant.line.settings import WatchSettings, read_settings

    read = read_settings(settings) if settings else WatchSettings()
    chosen = _merge(context, read.watch)
    sinks = (*read.sinks, *_shell_sinks(chosen, verdict))
    if not chosen.source:
        raise LineError("Name the folder that is to be watched.")
    if chosen.references and chosen.product:
        raise LooktwiceError("Give either --references or --product, not both.")
    _run(chosen, sinks, once)


@dataclass
class _Chosen:
    """What was typed, or else set in the file; the names are those of the options."""

    source: str
    product: str | None
    references: list[Path] | None
    jsonl: Path | None
    sort_into: Path | None
    webhook: str | None
    station: str
    lot: str
    group: str
    history: str | None
    journal: Path | None
    new_only: bool
    every: float
    settle: float
    give_up: float
    trigger: str
    nth: int
    change: float
    listen: str
    false_alarms: float
    zero_shot_limits: bool
    bit_depth: int | None
    levels: tuple[float, float] | None
    bundle: str
    device: str | None


def _merge(context: typer.Context, said: Mapping[str, Any]) -> _Chosen:
    """What was typed, and for the rest what a file says; LineError for a word or a value that makes no sense."""
    words = {one.name for one in fields(_Chosen)} - {*SHELL_SINKS}
    known = {one.name: one for one in context.command.params}
    values = dict(context.params)
    for word, value in said.items():
        if word not in words:
            raise LineError(f"In [watch]: {unknown_name('setting', word, sorted(words))}")
        source = context.get_parameter_source(word)
        if source is not None and source.name == "COMMANDLINE":
            continue
        try:
            values[word] = known[word].process_value(context, value)
        except (typer.BadParameter, TypeError, ValueError) as error:
            why = getattr(error, "message", "") or "it has another form"
            raise LineError(f"In [watch], {word} cannot be {str(value)[:40]!r}: {why}") from None
    return _Chosen(**{one.name: values[one.name] for one in fields(_Chosen)})


def _shell_sinks(chosen: _Chosen, verdicts: list[str] | None) -> list[SinkSettings]:
    """The sinks that options name, called by their option."""
    from assistant.line.settings import SinkSettings

    sinks = []
    for option, kind in SHELL_SINKS.items():
        if (where := getattr(chosen, option)) is not None:
            said = {"url" if kind == "webhook" else "path": str(where)}
            sinks.append(SinkSettings(option.replace("_", "-"), kind, said, tuple(verdicts or ())))  # type: ignore[arg-type]
    if verdicts and not sinks:
        raise LineError("--verdict belongs to --jsonl, --sort-into or --webhook.")
    return sinks


def _run(chosen: _Chosen, sinks: tuple[SinkSettings, ...], once: bool) -> None:
    from assistant.records.entries import check_group, check_lot
    from assistant.records.history import History, default_history

    check_group(chosen.group), check_lot(chosen.lot)
    open_parts = _prepare(chosen, once)
    history = History(chosen.history or default_history())
    show = console.row_printer()
    counts: Counter[str] = Counter()
    try:
        parts = open_parts(sinks=sinks, history=history)
        console.say(f"Watching {_shown(chosen.source)}.")
        with closing(parts):
            for kept in parts:
                counts[kept.event.verdict] += 1
                show(kept.inspection)
    except KeyboardInterrupt:  # that is how it ends
        pass
    finally:
        history.close()
    said = ", ".join(f"{counts[name]:,} {name}" for name in console.COLOURS if counts[name])
    console.say(f"{counts.total():,} part(s) inspected{': ' if said else ''}{said}.")


def _prepare(chosen: _Chosen, once: bool) -> Callable[..., Generator[Kept]]:
    """What opens the watch, once history and sinks are known; LooktwiceError for what makes no sense."""
    from assistant.commands.references import find_product
    from assistant.line.camera import is_camera
    from assistant.line.opening import watch_camera, watch_folder
    from assistant.line.places import resolve_source
    from assistant.line.trigger import check_when
    from assistant.line.watching import Pace
    from assistant.products.config import LearnConfig

    source = resolve_source(chosen.source)
    window = read_window(chosen.bit_depth, chosen.levels)
    pace = Pace(chosen.every, chosen.settle, chosen.give_up)
    frames: dict[str, Any] = {"when": check_when(chosen.trigger), "nth": chosen.nth, "change": chosen.change}
    inspector = open_inspector(chosen.bundle, chosen.device)
    config = LearnConfig(target_false_alarm=chosen.false_alarms, window=window)
    product = chosen.product or find_product(inspector, chosen.references, None, config)
    common: dict[str, Any] = {
        **{"journal": chosen.journal, "station": chosen.station, "lot": chosen.lot, "group": chosen.group},
        **{"once": once, "say": console.say, "target_false_alarm": chosen.false_alarms},
        **{"zero_shot_limits": chosen.zero_shot_limits, "window": None if product else window},
    }
    if is_camera(source):
        return partial(watch_camera, inspector, source, product, listen=chosen.listen, **frames, **common)
    return partial(watch_folder, inspector, source, product, pace=pace, new_only=chosen.new_only, **common)


def _shown(source: str) -> str:
    """A source without what a URL may hold in secret."""
    from assistant.line.camera import name_of

    return name_of(source) if "://" in source else source
