"""A service around the tiny inspector, and clients that talk to it in the process."""

import contextlib
import threading
import time

import pytest
from parcels import parts, png
from starlette.testclient import TestClient

from assistant.service import server
from assistant.service.application import create_app
from assistant.service.keys import KeyRing
from assistant.service.settings import ServiceSettings


@pytest.fixture
def files(good, planted):
    """{"good": ..., "bad": ...}: two picture files as bytes."""
    return {"good": png(good(50)), "bad": png(planted(good(51), 0.3, 0.6)[0])}


@pytest.fixture
def open_client(inspector):
    """open_client(keys=None, headers=None, records=None, **settings): a client of a running app."""
    with contextlib.ExitStack() as stack:

        def connect(keys=None, headers=None, records=None, **settings):
            app = create_app(inspector, ServiceSettings(**settings), keys=keys, records=records)
            client = TestClient(
                app, base_url="http://127.0.0.1", headers=headers or {}, raise_server_exceptions=False
            )
            return stack.enter_context(client)

        yield connect


@pytest.fixture
def client(open_client):
    """A client that needs no key."""
    return open_client()


@pytest.fixture
def cloth(client, good):
    """The name of a product that was learned through the service from three good parts."""
    made = client.post(
        "/v1/products", data={"name": "cloth"}, files=parts("references", [good(i) for i in range(3)])
    )
    assert made.status_code == 201, made.text
    return "cloth"


@pytest.fixture
def keys(tmp_path):
    """A key ring in a file, and the tokens of an operator and an engineer."""
    ring = KeyRing(tmp_path / "keys.json")
    return ring, ring.add("otto", "operator"), ring.add("eva", "engineer")


@pytest.fixture
def live(inspector):
    """live(keys=None, records=None, **settings): a real server in a thread, as (app, port, its uvicorn server)."""
    running = []

    def start(keys=None, records=None, **settings):
        app = create_app(
            inspector, ServiceSettings(**{"grace_seconds": 5.0} | settings), keys=keys, records=records
        )
        listener = server.bind("127.0.0.1", 0)
        one = server.make_server(app)
        thread = threading.Thread(target=one.run, kwargs={"sockets": [listener]})
        thread.start()
        running.append((one, thread))
        while not one.started:
            time.sleep(0.01)
        return app, listener.getsockname()[1], one

    yield start
    for one, thread in running:
        one.should_exit = True
        thread.join(20)
        assert not thread.is_alive()
