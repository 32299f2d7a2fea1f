"""The sink that publishes each result over MQTT, and keeps the newest state of a product where all can read it."""

from __future__ import annotations

import re
import ssl
import threading
from typing import TYPE_CHECKING, Any

from assistant.errors import LineError
from assistant.line.event import Event, dump
from assistant.line.sink import Away, Letter

if TYPE_CHECKING:
    from paho.mqtt.client import Client

SECURE_PORT, PLAIN_PORT = 8883, 1883

KEEP_ALIVE = 15
"""Seconds without a word after which a connection that is lost is noticed."""

_WILD = re.compile(r"[+#/\x00]")


class MqttSink:
    """Publishes results to a broker with quality of service 1: a result is delivered once the broker has said so.

    Topics: TOPIC/STATION/PRODUCT/part has each result, TOPIC/STATION/PRODUCT/state the newest in short,
    retained, and TOPIC/STATION/online whether this sink is connected, retained, "false" by the broker's hand
    too. A station or product without a name is "-". `tls`: encrypted, by the system's certificates or those in
    `ca`; `certificate` and `key` are files of a client's own. `seconds` to wait for the broker. LineError for
    what cannot be used, or where the extra is not installed.
    """

    needs_attachments = needs_picture = False

    def __init__(
        self,
        host: str,
        port: int | None = None,
        topic: str = "looktwice",
        station: str = "",
        *,
        name: str = "",
        password: str | None = None,
        tls: bool = False,
        ca: str = "",
        certificate: str = "",
        key: str = "",
        client: str = "",
        seconds: float = 10.0,
    ) -> None:
        try:
            from paho.mqtt.client import Client
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError as error:
            raise LineError("MQTT needs paho-mqtt: install looktwice[line].") from error
        if not topic.strip("/") or re.search(r"[+#\x00]", topic):
            raise LineError("A topic of MQTT to publish under has a name, and neither + nor #.")
        self.where = f"{host}:{port or (SECURE_PORT if tls else PLAIN_PORT)}"
        self._host, self._port = host, port or (SECURE_PORT if tls else PLAIN_PORT)
        self._home, self._seconds = f"{topic.strip('/')}/{_level(station)}", seconds
        self._begun, self._connected, self._why = False, threading.Event(), ""
        self._client: Client = Client(CallbackAPIVersion.VERSION2, client_id=client)
        self._client.connect_timeout = seconds
        self._client.reconnect_delay_set(1, 30)
        self._client.on_connect, self._client.on_disconnect = self._on_connect, self._on_disconnect
        self._client.will_set(f"{self._home}/online", "false", qos=1, retain=True)
        if name:
            self._client.username_pw_set(name, password)
        if tls or ca or certificate:
            self._client.tls_set_context(_trust(ca, certificate, key))

    def deliver(self, letter: Letter) -> None:
        """Publish a result and the state that it makes; Away where the broker does not say that it has both."""
        self._connect()
        event = letter.event
        home = f"{self._home}/{_level(str(event.body['product']))}"
        try:
            sent = [
                self._client.publish(f"{home}/part", event.to_json(), qos=1),
                self._client.publish(f"{home}/state", dump(_state(event)), qos=1, retain=True),
            ]
            for one in sent:
                one.wait_for_publish(self._seconds)
        except (ValueError, RuntimeError, OSError) as error:
            raise Away(f"the broker {self.where} broke off") from error
        if not all(one.is_published() for one in sent):
            raise Away(f"the broker {self.where} gave no answer in time")

    def close(self) -> None:
        """Say that this sink is gone, and close the connection."""
        if not self._begun:
            return
        if self._connected.is_set():
            try:
                self._client.publish(f"{self._home}/online", "false", qos=1, retain=True).wait_for_publish(1.0)
            except (ValueError, RuntimeError, OSError):
                pass  # the broker says it, by our will
        self._client.disconnect()
        self._client.loop_stop()

    def _connect(self) -> None:
        """Be connected, or raise Away."""
        if not self._begun:
            try:
                self._client.connect(self._host, self._port, KEEP_ALIVE)
            except ssl.SSLError as error:
                raise Away(f"the broker {self.where} is not trusted, or does not speak TLS") from error
            except (OSError, ValueError) as error:
                raise Away(f"the broker {self.where} cannot be reached") from error
            self._begun = True
            self._client.loop_start()  # from now on it connects again by itself
        if not self._connected.wait(self._seconds):
            raise Away(f"the broker {self.where} {self._why or 'does not let this sink in'}")

    def _on_connect(self, client: Client, _data: Any, _flags: Any, reason: Any, _more: Any) -> None:
        if reason.is_failure:
            self._why = f"refuses this sink: {str(reason).lower()}"
            return
        self._why = ""
        client.publish(f"{self._home}/online", "true", qos=1, retain=True)
        self._connected.set()

    def _on_disconnect(self, _client: Client, _data: Any, _flags: Any, _reason: Any, _more: Any) -> None:
        self._connected.clear()
        self._why = self._why or "is away"


def _state(event: Event) -> dict[str, Any]:
    """What is retained of a product: its newest part in short, and the counts."""
    row = event.body["inspection"]
    names = ("id", "part", "station", "time", "source", "product", "verdict", "counts")
    return {name: event.body[name] for name in names} | {
        name: row.get(name) for name in ("score", "threshold", "p_value", "error")
    }


def _level(word: str) -> str:
    """A word as one level of a topic."""
    return _WILD.sub("_", word) or "-"


def _trust(ca: str, certificate: str, key: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca or None)
        if certificate:
            context.load_cert_chain(certificate, key or None)
    except (OSError, ssl.SSLError) as error:
        raise LineError("The certificates of an MQTT sink cannot be read.") from error
    return context
