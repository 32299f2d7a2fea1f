"""`looktwice serve`, `looktwice keys VERB` and `looktwice app`: the service, its keys, and the page."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.commands import console
from assistant.commands.listings import AsJson, print_json
from assistant.commands.options import Bundle, Device, ExplainerName, open_inspector
from assistant.errors import LooktwiceError
from assistant.language.catalogue import pick_language
from assistant.models.card import DEFAULT
from assistant.service.keys import KeyRing, Role, default_path
from assistant.service.settings import LOOPBACK, ServiceSettings

if TYPE_CHECKING:
    from assistant.service.records import HistoryRecords

keys = typer.Typer(name="keys", help="Keys of the service: who may use it, and for what.", no_args_is_help=True)
_USUAL = ServiceSettings()


def serve(
    host: Annotated[str, typer.Option(help="Where to listen; other machines need keys.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, metavar="PORT", help="Where it is reached.")] = 8100,
    bundle: Bundle = DEFAULT,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Threads that inspect, with one model.")] = 1,
    gather: Annotated[
        int,
        typer.Option(
            "--gather",
            "--batch",  # what it was called until 0.2
            min=1,
            max=256,
            help="Pictures of all requests that are inspected together at most; 1 is each by itself.",
        ),
    ] = _USUAL.most_gathered,
    wait_ms: Annotated[
        float, typer.Option("--wait-ms", min=0, max=1000, help="How long pictures are gathered.")
    ] = _USUAL.wait_ms,
    rate: Annotated[float, typer.Option(help="Requests a second for each key.")] = _USUAL.rate,
    max_mb: Annotated[int, typer.Option("--max-mb", min=1, max=2000, help="Largest request in MB.")] = 64,
    decode_seconds: Annotated[
        float | None,
        typer.Option("--decode-seconds", min=0.1, help="How long one picture may be decoded; 10 if left out."),
    ] = None,
    allowed_host: Annotated[
        list[str] | None, typer.Option("--allowed-host", help="A name that it is addressed by; may be repeated.")
    ] = None,
    origin: Annotated[
        list[str] | None, typer.Option("--origin", help="A site whose pages may call it; may be repeated.")
    ] = None,
    explainer: ExplainerName = None,
    device: Device = None,
    history: Annotated[
        bool,
        typer.Option("--history", help="Keep inspections in your history, and not only in memory."),
    ] = False,
    ui: Annotated[
        bool, typer.Option("--ui", help="Show the browser front end too, on this machine only.")
    ] = False,
) -> None:
    """Serve inspections over HTTP: one warm model, keys with roles, concurrent pictures inspected together.

    Without keys (`looktwice keys add`) it listens on this machine only.
    """
    from assistant.service.server import check_extra

    check_extra()
    from assistant.service.server import serve as run

    settings = _settings(
        most_gathered=gather,
        wait_ms=wait_ms,
        threads=workers,
        rate=rate,
        burst=max(1, round(2 * rate)),
        decode_seconds=decode_seconds,
        most_bytes=max_mb * 1_000_000,
        most_bytes_together=max(8 * max_mb * 1_000_000, _USUAL.most_bytes_together),
        hosts=tuple(allowed_host) if allowed_host else LOOPBACK,
        origins=tuple(origin or ()),
    )
    records = _open_records() if history else None
    inspector = open_inspector(bundle, device, gather, explainer)
    run(inspector, settings, host=host, port=port, ui=ui, records=records)


def open_app(
    bundle: Bundle = DEFAULT,
    explainer: ExplainerName = None,
    device: Device = None,
    port: Annotated[int, typer.Option(min=1, max=65535, metavar="PORT", help="Where it is reached.")] = 7860,
    keep: Annotated[bool, typer.Option("--history/--no-history", help="Keep what is inspected.")] = True,
    folder: Annotated[
        list[str] | None,
        typer.Option("--folder", help="A folder whose pictures batches may read by path; may be repeated."),
    ] = None,
    language: Annotated[
        str | None, typer.Option("--language", help="Of the page: en, de, es or zh. By default the browser's.")
    ] = None,
    mcp: Annotated[bool, typer.Option("--mcp", help="Let programs of this machine inspect over MCP.")] = False,
) -> None:
    """Open the front end in a browser, on this machine only, in the language of the browser or another."""
    from assistant.face.frontend import load_frontend
    from assistant.records.history import History, default_history

    frontend = load_frontend()
    pick_language(language)  # before anything is loaded
    inspector = open_inspector(bundle, device, explainer=explainer)
    history = History(default_history()) if keep else None
    frontend.launch(inspector, history=history, folders=folder or (), port=port, mcp=mcp, language=language)


@keys.command("add")
def add_key(
    name: Annotated[str, typer.Argument(help="Whose key it is.")],
    role: Annotated[Role, typer.Option(help="operator: inspect and ask; engineer: also teach and set targets.")],
) -> None:
    """Make a key and print it, once: only a digest of it is kept."""
    token = KeyRing(default_path()).add(name, role)
    console.say(f"The key of {name!r}, {role}; it is shown this once:")
    typer.echo(token)


@keys.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List the keys: name, role, when they were made and revoked."""
    ring = KeyRing(default_path())
    known = ring.keys() if ring.required else []
    if as_json:
        print_json({n: v for n, v in asdict(key).items() if n != "digest"} for key in known)
        return
    if not ring.required:
        console.say("There are no keys yet: the service listens on this machine only.")
    for key in known:
        end = f"revoked {key.revoked}" if key.revoked else "valid"
        typer.echo(f"{key.id}  {key.role:8}  {key.created}  {end}  {key.name}")


@keys.command("revoke")
def revoke_key(name: Annotated[str, typer.Argument(help="The name or id of a key.")]) -> None:
    """Let a key open nothing any more, at once, in a running service too."""
    gone = KeyRing(default_path()).revoke(name)
    console.say(f"The key of {gone.name!r} is revoked.")


def _open_records() -> HistoryRecords:
    from assistant.database.place import beside
    from assistant.records.history import History, default_history
    from assistant.service.records import HistoryRecords

    where = default_history()
    return HistoryRecords(History(where), beside(where, ".waiting"))


def _settings(**chosen: object) -> ServiceSettings:
    try:
        return ServiceSettings(**chosen)  # type: ignore[arg-type]
    except ValueError as error:
        raise LooktwiceError(f"The service cannot run so: {error}.") from error
