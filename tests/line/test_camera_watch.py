"""Videos and cameras: every n-th frame, what has changed, calls over HTTP, and a camera that goes away."""

import json
import threading
import urllib.error
import urllib.request
from contextlib import closing

import numpy as np
import pytest
from films import WebCamera, film, shade
from line_parts import judge, wait_for

from assistant.errors import LineError
from assistant.line.camera import LiveCamera, is_camera, is_live, name_of, read_frames
from assistant.line.camera_watch import CameraWatch
from assistant.line.delivery import Delivery
from assistant.line.keeping import Keeper
from assistant.line.trigger import Calls, ChangeTrigger, check_when, sketch
from assistant.line.trigger_server import TriggerServer, split_address


@pytest.fixture
def watch(journal, said):
    """watch(source, *routes, ...): the watch of a video or a camera."""

    def make(source, *routes, **more):
        keeper = Keeper(journal, routes)
        delivery = Delivery(journal.outbox, routes, said.append)
        return CameraWatch(str(source), judge, keeper, delivery, say=said.append, **more)

    return make


@pytest.fixture
def web_camera():
    made = []

    def make(shows):
        made.append(WebCamera(shows))
        return made[-1]

    yield make
    for one in made:
        one.down()


def test_the_frames_of_a_video_are_those_that_it_was_made_of(tmp_path):
    drawn = [shade(40 * i, i) for i in range(6)]
    read = list(read_frames(str(film(tmp_path / "clip.mkv", drawn))))
    assert [frame.number for frame in read] == list(range(6))
    for frame, pixels in zip(read, drawn, strict=True):
        assert np.array_equal(frame.pixels, pixels)


def test_every_nth_frame_is_a_part_and_none_is_one_twice(watch, tmp_path, shelf, to):
    clip = film(tmp_path / "press 3.mkv", [shade(20 if i % 4 == 0 else 200, i) for i in range(50)])
    kept = list(watch(clip, to(shelf), nth=2).run())
    assert [one.event.body["source"] for one in kept] == [f"press-3-{i:06d}.png" for i in range(0, 50, 2)]
    assert [one.event.verdict for one in kept[:4]] == ["defect", "good", "defect", "good"]
    assert shelf.parts == list(range(1, 26))
    again = watch(clip, to(shelf), nth=2)
    assert list(again.run()) == [] and again.known == 25
    assert len(list(watch(clip, to(shelf)).run())) == 25, "the frames between are new"


def test_a_video_goes_on_where_it_was_stopped(watch, tmp_path):
    clip = film(tmp_path / "clip.mkv", [shade(100 + i, i) for i in range(40)])
    parts = watch(clip).run()
    first = [next(parts) for _ in range(21)]
    parts.close()
    rest = list(watch(clip).run())
    assert [one.event.part for one in (*first, *rest)] == list(range(1, 41))
    other = film(tmp_path / "other.mkv", [shade(7, 99)] * 3)
    assert len(list(watch(other).run())) == 3, "alike frames are parts of their own"


def moving(parts):
    """Frames of an empty station, and of parts of these shades that come to a stop before it, one by one."""
    frames = [shade(30, i) for i in range(6)]
    for value in parts:
        for step in (0.3, 0.6):  # moving in: a part of the picture only, another each time
            pixels = shade(30, len(frames))
            pixels[:, : int(64 * step)] = value
            frames.append(pixels)
        frames += [shade(value, len(frames) + i) for i in range(6)]
        frames += [shade(30, len(frames) + i) for i in range(6)]
    return frames


def test_a_part_that_stops_before_the_camera_is_inspected_once(watch, tmp_path):
    clip = film(tmp_path / "belt.mkv", moving([200, 120, 120, 220]))
    kept = list(watch(clip, when="change").run())
    means = [255 * (1 - one.inspection.score) for one in kept]
    assert np.allclose(means, [201.5, 121.5, 121.5, 221.5], atol=1)


def test_the_empty_station_follows_the_light():
    trigger = ChangeTrigger(change=0.05)
    for i in range(400):
        assert not trigger.see(shade(30 + i // 10, i)), "the light grows by 40 levels, a step at a time"
    assert [trigger.see(shade(200, i)) for i in range(5)] == [False, False, True, False, False]


def test_a_sketch_is_the_mean_of_its_cells():
    pixels = np.zeros((96, 128, 3), np.uint8)
    pixels[:48] = 255
    small = sketch(pixels)
    assert small.shape == (48, 64) and small[:24].min() == 1 and small[24:].max() == 0
    assert sketch(shade(100)).mean() == pytest.approx(101.5 / 255, abs=0.01)
    assert sketch(np.full((10, 20, 3), 51, np.uint8)).max() == pytest.approx(0.2)


def test_a_camera_gives_its_newest_frame_and_comes_back(web_camera, said):
    shown = [50]
    home = web_camera(lambda: shade(shown[0]))
    with closing(LiveCamera(home.url, said.append)) as camera:
        assert abs(camera.next(20).pixels.mean() - 51.5) < 3
        shown[0] = 200
        wait_for(lambda: (frame := camera.next(5)) and abs(frame.pixels.mean() - 201.5) < 3)
        home.down()
        wait_for(lambda: said, 30)
        assert said[0].startswith("127.0.0.1 is away: ") and "word" not in said[0]
        shown[0] = 90
        home.up()
        wait_for(lambda: (frame := camera.next(5)) and abs(frame.pixels.mean() - 91.5) < 3, 30)
    assert len(said) == 2 and said[1].startswith("127.0.0.1 is back after ")


def test_a_camera_is_inspected_when_somebody_calls(watch, web_camera, shelf, to, monkeypatch):
    monkeypatch.delenv("LOOKTWICE_TRIGGER_KEY", raising=False)
    shown = [200]
    home, calls = web_camera(lambda: shade(shown[0])), Calls()
    with closing(TriggerServer("0", calls)) as server:
        url = f"http://127.0.0.1:{server.port}/trigger"
        kept, watching = [], watch(home.url, to(shelf), when="call", calls=calls).run()
        thread = threading.Thread(target=lambda: kept.extend(next(watching) for _ in range(2)), daemon=True)
        thread.start()
        first = json.load(urllib.request.urlopen(urllib.request.Request(url, b""), timeout=30))
        shown[0] = 20
        threading.Event().wait(0.5)  # the camera shows the next part
        second = json.load(urllib.request.urlopen(urllib.request.Request(url, b""), timeout=30))
        thread.join(20)
        watching.close()
        assert (first["verdict"], second["verdict"]) == ("good", "defect")
        assert [one.event.id for one in kept] == [first["id"], second["id"]] and shelf.parts == [1, 2]
        assert first["source"].startswith("127.0.0.1-") and "word" not in json.dumps(first)
        assert first["inspection"]["path"] == first["source"]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {}, 404),
        ("/trigger", {"Origin": "https://a.page"}, 403),
        ("/trigger", {}, 401),
        ("/trigger", {"Authorization": "Bearer no"}, 401),
    ],
)
def test_strangers_may_not_call(monkeypatch, path, headers, status):
    monkeypatch.setenv("LOOKTWICE_TRIGGER_KEY", "the key")
    calls = Calls()
    with closing(TriggerServer("127.0.0.1:0", calls)) as server:
        request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", b"", headers)
        with pytest.raises(urllib.error.HTTPError) as told:
            urllib.request.urlopen(request, timeout=10)
        assert told.value.code == status and json.load(told.value)["error"]
        assert calls.take(0.001) is None
        good = urllib.request.Request(
            f"http://127.0.0.1:{server.port}/trigger", b"", {"Authorization": "Bearer the key"}
        )
        threading.Thread(target=lambda: calls.take(10).set_exception(LineError("The camera is away."))).start()
        with pytest.raises(urllib.error.HTTPError) as told:
            urllib.request.urlopen(good, timeout=10)
        assert told.value.code == 503 and json.load(told.value) == {"error": "The camera is away."}


def test_other_machines_call_only_with_a_key(monkeypatch):
    monkeypatch.delenv("LOOKTWICE_TRIGGER_KEY", raising=False)
    with pytest.raises(LineError, match="only with a key"):
        TriggerServer("0.0.0.0:0", Calls())
    assert split_address("8765") == ("127.0.0.1", 8765) and split_address("[::1]:80") == ("::1", 80)
    for wrong in ("host", "host:port", "1:99999"):
        with pytest.raises(LineError, match="An address is HOST:PORT"):
            split_address(wrong)


def test_calls_do_not_pile_up():
    calls = Calls()
    waiting = [calls.call() for _ in range(16)]
    with pytest.raises(LineError, match="Too many calls"):
        calls.call()
    calls.refuse("The line has ended.")
    assert all(isinstance(one.exception(0), LineError) for one in waiting)


def test_sources_are_told_apart(tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"x")
    for live in ("rtsp://user:word@camera.example:554/1", "usb:0", "/dev/video0", "http://camera/stream"):
        assert is_live(live) and is_camera(live)
    assert is_camera(str(tmp_path / "clip.mp4")) and not is_live(str(tmp_path / "clip.mp4"))
    assert not is_camera(str(tmp_path)) and not is_camera(str(tmp_path / "none"))
    assert name_of("rtsp://user:word@camera.example:554/1") == "camera.example" and name_of("usb:0") == "usb-0"


def test_what_is_no_video_is_told(watch, tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"no video at all" * 100)
    with pytest.raises(LineError, match="clip cannot be read: invalid data"):
        list(watch(tmp_path / "clip.mp4").run())
    clip = film(tmp_path / "clip.mkv", [shade(9)] * 2)
    for wrong, why in (({"when": "call"}, "nobody can call"), ({"nth": 0}, "counts from 1")):
        with pytest.raises(LineError, match=why):
            watch(clip, **wrong)
    with pytest.raises(LineError, match="every, change or call"):
        check_when("often")
    with pytest.raises(LineError, match="a share of full brightness"):
        ChangeTrigger(2)
