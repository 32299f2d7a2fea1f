"""The wire to an endpoint: an answer in pieces, and one sentence without the key for whatever goes wrong."""

import json
import time
from email.utils import formatdate

import pytest
from fake_endpoint import FakeEndpoint, go_on, speak

from assistant.errors import ExplainerError
from assistant.language.endpoint import KEY_VARIABLE, LARGEST, Endpoint, EndpointError, Patience, Wait

KEY = "sk-very-secret-0123456789"
SOON = Patience(2, 1.0, 4)


@pytest.fixture
def serve(monkeypatch):
    """serve(script) -> a running endpoint."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    running = []

    def start(script):
        running.append(FakeEndpoint(script, probes=False))
        return running[-1]

    yield start
    for server in running:
        server.end()


def endpoint(server, patience=SOON, **how):
    return Endpoint(server.url, "tiny", how.pop("key_variable", KEY_VARIABLE), patience)


def ask(server, patience=SOON, **how):
    body = {"messages": [{"role": "user", "content": "Where is it?"}]}
    return endpoint(server, patience, **how).ask(body, Wait(patience))


def heard(server, **how):
    return "".join(piece.text for piece in ask(server, **how) if not piece.thought)


def complaint(server, **how):
    """The one sentence in which asking ends, which never holds the key."""
    with pytest.raises(EndpointError) as raised:
        list(ask(server, **how))
    chain, error = [], raised.value
    while error:
        chain.append(repr(error))
        error = error.__cause__
    assert KEY not in " ".join(chain)
    sentence = str(raised.value)
    assert sentence.startswith(f"tiny at 127.0.0.1:{server.server_port} ") and sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def test_a_piece_is_there_before_the_next_is_sent(serve):
    def script(handler):
        handler.begin()
        handler.say("One", ended="", done=False)
        handler.server.gone.wait(5)
        handler.say("two")

    server = serve(script)
    pieces = ask(server)
    assert next(pieces).text == "One" and not server.gone.is_set()
    server.gone.set()
    assert "".join(piece.text for piece in pieces) == "two"


def test_comments_other_fields_and_events_without_text_are_passed_over(serve):
    def script(handler):
        handler.begin()
        handler.wfile.write(b": waiting\r\n\r\nevent: x\r\nid: 3\r\n")
        handler.event({"choices": []})
        handler.event({"choices": [{"delta": {"role": "assistant", "content": None}}]})
        handler.think("hm")
        handler.event({"choices": [{"delta": {"reasoning": "hm"}}]})
        handler.wfile.write(b'data:{"choices":[{"delta":{"content":"Yes."},"finish_reason":"stop"}]}\r\n\r\n')

    assert heard(serve(script)) == "Yes."  # ended by its finish reason, without [DONE]


def test_an_answer_that_comes_at_once_is_taken(serve):
    row = {"choices": [{"message": {"content": "All at once. Größe ✓"}, "finish_reason": "stop"}]}
    assert heard(serve(lambda handler: handler.json(row))) == "All at once. Größe ✓"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "did not accept the request (HTTP 400)"),
        (401, f"refused the key in {KEY_VARIABLE}"),
        (402, "asks to be paid"),
        (404, "name of the model"),
        (413, "as large as this one"),
        (429, "too many requests"),
        (500, "failed by itself (HTTP 500)"),
        (503, "too much to do (HTTP 503)"),
        (204, "HTTP 204"),
    ],
)
def test_a_refusal_is_one_sentence_without_what_the_server_says(serve, status, words):
    server = serve(lambda handler: handler.json({"error": {"message": f"bad key {KEY}"}}, status))
    assert words in complaint(server)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "said",
    [
        "This model's maximum context length is 4096 tokens, however you requested 9000.",
        "the request exceeds the available context size. try increasing the context size",
        "prompt is too long: 210000 tokens > 200000",
    ],
)
def test_a_request_over_the_context_is_told_from_other_refusals(serve, said):
    assert "longer than its context" in complaint(serve(lambda h: h.json({"error": {"message": said}}, 400)))


def test_a_redirect_is_not_followed(serve):
    other = serve(speak("Got you."))
    server = serve(lambda handler: handler.begin(307, Location=f"{other.url}/chat/completions"))
    assert "not followed" in complaint(server)
    assert other.asked == []


def test_a_web_page_is_no_answer(serve):
    def script(handler):
        handler.begin(kind="text/html; charset=utf-8")
        handler.wfile.write(b"<html><body>Welcome</body></html>")

    assert "web page" in complaint(serve(script)) and "/v1" in complaint(serve(script))


def busy(after, times=1, status=429):
    def script(handler):
        if len(handler.server.asked) > times:
            speak("Now.")(handler)
        else:
            handler.begin(status, **({"Retry_After": after} if after is not None else {}))

    return script


@pytest.mark.parametrize("status", [429, 503])
def test_who_is_busy_and_says_for_how_long_is_asked_once_more(serve, status):
    server = serve(busy("0.3", status=status))
    start = time.monotonic()
    pieces = list(ask(server))
    assert "".join(piece.text for piece in pieces) == "Now." and len(server.asked) == 2
    assert time.monotonic() - start >= 0.3 and sum(not piece.text for piece in pieces) >= 2, (
        "signs of life meanwhile"
    )


def test_a_date_is_honoured_too_and_no_wait_is_longer_than_anybody_waits(serve):
    server = serve(busy(formatdate(time.time() - 5, usegmt=True)))
    assert heard(server) == "Now."
    assert "left alone for 600 seconds" in complaint(serve(busy("600")))
    later = serve(busy(formatdate(time.time() + 3600, usegmt=True)))
    assert "left alone for 3" in complaint(later) and len(later.asked) == 1


def test_who_stays_busy_is_asked_no_third_time(serve):
    server = serve(busy("0.1", times=5))
    assert "too many requests" in complaint(server) and len(server.asked) == 2
    silent = serve(busy(None))
    assert "try again later" in complaint(silent) and len(silent.asked) == 1


def test_without_a_key_none_is_sent_and_one_is_asked_for(serve, monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE)
    server = serve(speak("Hello."))
    assert heard(server) == "Hello." and "Authorization" not in server.asked[0][1]
    assert f"set {KEY_VARIABLE}" in complaint(serve(lambda handler: handler.begin(401)))


def test_another_variable_holds_the_key(serve, monkeypatch):
    monkeypatch.setenv("OTHER_KEY", "other")
    server = serve(speak("Hello."))
    heard(server, key_variable="OTHER_KEY")
    assert server.asked[0][1]["Authorization"] == "Bearer other"


@pytest.mark.parametrize(
    "garbage",
    [
        b"data: {not json\n\n",
        b"data: [1, 2]\n\n",
        b'data: {"choices": 3}\n\n',
        b'data: {"choices": [{"delta": "x"}]}\n\n',
        b'data: {"choices": [{"delta": {"content": [1]}}]}\n\n',
        b'data: {"choices": [{"delta": {"content": "x"}, "logprobs": 7}]}\n\n',
        b'data: {"error": {"message": "' + KEY.encode() + b'"}}\n\n',
        b"data: " + b"[" * 100_000 + b"\n\n",
        b"\xff\xfe\x00 nothing of the kind\n",
        b"",
    ],
)
def test_garbage_is_an_error_and_no_answer(serve, garbage):
    def script(handler):
        handler.begin()
        handler.wfile.write(garbage)

    words = complaint(serve(script))
    assert any(w in words for w in ("does not speak", "reports an error", "broke off")), words


def test_what_is_not_http_at_all_is_an_error(serve):
    assert "cannot be reached" in complaint(serve(lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")))


def test_a_cut_connection_is_told_after_what_came(serve):
    def script(handler):
        handler.begin(Content_Length="5000")
        handler.say("The part ", ended="", done=False)

    pieces = ask(serve(script))
    assert next(pieces).text == "The part "
    with pytest.raises(EndpointError, match="broke off in the middle of its answer"):
        list(pieces)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"ended": "length"}, "longest answer"),
        ({"ended": "content_filter"}, "filter"),
        ({"ended": "", "done": False}, "broke off in the middle"),
    ],
)
def test_how_an_answer_ended_too_soon_is_told(serve, how, words):
    server = serve(speak("The part ", **how))
    pieces = ask(server)
    with pytest.raises(EndpointError, match=words):
        assert "".join(piece.text for piece in pieces) == "The part "


def test_an_empty_answer_one_that_was_only_thought_and_a_refusal_are_none(serve):
    assert "empty answer" in complaint(serve(speak()))

    def thinker(handler):
        handler.begin()
        handler.think("hm ", "hm")
        handler.say()

    assert "thought, but gave no answer" in complaint(serve(thinker))
    refusal = {"choices": [{"message": {"content": None, "refusal": "I cannot."}, "finish_reason": "stop"}]}
    assert "declined" in complaint(serve(lambda handler: handler.json(refusal)))


@pytest.mark.parametrize(
    ("what", "first", "patience", "words"),
    [
        (lambda h: None, (), Patience(2, 0.4, 9), "within 0.4 seconds: it sent nothing"),
        (
            lambda h: h.wfile.write(b": on\n"),
            (),
            Patience(2, 0.4, 9),
            "within 0.4 seconds: it sent signs of life",
        ),
        (lambda h: h.think("hm "), (), Patience(2, 0.4, 9), "within 0.4 seconds: it was still thinking"),
        (lambda h: None, ("The part ",), Patience(2, 0.4, 9), "sent nothing more"),
        (lambda h: h.say("on ", ended="", done=False), (), Patience(2, 2, 0.5), "not done after 0.5 seconds"),
    ],
)
def test_nobody_waits_for_ever_and_is_told_what_happened(serve, what, first, patience, words):
    server = serve(go_on(what, *first))
    start = time.monotonic()
    assert words in complaint(server, patience=patience)
    assert time.monotonic() - start < 2
    server.gone.set()


def test_an_answer_without_end_is_cut_off(serve):
    def script(handler):
        handler.begin()
        for _ in range(2 * LARGEST // 100_000):
            handler.wfile.write(b"data:" + b" " * 100_000)

    assert "too long" in complaint(serve(script), patience=Patience(2, 9, 9))


def test_closing_ends_the_connection(serve):
    server = serve(go_on(lambda h: h.say("on ", ended="", done=False)))
    pieces = ask(server)
    assert next(pieces).text == "on " and not server.gone.is_set()
    pieces.close()
    assert server.gone.wait(3)  # the server finds nobody to talk to


def test_nobody_there_is_one_sentence(serve):
    server = serve(speak("x"))
    server.end()
    assert "nothing answers there" in complaint(server)


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
        Endpoint(url, "tiny", KEY_VARIABLE, SOON)


@pytest.mark.parametrize("url", ["http://localhost:8000/v1/", "http://[::1]:8000/v1", "https://example.com/v1"])
def test_these_urls_are_right(url):
    assert not Endpoint(url, "tiny", KEY_VARIABLE, SOON).url.endswith("/")


@pytest.mark.parametrize("key", ["two words", "umläut", "line\nbreak"])
def test_a_key_that_is_none_is_refused_unread(monkeypatch, key):
    monkeypatch.setenv(KEY_VARIABLE, key)
    with pytest.raises(ExplainerError) as raised:
        Endpoint("http://localhost/v1", "tiny", KEY_VARIABLE, SOON)
    assert key not in str(raised.value) and KEY_VARIABLE in str(raised.value)


def test_a_proxy_of_the_environment_is_not_told_what_stays_here(serve, monkeypatch):
    proxy = serve(speak("From the proxy."))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.server_port}")
    assert heard(serve(speak("From here."))) == "From here."
    assert proxy.asked == []


def test_the_likeliest_first_words_are_heard_where_they_are_told(serve):
    odds = {"content": [{"token": "Yes", "logprob": -0.1, "top_logprobs": [{"token": "No", "logprob": -2.0}]}]}

    def script(handler):
        handler.begin()
        handler.event({"choices": [{"delta": {"content": "Yes"}, "logprobs": odds, "finish_reason": "stop"}]})

    (first, *_) = ask(serve(script))
    assert first.odds[0]["top_logprobs"][0]["token"] == "No"
    assert json.dumps(first.odds[0])  # plain tables
