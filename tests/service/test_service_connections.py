"""Connections: no delay between small packets, heads that never end, no room, and problem JSON before the app."""

import http.client
import json
import socket
import statistics
import time

import pytest

from assistant.service.connections import Connection

HEAD = b"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n"


def connect(port, data=b""):
    one = socket.create_connection(("127.0.0.1", port))
    one.settimeout(10)
    one.sendall(data)
    return one


def read_all(one):
    data = b""
    try:
        while more := one.recv(10_000):
            data += more
    except ConnectionResetError:
        pass
    return data


def check_problem(data, status):
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status) and b"application/problem+json" in head
    assert set(json.loads(body)) == {"type", "title", "status", "detail", "id"}
    assert b"nosniff" in head


def test_requests_on_one_connection_do_not_wait_for_packets(live):
    _, port, _ = live()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    times = []
    for _ in range(15):
        began = time.perf_counter()
        connection.request("GET", "/v1/health")
        assert connection.getresponse().read()
        times.append(time.perf_counter() - began)
    connection.close()
    assert statistics.median(times) < 0.035, "40 ms is how long a receiver waits with its acknowledgement"


@pytest.mark.parametrize("sent", [b"", b"GET /v1/health HT", HEAD, HEAD + b"\r\n" + HEAD])
def test_a_head_that_does_not_end_is_given_up(live, sent):
    _, port, _ = live(head_seconds=0.4)
    began = time.monotonic()
    with connect(port, sent) as one:
        answer = read_all(one)
    assert time.monotonic() - began < 3
    check_problem(answer[answer.rindex(b"HTTP/1.1 ") :], 408)
    assert (b" 200 OK" in answer) == sent.endswith(b"\r\n\r\n" + HEAD)


def test_a_head_that_trickles_is_given_up_too(live):
    _, port, _ = live(head_seconds=0.4)
    began = time.monotonic()
    with connect(port, HEAD) as one:
        try:
            for i in range(60):
                one.sendall(b"X-%d: 1\r\n" % i)
                time.sleep(0.05)
        except OSError:
            pass
        assert time.monotonic() - began < 2.5


def test_the_rest_of_a_body_that_was_refused_does_not_hold_the_connection(live, keys):
    _, port, _ = live(keys[0], head_seconds=0.4)
    began = time.monotonic()
    with connect(port, b"POST /v1/ask HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 50000\r\n\r\n{") as one:
        check_problem(read_all(one), 401)
    assert time.monotonic() - began < 3


def test_idle_connections_make_room_for_a_new_one(live):
    _, port, _ = live(most_requests=2, head_seconds=30.0)
    idle = [connect(port, HEAD) for _ in range(12)]
    with connect(port, HEAD + b"Connection: close\r\n\r\n") as one:
        assert read_all(one).startswith(b"HTTP/1.1 200 ")
    gone = 0
    for one in idle:
        one.setblocking(False)
        try:
            gone += one.recv(1) == b""
        except ConnectionResetError:
            gone += 1
        except BlockingIOError:
            pass
        one.close()
    assert gone >= 4


def test_where_no_connection_can_make_room_the_refusal_is_a_problem(live, monkeypatch):
    monkeypatch.setattr(Connection, "_make_room", lambda self: False)
    _, port, _ = live(most_requests=1)
    idle = [connect(port) for _ in range(4)]
    time.sleep(0.2)
    with connect(port, HEAD + b"\r\n") as one:
        answer = read_all(one)
    check_problem(answer, 503)
    assert b"retry-after: 1" in answer.lower()
    for one in idle:
        one.close()


def test_what_is_no_http_is_a_problem_too(live):
    _, port, _ = live()
    for nonsense in (
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost 1\r\n\r\n",
    ):
        with connect(port, nonsense) as one:
            check_problem(read_all(one), 400)
