"""The chat: what it is launched with, what its handlers make of an Inspector, and a real server on loopback."""

import http.client
import json
import logging
import os
import socket
import stat
import threading
import uuid
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio")
import gradio as gr
import httpx
from gradio_client import Client, handle_file

from assistant.errors import LooktwiceError, ProductError, WeightsError
from assistant.face import inspect_place, words
from assistant.face import session as session_steps
from assistant.face.desk import Desk
from assistant.frontend import load_frontend
from assistant.images import load_image
from assistant.inspection import Answer, Evidence, Inspection, Region

app = load_frontend()

MARKUP = "<img src=x onerror=alert(1)> **R1**"
ORIGIN = "estimated for 5 % false alarms from <b>4</b> good pictures"


class StubInspector:
    """Scores a picture by its brightness and answers with what it was asked, so that a mix-up shows."""

    explainer = None

    def __init__(self):
        self.store = SimpleNamespace(names=lambda: ["bracket"])
        self.learned = []
        self.compared = []
        self.histories = []

    def learn(self, name, references, *, tell=None):
        for reference in references:
            load_image(reference)
        self.learned.append([Path(reference).name for reference in references])
        if tell:
            tell("Looking at the references", 0.5)
        return SimpleNamespace(name=name, count=len(references))

    def inspect(self, images, product=None):
        self.compared.append(product)
        if product == "gone":
            raise ProductError("There is no product 'gone'; the products are: bracket.")
        return [self._inspect(image, product) for image in images]

    def ask(self, inspection, question, history=()):
        if question == "break":
            raise RuntimeError("/secret/path/model.bin at 0x7f00")
        self.histories.append(tuple(history))
        return Answer(f"{inspection.path} [R1] {len(history)}: {question}", ("R1",))

    def _inspect(self, path, product):
        pixels = load_image(path).pixels
        score = float(pixels.mean()) / 255
        verdict = "defect" if score > 0.5 else "good"
        region = Region("R1", (1, 2, 9, 8), 48, 0.0234, score, "top left", "moderate")
        return Inspection(
            path=str(path),
            mode="zero-shot",
            score=score,
            p_value=0.01,
            threshold=0.5,
            review_threshold=0.45,
            verdict=verdict,
            regions=(region,) if verdict == "defect" else (),
            width=pixels.shape[1],
            height=pixels.shape[0],
            evidence=Evidence("predictive", ORIGIN, 4, 0.05, 0.2),
            scale=(0.25, 1.0),
            notices=("read as <12-bit>",),
            coarse_map=np.full((4, 4), score, np.float32),
        )


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
    assert {f.name for f in work} == {"inspect", "ask"} and {f.concurrency_limit for f in work} == {1}


def test_no_model_text_is_taken_for_markup(stub):
    chats = [b for b in app.build(stub).blocks.values() if isinstance(b, gr.Chatbot)]
    assert [(c.sanitize_html, c.render_markdown, c.allow_tags) for c in chats] == [(True, False, False)]
    said = words.show_chat([("", "welcome"), ("a < b?", MARKUP)])
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


# Handlers


def inspect(stub, path, references=(), product=None, session=None):
    return session_steps.inspect_picture(stub, path, references, product, session or session_steps.Session())


def test_an_inspection_opens_the_chat_and_gives_the_overlay(stub, picture):
    session, overlay = inspect(stub, picture("bolt.png"))
    assert session.inspection.verdict == "defect"
    assert session.inspection.path == "bolt.png"
    assert session.turns == ((session_steps.OPENING, f"bolt.png [R1] 0: {session_steps.OPENING}"),)
    assert overlay.size[0] == 512 and overlay.size[1] > 256
    assert stub.compared == [None]


def test_references_are_learned_once_until_they_change(stub, picture):
    good = [picture(f"good{i}.png", 40 + i) for i in range(3)]
    session, _ = inspect(stub, picture("a.png"), good)
    session, _ = inspect(stub, picture("b.png"), good, session=session)
    assert stub.learned == [["good0.png", "good1.png", "good2.png"]]
    assert [product.count for product in stub.compared] == [3, 3]
    session, _ = inspect(stub, picture("b.png"), good[:2], session=session)
    assert len(stub.learned) == 2 and stub.compared[-1].count == 2
    inspect(stub, picture("b.png"), (), session=session)
    assert stub.compared[-1] is None, "references taken away must not be compared with"


def test_a_saved_product_is_named_to_the_inspector(stub, picture):
    inspect(stub, picture("a.png"), (), "bracket")
    assert stub.compared == ["bracket"] and not stub.learned


@pytest.mark.parametrize(
    ("path", "references", "product", "said"),
    [
        (None, (), None, "Upload a picture"),
        ("ok", ("ok",), "bracket", "not both"),
        ("ok", ("ok",) * 101, None, "At most 100"),
        ("ok", (), "gone", "no product 'gone'"),
    ],
)
def test_a_request_that_makes_no_sense_is_one_sentence(stub, picture, path, references, product, said):
    ok = picture("ok.png")
    with pytest.raises(LooktwiceError, match=said):
        inspect(stub, path and ok, [ok for _ in references], product)
    assert not stub.learned


def test_a_picture_that_cannot_be_read_has_no_result(stub, tmp_path, monkeypatch):
    bad = Inspection("x.png", "error", "x.png is not a picture")
    monkeypatch.setattr(stub, "inspect", lambda *_: [bad])
    with pytest.raises(LooktwiceError, match="x.png is not a picture"):
        inspect(stub, str(tmp_path / "x.png"))


def test_follow_ups_keep_their_history_and_it_is_bounded(stub, picture):
    session, _ = inspect(stub, picture("a.png"))
    session = session_steps.continue_chat(stub, "why?", session)
    session = session_steps.continue_chat(stub, "  where? ", session)
    assert [q for q, _ in session.turns] == [session_steps.OPENING, "why?", "where?"]
    assert stub.histories[-1] == session.turns[:2]
    assert [m["role"] for m in words.show_chat(session.turns)] == ["assistant", *["user", "assistant"] * 2]
    assert session_steps.continue_chat(stub, "   ", session) is session
    for i in range(70):
        session = session_steps.continue_chat(stub, f"{i} {'x' * 10_000}", session)
    assert len(session.turns) == 1 + session_steps.MOST_TURNS and session.turns[0][0] == session_steps.OPENING
    assert all(len(q) <= session_steps.LONGEST_QUESTION for q, _ in session.turns)


def test_an_answer_of_a_language_model_grows_and_is_kept_once(stub, picture):
    session, _ = inspect(stub, picture("a.png"))
    asked = []

    def stream(*given):
        asked.append(given)
        yield from (Answer("One."), Answer("One. Two.", notices=("Note.",)))

    stub.explainer, stub.stream = object(), stream
    grown = list(session_steps.stream_chat(stub, "why?", session))
    assert [s.turns[-1] for s in grown] == [("why?", "One."), ("why?", "One. Two.\nNote.")]
    assert all(len(s.turns) == 2 for s in grown)
    ((found, _, turns, shown),) = asked
    assert (found, turns, Path(shown).name) == (session.inspection, session.turns, "a.png")
    chats = [chat for _, chat, _ in inspect_place.Handlers(Desk(stub, "")).ask("why?", session)]
    assert [chat[-1]["content"] for chat in chats] == ["One.", "One. Two.\nNote."]


def test_there_is_nothing_to_ask_about_before_an_inspection(stub):
    with pytest.raises(LooktwiceError, match="Inspect a picture first"):
        session_steps.continue_chat(stub, "why?", session_steps.Session())


def test_the_verdict_line_says_score_threshold_and_its_origin(stub, picture):
    session, _ = inspect(stub, picture("a.png", 204))
    line = words.show_verdict(session.inspection)
    assert 'class="badge defect">DEFECT<' in line
    assert "<b>0.8</b>" in line and "<b>0.5</b>" in line and "review above 0.45" in line
    assert "from &lt;b&gt;4&lt;/b&gt; good pictures." in line, "text from the record is escaped"
    assert "read as &lt;12-bit&gt;" in line
    assert "No region" not in line
    calm, _ = inspect(stub, picture("b.png", 20))
    assert "No region stands out." in words.show_verdict(calm.inspection)


def test_regions_are_rows_of_text(stub, picture):
    session, _ = inspect(stub, picture("a.png", 204))
    assert words.show_regions(session.inspection) == [["R1", "top left", "48 px (2.34 %)", "moderate", "0.8"]]


def test_what_is_not_the_visitors_doing_is_logged_under_an_id_and_not_shown(caplog):
    line = words.show_error(RuntimeError("/secret/path at 0x7f00"))
    assert "secret" not in line and "0x7f" not in line
    name = next(r.args[0] for r in caplog.records)
    assert name in line and "/secret/path" in caplog.text
    assert words.show_error(ProductError("No <b>x</b>")).endswith("No &lt;b&gt;x&lt;/b&gt;.")


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
    one = first.predict(handle_file(picture("bright.png", 230)), good, "", api_name="/inspect")
    two = second.predict(handle_file(picture("dark.png", 10)), [], "", api_name="/inspect")
    assert "DEFECT" in one[0] and "GOOD" in two[0]
    assert [row[0] for row in one[2]["value"]["data"]] == ["R1"] and not two[2]["value"]["data"]
    assert brightness(one[1]) > 150 > 50 > brightness(two[1])
    for question in ("why?", "where?"):
        first.predict(question, api_name="/ask")
    said = [texts(visitor.predict("how?", api_name="/ask")[0]) for visitor in (second, first)]
    assert said[0] == [f"dark.png [R1] 0: {session_steps.OPENING}", "how?", "dark.png [R1] 1: how?"]
    assert said[1][-3:] == ["bright.png [R1] 2: where?", "how?", "bright.png [R1] 3: how?"]
    assert not any("dark" in text for text in said[1])
    first.predict(handle_file(picture("next.png", 30)), good, "", api_name="/inspect")
    assert server.inspector.learned == [["good.png"]], "the session remembers what it learned"
    stranger = visit().predict("why?", api_name="/ask")[0]
    assert stranger == []


def test_a_failure_clears_the_old_result(visit, picture, tmp_path):
    visitor = visit()
    visitor.predict(handle_file(picture("a.png")), [], "", api_name="/inspect")
    page = tmp_path / "page.png"
    page.write_text("<svg onload=alert(1)>")
    line, overlay, table, chat = visitor.predict(handle_file(str(page)), [], "", api_name="/inspect")
    assert "page.png is not a PNG, JPEG, BMP, TIFF or WebP picture." in line
    assert overlay is None and not table["value"]["data"] and chat == []
    assert visitor.predict("why?", api_name="/ask")[0] == []


def test_an_answer_that_breaks_tells_nothing_of_the_machine(visit, picture, caplog):
    visitor = visit()
    visitor.predict(handle_file(picture("a.png")), [], "", api_name="/inspect")
    chat, question = visitor.predict("break", api_name="/ask")
    assert len(chat) == 1 and question == "break"
    assert "/secret/path" in caplog.text
    assert "secret" not in json.dumps(chat)


def test_uploads_stay_in_a_private_folder_of_this_run(server, visit, picture):
    visit().predict(handle_file(picture("mine.png")), [], "", api_name="/inspect")
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
    data = [upload, [], ""] if place == "picture" else [uploaded, [upload], ""]
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
    size = app.DEFAULT_LIMITS.max_bytes + 1
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


def brightness(overlay):
    return np.asarray(Image.open(overlay).convert("L"))[60:].mean()


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
