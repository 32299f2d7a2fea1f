"""The sink that is an OPC UA server: what the newest part is, how many there were, and a trigger for a camera."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from assistant.errors import LineError
from assistant.line.event import Event
from assistant.line.sink import Away, Letter
from assistant.line.trigger import Calls
from assistant.line.trigger_server import is_here, split_address

SPACE = "urn:looktwice:line"
"""The namespace of the nodes."""

COUNTED = {"good": "Good", "review": "Review", "defect": "Defect", "unrated": "Unrated", "error": "Errors"}
"""The nodes that count parts, by verdict."""

SAMPLING_MS = 50
"""How often the trigger is looked at."""


class OpcUaServer:
    """Serves the newest part at `where`, HOST:PORT or a port of this machine, without encryption.

    Nodes have the ids `STATION.Verdict` and so on, see docs/line.md; `Part` is written last, so that whoever
    subscribes to it reads the rest of the same part. `counts` are those so far. Where there are `calls`, a
    client writes true to `STATION.Trigger` for a new inspection, and it becomes false again. LineError where it
    cannot listen, the extra is not installed, or other machines could reach it and `insecure` does not allow
    that.
    """

    needs_attachments = needs_picture = False

    def __init__(
        self,
        where: str,
        station: str = "",
        calls: Calls | None = None,
        counts: Mapping[str, int] | None = None,
        insecure: bool = False,
    ) -> None:
        try:
            from asyncua import ua
            from asyncua.sync import Server
        except ImportError as error:
            raise LineError("OPC UA needs asyncua: install looktwice[line].") from error
        host, port = split_address(where)
        if not insecure and not is_here(host):
            raise LineError("OPC UA is served without encryption: other machines need insecure = true.")
        logging.getLogger("asyncua").setLevel(logging.CRITICAL)  # what matters is raised
        self._ua, self._calls, self._nodes = ua, calls, dict[str, Any]()
        self._server = Server()
        self.url = f"opc.tcp://{host}:{port}"
        try:
            self._server.set_endpoint(self.url)
            self._server.set_server_name("looktwice")
            self._server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
            self._make_nodes(re.sub(r"[^\w -]", "_", station) or "line", counts or {})
            self._server.start()
            if calls:
                self._listen()
        except OSError as error:
            self._server.tloop.stop()
            why = (error.strerror or "an error").lower()
            raise LineError(f"OPC UA cannot be served at {where}: {why}.") from error

    def deliver(self, letter: Letter) -> None:
        """Write the values of a part; whoever subscribes is told of each."""
        try:
            for name, value in _values(letter.event).items():
                self._nodes[name].write_value(self._variant(name, value))
        except Exception as error:  # whatever its loop says, the part is not lost
            raise Away("the OPC UA server takes no values") from error

    def close(self) -> None:
        """Serve no more."""
        self._server.stop()

    def _make_nodes(self, station: str, counts: Mapping[str, int]) -> None:
        index = self._server.register_namespace(SPACE)
        home = self._server.nodes.objects.add_object(f"ns={index};s={station}", f"{index}:{station}")
        values: dict[str, Any] = dict.fromkeys(("Id", "Source", "Product", "Verdict", "Error"), "")
        values |= {"Score": 0.0, "Threshold": 0.0, "Time": datetime(1970, 1, 1)}
        values |= _totals(counts) | {"Part": 0}
        if self._calls:
            values["Trigger"] = False
        for name, value in values.items():
            variant = self._variant(name, value)
            node = home.add_variable(f"ns={index};s={station}.{name}", f"{index}:{name}", variant)
            self._nodes[name] = node
        if self._calls:
            self._nodes["Trigger"].set_writable()

    def _variant(self, name: str, value: Any) -> Any:
        kinds = self._ua.VariantType
        if isinstance(value, bool):
            return self._ua.Variant(value, kinds.Boolean)
        if isinstance(value, int):
            return self._ua.Variant(value, kinds.UInt64)
        if isinstance(value, datetime):
            return self._ua.Variant(value, kinds.DateTime)
        return self._ua.Variant(value, kinds.Double if name in ("Score", "Threshold") else kinds.String)

    def _listen(self) -> None:
        """Hear of the trigger."""
        sink = self

        class Heard:
            def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
                if value:
                    sink._call()

        watched = self._server.create_subscription(SAMPLING_MS, Heard())
        watched.subscribe_data_change(self._nodes["Trigger"])

    def _call(self) -> None:
        """Call for an inspection; the trigger is false again once it is done, or cannot be."""
        if self._calls is None:
            return

        def reset(_answer: Any) -> None:
            self._nodes["Trigger"].write_value(self._variant("Trigger", False))

        try:
            self._calls.call().add_done_callback(reset)
        except LineError:
            pass  # it stays true, which says that nothing was inspected


def _values(event: Event) -> dict[str, Any]:
    """What the nodes show of a part, `Part` last."""
    row, counts = event.body["inspection"], event.body["counts"]
    made = datetime.fromisoformat(str(event.body["time"])).astimezone(UTC).replace(tzinfo=None)
    return {
        "Id": event.id,
        "Source": str(event.body["source"]).encode("ascii", "backslashreplace").decode(),
        "Product": str(event.body["product"]),
        "Verdict": event.verdict,
        "Error": str(row.get("error") or ""),
        "Score": float("nan") if row.get("score") is None else float(row["score"]),
        "Threshold": float("nan") if row.get("threshold") is None else float(row["threshold"]),
        "Time": made,
        **_totals(counts),
        "Part": event.part,
    }


def _totals(counts: Mapping[str, int]) -> dict[str, int]:
    """How many parts of each verdict there were, and in all."""
    return {name: counts.get(verdict, 0) for verdict, name in COUNTED.items()} | {"Total": sum(counts.values())}
