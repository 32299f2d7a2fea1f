"""An endpoint that fails in every way there is, and what whoever asked reads then, as in docs/language.md."""

import json
import re
import time
from pathlib import Path

import pytest
from fake_endpoint import FakeEndpoint, go_on, plan_of, speak
from test_conversation import DEFECT, GROOVE, ask, by_rules

from assistant.language.conversation import converse
from assistant.language.endpoint import KEY_VARIABLE, Patience
from assistant.language.openai import OpenAIExplainer

TABLE = Path(__file__).parents[2] / "docs" / "language.md"
PATIENCE = Patience(connect=2, first=2.5, total=6)
CUT = plan_of()[: plan_of().index('"disagrees"')]


def refuse(status, said="", **headers):
    def script(handler):
        handler.begin(status, "application/json", **headers)
        handler.wfile.write(json.dumps({"error": {"message": said or "no"}}).encode())

    return script


def then(*steps):
    """A script whose first step fails and whose second does not."""

    def script(handler):
        steps[min(len(handler.server.asked), len(steps)) - 1](handler)

    return script


def page(handler):
    handler.begin(kind="text/html")
    handler.wfile.write(b"<html>Welcome</html>")


def write(text):
    def script(handler):
        handler.begin()
        handler.wfile.write(text)

    return script


def late(handler):
    time.sleep(1.9)
    speak(plan_of())(handler)


def break_off(handler):
    handler.begin(Content_Length="9000")
    handler.say(CUT, ended="", done=False)


KEPT, RULED, WHOLE = "kept", "ruled", "whole"
"""What becomes of the answer: what came stays, the rules answer, or nothing is missing."""

WAYS = {
    "nothing listens there": (None, "cannot be reached: nothing answers there", RULED),
    "something else than HTTP": (
        lambda h: h.wfile.write(b"SSH-2.0\r\n"),
        "cannot be reached, or broke off", RULED,
    ),
    "a redirect": (
        refuse(307, Location="http://localhost/"),
        "sends the request elsewhere, which is not followed", RULED,
    ),
    "the key is refused": (refuse(401), "refused the key in LOOKTWICE_OPENAI_KEY", RULED),
    "credit is used up": (refuse(402), "asks to be paid first", RULED),
    "no such model": (refuse(404), "is not there: check the URL and the name of the model", RULED),
    "pictures are refused": (refuse(400), "did not accept the request (HTTP 400)", RULED),
    "longer than the context": (
        refuse(400, "maximum context length is 4096 tokens"), "cannot read as much as this", RULED,
    ),
    "too large": (refuse(413), "takes no request as large as this one", RULED),
    "too many requests": (refuse(429), "has had too many requests: try again later", RULED),
    "busy for a second": (then(refuse(429, Retry_After="1"), speak(plan_of())), "", WHOLE),
    "busy for ten minutes": (
        refuse(503, Retry_After="600"),
        "is busy, and asks to be left alone for 600 seconds", RULED,
    ),
    "busy again and again": (
        refuse(503, Retry_After="0"),
        "is not ready, or has too much to do (HTTP 503)", RULED,
    ),
    "it fails inside": (refuse(500), "failed by itself (HTTP 500)", RULED),
    "a web page": (page, "answers with a web page, not as a language model", RULED),
    "garbage": (write(b"data: {nonsense\n\n"), "does not speak the protocol of chat completions", RULED),
    "an error in the stream": (
        write(b'data: {"error": {"code": 1}}\n\n'),
        "reports an error instead of an answer", RULED,
    ),
    "the stream is cut": (break_off, "broke off in the middle of its answer", KEPT),
    "it falls silent midway": (go_on(lambda h: None, CUT), "sent nothing more for", KEPT),
    "the longest answer": (speak(CUT, ended="length"), "reached the longest answer that it may give", KEPT),
    "a filter": (speak(CUT, ended="content_filter"), "was stopped by a filter of whoever runs it", KEPT),
    "nothing but silence": (go_on(lambda h: None), "it sent nothing", RULED),
    "signs of life only": (go_on(lambda h: h.wfile.write(b": on\n")), "it sent signs of life, but no text", RULED),
    "thinking without end": (go_on(lambda h: h.think("hm ")), "it was still thinking", RULED),
    "thoughts, no answer": (write(b'data: {"choices":[{"delta":{"reasoning":"hm"},"finish_reason":"stop"}]}\n\n'),
                            "thought, but gave no answer", RULED),
    "an empty answer": (speak(), "gave an empty answer", RULED),
    "a refusal": (write(b'data: {"choices":[{"delta":{"refusal":"no"},"finish_reason":"stop"}]}\n\n'),
                  "declined to answer", RULED),
    "a slow start": (late, "", WHOLE),
    "a plan in a fence, with words around": (speak(f"Sure!\n```json\n{plan_of()}\n```\nBye."), "", WHOLE),
    "thoughts before the plan": (speak("<think>Is it good?</think>", plan_of()), "", WHOLE),
    "prose in place of a plan": (
        speak("A dark groove runs along the rim."),
        "gave no plan that can be read, so rules chose the facts", WHOLE,
    ),
    "a plan that names what is not there": (
        speak(plan_of(facts=[{"key": "place", "ids": ["R9"]}, {"key": "place", "ids": ["R1"]}])), "", WHOLE,
    ),
    "a verdict among what it sees": (
        speak(plan_of(seen=[{"where": "R1", "text": GROOVE, "sure": "clear"},
                            {"where": "R1", "text": "The part is good.", "sure": "clear"}])),
        "One line of what the model sees was left out: it spoke of a verdict", WHOLE,
    ),
}  # fmt: skip


@pytest.fixture
def served(monkeypatch, tmp_path):
    """served(script) -> a running endpoint, what it can being known."""
    monkeypatch.setenv(KEY_VARIABLE, "sk-secret")
    monkeypatch.setenv("LOOKTWICE_CACHE", str(tmp_path / "cache"))
    running = []

    def start(script):
        running.append(FakeEndpoint(script or speak(plan_of())))
        if script is None:
            running[-1].end()
        return running[-1]

    yield start
    for server in running:
        server.end()


@pytest.mark.parametrize("way", WAYS)
def test_whatever_fails_is_read_as_one_sentence_and_an_answer_is_there(served, way):
    script, words, fate = WAYS[way]
    server = served(script)
    start = time.monotonic()
    *before, last = converse(OpenAIExplainer(server.url, "tiny", patience=PATIENCE), ask())
    assert time.monotonic() - start < 8
    assert before or fate != WHOLE or last.source.startswith("template")
    told = " ".join(last.notices)
    assert words in told and "sk-secret" not in told
    assert last.failed == (fate != WHOLE)
    assert last.text, "something checked is always there"
    if fate == RULED:
        assert last.text == by_rules().text and last.source == "template" and not last.seen
        assert last.notices[0].startswith("tiny at 127.0.0.1:") and "record alone" in last.notices[1]
    else:
        assert [one.text for one in last.seen] == [GROOVE] and "top left" in last.text
        assert "groove" not in last.whole
    if not words:
        assert not last.notices


def test_within_two_seconds_one_reads_something(served):
    list(converse(OpenAIExplainer(served(speak(plan_of())).url, "tiny"), ask()))  # what is loaded once is loaded
    server = served(late)
    start = time.monotonic()
    talk = converse(OpenAIExplainer(server.url, "tiny", patience=PATIENCE), ask())
    first = next(talk)
    assert time.monotonic() - start < 2 and first.notices[0].startswith("Waiting for tiny at")


def test_a_failure_says_the_same_verdict_as_the_record(served):
    *_, last = converse(OpenAIExplainer(served(refuse(500)).url, "tiny"), ask("Is it good?"))
    assert DEFECT.verdict in last.whole


def test_the_page_on_language_tells_every_way_and_what_is_read():
    rows = dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|$", TABLE.read_text(encoding="utf-8"), re.M))
    assert len(WAYS) >= 24
    for way, (_, words, _) in WAYS.items():
        assert way in rows, way
        assert words.replace("LOOKTWICE_OPENAI_KEY", "`LOOKTWICE_OPENAI_KEY`") in rows[way], way
