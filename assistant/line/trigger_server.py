"""Calls for an inspection over HTTP: `POST /trigger` is answered with the event of the part."""

from __future__ import annotations

import hmac
import ipaddress
import json
import os
import threading
from concurrent.futures import TimeoutError as NoAnswer
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from assistant.errors import LineError
from assistant.line.trigger import Calls

KEY_VARIABLE = "LOOKTWICE_TRIGGER_KEY"
"""The environment variable with the key that callers send; needed where other machines may call."""

LONGEST = 60.0
"""Seconds for which a caller waits for an answer."""


class TriggerServer:
    """Listens for calls while it is open. `where`: HOST:PORT, or a port of this machine.

    A caller sends the key as `Authorization: Bearer KEY` where there is one. Pages of a browser may not call.
    LineError where it cannot listen, or would without a key to other machines.
    """

    def __init__(self, where: str, calls: Calls) -> None:
        host, port = split_address(where)
        key = os.environ.get(KEY_VARIABLE, "").strip()
        if not key and not is_here(host):
            raise LineError(f"Other machines may call only with a key: set {KEY_VARIABLE}.")

        class Handler(_Handler):
            pass

        Handler.calls, Handler.key = calls, key
        try:
            self._server = ThreadingHTTPServer((host, port), Handler)
        except OSError as error:
            raise LineError(f"Nobody can call at {where}: {(error.strerror or 'an error').lower()}.") from error
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="trigger", daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


def split_address(where: str) -> tuple[str, int]:
    """Host and port of "HOST:PORT" or "PORT", which is this machine's; LineError for anything else."""
    host, _, port = where.rpartition(":")
    if not port.isdecimal() or int(port) > 65_535:
        raise LineError(f"An address is HOST:PORT or a port, not {where[:40]!r}.")
    return host.strip("[]") or "127.0.0.1", int(port)


class _Handler(BaseHTTPRequestHandler):
    calls: Calls
    key: str
    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_POST(self) -> None:
        if self.path != "/trigger":
            self._answer(404, {"error": "There is nothing here: POST /trigger."})
        elif self.headers.get("Origin"):
            self._answer(403, {"error": "Pages of a browser may not call."})
        elif self.key and not self._has_key():
            self._answer(401, {"error": "A key is needed: Authorization: Bearer KEY."})
        else:
            self._call()

    def do_GET(self) -> None:
        self._answer(405, {"error": "Call by POST /trigger."})

    def _call(self) -> None:
        try:
            event = self.calls.call().result(LONGEST)
        except LineError as error:
            self._answer(503, {"error": str(error)})
        except NoAnswer:
            self._answer(504, {"error": "The inspection was not done in time."})
        else:
            self._answer(200, dict(event.body))

    def _has_key(self) -> bool:
        said = self.headers.get("Authorization", "")
        return hmac.compare_digest(said.encode("latin-1", "replace"), f"Bearer {self.key}".encode())

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        sent = json.dumps(body, allow_nan=False).encode()
        self.send_response(status)
        for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(sent)))):
            self.send_header(name, value)
        self.send_header("Connection", "close")  # what a caller sent besides is not read
        self.end_headers()
        self.wfile.write(sent)
        self.close_connection = True

    def log_message(self, *given: Any) -> None:
        pass


def is_here(host: str) -> bool:
    """Whether a host is this machine, so that nobody else reaches it."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
