"""`looktwice watch` and `looktwice outbox`: options, a file of settings, where results go, how it ends."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from assistant.line.journal import Journal
from assistant.line.places import default_journal
from assistant.records.entries import Query
from assistant.records.history import History

QUICK = ("--once", "--settle", "0.05", "--give-up", "0.2", "--every", "0.02")


@pytest.fixture
def line(tmp_path, good, planted, monkeypatch):
    """A folder with two good parts and a spoiled one, one of good parts, and a place for journals."""
    monkeypatch.setenv("LOOKTWICE_LINE", str(tmp_path / "line"))
    for name, pixels in (("a", good(7)), ("day/b", good(8)), ("c", planted(good(9), 0.4, 0.4)[0])):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "in" / f"{name}.png")
    (tmp_path / "good").mkdir()
    for i in range(4):
        Image.fromarray(good(i)).save(tmp_path / "good" / f"{i}.png")
    return tmp_path


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_part_is_shown_kept_and_handed_on_once(run, line):
    sinks = ("--jsonl", line / "rows.jsonl", "--sort-into", line / "sorted")
    words = ("--station", "press 3", "--lot", "w48", "--group", "cam 1")
    status, out, err = run("watch", line / "in", "--references", line / "good", *sinks, *words, *QUICK)
    assert status == 0 and "Watching" in err and "3 part(s) inspected: " in err
    shown = [json.loads(text) for text in out.splitlines()]
    assert len(shown) == 3 and {one["mode"] for one in shown} == {"few-shot"}
    written = rows(line / "rows.jsonl")
    assert sorted(one["source"] for one in written) == ["a.png", "c.png", "day/b.png"]
    assert {one["station"] for one in written} == {"press 3"} and [one["part"] for one in written] == [1, 2, 3]
    assert [one["inspection"] for one in written] == shown and {one["group"] for one in shown} == {"cam 1"}
    sorted_ = {path.relative_to(line / "sorted").as_posix() for path in (line / "sorted").rglob("*.png")}
    assert sorted_ == {f"{one['verdict']}/{one['source']}" for one in written}
    history = History(line / "history.sqlite")
    assert history.search(Query(lot="w48")).total == 3
    history.close()
    status, out, err = run("watch", line / "in", "--references", line / "good", *sinks, *QUICK)
    assert status == 0 and not out and "0 part(s) inspected." in err and len(rows(line / "rows.jsonl")) == 3


def test_a_file_of_settings_says_all_and_what_is_typed_counts_more(run, line):
    (line / "line.toml").write_text(f"""
        [watch]
        source = "{line / "in"}"
        references = ["{line / "good"}"]
        false_alarms = "2%"
        station = "from the file"
        settle = 0.05
        give_up = 0.2
        every = 0.02
        [sinks.bad]
        kind = "lines"
        path = "bad.jsonl"
        verdicts = ["defect", "review"]
        [sinks.all]
        kind = "lines"
        path = "all.jsonl"
    """)
    status, out, err = run("watch", "--settings", line / "line.toml", "--station", "typed", "--once")
    assert status == 0, err
    every = rows(line / "all.jsonl")
    assert len(every) == 3 and {one["station"] for one in every} == {"typed"}
    assert {one["inspection"]["evidence"]["target_false_alarm"] for one in every} == {0.02}
    bad = [one["source"] for one in every if one["verdict"] in ("defect", "review")]
    assert [one["source"] for one in (rows(line / "bad.jsonl") if bad else [])] == bad


def test_a_video_is_watched_to_its_end(run, line, good):
    av = pytest.importorskip("av")
    with av.open(str(line / "belt.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 160, "bgr0"
        for i in range(6):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(good(20 + i), format="rgb24")))
        container.mux(stream.encode())
    words = ("--references", line / "good", "--sort-into", line / "sorted")
    status, out, err = run("watch", line / "belt.mkv", *words, "--nth", "2")
    assert status == 0 and "3 part(s) inspected" in err, err
    assert [json.loads(text)["path"] for text in out.splitlines()] == [f"belt-{i:06d}.png" for i in (0, 2, 4)]
    [frame] = (line / "sorted").rglob("belt-000002.png")
    assert (np.asarray(Image.open(frame)) == good(22)).all()
    status, _, err = run("watch", line / "belt.mkv", *words, "--nth", "2")
    assert status == 0 and "3 picture(s) held parts that were inspected before" in err


def test_a_product_that_is_taught_meanwhile_is_used_as_it_is(inspector, good, tmp_path):
    from assistant.images.decoding import PictureFile
    from assistant.line.opening import looker

    inspector.save(inspector.learn("bracket", [good(i) for i in range(4)]))
    look = looker(inspector, "bracket")
    file = tmp_path / "x.png"
    Image.fromarray(good(9)).save(file)

    def judge():
        return next(iter(look(iter([PictureFile("x.png", file.read_bytes())]))))

    before = judge()
    product = inspector.load("bracket")
    inspector.save(inspector.teach(product, [good(11), good(12)]))
    assert before.references == 4 and judge().references == 6 and before.product == "bracket"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "Name the folder that is to be watched"),
        (("{line}/in", "--product", "x", "--references", "{line}/good"), "Give either --references or --product"),
        (("{line}/in", "--product", "x"), "There is no product 'x'"),
        (("{line}/in", "--verdict", "defect"), "--verdict belongs to --jsonl"),
        (("{line}/in", "--jsonl", "r.jsonl", "--verdict", "bad"), "There is no verdict 'bad'"),
        (("{line}/in", "--sort-into", "{line}/in/sorted"), "the folder that is watched"),
        (("{line}/in", "--webhook", "https://h/"), "There is no secret in the environment variable"),
        (("{line}/good/0.png",), "is no folder"),
        (("{line}/in", "--settle", "9", "--give-up", "1"), "settles before it is given up"),
        (("{line}/in", "--settings", "{line}/none.toml"), "cannot be read"),
        (("env:NO_CAMERA",), "There is no source in the environment variable NO_CAMERA"),
        (("usb:0", "--trigger", "often"), "A trigger is every, change or call"),
        (("usb:0", "--trigger", "call"), "belong together"),
        (("--settings", "{line}/word.toml"), "In [watch]: There is no setting 'sourc'. Did you mean 'source'?"),
        (("--settings", "{line}/value.toml"), "In [watch], every cannot be 'often'"),
        (("--settings", "{line}/share.toml"), "In [watch], false_alarms cannot be 'some'"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(run, line, monkeypatch, arguments, why):
    monkeypatch.delenv("LOOKTWICE_WEBHOOK_SECRET", raising=False)
    for name, text in (("word", 'sourc = "x"'), ("value", 'every = "often"'), ("share", 'false_alarms = "some"')):
        (line / f"{name}.toml").write_text(f"[watch]\n{text}\n")
    status, out, err = run("watch", *(one.format(line=line) for one in arguments))
    assert status == 2 and why in err and not out and "Traceback" not in err


def test_what_a_sink_does_not_take_is_listed_and_sent_again_and_dropped(run, line, monkeypatch):
    monkeypatch.setenv("LOOKTWICE_WEBHOOK_SECRET", "a secret of some length")
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "line")
    from receiver import Receiver

    receiver = Receiver(lambda number: 422)
    try:
        (line / "line.toml").write_text(f"""
            [sinks.mes]
            kind = "webhook"
            url = "{receiver.url}"
            refusals = 1
        """)
        status, _, err = run("watch", line / "in", "--settings", line / "line.toml", *QUICK)
        assert status == 0 and "does not take part 1: " in err
        status, out, err = run("outbox", "list", line / "in")
        listed = [json.loads(text) for text in out.splitlines()]
        assert [one["part"] for one in listed] == [1, 2, 3] and {one["sink"] for one in listed} == {"mes"}
        assert "refused it with HTTP 422" in listed[0]["error"]
        assert json.loads(run("outbox", "list", line / "in", "--json")[1]) == listed
        assert run("outbox", "drop", line / "in", "--id", listed[2]["id"])[2] == "1 dropped."
        receiver.behaves = lambda number: 200
        status, _, err = run("outbox", "again", line / "in", "--id", listed[0]["id"])
        assert status == 1 and "1 are still not taken" in err and receiver.parts == [1]
        status, _, err = run("outbox", "again", default_journal(str(line / "in")))
        assert status == 0 and "All are taken" in err and receiver.parts == [1, 2]
        assert "No result was given up, and none waits" in run("outbox", "again", line / "in")[2]
    finally:
        receiver.close()
    status, _, err = run("outbox", "list", line / "good")
    assert status == 2 and "There is no journal of" in err


def test_a_running_watch_sends_again_itself(run, line, monkeypatch):
    run("watch", line / "in", "--jsonl", line / "rows.jsonl", *QUICK)
    kept = Journal(default_journal(str(line / "in")))
    monkeypatch.setattr("assistant.line.outbox.Outbox.again", lambda *given: 2)
    with kept.hold():
        status, _, err = run("outbox", "again", line / "in")
    kept.close()
    assert status == 0 and "The watch that is running sends them" in err


CODE = """
import sys
from pathlib import Path

import assistant.detection.built_in, assistant.models.card
from assistant.commands import main

cards = Path(sys.argv.pop(1)) / "cards"
assistant.models.card.card_folder = assistant.detection.built_in.card_folder = lambda: cards
main.main()
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
def test_it_ends_well_when_it_is_told_to(tiny_folder, line):
    home = os.environ | {
        "LOOKTWICE_CACHE": str(tiny_folder),
        "LOOKTWICE_HISTORY": str(line / "history.sqlite"),
        "LOOKTWICE_LINE": str(line / "line"),
    }
    command = [sys.executable, "-c", CODE, str(tiny_folder), "watch", str(line / "in")]
    command += ["--bundle", "tiny-cnn", "--device", "cpu", "--settle", "0.1"]
    for number, name in ((signal.SIGTERM, "d"), (signal.SIGINT, "e")):
        process = subprocess.Popen(command, env=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        Image.open(line / "good" / "0.png").rotate(ord(name)).save(line / "in" / f"{name}.png")
        shown = [json.loads(process.stdout.readline())["path"]]
        while not shown[-1].endswith(f"{name}.png"):
            shown.append(json.loads(process.stdout.readline())["path"])
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert f"{len(shown)} part(s) inspected" in err and "Traceback" not in err
    history = History(line / "history.sqlite")
    assert history.search().total == 5
    history.close()
