"""The OPC UA server, by its client: values of the newest part, counters, and a trigger that calls the camera."""

import socket
import threading
from contextlib import closing
from datetime import UTC, datetime

import numpy as np
import pytest
from asyncua import ua
from asyncua.sync import Client
from line_parts import draw, judge, wait_for

from assistant.errors import LineError
from assistant.line.camera import Frame
from assistant.line.camera_watch import CameraWatch
from assistant.line.delivery import Delivery
from assistant.line.keeping import Keeper
from assistant.line.opcua import SPACE, OpcUaServer
from assistant.line.trigger import Calls


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


class Reader:
    """A client that reads nodes by their name."""

    def __init__(self, url, station="line"):
        self.client = Client(url)
        self.client.connect()
        self.index, self.station = self.client.get_namespace_index(SPACE), station

    def node(self, name):
        return self.client.get_node(f"ns={self.index};s={self.station}.{name}")

    def __getitem__(self, name):
        return self.node(name).read_value()

    def close(self):
        self.client.disconnect()


def test_a_client_reads_the_newest_part_and_the_counters(begin, folder, to, journal):
    for i in range(5):
        (folder / f"{i}.png").write_bytes(draw(i, shade=20 if i == 2 else 200))
    (folder / "no.png").write_bytes(b"no picture")
    server = OpcUaServer(free_port(), "press 3", counts={"good": 0})
    heard = []

    class Heard:
        def datachange_notification(self, node, value, data):
            heard.append(value)

    with closing(Reader(server.url, "press 3")) as client:
        assert client["Part"] == 0 and client["Verdict"] == ""
        client.client.create_subscription(20, Heard()).subscribe_data_change(client.node("Part"))
        wait_for(lambda: heard == [0])
        watch = begin(to(server, "plc"))
        parts = watch.run()
        kept = [next(parts) for _ in range(6)]
        wait_for(lambda: client["Part"] == 6)
        last = kept[-1].event
        assert client["Id"] == last.id and client["Verdict"] == "error" and client["Source"] == "no.png"
        assert client["Error"].startswith("no.png is not a PNG") and np.isnan(client["Score"])
        counted = {name: client[name] for name in ("Good", "Review", "Defect", "Unrated", "Errors", "Total")}
        assert counted == {"Good": 4, "Review": 0, "Defect": 1, "Unrated": 0, "Errors": 1, "Total": 6}
        assert abs((client["Time"].replace(tzinfo=UTC) - datetime.now(UTC)).total_seconds()) < 60
        assert heard[-1] == 6 and sorted(heard) == heard
        with pytest.raises(ua.UaStatusCodeError):
            client.node("Good").write_value(ua.Variant(0, ua.VariantType.UInt64))
        with pytest.raises(ua.UaError):
            client.node("Trigger").read_value()
        parts.close()


def test_the_counters_go_on_after_a_restart(to, journal, begin, folder):
    (folder / "a.png").write_bytes(draw(1))
    list(begin().run(once=True))
    server = OpcUaServer(free_port(), counts=journal.counts())
    with closing(Reader(server.url)) as client:
        assert client["Good"] == client["Total"] == 1
    server.close()


def test_a_client_that_writes_the_trigger_has_the_camera_inspected(journal, said, to, monkeypatch):
    class Still:
        """A camera that shows one part."""

        count = 0

        def __init__(self, source, say):
            pass

        def next(self, seconds, after=0):
            self.count = after + 1
            return Frame(self.count, np.full((12, 16, 3), 200, np.uint8))

        def close(self):
            pass

    monkeypatch.setattr("assistant.line.camera_watch.LiveCamera", Still)
    calls = Calls()
    server = OpcUaServer(free_port(), calls=calls)
    routes = [to(server, "plc")]
    watch = CameraWatch(
        "usb:0", judge, Keeper(journal, routes), Delivery(journal.outbox, routes, said.append),
        say=said.append, when="call", calls=calls,
    )  # fmt: skip
    with closing(Reader(server.url)) as client:
        parts, kept = watch.run(), []
        thread = threading.Thread(target=lambda: kept.extend(next(parts) for _ in range(2)), daemon=True)
        thread.start()
        for number in (1, 2):
            client.node("Trigger").write_value(True)
            wait_for(lambda number=number: client["Part"] == number, 20)
            wait_for(lambda: client["Trigger"] is False)
        thread.join(10)
        assert [one.event.part for one in kept] == [1, 2] and client["Verdict"] == "good"
        parts.close()


def test_a_place_that_is_taken_or_open_to_all_is_refused():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(LineError, match="OPC UA cannot be served at .* address already in use"):
            OpcUaServer(f"127.0.0.1:{taken.getsockname()[1]}")
    with pytest.raises(LineError, match="insecure = true"):
        OpcUaServer("0.0.0.0:4840")
    OpcUaServer(f"0.0.0.0:{free_port()}", insecure=True).close()
