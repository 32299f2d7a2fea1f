"""What takes nothing: requests without a key, and bodies that are slow, large, nested or cut."""

import base64
import http.client
import json
import socket
import textwrap
import threading
import time
import zlib

import pytest
from parcels import bearer, png

from assistant.service.bodies import parse_json
from assistant.service.gate import MOST_TEXT, WITH_PICTURES
from assistant.service.problems import Problem
from assistant.service.quotas import InFlight
from assistant.service.schemas import AskBody, InspectBody

SIZE = 12_000_000


def half(port, address="/v1/ask", key="", length=1000, body="{"):
    """A connection on which a part of a request was sent."""
    one = socket.create_connection(("127.0.0.1", port))
    one.settimeout(20)
    name = f"Authorization: Bearer {key}\r\n" if key else ""
    head = f"POST {address} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{name}"
    one.sendall(f"{head}Content-Length: {length}\r\n\r\n{body}".encode())
    return one


def get(port, address, key=""):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", address, headers=bearer(key) if key else {})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def slowest(port, work):
    """The longest that /v1/health took while `work` was done, and what that returned."""
    done, longest, result = threading.Event(), 0.0, []

    def do():
        try:
            result.append(work())
        finally:
            done.set()

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/v1/health")
    connection.getresponse().read()
    thread = threading.Thread(target=do)
    thread.start()
    while not done.is_set():
        began = time.perf_counter()
        connection.request("GET", "/v1/health")
        connection.getresponse().read()
        longest = max(longest, time.perf_counter() - began)
        time.sleep(0.005)
    thread.join()
    connection.close()
    return longest, result[0]


def test_half_sent_requests_without_a_key_keep_nobody_out(live, keys):
    ring, operator, _ = keys
    app, port, _ = live(ring, most_requests=3)
    addresses = ("/v1/ask", "/v1/inspect", "/v1/products", "/v1/products/x/references")
    held = [half(port, addresses[i % 4], key="" if i % 2 else "look_0_x") for i in range(8)]
    for one in held:
        assert b" 401 " in one.recv(200)
    assert app.state.service.in_flight.requests == 0 == app.state.service.in_flight.bytes
    assert get(port, "/v1/products", operator) == 200
    for one in held:
        one.close()


def test_one_key_leaves_room_for_another(live, keys):
    ring, operator, engineer = keys
    app, port, _ = live(ring, most_requests=4)
    held = [half(port, key=operator) for _ in range(6)]
    for one in held[2:]:
        assert b" 503 " in one.recv(200)
    assert app.state.service.in_flight.requests == 2
    assert get(port, "/v1/products", engineer) == 200
    for one in held:
        one.close()


def test_shares_of_places_and_of_bytes():
    load = InFlight(8, 100, largest=30)
    with load.request("a"), load.request("a"), load.request("a"), load.request("a"):
        with load.request("a") as fifth, load.request("b") as first, load.request("b") as second:
            assert (fifth, first, second) == (False, True, True)
            with load.request("b") as third, load.request("c") as other:
                assert (third, other) == (False, True)
    assert load.requests == 0
    assert load.add(50, "a") and not load.add(1, "a")
    assert load.add(30, "b") and not load.add(1, "b"), "one request of the largest size fits"
    assert load.add(20, "c") and not load.add(1, "d")
    load.add(-50, "a")
    assert load.bytes == 50
    alone = InFlight(2, 100)
    assert alone.add(100) and not alone.add(1), "where no key is asked for, there are no shares"


def test_a_body_that_trickles_frees_its_place_after_seconds(live):
    app, port, _ = live(lag_seconds=0.4)
    one = half(port, "/v1/inspect", length=100_000)
    began = time.monotonic()
    try:
        for _ in range(60):  # a byte now and then is not enough
            one.sendall(b" ")
            time.sleep(0.05)
            if app.state.service.in_flight.requests == 0:
                break
    except OSError:
        pass
    assert app.state.service.in_flight.requests == 0 and time.monotonic() - began < 2
    assert b" 408 " in one.recv(200)
    one.close()


NESTED = {
    "wide": b"[" + b"[]," * (SIZE // 3) + b"[]]",
    "deep": b"[" * SIZE,
    "texts": b'{"pictures": [' + b'"",' * (SIZE // 3) + b'""]}',
    "objects": b'{"inspections": [' + b'{"data": 1},' * (SIZE // 12) + b"1]}",
    "quotes": b'{"question": "' + b'\\"' * (SIZE // 2) + b'"}',
    "blank": b" " * SIZE,
}


@pytest.mark.parametrize("kind", NESTED)
@pytest.mark.parametrize("address", ["/v1/ask", "/v1/inspect"])
def test_large_nonsense_is_refused_while_others_are_answered(live, kind, address):
    _, port, _ = live()

    def send():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("POST", address, NESTED[kind], {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())["detail"]

    tries = [slowest(port, send) for _ in range(2)]
    for _, (status, detail) in tries:
        assert status == 413 and str(MOST_TEXT) in detail
    assert min(longest for longest, _ in tries) < 0.1


@pytest.mark.parametrize("form", ["base64", "escaped", "broken", "spaced", "files", "cut"])
def test_a_large_request_with_pictures_delays_nobody(live, form):
    _, port, _ = live()
    noise = zlib.compress(bytes(range(256)), 0) * (SIZE // 300)
    coded = base64.b64encode(noise)
    kind = "application/json"
    if form == "files":
        kind = "multipart/form-data; boundary=edge"
        head = b'--edge\r\nContent-Disposition: form-data; name="pictures"; filename="a.png"\r\n\r\n'
        body = head + b"\r\n--edg" * (SIZE // 7) + b"\r\n--edge--\r\n"
    else:
        coded = {
            "escaped": coded.replace(b"A", b"\\u0041"),
            "broken": b"\\n".join(coded[i : i + 76] for i in range(0, len(coded), 76)),
            "spaced": b" ".join(coded[i : i + 2] for i in range(0, SIZE // 2, 2)),
        }.get(form, coded)
        body = b'{"pictures": [{"name": "a.png", "data": "' + coded + (b'"}]}' if form != "cut" else b"")

    def send():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("POST", "/v1/inspect", body, {"Content-Type": kind})
        answer = connection.getresponse()
        answer.read()
        return answer.status

    tries = [slowest(port, send) for _ in range(2)]
    assert {status for _, status in tries} == {413 if form == "cut" else 200}
    assert min(longest for longest, _ in tries) < 0.1


def test_a_request_that_is_cut_or_slow_delays_nobody(live):
    app, port, _ = live(lag_seconds=1.0)
    for length in (10, 5_000_000):
        cut = half(port, "/v1/inspect", length=length)
        longest, _ = slowest(port, lambda: time.sleep(0.3))
        assert longest < 0.1
        cut.close()


@pytest.mark.parametrize(
    ("method", "address"), [("PATCH", "/v1/products/x"), ("DELETE", "/v1/products/x"), ("POST", "/v1/x")]
)
def test_bodies_without_pictures_are_small(client, method, address):
    body = b'{"target_false_alarm": 0.1' + b" " * MOST_TEXT + b"}"
    refused = client.request(method, address, content=body, headers={"Content-Type": "application/json"})
    assert refused.status_code == 413 and str(MOST_TEXT) in refused.json()["detail"]


def test_an_operator_is_refused_before_the_body_of_a_change_is_read(live, keys):
    ring, operator, _ = keys
    _, port, _ = live(ring)
    with half(port, "/v1/products/x/references", operator) as one:
        assert b" 403 " in one.recv(200)


def test_the_addresses_that_may_carry_pictures_are_those_of_the_document(client):
    document = client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]

    def carries(operation):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
        return "PictureIn" in json.dumps(schemas.get(name, {}))

    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            may = method == "post" and bool(WITH_PICTURES.fullmatch(path.replace("{id}", "a b")))
            assert may == carries(operation), path


def test_a_question_has_room_for_its_text_and_for_a_picture():
    picture = base64.b64encode(bytes(range(256)) * 2000).decode()
    turns = [{"question": "Why?", "answer": 'It is "so".\\'} for _ in range(50)]
    asked = {"inspections": ["a"], "question": "é" * 2000, "history": turns, "picture": {"data": picture}}
    sent = parse_json(bytearray(json.dumps(asked, indent=1).encode()), AskBody)
    assert sent.content.question == "é" * 2000 and sent.content.history[49].answer == 'It is "so".\\'
    assert b"".join(sent.pieces(sent.content.picture.data)).decode() == picture
    turns = [{"question": "Why?", "answer": "x" * 2000}] * 50
    with pytest.raises(Problem) as caught:
        parse_json(bytearray(json.dumps(asked | {"history": turns}).encode()), AskBody)
    assert caught.value.status_code == 413


@pytest.mark.parametrize(
    "write",
    [
        lambda text: text,
        lambda text: f"data:image/png;base64,{text}",
        lambda text: "\r\n".join(textwrap.wrap(text, 76)),
        lambda text: text.replace("+", "-").replace("/", "_").rstrip("="),
    ],
)
@pytest.mark.parametrize("escape", [False, True])
def test_base64_with_a_prefix_or_line_breaks_is_read_whatever_its_length(good, write, escape):
    for data in (b"short", png(good(1)), png(good(2)) * 30):
        text = write(base64.b64encode(data).decode())
        body = json.dumps({"pictures": [{"name": "a.png", "data": text}]})
        if escape:
            body = body.replace("/", "\\/").replace("A", "\\u0041")
        sent = parse_json(bytearray(body.encode()), InspectBody)
        (row,) = sent.content.pictures
        assert b"".join(sent.pieces(row.data)).decode() == text
