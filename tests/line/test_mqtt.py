"""MQTT against a real mosquitto: each result, the retained state, TLS, names and passwords, and a broker away."""

import json
import shutil
import subprocess
import threading
import time

import paho.mqtt.client as mqtt
import pytest
from line_parts import draw, wait_for

from assistant.errors import LineError
from assistant.line.delivery import Delivery
from assistant.line.mqtt import MqttSink
from assistant.line.settings import SinkSettings, Surroundings
from assistant.line.sink import Away


class Listener:
    """Who listens to all topics, in a session that the broker keeps while the listener or the broker is away."""

    def __init__(self, port, name="listener"):
        self.heard, self.subscribed = [], threading.Event()
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = lambda client, *given: client.subscribe("#", qos=1)
        self.client.on_subscribe = lambda *given: self.subscribed.set()
        self.client.on_message = lambda client, data, message: self.heard.append(message)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self.subscribed.wait(10)

    def on(self, ending):
        return [json.loads(one.payload) for one in list(self.heard) if one.topic.endswith(ending)]

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def listen():
    made = []

    def make(port, name="listener"):
        made.append(Listener(port, name))
        return made[-1]

    yield make
    for one in made:
        one.close()


def fill(folder, count, start=0):
    for i in range(start, start + count):
        (folder / f"{i}.png").write_bytes(draw(i, shade=20 if i % 3 == 0 else 200))


def test_each_result_is_published_and_the_state_is_retained(begin, folder, to, broker, listen):
    port = broker().port
    listener = listen(port)
    fill(folder, 4)
    list(begin(to(MqttSink("127.0.0.1", port, station="press/3"), "mqtt"), station="press/3").run(once=True))
    wait_for(lambda: len(listener.on("/part")) == 4)
    assert {one.topic for one in listener.heard} == {
        "looktwice/press_3/plate/part",
        "looktwice/press_3/plate/state",
        "looktwice/press_3/online",
    }
    assert [one["part"] for one in listener.on("/part")] == [1, 2, 3, 4]
    assert listener.on("/part")[0]["inspection"]["verdict"] == "defect"
    late = listen(port, "late")
    wait_for(lambda: late.on("/state") and late.on("/online"))
    [state] = late.on("/state")
    assert (state["part"], state["verdict"], state["station"]) == (4, "defect", "press/3")
    assert state["counts"] == {"defect": 2, "good": 2} and state["score"] > state["threshold"] == 0.5
    assert late.on("/online") == [False] and not late.on("/part"), "parts are not retained"


def test_a_broker_that_is_away_for_seconds_gets_all_in_the_end(begin, folder, to, broker, listen, journal, said):
    home = broker()
    listener = listen(home.port)
    route = to(MqttSink("127.0.0.1", home.port, seconds=0.5), "mqtt")
    delivery = Delivery(journal.outbox, [route], said.append)
    delivery.start()
    quiet = begin(to(route.sink, "mqtt"))
    quiet.delivery = Delivery(journal.outbox, [], said.append)  # the one above delivers
    fill(folder, 3)
    list(quiet.run(once=True))
    wait_for(lambda: len(listener.on("/part")) == 3)
    home.stop()
    fill(folder, 5, start=3)
    list(quiet.run(once=True))
    time.sleep(2)
    assert journal.outbox.waiting()["mqtt"] == 5 and any("is away" in one for one in said)
    home.start()
    wait_for(lambda: not journal.outbox.waiting(), 30)
    wait_for(lambda: {one["part"] for one in listener.on("/part")} == set(range(1, 9)), 30)
    delivery.stop()
    ids = {one["part"]: one["id"] for one in listener.on("/part")}
    assert {one["id"] for one in listener.on("/part")} == set(ids.values()), "what comes twice has one id"
    assert listener.on("/state")[-1]["part"] == 8


def test_no_broker_is_away(to):
    sink = MqttSink("127.0.0.1", 1, seconds=0.2)
    with pytest.raises(Away, match="the broker 127.0.0.1:1 cannot be reached"):
        sink.deliver(None)
    sink.close()


def test_a_name_and_a_password_are_needed_where_the_broker_asks_for_them(
    begin, folder, to, broker, tmp_path, journal, said, monkeypatch
):
    words = tmp_path / "words"
    words.touch(0o600)
    subprocess.run(["mosquitto_passwd", "-b", str(words), "line", "the word"], check=True, capture_output=True)
    port = broker(f"password_file {words}").port
    fill(folder, 1)
    list(begin(to(MqttSink("127.0.0.1", port, seconds=0.5, name="line", password="no"), "mqtt")).run(once=True))
    assert "refuses this sink: not authorized" in said[0] and journal.outbox.waiting()["mqtt"] == 1
    monkeypatch.setenv("BROKER", "the word")
    said_of = {"host": "127.0.0.1", "port": port, "username": "line", "password_env": "BROKER", "timeout": 2}
    route = SinkSettings("mqtt", "mqtt", said_of).open(Surroundings(station="press 3"))
    list(begin(route).run(once=True))
    assert not journal.outbox.waiting()


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the certificate")
def test_it_speaks_tls_and_trusts_only_what_it_is_told_to(begin, folder, to, broker, tmp_path, journal, said):
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    made += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "ca.pem"]
    subprocess.run(made, cwd=tmp_path, check=True, capture_output=True)
    files = [f"cafile {tmp_path}/ca.pem", f"certfile {tmp_path}/ca.pem", f"keyfile {tmp_path}/key.pem"]
    port = broker(*files).port
    fill(folder, 1)
    list(begin(to(MqttSink("127.0.0.1", port, tls=True, seconds=2), "mqtt")).run(once=True))
    assert "is not trusted" in said[0] and journal.outbox.waiting()["mqtt"] == 1
    route = to(MqttSink("127.0.0.1", port, tls=True, ca=str(tmp_path / "ca.pem"), seconds=5), "mqtt")
    list(begin(route).run(once=True))
    assert not journal.outbox.waiting()


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"topic": "line/#"}, "neither"),
        ({"topic": "/"}, "has a name"),
        ({"ca": "/nowhere.pem"}, "certificates of an MQTT sink cannot be read"),
    ],
)
def test_what_cannot_be_used_is_refused(fields, why):
    with pytest.raises(LineError, match=why):
        MqttSink("host", **fields)
