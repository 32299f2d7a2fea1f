"""What tests of a line share: pictures that a quick judge decides on, a journal, and a receiver."""

import os

import pytest
from broker import Broker, what_is_missing
from line_parts import QUICK, Shelf, judge
from receiver import Receiver

from assistant.line.delivery import Delivery, Route
from assistant.line.journal import Journal
from assistant.line.keeping import Keeper
from assistant.line.watching import FolderWatch, Pace


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "in"
    made.mkdir()
    return made


@pytest.fixture
def journal(tmp_path):
    kept = Journal(tmp_path / "journal.sqlite")
    yield kept
    kept.close()


@pytest.fixture
def said():
    """What was told to whoever looks after the line."""
    return []


@pytest.fixture
def begin(folder, journal, said):
    """begin(*routes, ...): a watch of the folder with these sinks that looks often and waits little."""

    def make(*routes, look=judge, settle=0.05, give_up=0.3, station="", **more):
        delivery = Delivery(journal.outbox, routes, said.append)
        keeper = Keeper(journal, routes, station)
        pace = Pace(0.02, settle, give_up)
        return FolderWatch(folder, look, keeper, delivery, say=said.append, pace=pace, **more)

    return make


@pytest.fixture
def shelf():
    return Shelf()


@pytest.fixture
def to():
    """to(sink, name, ...): a route to it that waits little."""

    def make(sink, name="shelf", verdicts=(), patience=QUICK):
        return Route(name, sink, frozenset(verdicts), patience)

    return make


@pytest.fixture
def receive():
    """receive(behaves, port=0): a receiver of webhooks."""
    made = []

    def make(behaves=lambda number: 200, port=0):
        made.append(Receiver(behaves, port))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def broker(tmp_path):
    """broker(*lines): a mosquitto that runs.

    Where there is none, tests are skipped and say why; with LOOKTWICE_MQTT_TESTS=required they fail instead.
    """
    if why := what_is_missing():
        (pytest.fail if os.environ.get("LOOKTWICE_MQTT_TESTS") == "required" else pytest.skip)(why)
    made = []

    def make(*lines):
        folder = tmp_path / f"broker{len(made)}"
        folder.mkdir()
        made.append(Broker(folder, *lines))
        return made[-1].start()

    yield make
    for one in made:
        one.stop()
