"""A model behind an endpoint: asked for a plan in the form that it keeps to, with all the pictures, and twice."""

import base64
import io
import json
import logging

import numpy as np
import pytest
from fake_endpoint import FakeEndpoint, plan_of, speak
from PIL import Image

from assistant.errors import ExplainerError
from assistant.inspection import GoodPlace, Inspection, Region
from assistant.language.abilities import FILE, LADDER, PROBE_SCHEMA, Abilities, recall
from assistant.language.endpoint import KEY_VARIABLE, Patience
from assistant.language.explainer import Prompt, Subject
from assistant.language.openai import OpenAIExplainer
from assistant.language.plan import plan_schema, read_plan
from assistant.models.places import cache_root
from assistant.products.pairs import Pair
from assistant.prompts.instruct import CHOICE_RULES, LOOK_RULES, PLAN_RULES

KEY = "sk-very-secret-0123456789"


@pytest.fixture
def serve(monkeypatch, tmp_path):
    """serve(script, **how) -> a running endpoint; what is found out is kept in a folder of its own."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.setenv("LOOKTWICE_CACHE", str(tmp_path / "cache"))
    running = []

    def start(script, **how):
        running.append(FakeEndpoint(script, **how))
        return running[-1]

    yield start
    for server in running:
        server.end()


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
    place = GoodPlace(0, "good.png", "d", (10, 10, 60, 40), 0.4)
    pair = Pair("R1", place, good(3, 60, 40), good(4, 60, 40), np.ones((40, 60), np.float32), 32, (15, 10, 45, 30))
    subject = Subject(found, good(1, 160, 120), good(2), (pair,))
    return Prompt("Where is it?", (subject,), (("Is it good?", "No, it is not."),))


def explainer(server, model="tiny", **how):
    return OpenAIExplainer(server.url, model, patience=Patience(2, 3, 6), **how)


def heard(one, prompt):
    return "".join(one.stream(prompt))


def test_the_request_holds_the_rules_the_pictures_the_question_and_the_schema(serve, prompt):
    server = serve(speak(plan_of()))
    one = explainer(server)
    assert read_plan(heard(one, prompt), prompt.inspections).seen and one.how == "held to a JSON schema"
    ((path, headers, body),) = server.asked
    assert path == "/v1/chat/completions" and headers["Authorization"] == f"Bearer {KEY}"
    assert body["model"] == "tiny" and body["stream"] is True and body["max_tokens"] > 0
    assert body["response_format"]["json_schema"]["schema"] == plan_schema(prompt.inspections)
    assert body["response_format"]["json_schema"]["strict"] is True
    assert body["chat_template_kwargs"]["enable_thinking"] is False
    system, first, said, last = body["messages"]
    assert [m["role"] for m in body["messages"]] == ["system", "user", "assistant", "user"]
    assert system["content"] == PLAN_RULES and "Where is it?" in last["content"] and "it is not" in said["content"]
    urls = [part["image_url"]["url"] for part in first["content"] if part["type"] == "image_url"]
    assert len(urls) == 4, "picture, boxes, good part, and the region beside the same place on a good part"
    for url in urls:
        head, data = url.split(",")
        assert head == "data:image/jpeg;base64"
        assert Image.open(io.BytesIO(base64.b64decode(data))).format == "JPEG"
    texts = " ".join(part["text"] for part in first["content"] if part["type"] == "text")
    assert "Verdict: defect." in texts and "[R1]" in texts and "Is it good?" in texts


def test_what_an_endpoint_can_is_found_out_once_and_kept(serve, prompt):
    server = serve(speak(plan_of()))
    one = explainer(server)
    assert one.how == ""
    heard(one, prompt)
    heard(one, prompt)
    heard(explainer(server), prompt)
    assert len(server.probed) == 1 and server.probed[0]["response_format"]["json_schema"]["schema"] == PROBE_SCHEMA
    assert not any(part for m in server.probed[0]["messages"] for part in m["content"] if isinstance(part, dict))
    heard(explainer(server, "another"), prompt)
    assert len(server.probed) == 2
    kept = (cache_root() / FILE).read_text()
    assert server.url not in kept and KEY not in kept and recall(server.url, "tiny").form == "schema"


@pytest.mark.parametrize("kept", ["", "[]", '{"a": 1}', "{"])
def test_a_damaged_note_of_it_is_written_anew(serve, prompt, kept):
    server = serve(speak(plan_of()))
    cache_root().mkdir(parents=True)
    (cache_root() / FILE).write_text(kept)
    heard(explainer(server), prompt)
    assert recall(server.url, "tiny") is not None


def test_a_model_that_is_held_to_no_schema_is_told_it_in_the_question(serve, prompt):
    server = serve(speak(f"```json\n{plan_of()}\n```"), schema=False)
    one = explainer(server)
    assert "```json" in heard(one, prompt) and one.how == "asked for JSON"
    body = server.asked[0][2]
    assert "response_format" not in body and '"facts"' in body["messages"][-1]["content"]


def refuse(*words):
    """A script that refuses a request with any of these fields in it."""

    def script(handler):
        body = handler.server.asked[-1][2]
        if any(word in body for word in words):
            handler.json({"error": {"message": f"Unsupported parameter: {words[0]!r}."}}, 400)
        elif "hello" in str(body["messages"][-1]["content"]):
            speak('{"word": "azure"}' if "response_format" in body else "Hello!")(handler)
        else:
            speak(plan_of())(handler)

    return script


@pytest.mark.parametrize(
    ("refused", "found"),
    [
        (("chat_template_kwargs",), LADDER[1]),
        (("max_tokens",), LADDER[2]),
        (("max_tokens", "reasoning_effort"), LADDER[3]),
        (("response_format", "chat_template_kwargs"), LADDER[4]),
        (("response_format", "max_tokens"), LADDER[5]),
    ],
)
def test_what_is_refused_is_left_out_the_next_time(serve, prompt, refused, found):
    server = serve(refuse(*refused), probes=False)
    assert heard(explainer(server), prompt) == plan_of()
    kept = recall(server.url, "tiny")
    assert (kept.form, kept.words, kept.quiet) == (found.form, found.words, found.quiet)
    assert len(server.asked) == LADDER.index(found) + 2
    assert not any(word in server.asked[-1][2] for word in refused)


def test_where_only_the_large_schema_is_refused_the_model_is_told_it(serve, prompt):
    def script(handler):
        body = handler.server.asked[-1][2]
        if "response_format" in body:
            handler.json({"error": {"message": "Invalid schema for response_format: too many enums"}}, 400)
        else:
            speak(plan_of())(handler)

    server = serve(script)
    one = explainer(server)
    assert heard(one, prompt) == plan_of() and one.how == "asked for JSON"
    heard(one, prompt)
    assert len(server.asked) == 3, "once is enough"


def test_who_refuses_everything_is_told_of(serve, prompt):
    server = serve(lambda handler: handler.json({}, 400), probes=False)
    with pytest.raises(ExplainerError, match="did not accept"):
        heard(explainer(server), prompt)
    assert len(server.asked) == len(LADDER) and recall(server.url, "tiny") is None


@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_a_failure_while_finding_out_is_no_finding(serve, prompt, status):
    server = serve(lambda handler: handler.begin(status), probes=False)
    with pytest.raises(ExplainerError):
        heard(explainer(server), prompt)
    assert len(server.asked) == 1 and recall(server.url, "tiny") is None


def test_thoughts_are_not_said_in_whatever_way_they_come(serve, prompt):
    def script(handler):
        handler.begin()
        handler.think("Is it good? ", "Hm.")
        handler.say("<thi", "nk>Yes, it is", " good.</think>", *plan_of())

    assert heard(explainer(serve(script)), prompt) == plan_of()


def test_a_choice_is_asked_for_its_letter_alone(serve, prompt):
    server = serve(speak('{"letter": "B"}'))
    choice = Prompt("Which?\nA: one\nB: two", prompt.subjects, options=("A", "B"))
    assert heard(explainer(server), choice) == '{"letter": "B"}'
    body = server.asked[0][2]
    assert body["response_format"]["json_schema"]["schema"]["properties"]["letter"]["enum"] == ["A", "B"]
    assert body["messages"][0]["content"] == CHOICE_RULES


def odds(**likely):
    """A script that tells how likely the first words are, by their logarithms."""

    def script(handler):
        handler.begin()
        rows = [{"token": token, "logprob": value} for token, value in likely.items()]
        told = {"content": [{"token": "x", "logprob": -1.0, "top_logprobs": rows}]}
        handler.event({"choices": [{"delta": {"content": "x"}, "logprobs": told, "finish_reason": "length"}]})

    return script


def test_how_likely_it_says_yes_is_read_from_its_first_word(serve, prompt):
    server = serve(odds(Yes=-0.2, No=-1.8, yes=-3.0, Maybe=-0.1), odds=True)
    told = explainer(server).odds_of_yes(prompt, "Is there a scratch?")
    assert told == pytest.approx(0.84, abs=0.01)
    body = server.asked[0][2]
    assert body["logprobs"] is True and body["max_tokens"] == 1 and body["messages"][0]["content"] == LOOK_RULES
    assert "response_format" not in body


def test_who_does_not_tell_how_likely_his_words_are_is_not_asked(serve, prompt):
    server = serve(odds(Yes=-0.2), odds=False)
    assert explainer(server).odds_of_yes(prompt, "Is there a scratch?") is None and server.asked == []
    unsure = serve(odds(Maybe=-0.1), odds=True)
    assert explainer(unsure).odds_of_yes(prompt, "Is there a scratch?") is None
    broken = serve(lambda handler: handler.begin(500), odds=True)
    assert explainer(broken).odds_of_yes(prompt, "Is there a scratch?") is None


def test_the_key_shows_up_nowhere(serve, prompt, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    one = explainer(serve(speak("Hello.")))
    heard(one, prompt)
    with pytest.raises(ExplainerError):
        heard(explainer(serve(lambda handler: handler.begin(401))), prompt)
    shown = capfd.readouterr()
    assert KEY not in repr(one) + str(one) + one.name + caplog.text + shown.out + shown.err


def test_tokens_are_counted_on_the_safe_side_and_the_name_tells_model_and_host():
    one = OpenAIExplainer("http://localhost/v1", "tiny{0}", context=4000)
    assert one.context == 4000 and one.count("") == 0 and one.name == "tiny{0} at localhost"
    assert one.count("The verdict is defect: the score of 9 is above it.") >= 14
    with pytest.raises(ExplainerError):
        OpenAIExplainer("http://localhost/v1", " ")


def test_a_body_says_what_was_found_out():
    told = Abilities("text", "new", "effort").body("m", [], 9, {"type": "object"})
    assert told["max_completion_tokens"] == 9 and told["reasoning_effort"] == "low"
    assert not {"max_tokens", "temperature", "response_format", "chat_template_kwargs"} & set(told)
    assert json.dumps(told)
