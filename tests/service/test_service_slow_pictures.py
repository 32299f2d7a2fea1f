"""Pictures that take long in the service: one error row each, and nobody else waits for them."""

import io
import sys
import threading
import time

import httpx
import pytest
from PIL import Image

from assistant.images import decoders
from assistant.images.decoders import DECODERS
from assistant.service.settings import ServiceSettings


def encode(image, form, **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def slow_jpeg(side=4200, scans=60):
    """A progressive JPEG whose last scan is repeated, just under what is refused."""
    data = encode(Image.new("RGB", (side, side), (99, 80, 60)), "JPEG", progressive=True)
    last, have = data.rfind(b"\xff\xda"), data.count(b"\xff\xda")
    return data[:last] + data[last:-2] * (scans - have + 1) + data[-2:]


def slow_tiff():
    return encode(Image.new("RGB", (5200, 5200)), "TIFF", compression="tiff_lzw")


def slow_webp():
    return encode(Image.new("RGB", (2600, 2600), (1, 2, 3)), "WEBP", lossless=True, method=0)


@pytest.fixture
def sleeping(monkeypatch):
    """Decoding processes that do nothing but sleep."""
    script = "import os, time; os.write(1, b'\\x02\\0\\0\\0{}'); time.sleep(60)"
    DECODERS.end()
    monkeypatch.setattr(decoders, "_command", lambda: [sys.executable, "-c", script])
    yield
    DECODERS.end()


def send(port, pictures, mode=None):
    files = [("pictures", (f"{i}.png", data)) for i, data in enumerate(pictures)]
    return httpx.post(
        f"http://127.0.0.1:{port}/v1/inspect", files=files, data={"mode": mode} if mode else {}, timeout=60
    )


def health_times(port, until):
    took = []
    with httpx.Client(timeout=30) as client:
        while until.is_alive():
            start = time.monotonic()
            assert client.get(f"http://127.0.0.1:{port}/v1/health").status_code == 200
            took.append(time.monotonic() - start)
            time.sleep(0.01)
    return took


@pytest.mark.parametrize("make", [slow_jpeg, slow_tiff, slow_webp])
def test_a_slow_picture_is_one_error_row(open_client, files, make):
    client = open_client(decode_seconds=0.1)
    rows = client.post(
        "/v1/inspect", files=[("pictures", ("slow", make())), ("pictures", ("part.png", files["good"]))]
    ).json()["inspections"]
    assert [row["status"] for row in rows] == ["error", "ok"]
    assert rows[0]["error"] == "the picture takes longer than 0.1 s to decode." and rows[0]["path"] == "slow"


def test_nobody_waits_for_slow_pictures_of_others(live, sleeping, files):
    _, port, _ = live(decode_seconds=6.0)
    slow = encode(Image.new("L", (30, 30)), "TIFF")
    took = []
    bad = threading.Thread(target=lambda: took.append(send(port, [slow] * 4)))
    bad.start()
    while DECODERS.busy < 2:
        time.sleep(0.01)
    assert send(port, [files["good"]]).json()["inspections"][0]["status"] == "ok"
    assert bad.is_alive(), "a good picture waited for slow ones"
    bad.join(60)
    assert [row["status"] for row in took[0].json()["inspections"]] == ["error"] * 4


def test_slow_pictures_that_are_compared_hold_up_no_others(live, sleeping, files):
    _, port, _ = live(decode_seconds=6.0)
    slow = encode(Image.new("L", (30, 30)), "TIFF")
    bad = threading.Thread(target=lambda: send(port, [slow, files["good"], files["bad"]], "mutual"))
    bad.start()
    while DECODERS.busy < 1:
        time.sleep(0.01)
    assert send(port, [files["good"]]).json()["inspections"][0]["status"] == "ok"
    assert bad.is_alive(), "a good picture waited for slow ones"
    bad.join(60)


def test_pictures_of_several_requests_are_decoded_in_turn(live, sleeping):
    _, port, _ = live(decode_seconds=2.0)
    slow = encode(Image.new("L", (30, 30)), "TIFF")
    many, one = (threading.Thread(target=send, args=(port, [slow] * count)) for count in (12, 1))
    many.start()
    while DECODERS.busy < 2:
        time.sleep(0.01)
    one.start()
    one.join(60)
    assert many.is_alive(), "one request waited for all pictures of another"
    many.join(60)


def test_a_stuck_worker_shows_in_health_and_metrics(live, sleeping):
    _, port, _ = live(decode_seconds=12.0)
    slow = threading.Thread(target=lambda: send(port, [encode(Image.new("L", (30, 30)), "TIFF")]))
    ended = DECODERS.ended
    slow.start()
    seen, counted = set(), set()
    while slow.is_alive():
        seen.add(httpx.get(f"http://127.0.0.1:{port}/v1/health", timeout=30).json()["stuck"])
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text
        counted |= {line for line in text.splitlines() if line.startswith("looktwice_stuck_workers")}
    assert seen == {0, 1} and counted == {"looktwice_stuck_workers 0.0", "looktwice_stuck_workers 1.0"}
    assert DECODERS.ended == ended + 1
    assert httpx.get(f"http://127.0.0.1:{port}/v1/health").json() == {"status": "ok", "stuck": 0}


def test_health_answers_while_slow_pictures_are_decoded(live):
    _, port, _ = live(decode_seconds=2.0)
    pictures = [slow_jpeg(), slow_tiff()]
    bad = threading.Thread(target=lambda: send(port, pictures))
    bad.start()
    took = health_times(port, bad)
    assert sorted(took)[len(took) // 2] < 0.5  # a few milliseconds; the machine of a test may be busy


def test_a_service_that_ends_waits_for_no_slow_picture(live, sleeping):
    _, port, one = live(decode_seconds=60.0, grace_seconds=1.0)
    slow = encode(Image.new("L", (30, 30)), "TIFF")
    threading.Thread(target=lambda: send_anyway(port, [slow] * 9), daemon=True).start()
    while DECODERS.busy < 2:
        time.sleep(0.01)
    start = time.monotonic()
    one.handle_exit(15, None)
    while one.started and not one.should_exit:
        time.sleep(0.01)
    while DECODERS.busy:
        time.sleep(0.01)
    assert time.monotonic() - start < 20


def test_the_second_signal_ends_what_is_decoded(live, sleeping):
    _, port, one = live(decode_seconds=60.0, grace_seconds=60.0)
    slow = encode(Image.new("L", (30, 30)), "TIFF")
    threading.Thread(target=lambda: send_anyway(port, [slow] * 9), daemon=True).start()
    while DECODERS.busy < 2:
        time.sleep(0.01)
    one.handle_exit(15, None)
    one.handle_exit(15, None)
    until = time.monotonic() + 20
    while DECODERS.busy and time.monotonic() < until:
        time.sleep(0.01)
    assert not DECODERS.busy


def send_anyway(port, pictures):
    try:
        send(port, pictures)
    except httpx.HTTPError:
        return


def test_a_time_for_pictures_is_positive():
    with pytest.raises(ValueError, match="decode_seconds is 0, which is no time for a picture"):
        ServiceSettings(decode_seconds=0)
