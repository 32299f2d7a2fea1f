"""Receivers that go away and come back, for the study of a watched line: a web server and a broker."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from assistant.line.signing import sign


class Receiver:
    """A receiver of webhooks that takes what is signed; `taken` are the ids, as often as they came."""

    def __init__(self, secret: bytes) -> None:
        self.secret, self.taken, self.port = secret, list[str](), 0
        self._server: ThreadingHTTPServer | None = None
        self.up()

    def up(self) -> None:
        """Answer, on the same port as before."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                id, made = self.headers["webhook-id"], int(self.headers["webhook-timestamp"])
                whole = (
                    sign(outer.secret, id, made, body)["webhook-signature"] == self.headers["webhook-signature"]
                )
                if whole:
                    outer.taken.append(id)
                self.send_response(204 if whole else 401)
                self.end_headers()

            def log_message(self, *given: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def down(self) -> None:
        """Answer nobody."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()

    def close(self) -> None:
        """Be gone."""
        self.down()


class Broker:
    """A mosquitto that keeps what it has while it is away."""

    def __init__(self, program: str, home: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        folder = home / "broker"
        folder.mkdir()
        lines = [f"listener {self.port} 127.0.0.1", "allow_anonymous true", "max_queued_messages 0"]
        lines += ["persistence true", f"persistence_location {folder}/"]
        if hasattr(os, "getuid") and os.getuid() == 0:
            lines.append("user root")
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
        self._command = [program, "-c", str(folder / "mosquitto.conf")]
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @classmethod
    def find(cls, home: Path) -> Broker | None:
        """A broker where mosquitto is installed, else None."""
        program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        return cls(program, home) if program else None

    def start(self) -> None:
        """Answer."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("mosquitto does not listen")

    def stop(self) -> None:
        """Answer nobody."""
        if self._process:
            self._process.terminate()
            self._process.wait()


class Listener:
    """Who listens to all parts, in a session that the broker keeps; `taken` are the ids, as often as they came."""

    def __init__(self, port: int) -> None:
        import paho.mqtt.client as mqtt

        self.taken: list[str] = []
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="study", clean_session=False)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *given: client.subscribe("looktwice/+/+/part", qos=1)
        self._client.on_message = lambda client, data, one: self.taken.append(json.loads(one.payload)["id"])
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        time.sleep(1)

    def settle(self) -> None:
        """Wait until nothing more comes."""
        before = -1
        while before != len(self.taken):
            before = len(self.taken)
            time.sleep(2)

    def close(self) -> None:
        """Listen no more."""
        self._client.disconnect()
        self._client.loop_stop()
