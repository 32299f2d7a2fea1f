"""An endpoint that speaks the protocol of chat completions, and all the ways in which it may not."""

import base64
import io
import json
import logging
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from assistant.errors import ExplainerError
from assistant.inspection import Inspection, Region
from assistant.language.explainer import Prompt, Subject
from assistant.language.openai import LARGEST, OpenAIExplainer, Patience

KEY = "sk-very-secret-0123456789"
VARIABLE = "LOOKTWICE_OPENAI_KEY"


class Server(ThreadingHTTPServer):
    """Answers each POST with `script(handler)`; keeps what it was asked."""

    daemon_threads = True

    def __init__(self, script):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script, self.asked = script, []
        self.gone = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request, address):
        self.gone.set()


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, dict(self.headers), body))
        self.server.script(self)

    def log_message(self, *_):
        pass

    def begin(self, status=200, kind="text/event-stream", **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def say(self, *pieces, end="data: [DONE]\n\n"):
        for piece in pieces:
            self.event({"choices": [{"delta": {"content": piece}, "finish_reason": None}]})
        self.wfile.write(end.encode())

    def event(self, row):
        self.wfile.write(f"data: {json.dumps(row)}\n\n".encode())


@pytest.fixture
def serve(monkeypatch):
    """serve(script) -> a running server."""
    monkeypatch.setenv(VARIABLE, KEY)
    running = []

    def start(script):
        server = Server(script)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        running.append(server)
        return server

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.fixture
def prompt(good):
    found = Inspection(
        path="a.png",
        mode="zero-shot",
        score=9.0,
        p_value=0.001,
        threshold=5.0,
        review_threshold=4.0,
        verdict="defect",
        regions=(Region("R1", (10, 10, 60, 40), 900, 0.03, 9.0, "top left", "severe"),),
        width=160,
        height=120,
    )
    subject = Subject(found, good(1, 160, 120), good(2))
    return Prompt("Where is it?", (subject,), (("Is it good?", "No, it is not."),))


def explainer(server, **how):
    return OpenAIExplainer(server.url, "tiny", patience=Patience(2, 2, 4), **how)


def speak(*pieces):
    def script(handler):
        handler.begin()
        handler.say(*pieces)

    return script


def complaint(server, prompt, **how):
    """The one sentence in which asking ends, which never holds the key."""
    with pytest.raises(ExplainerError) as raised:
        "".join(explainer(server, **how).stream(prompt))
    chain, error = [], raised.value
    while error:
        chain.append(repr(error))
        error = error.__cause__
    assert KEY not in " ".join(chain)
    assert str(raised.value).endswith(".") and "\n" not in str(raised.value)
    return str(raised.value)


def test_pieces_come_as_they_are_sent_and_the_request_says_all(serve, prompt):
    server = serve(speak("At the ", "top left ", "[R1]. Größe", " ✓"))
    assert list(explainer(server).stream(prompt)) == ["At the ", "top left ", "[R1]. Größe", " ✓"]
    ((path, headers, body),) = server.asked
    assert path == "/v1/chat/completions" and headers["Authorization"] == f"Bearer {KEY}"
    assert body["model"] == "tiny" and body["stream"] is True and body["max_tokens"] > 0
    system, first, said, last = body["messages"]
    assert [m["role"] for m in body["messages"]] == ["system", "user", "assistant", "user"]
    assert (
        "final" in system["content"] and "Where is it?" in last["content"] and "No, it is not." in said["content"]
    )
    urls = [part["image_url"]["url"] for part in first["content"] if part["type"] == "image_url"]
    assert len(urls) == 4
    for url in urls:
        head, data = url.split(",")
        assert head == "data:image/jpeg;base64"
        assert Image.open(io.BytesIO(base64.b64decode(data))).format == "JPEG"
    texts = " ".join(part["text"] for part in first["content"] if part["type"] == "text")
    assert "Verdict: defect." in texts and "[R1]" in texts and "Is it good?" in texts


def test_a_piece_is_there_before_the_next_is_sent(serve, prompt):
    go_on = threading.Event()

    def script(handler):
        handler.begin()
        handler.say("One", end="")
        go_on.wait(5)
        handler.say("two")

    stream = explainer(serve(script)).stream(prompt)
    assert next(stream) == "One" and not go_on.is_set()
    go_on.set()
    assert list(stream) == ["two"]


def test_comments_other_fields_and_events_without_text_are_passed_over(serve, prompt):
    def script(handler):
        handler.begin()
        handler.wfile.write(b": waiting\r\n\r\nevent: x\r\nid: 3\r\n")
        handler.event({"choices": []})
        handler.event({"choices": [{"delta": {"role": "assistant", "content": None}}]})
        handler.event({"choices": [{"delta": {"reasoning_content": "hm"}}]})
        handler.wfile.write(b'data:{"choices":[{"delta":{"content":"Yes."},"finish_reason":"stop"}]}\r\n\r\n')

    assert "".join(explainer(serve(script)).stream(prompt)) == "Yes."  # ended by its finish reason, without [DONE]


def test_an_answer_that_comes_at_once_is_taken(serve, prompt):
    def script(handler):
        handler.begin(kind="application/json; charset=utf-8")
        handler.wfile.write(json.dumps({"choices": [{"message": {"content": "All at once."}}]}).encode())

    assert list(explainer(serve(script)).stream(prompt)) == ["All at once."]


def test_a_model_that_wants_newer_words_is_asked_in_them_once(serve, prompt):
    def script(handler):
        if "max_tokens" in handler.server.asked[-1][2]:
            handler.begin(400, "application/json")
        else:
            speak("Now.")(handler)

    server = serve(script)
    assert list(explainer(server).stream(prompt)) == ["Now."]
    second = server.asked[1][2]
    assert second["max_completion_tokens"] > 0 and "temperature" not in second and len(server.asked) == 2


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "did not accept"),
        (401, f"refused the key in {VARIABLE}"),
        (404, "name of the model"),
        (413, "did not accept"),
        (429, "too many requests"),
        (500, "HTTP 500"),
        (204, "HTTP 204"),
    ],
)
def test_a_refusal_is_one_sentence_without_what_the_server_says(serve, prompt, status, words):
    def script(handler):
        handler.begin(status, "application/json")
        handler.wfile.write(json.dumps({"error": {"message": f"bad key {KEY}"}}).encode())

    server = serve(script)
    assert words in complaint(server, prompt)
    assert len(server.asked) == (2 if status == 400 else 1)


def test_a_redirect_is_not_followed(serve, prompt):
    other = serve(speak("Got you."))
    server = serve(lambda handler: handler.begin(307, Location=f"{other.url}/chat/completions"))
    assert "not followed" in complaint(server, prompt)
    assert other.asked == []


def test_without_a_key_none_is_sent_and_one_is_asked_for(serve, prompt, monkeypatch):
    monkeypatch.delenv(VARIABLE)
    server = serve(speak("Hello."))
    assert list(explainer(server).stream(prompt)) == ["Hello."]
    assert "Authorization" not in server.asked[0][1]
    assert f"set {VARIABLE}" in complaint(serve(lambda handler: handler.begin(401)), prompt)


def test_another_variable_holds_the_key(serve, prompt, monkeypatch):
    monkeypatch.setenv("OTHER_KEY", "other")
    server = serve(speak("Hello."))
    list(explainer(server, key_variable="OTHER_KEY").stream(prompt))
    assert server.asked[0][1]["Authorization"] == "Bearer other"


@pytest.mark.parametrize(
    "garbage",
    [
        b"data: {not json\n\n",
        b"data: [1, 2]\n\n",
        b'data: {"choices": 3}\n\n',
        b'data: {"choices": [{"delta": "x"}]}\n\n',
        b'data: {"choices": [{"delta": {"content": [1]}}]}\n\n',
        b'data: {"error": {"message": "' + KEY.encode() + b'"}}\n\n',
        b"data: " + b"[" * 100_000 + b"\n\n",
        b"\xff\xfe\x00 nothing of the kind\n",
        b"",
    ],
)
def test_garbage_is_an_error_and_no_answer(serve, prompt, garbage):
    def script(handler):
        handler.begin()
        handler.wfile.write(garbage)

    words = complaint(serve(script), prompt)
    assert any(w in words for w in ("does not speak", "reports an error", "broke off")), words


def test_what_is_not_http_at_all_is_an_error(serve, prompt):
    def script(handler):
        handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")

    assert "cannot be reached" in complaint(serve(script), prompt)


def test_a_cut_connection_is_told_after_what_came(serve, prompt):
    def script(handler):
        handler.begin(**{"Content-Length": "5000"})
        handler.say("The part ", end="")

    stream = explainer(serve(script)).stream(prompt)
    assert next(stream) == "The part "
    with pytest.raises(ExplainerError, match="broke off"):
        next(stream)


def test_silence_ends_and_so_does_an_endless_trickle(serve, prompt):
    def silent(handler):
        handler.begin()
        handler.server.gone.wait(6)

    def trickle(handler):
        handler.begin()
        while True:
            handler.wfile.write(b": still here\n")
            time.sleep(0.05)

    for script, patience in ((silent, Patience(2, 0.3, 9)), (trickle, Patience(2, 2, 0.4))):
        server = serve(script)
        start = time.monotonic()
        with pytest.raises(ExplainerError, match="too long to answer"):
            list(OpenAIExplainer(server.url, "tiny", patience=patience).stream(prompt))
        assert time.monotonic() - start < 2
        server.gone.set()


def test_an_answer_without_end_is_cut_off(serve, prompt):
    def script(handler):
        handler.begin()
        for _ in range(2 * LARGEST // 100_000):
            handler.wfile.write(b"data:" + b" " * 100_000)

    assert "too long" in complaint(serve(script), prompt)


def test_closing_ends_the_connection(serve, prompt):
    def script(handler):
        handler.begin()
        while True:
            handler.say("on and on ", end="")
            time.sleep(0.01)

    server = serve(script)
    stream = explainer(server).stream(prompt)
    assert next(stream) == "on and on "
    assert not server.gone.is_set()
    stream.close()
    assert server.gone.wait(3)  # the server finds nobody to talk to


def test_nobody_there_is_one_sentence(serve, prompt):
    server = serve(speak("x"))
    server.shutdown()
    server.server_close()
    assert "cannot be reached" in complaint(server, prompt)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/v1",
        "http://192.168.0.7:8000/v1",
        "http://localhost.example.com/v1",
        "http://127.0.0.1@example.com/v1",
        "http://user:pass@localhost/v1",
        "http://localhost\\@example.com/v1",
        "https://example.com/v1?key=1",
        "ftp://localhost/v1",
        "file:///etc/passwd",
        "http://",
        "https://[::1/v1",
        "localhost:8000",
    ],
)
def test_plain_http_stays_on_this_machine_and_urls_hold_no_secrets(url):
    with pytest.raises(ExplainerError):
        OpenAIExplainer(url, "tiny")


@pytest.mark.parametrize("url", ["http://localhost:8000/v1/", "http://[::1]:8000/v1", "https://example.com/v1"])
def test_these_urls_are_right(url):
    assert OpenAIExplainer(url, "tiny").name.startswith("tiny at ")


def test_the_key_shows_up_nowhere(serve, prompt, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    one = explainer(serve(speak("Hello.")))
    list(one.stream(prompt))
    complaint(serve(lambda handler: handler.begin(401)), prompt)
    shown = capfd.readouterr()
    assert KEY not in repr(one) + str(one) + one.name + caplog.text + shown.out + shown.err


@pytest.mark.parametrize("key", ["two words", "umläut", "line\nbreak"])
def test_a_key_that_is_none_is_refused_unread(monkeypatch, key):
    monkeypatch.setenv(VARIABLE, key)
    with pytest.raises(ExplainerError) as raised:
        OpenAIExplainer("http://localhost/v1", "tiny")
    assert key not in str(raised.value) and VARIABLE in str(raised.value)


def test_a_proxy_of_the_environment_is_not_told_what_stays_here(serve, prompt, monkeypatch):
    proxy = serve(speak("From the proxy."))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.server_port}")
    assert list(explainer(serve(speak("From here."))).stream(prompt)) == ["From here."]
    assert proxy.asked == []


def test_tokens_are_counted_on_the_safe_side():
    one = OpenAIExplainer("http://localhost/v1", "tiny", context=4000)
    assert one.context == 4000 and one.count("") == 0
    assert one.count("The verdict is defect: the score of 9 is above it.") >= 14
