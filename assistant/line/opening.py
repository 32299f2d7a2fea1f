"""Opens the watch of a folder or a camera, with journal, sinks and inspector, for the shell and for Python."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.errors import LineError
from assistant.images.decoding import PictureFile
from assistant.inspection import Inspection
from assistant.line.delivery import Delivery, Patience, Route, Say
from assistant.line.keeping import Keeper, Kept
from assistant.line.places import check_places, default_journal
from assistant.line.settings import HISTORY, SinkSettings, Surroundings, list_sinks
from assistant.line.trigger import Calls, When
from assistant.line.trigger_server import TriggerServer
from assistant.line.watching import FolderWatch, Look, Pace

if TYPE_CHECKING:
    from assistant.images.window import Window
    from assistant.inspector import Inspector
    from assistant.line.camera_watch import CameraWatch
    from assistant.line.journal import Journal
    from assistant.products.product import Product
    from assistant.records.history import History


def watch_folder(
    inspector: Inspector,
    folder: str | Path,
    product: Product | str | None = None,
    *,
    sinks: Sequence[SinkSettings] = (),
    history: History | None = None,
    journal: str | Path | None = None,
    station: str = "",
    lot: str = "",
    group: str = "",
    pace: Pace | None = None,
    new_only: bool = False,
    once: bool = False,
    say: Say = print,
    target_false_alarm: float = 0.05,
    zero_shot_limits: bool = False,
    window: Window | None = None,
) -> Generator[Kept]:
    """Inspect each part that arrives in a folder once, for as long as somebody asks for the next; lazily.

    `product` by its name is read again when it has changed. Results go to `history` and `sinks`; `journal` is
    the file that says which parts are known, by default one of the user's for this folder. With `once` it ends
    when all that is there is inspected, and every sink has taken it or is away. `target_false_alarm`,
    `zero_shot_limits` and `window` as for `Inspector.inspect`. LineError where the folder, the journal or a sink
    cannot be used.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise LineError(f"{folder} is no folder.")
    check_places(folder, sinks)
    look = looker(inspector, product, target_false_alarm, zero_shot_limits, window)
    kept = open_kept(journal or default_journal(str(folder)))
    routes = open_routes(kept, sinks, history, lot, Surroundings(folder, station), say)
    delivery = Delivery(kept.outbox, routes, say)
    keeper = _keeper(kept, routes, station, group, history)
    watch = FolderWatch(folder, look, keeper, delivery, say=say, pace=pace or Pace(), new_only=new_only)
    return _run(watch, once, say)


def watch_camera(
    inspector: Inspector,
    source: str,
    product: Product | str | None = None,
    *,
    sinks: Sequence[SinkSettings] = (),
    history: History | None = None,
    journal: str | Path | None = None,
    station: str = "",
    lot: str = "",
    group: str = "",
    when: When = "every",
    nth: int = 1,
    change: float = 0.02,
    listen: str = "",
    once: bool = False,
    say: Say = print,
    target_false_alarm: float = 0.05,
    zero_shot_limits: bool = False,
    window: Window | None = None,
) -> Generator[Kept]:
    """Inspect frames of a video file or a camera, as `watch_folder` does pictures; lazily.

    `source` is a file, a URL (rtsp, http), usb:0 or a device. `when`, `nth` and `change` choose the frames, see
    `CameraWatch`; with "call" somebody has to POST to /trigger at `listen`, HOST:PORT or a port of this machine,
    or write to the trigger of an OPC UA sink.
    """
    from assistant.line.camera_watch import CameraWatch

    calls = Calls()
    called = calls if when == "call" else None
    if listen and not called or called and not listen and not any(sink.kind == "opcua" for sink in sinks):
        raise LineError("A trigger by call and an address to listen at, or a sink for OPC UA, belong together.")
    look = looker(inspector, product, target_false_alarm, zero_shot_limits, window)
    kept = open_kept(journal or default_journal(source))
    routes = open_routes(kept, sinks, history, lot, Surroundings(None, station, called), say)
    delivery = Delivery(kept.outbox, routes, say)
    keeper = _keeper(kept, routes, station, group, history)
    watch = CameraWatch(source, look, keeper, delivery, say=say, when=when, nth=nth, change=change, calls=calls)
    return _run(watch, once, say, TriggerServer(listen, calls) if listen else None)


def _keeper(
    journal: Journal, routes: Sequence[Route], station: str, group: str, history: History | None
) -> Keeper:
    from assistant.records.drift import DriftWatch

    return Keeper(journal, routes, station, group, DriftWatch(history))


def _run(
    watch: FolderWatch | CameraWatch, once: bool, say: Say, server: TriggerServer | None = None
) -> Generator[Kept]:
    """The parts of a watch, and at its end what is left to say."""
    try:
        yield from watch.run(once)
    finally:
        if server:
            server.close()
        owed = watch.journal.outbox.waiting()
        watch.journal.close()
        for name, count in sorted(owed.items()):
            say(f"{count:,} result(s) wait for the sink {name!r}: the next watch hands them on.")
        if watch.known:
            say(f"{watch.known:,} picture(s) held parts that were inspected before.")
        if watch.left_out:
            say(f"Not read: {', '.join(f'{count} {kind}' for kind, count in watch.left_out.most_common())}.")


def looker(
    inspector: Inspector,
    product: Product | str | None,
    target_false_alarm: float = 0.05,
    zero_shot_limits: bool = False,
    window: Window | None = None,
) -> Look:
    """What inspects pictures with a product as it is now; ProductError where there is none of that name."""
    current: Callable[[], Product | None]
    if isinstance(product, str):
        from assistant.products.live_store import LiveProducts

        live = LiveProducts(inspector.store, inspector.load)
        name = product

        def current() -> Product | None:
            return live.get(name)

        current()
    else:

        def current() -> Product | None:
            return product

    def look(pictures: Iterator[PictureFile]) -> Iterator[Inspection]:
        known = current()
        return inspector.inspect(
            pictures,
            known,
            target_false_alarm=target_false_alarm,
            zero_shot_limits=zero_shot_limits,
            window=None if known else window,
        )

    return look


def open_kept(path: str | Path) -> Journal:
    """The journal in a file; LineError where it cannot be opened or the extra is not installed."""
    try:
        from assistant.line.journal import Journal
    except ImportError as error:
        raise LineError("A journal needs SQLAlchemy: install looktwice[line].") from error
    return Journal(Path(path).expanduser())


def open_routes(
    journal: Journal,
    sinks: Sequence[SinkSettings],
    history: History | None,
    lot: str,
    around: Surroundings,
    say: Say,
) -> list[Route]:
    """The sinks, ready to deliver; the journal keeps how they are set, and says what waits for others."""
    from assistant.line.history_sink import HistorySink

    if len({sink.name for sink in sinks}) < len(sinks):
        raise LineError("Two sinks have one name: give each its own.")
    routes = [sink.open(replace(around, counts=journal.counts())) for sink in sinks]
    journal.set("station", around.station)
    journal.set("sinks", list_sinks(tuple(sinks)))
    if history is not None:
        never = replace(Patience(), hours=float("inf"))
        routes.append(Route(HISTORY, HistorySink(history, lot), patience=never))
    named = {route.name for route in routes}
    for name, count in journal.outbox.waiting().items():
        if name not in named:
            say(f"{count:,} result(s) wait for the sink {name!r}, which is not among those of now.")
    return routes
