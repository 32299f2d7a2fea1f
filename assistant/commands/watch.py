"""`looktwice watch`: inspects what arrives in a folder, for as long as it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, fields
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
    read_window,
)
from assistant.errors import LineError, LooktwiceError, unknown_name
from assistant.models.card import DEFAULT

if TYPE_CHECKING:
    from assistant.line.settings import SinkSettings

UNSET = ("settings", "once")
"""Options that a file of settings does not set."""

SHELL_SINKS = {"jsonl": "lines", "sort_into": "folders", "webhook": "webhook"}
"""The options that name a sink, by the kind of it."""


def watch(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="A folder that fills; in --settings it is `source`.")] = "",
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
    false_alarms: Target = 0.05,
    zero_shot_limits: ZeroShotLimits = False,
    bit_depth: BitDepth = None,
    levels: Levels = None,
    bundle: Bundle = DEFAULT,
    device: Device = None,
) -> None:
    """Inspect each part that arrives in a folder once, into the history and to the sinks, until it is told to end.

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
    from assistant.commands.references import find_product
    from assistant.line.opening import watch_folder
    from assistant.line.watching import Pace
    from assistant.products.config import LearnConfig
    from assistant.records.entries import check_group, check_lot
    from assistant.records.history import History, default_history

    window = read_window(chosen.bit_depth, chosen.levels)
    config = LearnConfig(target_false_alarm=chosen.false_alarms, window=window)
    pace = Pace(chosen.every, chosen.settle, chosen.give_up)
    lot, group = check_lot(chosen.lot), check_group(chosen.group)
    history = History(chosen.history or default_history())
    inspector = open_inspector(chosen.bundle, chosen.device)
    product = chosen.product or find_product(inspector, chosen.references, None, config)
    parts = watch_folder(
        inspector,
        chosen.source,
        product,
        sinks=sinks,
        history=history,
        journal=chosen.journal,
        station=chosen.station,
        lot=lot,
        group=group,
        pace=pace,
        new_only=chosen.new_only,
        once=once,
        say=console.say,
        target_false_alarm=chosen.false_alarms,
        zero_shot_limits=chosen.zero_shot_limits,
        window=None if product else window,
    )
    show = console.row_printer()
    counts: Counter[str] = Counter()
    console.say(f"Watching {chosen.source}.")
    try:
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
