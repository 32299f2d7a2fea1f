"""Gathered requests: the same results as one by one, the right ones to each caller, and nothing for nobody."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from parcels import parts, png

from assistant.errors import LooktwiceError
from assistant.inspection import Inspection
from assistant.service.gathering import Gatherer, InspectArguments, QueueFull, Task


class Stand:
    """Takes the place of an inspector: each row carries its file's bytes, and calls can be held."""

    def __init__(self, fails=None):
        self.calls, self.fails = [], fails or {}
        self.free = threading.Event()
        self.free.set()

    def inspect(self, files, product, mode, *, target_false_alarm, **rest):
        self.calls.append(list(files))
        assert self.free.wait(10)
        for file in files:
            if file in self.fails:
                raise self.fails[file]
        return [Inspection(file.decode(), "error", f"{mode} {target_false_alarm}") for file in files]


@pytest.fixture
def gather():
    """gather(stand, **settings): a gatherer that is stopped when the test ends."""
    made = []

    def make(stand, **settings):
        made.append(Gatherer(stand, **settings))
        return made[-1]

    yield make
    for one in made:
        one.inspector.free.set()
        one.stop()


def tasks(*names, arguments=None):
    arguments = arguments or InspectArguments()
    return [Task((name.encode(),), arguments) for name in names]


def paths(futures):
    return [row.path for future in futures for row in future.result(10)]


def test_pictures_that_come_together_go_together_and_each_result_finds_its_way(gather):
    stand = Stand()
    gatherer = gather(stand, most=4, wait=0.2)
    futures = [gatherer.submit(tasks(name))[0] for name in "abcd"]
    assert paths(futures) == [*"abcd"] and len(stand.calls) == 1


def test_a_single_picture_waits_no_longer_than_it_was_told(gather):
    gatherer = gather(Stand(), most=64, wait=0.05)
    start = time.monotonic()
    assert paths(gatherer.submit(tasks("a"))) == ["a"]
    assert 0.03 < time.monotonic() - start < 2


def test_no_more_go_together_than_may_and_order_is_kept(gather):
    stand = Stand()
    stand.free.clear()
    gatherer = gather(stand, most=3, wait=0.0)
    first = gatherer.submit(tasks("x"))
    while not stand.calls:
        time.sleep(0.001)
    rest = gatherer.submit(tasks(*"abcdefg"))
    stand.free.set()
    assert paths(first + rest) == [*"xabcdefg"]
    assert [len(call) for call in stand.calls] == [1, 3, 3, 1]


def test_other_settings_and_mutual_mode_are_not_mixed(gather):
    stand = Stand()
    gatherer = gather(stand, most=8, wait=0.2)
    whole = Task((b"p", b"q"), InspectArguments(mode="mutual"))
    other = Task((b"r", b"s"), InspectArguments(mode="mutual"))
    futures = gatherer.submit(
        [*tasks("a", "b"), *tasks("c", arguments=InspectArguments(target=0.01)), whole, other]
    )
    assert paths(futures) == [*"abcpqrs"]
    assert sorted(map(len, stand.calls)) == [1, 2, 2, 2]
    assert futures[2].result()[0].error == "auto 0.01"


def test_a_full_queue_takes_all_or_nothing(gather):
    stand = Stand()
    stand.free.clear()
    gatherer = gather(stand, most=1, wait=0.0, queue=3)
    running = gatherer.submit(tasks("x"))
    while gatherer.waiting:
        time.sleep(0.001)
    kept = gatherer.submit(tasks("a", "b"))
    with pytest.raises(QueueFull):
        gatherer.submit(tasks("c", "d"))
    kept += gatherer.submit(tasks("e"))
    with pytest.raises(QueueFull):
        gatherer.submit(tasks("f"))
    stand.free.set()
    assert paths(running + kept) == [*"xabe"]


def test_what_was_cancelled_is_never_inspected_and_frees_its_place(gather):
    stand = Stand()
    stand.free.clear()
    gatherer = gather(stand, most=1, wait=0.0, queue=2)
    running = gatherer.submit(tasks("x"))
    while gatherer.waiting:
        time.sleep(0.001)
    gone = gatherer.submit(tasks("a", "b"))
    assert all(future.cancel() for future in gone)
    after = gatherer.submit(tasks("c", "d"))
    stand.free.set()
    assert paths(running + after) == [*"xcd"]
    assert sum(stand.calls, []) == [b"x", b"c", b"d"]


def test_a_picture_that_breaks_the_inspector_breaks_no_other(gather):
    gatherer = gather(Stand({b"b": MemoryError()}), most=4, wait=0.1)
    futures = gatherer.submit(tasks(*"abc"))
    assert isinstance(futures[1].exception(10), MemoryError)
    assert paths([futures[0], futures[2]]) == ["a", "c"]
    assert paths(gatherer.submit(tasks("d"))) == ["d"]


def test_a_request_that_makes_no_sense_is_told_to_all_that_share_it(gather):
    stand = Stand({b"a": LooktwiceError("No limits.")})
    futures = gather(stand, most=4, wait=0.1).submit(tasks("a", "b"))
    assert [type(future.exception(10)) for future in futures] == [LooktwiceError] * 2
    assert len(stand.calls) == 1


def test_stopping_finishes_what_waits_and_takes_no_more(gather):
    stand = Stand()
    gatherer = gather(stand, most=2, wait=5.0)
    futures = gatherer.submit(tasks("a", "b", "c"))
    gatherer.stop()
    assert paths(futures) == [*"abc"]
    with pytest.raises(QueueFull):
        gatherer.submit(tasks("d"))


def test_many_gathered_equal_as_many_singles(either_inspector, good, planted):
    pictures = [planted(good(i, 160 + 32 * (i % 2), 160), 0.4, 0.5)[0] if i % 3 else good(i) for i in range(7)]
    files = [png(pixels) for pixels in pictures]
    product = either_inspector.learn("cloth", [good(90), good(91)])
    for arguments in (InspectArguments(), InspectArguments(product)):
        singles = [either_inspector.inspect([file], arguments.product)[0] for file in files]
        gatherer = Gatherer(either_inspector, most=7, wait=0.3)
        together = [
            future.result(60)[0] for future in gatherer.submit([Task((file,), arguments) for file in files])
        ]
        gatherer.stop()
        for one, other in zip(singles, together, strict=True):
            assert other.score == pytest.approx(one.score, rel=1e-4) and other.verdict == one.verdict
            assert [r.box for r in other.regions] == [r.box for r in one.regions]


def test_thirty_two_clients_at_once_each_get_their_own(open_client, good, inspector):
    client = open_client(wait_ms=20)
    files = [png(good(200 + i)) for i in range(32)]
    expected = [row.score for row in inspector.inspect(files)]

    def send(i):
        sent = client.post("/v1/inspect", files=[("pictures", (f"{i}.png", files[i]))])
        (row,) = sent.json()["inspections"]
        return row["path"], row["score"], row["id"]

    with ThreadPoolExecutor(32) as pool:
        found = list(pool.map(send, range(32)))
    assert [path for path, _, _ in found] == [f"{i}.png" for i in range(32)]
    assert [score for _, score, _ in found] == pytest.approx(expected, rel=1e-4)
    assert len({id for _, _, id in found}) == 32
    text = client.get("/metrics").text
    calls = float(text.split("looktwice_batch_pictures_count ")[1].split()[0])
    assert calls < 32 and "looktwice_batch_pictures_sum 32.0" in text
    assert client.app.state.service.in_flight.requests == 0 == client.app.state.service.in_flight.bytes


def test_where_too_much_waits_one_is_told_to_come_back(open_client, inspector, files, monkeypatch):
    held, begun = threading.Event(), threading.Event()
    inspect = inspector.inspect

    def slow(*args, **kwargs):
        begun.set()
        assert held.wait(20)
        return inspect(*args, **kwargs)

    monkeypatch.setattr(inspector, "inspect", slow)
    client = open_client(most_gathered=1, queue=2, most_pictures=2, most_requests=3)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(client.post, "/v1/inspect", files=parts("pictures", [files["good"]]))
        assert begun.wait(10)
        second = pool.submit(client.post, "/v1/inspect", files=parts("pictures", [files["good"]] * 2))
        while client.app.state.service.gatherer.waiting < 2:
            time.sleep(0.005)
        full = client.post("/v1/inspect", files=parts("pictures", [files["good"]]))
        assert full.status_code == 503 and full.headers["retry-after"] == "1"
        assert client.get("/v1/health").status_code == 200
        held.set()
        assert [len(one.result(20).json()["inspections"]) for one in (first, second)] == [1, 2]


def test_too_many_requests_in_flight_are_told_to_come_back(open_client, inspector, files, monkeypatch):
    held, begun = threading.Event(), threading.Event()

    def slow(pictures, *args, **kwargs):
        begun.set()
        assert held.wait(20)
        return [Inspection("x", "error", "slow")] * len(pictures)

    monkeypatch.setattr(inspector, "inspect", slow)
    client = open_client(most_requests=1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.post, "/v1/inspect", files=parts("pictures", [files["good"]]))
        assert begun.wait(10)
        busy = client.get("/v1/products")
        assert busy.status_code == 503 and busy.headers["retry-after"] == "1"
        assert client.get("/v1/health").status_code == 200
        held.set()
        assert first.result(20).status_code == 200
    assert client.get("/v1/products").status_code == 200
