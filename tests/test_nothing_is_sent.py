"""No command and no page looks up a name or talks to another machine: each is run under an audit hook."""

import os
import subprocess
import sys

import pytest
from PIL import Image

WATCH = '''
"""Writes down every look-up and connection beyond this machine, in this process and in those that it starts."""
import ipaddress, os, sys

def here(host):
    if isinstance(host, bytes):
        host = host.decode()
    if not host or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback or ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False

def watch(event, given):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = given[0]
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        host = given[1][0] if isinstance(given[1], tuple) else ""
    else:
        return
    if not here(host):
        with open(os.environ["WATCHED"], "a") as log:
            log.write(f"{os.environ.get('WATCHED_STEP', 'start')}: {event} {host}\\n")
        raise OSError("there is no network in this test")

sys.addaudithook(watch)
'''

RUN = """
import os, sys
from pathlib import Path

def step(name):
    os.environ["WATCHED_STEP"] = name

step("import")
before = dict(os.environ)
import assistant.inspector, assistant.commands.main as cli
assert dict(os.environ) == before, "an import changed the environment"

import open_clip
import assistant.models.card, assistant.detection.built_in

home, folder = Path(sys.argv[1]), Path(sys.argv[2])
assistant.models.card.card_folder = assistant.detection.built_in.card_folder = lambda: home / "cards"
open_clip.add_model_config(home / "configs")

def run(*arguments, bundle="tiny-cnn"):
    step(arguments[0])
    if arguments[0] in ("inspect", "learn", "teach", "ask", "eval", "batch"):
        arguments += ("--bundle", bundle, "--device", "cpu")
    sys.argv = ["looktwice", *map(str, arguments)]
    try:
        cli.main()
    except SystemExit as stopped:
        assert not stopped.code, (arguments, stopped.code)
    print("did", arguments[0], file=sys.stderr)
"""

COMMANDS = """
good, new = folder / "good", folder / "new"
run("learn", "cloth", "--references", good)
run("inspect", new, "--product", "cloth", "--history", "--lot", "7", "--report", folder / "a.html")
run("inspect", new, bundle="tiny-vit")
run("inspect", good, "--mode", "mutual")
run("teach", "cloth", "--good", new / "0.png")
run("ask", new / "1.png", "Where is it?", "--product", "cloth")
run("ask", new / "1.png", "Where is it?", bundle="tiny-vit")
run("batch", new, "--out", folder / "run.csv", "--product", "cloth")
run("products")
run("bundles")
run("history", "list")
run("audit", "verify")
run("eval", folder / "set", "--shots", "0", "1", "--seeds", "1", "--out", folder / "numbers.json")
"""

PAGE = """
import re, socket

import httpx
from assistant.face.frontend import load_frontend
from assistant.records.history import History

step("page")
inspector = assistant.inspector.Inspector.from_pretrained("tiny-cnn", device="cpu")
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
page = load_frontend().launch(inspector, history=History(folder / "page.sqlite"), port=port, wait=False)
text = httpx.get(page.local_url).text
assert "looktwice" in text and not re.search('(src|href)="(https?:)?//', text), "the page loads from elsewhere"
from gradio_client import Client
Client(page.local_url, verbose=False)
page.close()
"""

SERVICE = """
from starlette.testclient import TestClient
from assistant.service.application import create_app
from assistant.service.settings import ServiceSettings

step("service")
inspector = assistant.inspector.Inspector.from_pretrained("tiny-cnn", device="cpu")
app = create_app(inspector, ServiceSettings(hosts=("testserver",)))
with TestClient(app) as client:
    assert client.get("/v1/health").status_code == 200
    sent = ("0.png", (folder / "new" / "0.png").read_bytes())
    assert client.post("/v1/inspect", files=[("pictures", sent)]).status_code == 200
"""

OPENVINO = """
import openvino
"""


@pytest.fixture
def folder(tmp_path, good, planted):
    """Good parts, new ones, and a small data set of both."""

    def save(where, pixels):
        where.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(where)

    for i in range(3):
        save(tmp_path / "good" / f"{i}.png", good(i))
        save(tmp_path / "set" / "cloth" / "train" / "good" / f"{i}.png", good(i))
        save(tmp_path / "set" / "cloth" / "test" / "good" / f"{i}.png", good(20 + i))
        save(tmp_path / "set" / "cloth" / "test" / "blot" / f"{i}.png", planted(good(30 + i), 0.4, 0.5)[0])
    save(tmp_path / "new" / "0.png", good(7))
    save(tmp_path / "new" / "1.png", planted(good(8), 0.3, 0.6)[0])
    return tmp_path


@pytest.fixture
def sent_by(folder, tiny_folder):
    """sent_by(code): what a program did to reach other machines, in lines; its home is empty, as a new user's."""

    def run(code):
        own = folder / "home"
        own.mkdir()
        (folder / "watch").mkdir()
        (folder / "watch" / "sitecustomize.py").write_text(WATCH)
        quiet = {"CI", "TF_BUILD", "JENKINS_URL"}  # some libraries report nothing where these are set
        home = {
            name: value for name, value in os.environ.items() if name not in quiet and "PROXY" not in name.upper()
        }
        paths = {"LOOKTWICE_CACHE": tiny_folder, "HOME": own, "WATCHED": folder / "sent.txt"}
        paths |= {"LOOKTWICE_PRODUCTS": folder / "products", "LOOKTWICE_HISTORY": folder / "history.sqlite"}
        paths["PYTHONPATH"] = folder / "watch"
        command = [sys.executable, "-c", RUN + code, str(tiny_folder), str(folder)]
        environment = home | {name: str(value) for name, value in paths.items()}
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, timeout=280)
        assert done.returncode == 0, done.stderr
        log = folder / "sent.txt"
        left = [f"left in the user's home: {file.name}" for file in own.rglob("*telemetry*")]
        left += [f"left in the user's home: {file.name}" for file in own.rglob("*_cid")]
        return [*log.read_text().splitlines(), *left] if log.exists() else left

    return run


def test_no_command_reaches_another_machine(sent_by, folder):
    assert sent_by(COMMANDS) == []
    assert (folder / "numbers.json").exists() and (folder / "a.html").exists()


def test_the_page_reaches_no_other_machine(sent_by):
    pytest.importorskip("gradio")
    assert sent_by(PAGE) == []


def test_the_service_reaches_no_other_machine(sent_by):
    pytest.importorskip("fastapi")
    assert sent_by(SERVICE) == []


def test_the_watch_sees_what_openvino_reports_by_itself(sent_by):
    """Or the tests above would pass whatever happens; it is what import_openvino is for."""
    pytest.importorskip("openvino_telemetry")
    assert any(line.startswith("import: socket.getaddrinfo") for line in sent_by(OPENVINO))
