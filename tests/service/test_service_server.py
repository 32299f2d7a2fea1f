"""The running service: clients that hang up, a stop in the middle, keys before other machines, and its page."""

import base64
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from parcels import png
from starlette.testclient import TestClient
from test_service_answers import Model

from assistant.commands import main as cli
from assistant.errors import LooktwiceError
from assistant.inspection import Inspection
from assistant.service import server
from assistant.service.application import create_app
from assistant.service.keys import KeyRing
from assistant.service.settings import LOOPBACK, ServiceSettings


def post(port, address, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", address, json.dumps(body), {"Content-Type": "application/json"})
    return connection


def pictures(*files):
    return {"pictures": [{"data": base64.b64encode(file).decode()} for file in files]}


def until(what, seconds=10):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def drawn(shade):
    """A small picture file of one shade of grey."""
    return png(np.full((40, 40, 3), shade, np.uint8))


def test_a_client_that_hangs_up_costs_no_more_inspections(live, inspector, files, monkeypatch):
    held, begun, seen = threading.Event(), threading.Event(), []

    def slow(sources, *args, **kwargs):
        begun.set()
        assert held.wait(20)
        seen.extend(sources)
        return [Inspection("x", "error", "slow")] * len(sources)

    monkeypatch.setattr(inspector, "inspect", slow)
    app, port, _ = live(most_gathered=1)
    first = post(port, "/v1/inspect", pictures(drawn(10)))
    assert begun.wait(10)
    gone = post(port, "/v1/inspect", pictures(drawn(20), drawn(30)))
    until(lambda: app.state.service.gatherer.waiting == 2)
    gone.sock.close()
    gone.close()
    until(lambda: app.state.service.gatherer.waiting == 0)
    held.set()
    assert first.getresponse().status == 200
    until(lambda: app.state.service.in_flight.requests == 0)
    assert len(seen) == 1


def test_a_client_that_hangs_up_ends_the_answer_and_frees_the_model(live, inspector, files):
    def endless(prompt):
        yield "The verdict is shown above. "
        while True:
            time.sleep(0.01)
            yield "and "

    app, port, _ = live()
    id = app.state.service.records.add(inspector.inspect([files["bad"]])[0])
    inspector.explainer = Model(endless)
    asked = {"inspections": [id], "question": "Where is it?"}
    connection = post(port, "/v1/ask", asked)
    until(lambda: inspector.explainer.prompts)
    connection.sock.close()
    connection.close()
    assert inspector.explainer.closed.wait(10)
    until(lambda: app.state.service.in_flight.requests == 0)
    inspector.explainer = None
    answer = post(port, "/v1/ask", asked).getresponse()
    assert answer.status == 200 and b"event: answer" in answer.read()


def test_stopping_ends_what_is_in_flight_and_refuses_what_is_new(live, inspector, files, monkeypatch):
    held, begun = threading.Event(), threading.Event()
    inspect = inspector.inspect

    def slow(*args, **kwargs):
        begun.set()
        assert held.wait(20)
        return inspect(*args, **kwargs)

    monkeypatch.setattr(inspector, "inspect", slow)
    app, port, running = live()
    first = post(port, "/v1/inspect", pictures(files["good"]))
    assert begun.wait(10)
    running.handle_exit(signal.SIGTERM, None)
    refused = post(port, "/v1/inspect", pictures(files["good"])).getresponse()
    assert refused.status == 503 and refused.headers["retry-after"] == "1"
    assert "stopping" in json.loads(refused.read())["detail"]
    health = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    health.request("GET", "/v1/health")
    assert health.getresponse().status == 503
    assert not running.should_exit
    held.set()
    answer = first.getresponse()
    assert answer.status == 200 and json.loads(answer.read())["inspections"][0]["status"] == "ok"
    until(lambda: running.should_exit)


def test_a_body_that_does_not_arrive_is_given_up(live):
    app, port, _ = live(body_seconds=0.3)
    with socket.create_connection(("127.0.0.1", port)) as slow:
        head = "POST /v1/inspect HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        slow.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        slow.settimeout(10)
        assert b" 408 " in slow.recv(4000)
    until(lambda: app.state.service.in_flight.requests == 0)


def test_other_machines_need_keys_and_get_no_page(keys, tmp_path):
    ring, none = keys[0], KeyRing(tmp_path / "none.json")
    for host in ("127.0.0.1", "localhost", "::1"):
        server.check_exposure(host, none, ui=True)
    for host in ("0.0.0.0", "::", "192.168.1.7", "camera.example"):
        with pytest.raises(LooktwiceError, match="looktwice keys add"):
            server.check_exposure(host, none, ui=False)
        server.check_exposure(host, ring, ui=False)
        with pytest.raises(LooktwiceError, match="--ui"):
            server.check_exposure(host, ring, ui=True)


def test_the_names_it_answers_to_follow_the_host():
    usual = ServiceSettings()
    assert server.fit_hosts(usual, "127.0.0.1").hosts == LOOPBACK
    assert server.fit_hosts(usual, "192.168.1.7").hosts == (*LOOPBACK, "192.168.1.7")
    assert server.fit_hosts(usual, "0.0.0.0").hosts == ()
    chosen = server.fit_hosts(ServiceSettings(hosts=("line.example",)), "0.0.0.0")
    assert "line.example" in chosen.hosts and "evil.example" not in chosen.hosts


def test_a_taken_port_is_told_in_one_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(LooktwiceError, match="is not free"):
            server.bind("127.0.0.1", taken.getsockname()[1])


@pytest.fixture
def run(tiny_home, tmp_path, monkeypatch, capfd):
    """run(*arguments) -> (exit status, standard output, standard error)."""
    monkeypatch.setenv("LOOKTWICE_KEYS", str(tmp_path / "mine" / "keys.json"))

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["looktwice", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        out, err = capfd.readouterr()
        return stopped.value.code or 0, out, err

    return call


def test_keys_are_made_listed_and_revoked_in_the_shell(run):
    assert "this machine only" in run("keys", "list")[2]
    status, out, err = run("keys", "add", "otto", "--role", "operator")
    token = out.strip()
    assert status == 0 and token.startswith("look_") and token not in err
    listed = run("keys", "list")[1]
    assert "otto" in listed and "operator" in listed and "valid" in listed and token not in listed
    assert run("keys", "add", "otto", "--role", "engineer")[0] == 2
    assert run("keys", "add", "eva", "--role", "chief")[0] == 2
    assert run("keys", "revoke", "otto")[0] == 0 and "revoked" in run("keys", "list")[1]
    assert run("keys", "revoke", "otto")[0] == 2


def test_serving_other_machines_without_a_key_is_refused_in_the_shell(run):
    status, _, err = run("serve", "--host", "0.0.0.0", "--bundle", "tiny-cnn", "--device", "cpu")
    assert status == 2 and "looktwice keys add" in err and "Traceback" not in err
    assert run("serve", "--rate", "0")[0] == 2


@pytest.mark.slow
@pytest.mark.weights
def test_the_command_serves_and_stops_when_told(tmp_path, good):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {"LOOKTWICE_KEYS": str(tmp_path / "none.json")}
    command = [os.path.join(os.path.dirname(sys.executable), "looktwice"), "serve", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        assert f"http://127.0.0.1:{port}" in process.stderr.readline()
        assert "no keys" in process.stderr.readline()
        answer = post(port, "/v1/inspect", pictures(png(good(1)))).getresponse()
        assert json.loads(answer.read())["inspections"][0]["bundle"] == "pocket"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()


@pytest.mark.slow
def test_the_page_is_shown_beside_the_service(inspector, keys, monkeypatch):
    pytest.importorskip("gradio")
    for name in ("GRADIO_SHARE", "GRADIO_ALLOWED_PATHS"):
        monkeypatch.setenv(name, "/")
    app = create_app(inspector, ServiceSettings())
    server.mount_page(app, inspector, "127.0.0.1", 8100)
    assert "GRADIO_SHARE" not in os.environ
    with TestClient(app, base_url="http://127.0.0.1:8100") as client:
        page = client.get("/")
        assert page.status_code == 200 and "looktwice" in page.text
        assert "content-security-policy" not in page.headers
        assert client.get("/v1/health").json() == {"status": "ok", "stuck": 0}
        assert client.get("/gradio_api/file=/etc/passwd").status_code in (403, 404)
        assert client.get("/", headers={"Origin": "https://evil.example"}).status_code == 403
