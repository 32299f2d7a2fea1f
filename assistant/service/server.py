"""Runs the app in uvicorn: on this machine only unless there are keys; what is in flight ends before it stops."""

from __future__ import annotations

import importlib.util
import inspect
import ipaddress
import logging
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from assistant.errors import LooktwiceError
from assistant.images.decoders import DECODERS
from assistant.language.catalogue import LANGUAGES
from assistant.service.keys import KeyRing, open_keys
from assistant.service.settings import LOOPBACK, ServiceSettings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from assistant.inspector import Inspector
    from assistant.records.history import History
    from assistant.service.records import Records

NEEDED = ("fastapi", "uvicorn", "python_multipart", "prometheus_client")
LINGER = 0.5  # seconds in which new requests are told that the service stops


def serve(
    inspector: Inspector,
    settings: ServiceSettings,
    *,
    host: str = "127.0.0.1",
    port: int = 8100,
    keys: Path | None = None,
    ui: bool = False,
    records: Records | None = None,
) -> None:
    """Serve until told to stop; LooktwiceError for a taken port, or an open host without a key."""
    from assistant.service.application import create_app

    ring = open_keys(keys)
    check_exposure(host, ring, ui)
    listener = bind(host, port)
    app = create_app(inspector, fit_hosts(settings, host), keys=ring, records=records)
    if ui:
        mount_page(app, inspector, host, port, getattr(records, "history", None))
    print(_greeting(host, listener.getsockname()[1], ring), file=sys.stderr, flush=True)
    run(app, listener)


def check_extra() -> None:
    """LooktwiceError where the packages of the service are missing."""
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise LooktwiceError(f'The service needs {missing[0]}: run `pip install "looktwice[serve]"`.')


def check_exposure(host: str, keys: KeyRing, ui: bool) -> None:
    """LooktwiceError where other machines could reach something that asks for no key."""
    if is_loopback(host):
        return
    if not keys.required:
        raise LooktwiceError(
            f"Without keys the service listens on this machine only, and {host} is open to others: make one with "
            "`looktwice keys add NAME --role engineer` first."
        )
    if ui:
        raise LooktwiceError("The page asks for no key, so --ui goes with --host 127.0.0.1 only.")


def fit_hosts(settings: ServiceSettings, host: str) -> ServiceSettings:
    """The settings with the names that belong to a host, where nobody chose others."""
    if settings.hosts != LOOPBACK or is_loopback(host):
        return settings if host in settings.hosts else replace(settings, hosts=(*settings.hosts, host))
    return replace(settings, hosts=() if host in ("0.0.0.0", "::") else (*LOOPBACK, host))  # noqa: S104 - compared


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, as seen by nobody else."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; LooktwiceError where there is none to be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise LooktwiceError(f"Port {port} of {host} is not free; choose another with --port.") from error


def run(app: FastAPI, listener: socket.socket) -> None:
    """Serve an app on a socket until a signal; a second signal ends it at once."""
    make_server(app).run(sockets=[listener])


def make_server(app: FastAPI) -> Any:
    """The uvicorn server of an app, which keeps its connections as the settings say."""
    import uvicorn

    from assistant.service.connections import Connection

    settings: ServiceSettings = app.state.service.settings
    kept = {"head_seconds": settings.head_seconds, "most": 4 * settings.most_requests}
    config = uvicorn.Config(
        app,
        http=type("ServiceConnection", (Connection,), kept),
        log_level=logging.WARNING,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # or a client says for itself where it comes from
        lifespan="on",
        ws="none" if not hasattr(app.state, "page") else "auto",
        timeout_graceful_shutdown=max(1, round(settings.grace_seconds)),
    )
    return draining_server(uvicorn, app, config)


def draining_server(uvicorn: Any, app: FastAPI, config: Any) -> Any:
    """A uvicorn server that, when told to stop, refuses new requests and ends once those in flight are done."""
    service = app.state.service

    class DrainingServer(uvicorn.Server):  # type: ignore[misc]
        told: float | None = None

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            """Begin to stop at the first signal, and stop at the second."""
            if self.told is not None:
                DECODERS.stop()
                super().handle_exit(sig, frame)
            self.told = self.told or time.monotonic()
            service.drain()

        async def on_tick(self, counter: int) -> bool:
            """Ten times a second: end once nothing is in flight, or patience is."""
            if self.told is not None:
                waited = time.monotonic() - self.told
                done = service.in_flight.requests == 0 and waited > LINGER
                if overdue := waited > service.settings.grace_seconds:
                    DECODERS.stop()
                    self.config.timeout_graceful_shutdown = 1  # they have had their time
                self.should_exit |= done or overdue
            return bool(await super().on_tick(counter))

    return DrainingServer(config)


def mount_page(app: FastAPI, inspector: Inspector, host: str, port: int, history: History | None = None) -> None:
    """Show the browser front end at "/", beside the service: the same products, the same `history`."""
    from assistant.face.frontend import load_frontend

    frontend = load_frontend()
    frontend.shield_environment()
    import gradio

    given = frontend.launch_arguments(port, host)
    known = inspect.signature(gradio.mount_gradio_app).parameters
    taken = {name: value for name, value in given.items() if name in known and name != "root_path"}
    page = frontend.build(inspector, history, products=app.state.service.products, others=[*LANGUAGES])
    gradio.mount_gradio_app(app, page, path="/", **taken)
    app.state.page = True


def _greeting(host: str, port: int, keys: KeyRing) -> str:
    shown = f"[{host}]" if ":" in host else host
    line = f"The service is at http://{shown}:{port} - Ctrl+C stops it."
    if not keys.required:
        line += (
            "\nThere are no keys: every program on this machine may inspect, teach and set targets, and no other "
            "machine can reach it. `looktwice keys add NAME --role operator` makes a key."
        )
    return line
