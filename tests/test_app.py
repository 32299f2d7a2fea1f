"""The chat: what it is launched with, what its handlers make of an Inspector, and a real server on loopback."""

import http.client
import json
import logging
import os
import socket
import stat
import threading
import uuid
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio")
import gradio as gr
import httpx
from gradio_client import Client, handle_file
from stub_inspector import StubInspector

from assistant.errors import LooktwiceError, WeightsError
from assistant.face import words
from assistant.face.frontend import load_frontend
from assistant.face.words import OPENING
from assistant.inspection import Answer
from assistant.records.entries import Turn

app = load_frontend()

MARKUP = "<img src=x onerror=alert(1)> **R1**"


@pytest.fixture
def stub():
    return StubInspector()


@pytest.fixture
def picture(tmp_path):
    """picture(name, brightness): the path of a grey PNG."""

    def make(name, brightness=200, size=(64, 32)):
        Image.new("RGB", size, (brightness,) * 3).save(tmp_path / name)
        return str(tmp_path / name)

    return make


# Launching


def test_the_server_keeps_to_itself():
    given = app.launch_arguments(7860, "127.0.0.1")
    assert given["server_name"] == "127.0.0.1" and given["server_port"] == 7860
    for name in "share mcp_server ssr_mode pwa run_history enable_monitoring show_error debug".split():
        assert given[name] is False, name
    assert given["strict_cors"] is True
    assert given["allowed_paths"] == [] and given["root_path"] == ""
    assert 0 < given["max_file_size"] <= 64_000_000
    assert 0 < given["state_session_capacity"] <= 1000


def test_the_page_is_bounded_and_reports_to_nobody(stub):
    page = app.build(stub)
    assert page.analytics_enabled is False
    assert page.delete_cache is not None
    assert 0 < page._queue.max_size <= 64 and page.api_open is False
    work = [f for f in page.fns.values() if f.concurrency_id == "inspector"]
    assert {f.name for f in work} >= {"inspect", "ask", "undo"} and {f.concurrency_limit for f in work} == {1}
    assert {f.api_name for f in page.fns.values() if f.api_visibility == "public"} == {"inspect", "ask"}


def test_no_model_text_is_taken_for_markup(stub):
    chats = [b for b in app.build(stub).blocks.values() if isinstance(b, gr.Chatbot)]
    assert [(c.sanitize_html, c.render_markdown, c.allow_tags) for c in chats] == [(True, False, False)]
    turns = [Turn(*said, datetime.now(UTC)) for said in ((OPENING, Answer("welcome")), ("a < b?", Answer(MARKUP)))]
    said = words.show_chat(turns)
    assert said[0] == {"role": "assistant", "content": "welcome"}
    assert said[1]["content"] == "a &lt; b?"
    assert said[2]["content"] == "&lt;img src=x onerror=alert(1)&gt; **R1**"


@pytest.fixture
def restored_environment(tmp_path, monkeypatch):
    before = dict(os.environ)
    monkeypatch.setattr(app.tempfile, "mkdtemp", lambda prefix: str(tmp_path / prefix))
    monkeypatch.setattr(app.atexit, "register", lambda *_, **__: None)
    yield
    os.environ.clear()
    os.environ.update(before)


OPENING_VARIABLES = {
    "GRADIO_SHARE": "True",
    "GRADIO_ALLOWED_PATHS": "/",
    "GRADIO_SERVER_NAME": "0.0.0.0",
    "GRADIO_MCP_SERVER": "True",
    "GRADIO_ROOT_PATH": "https://example.com/x",
    "GRADIO_TEMP_DIR": "/",
    "GRADIO_SSR_MODE": "True",
    "GRADIO_ANALYTICS_ENABLED": "True",
}


def test_variables_that_would_open_the_server_are_dropped_and_named(
    stub, restored_environment, monkeypatch, caplog
):
    os.environ.update(OPENING_VARIABLES)
    opened = {}
    monkeypatch.setattr(gr.Blocks, "launch", lambda self, **given: opened.update(page=self, **given))
    with caplog.at_level(logging.WARNING):
        page = app.launch(stub, port=7999, wait=False)
    assert {n for n in os.environ if n.startswith("GRADIO_")} == {"GRADIO_TEMP_DIR", "GRADIO_ANALYTICS_ENABLED"}
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert os.environ["GRADIO_TEMP_DIR"] != "/"
    assert all(name in caplog.text for name in OPENING_VARIABLES)
    assert "example.com" not in caplog.text
    assert page.root_path == "" and page.allowed_paths == []
    assert opened["share"] is False and opened["server_name"] == "127.0.0.1" and opened["allowed_paths"] == []
    assert "127.0.0.1" in os.environ["NO_PROXY"]


def test_a_port_in_use_is_said_in_one_sentence(stub, restored_environment):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LooktwiceError, match=f"Port {port} .* is not free"):
            app.launch(stub, port=port, wait=False)


def test_importing_does_nothing():
    folder = Path(app.__file__).parent
    before = set(folder.iterdir()), dict(os.environ), threading.active_count()
    load_frontend()
    assert before == (set(folder.iterdir()), dict(os.environ), threading.active_count())


def test_a_missing_bundle_is_what_the_page_says(restored_environment, monkeypatch):
    sentence = "The bundle 'pocket' is not on this machine yet: run `looktwice pull pocket`."

    def fail():
        raise WeightsError(sentence)

    shown = []
    monkeypatch.setattr(app.Inspector, "from_pretrained", fail)
    monkeypatch.setattr(app, "launch", lambda inspector, history: shown.append(app.build(inspector)))
    app.main()
    said = " ".join(str(b.value) for b in shown[0].blocks.values() if isinstance(b, gr.HTML))
    assert "run `looktwice pull pocket`" in said
    assert not shown[0].fns


# A real server


@pytest.fixture(scope="module")
def server():
    before = dict(os.environ)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    inspector = StubInspector()
    page = app.launch(inspector, port=port, wait=False)
    yield SimpleNamespace(url=page.local_url, port=port, inspector=inspector, folder=os.environ["GRADIO_TEMP_DIR"])
    page.close(verbose=False)
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def visit(server, tmp_path):
    """visit(): a new browser session."""

    def open_one():
        return Client(server.url, verbose=False, download_files=str(tmp_path / uuid.uuid4().hex))

    return open_one


def test_two_sessions_never_see_each_other(server, visit, picture):
    first, second = visit(), visit()
    good = [handle_file(picture("good.png", 100))]
    one = first.predict(pictures(picture("bright.png", 230)), good, "", api_name="/inspect")
    two = second.predict(pictures(picture("dark.png", 10)), [], "", api_name="/inspect")
    assert "DEFECT" in one[0] and "GOOD" in two[0]
    assert [row[0] for row in one[2]["value"]["data"]] == ["R1"] and not two[2]["value"]["data"]
    assert brightness(one[1]) > 150 > 50 > brightness(two[1])
    for question in ("why?", "where?"):
        first.predict(question, api_name="/ask")
    said = [texts(visitor.predict("how?", api_name="/ask")[0]) for visitor in (second, first)]
    assert said[0] == [f"dark.png [R1] 0: {OPENING}", "how?", "dark.png [R1] 1: how?"]
    assert said[1][-3:] == ["bright.png [R1] 2: where?", "how?", "bright.png [R1] 3: how?"]
    assert not any("dark" in text for text in said[1])
    first.predict(pictures(picture("next.png", 30)), good, "", api_name="/inspect")
    assert server.inspector.learned == [["good.png"]], "the session remembers what it learned"
    stranger = visit().predict("why?", api_name="/ask")[0]
    assert stranger == []


def test_a_failure_clears_the_old_result(visit, picture, tmp_path):
    visitor = visit()
    visitor.predict(pictures(picture("a.png")), [], "", api_name="/inspect")
    page = tmp_path / "page.png"
    page.write_text("<svg onload=alert(1)>")
    line, overlay, table, chat, *_ = visitor.predict(pictures(str(page)), [], "", api_name="/inspect")
    assert "page.png is not a PNG, JPEG, BMP, TIFF or WebP picture." in line
    assert overlay is None and not table["value"]["data"] and chat == []
    assert visitor.predict("why?", api_name="/ask")[0] == []


def test_an_answer_that_breaks_tells_nothing_of_the_machine(visit, picture, caplog):
    visitor = visit()
    visitor.predict(pictures(picture("a.png")), [], "", api_name="/inspect")
    chat, question = visitor.predict("break", api_name="/ask")
    assert len(chat) == 1 and question == "break"
    assert "/secret/path" in caplog.text
    assert "secret" not in json.dumps(chat)


def test_uploads_stay_in_a_private_folder_of_this_run(server, visit, picture):
    visit().predict(pictures(picture("mine.png")), [], "", api_name="/inspect")
    assert list(Path(server.folder).rglob("mine.png"))
    assert stat.S_IMODE(os.stat(server.folder).st_mode) == 0o700


def file_data(path, **more):
    return {"path": path, "meta": {"_type": "gradio.FileData"}, **more}


NOT_UPLOADS = {
    "address only": {"url": "http://169.254.169.254/", "meta": {"_type": "gradio.FileData"}},
    "address, unmarked": {"url": "http://169.254.169.254/"},
    "metadata service": file_data("http://169.254.169.254/latest/meta-data/"),
    "other server": file_data("https://example.com/a.png"),
    "both": file_data("http://169.254.169.254/", url="http://169.254.169.254/"),
    "absolute": file_data("/etc/passwd"),
    "absolute, unmarked": {"path": "/etc/passwd"},
    "upwards": file_data("../../etc/passwd"),
    "file address": file_data("file:///etc/passwd"),
    "another file of this run": {"path": "{folder}.png"},
    "stream": file_data("/etc/passwd", is_stream=True),
}


@pytest.mark.parametrize("place", ["picture", "reference"])
@pytest.mark.parametrize("upload", NOT_UPLOADS.values(), ids=NOT_UPLOADS)
def test_only_uploads_are_opened(server, monkeypatch, upload, place):
    upload = {key: v.format(folder=server.folder) if key == "path" else v for key, v in upload.items()}
    Path(f"{server.folder}.png").write_bytes(PNG[1])
    fetched, opened = [], []
    downloader = "gradio.processing_utils.async_ssrf_protected_download"
    monkeypatch.setattr(downloader, lambda url, **_: fetched.append(url))
    monkeypatch.setattr(StubInspector, "inspect", lambda self, images, *_: opened.extend(images))
    monkeypatch.setattr(StubInspector, "learn", lambda self, name, references, **_: opened.extend(references))
    uploaded = file_data(httpx.post(f"{server.url}gradio_api/upload", files=[("files", PNG)]).json()[0])
    picture = {"image": upload if place == "picture" else uploaded, "caption": None}
    data = [[picture], [upload] if place == "reference" else [], "", "Overlay", 0.5, "Product's scale"]
    event, reply = call(server, "inspect", data)
    assert fetched == []
    Path(f"{server.folder}.png").unlink()
    assert not [path for path in opened if not path.startswith(f"{server.folder}/")]
    assert event == "error" or "NO RESULT" in reply
    assert "passwd" not in reply and "root:" not in reply


@pytest.mark.parametrize(
    "place",
    [
        "../../../../etc/passwd",
        "/etc/passwd",
        "%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "%2Fetc%2Fpasswd",
        "..%2f..%2fpyproject.toml",
        "pyproject.toml",
        "{folder}/../../etc/passwd",
        "C:%5CWindows%5Cwin.ini",
        "http://169.254.169.254/",
    ],
)
def test_no_file_is_served_that_was_not_uploaded(server, place):
    status, body = get(server, f"/gradio_api/file={place.format(folder=server.folder)}")
    assert status in (400, 403, 404), body[:80]
    assert b"root:" not in body and b"[project]" not in body


def test_a_link_in_the_upload_folder_leads_nowhere(server):
    link = Path(server.folder) / "link.png"
    link.symlink_to("/etc/passwd")
    status, body = get(server, f"/gradio_api/file={link}")
    link.unlink()
    assert status in (403, 404) and b"root:" not in body


def test_another_sites_name_for_this_machine_is_refused(server):
    assert get(server, "/", {"Host": f"localhost:{server.port}"})[0] == 200
    assert get(server, "/", {"Host": "rebound.example"})[0] == 400


def test_another_sites_page_may_not_read_an_answer(server):
    def allowed(origin):
        return httpx.get(f"{server.url}config", headers={"Origin": origin}).headers.get(
            "access-control-allow-origin"
        )

    assert allowed(f"http://127.0.0.1:{server.port}") is not None
    assert allowed("https://evil.example") is None and allowed("null") is None


def test_an_upload_that_is_too_large_is_refused(server):
    size = app.DEFAULT_CAPS.max_bytes + 1
    reply = httpx.post(f"{server.url}gradio_api/upload", files=[("files", ("a.png", b"0" * size))], timeout=60)
    assert reply.status_code == 413


def test_there_is_no_other_door(server):
    for door in ("/gradio_api/mcp/", "/gradio_api/mcp/sse", "/monitoring/summary", "/gradio_api/runs"):
        assert get(server, door)[0] in (403, 404, 405), door
    assert httpx.get(f"{server.url}config").json()["analytics_enabled"] is False


PNG = ("a.png", bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c49444154789c63f8ffff3f0005fe02fe0def46b80000000049454e44ae426082"
))  # fmt: skip


def pictures(*paths):
    return [{"image": handle_file(path), "caption": None} for path in paths]


def brightness(overlay):
    return np.asarray(Image.open(overlay).convert("L")).mean()


def texts(chat):
    return [block["text"] for message in chat for block in message["content"]]


def call(server, name, data):
    """Post to an endpoint without a client and return the last event and what came with it."""
    reply = httpx.post(f"{server.url}gradio_api/call/{name}", json={"data": data})
    if reply.status_code != 200:
        return "error", reply.text
    stream = httpx.get(f"{server.url}gradio_api/call/{name}/{reply.json()['event_id']}", timeout=30).text
    lines = stream.strip().splitlines()
    return lines[-2].removeprefix("event: "), lines[-1].removeprefix("data: ")


def get(server, place, headers=None):
    """A GET with the path exactly as written."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.putrequest("GET", place, skip_host=bool(headers and "Host" in headers))
    for name, value in (headers or {}).items():
        connection.putheader(name, value)
    connection.endheaders()
    reply = connection.getresponse()
    status, body = reply.status, reply.read()
    connection.close()
    return status, body
