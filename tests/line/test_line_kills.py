"""kill -9 at random moments, while a receiver fails: every part once, every sink complete in the end."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from line_parts import draw

from assistant.records.history import History

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX's")

PROGRAM = Path(__file__).with_name("watching_program.py")
PARTS = 60


@pytest.fixture
def start(folder, tmp_path, receive):
    """start(*more): the program at work; the receiver fails every third time."""
    receiver = receive(lambda number: ("drop", 500, 200)[number % 3])
    arguments = [folder, tmp_path / "j.sqlite", tmp_path / "rows.jsonl", tmp_path / "sorted", receiver.url]
    arguments += [tmp_path / "history.sqlite"]

    def run(*more):
        command = [sys.executable, str(PROGRAM), *map(str, (*arguments, *more))]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n", process.stderr.read()
        return process

    run.receiver = receiver
    return run


@pytest.mark.slow
def test_a_program_that_is_killed_again_and_again_loses_and_doubles_nothing(start, folder, tmp_path):
    wanted = {f"{i}.png": draw(i, shade=20 if i % 4 == 0 else 200) for i in range(PARTS)}
    rng = random.Random(3)

    def fill():
        for name, content in wanted.items():
            (folder / f"{name}.tmp").write_bytes(content)
            (folder / f"{name}.tmp").rename(folder / name)
            time.sleep(0.08)

    filling = threading.Thread(target=fill)
    filling.start()
    for _ in range(6):
        process = start()
        time.sleep(rng.uniform(0.05, 0.8))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        process.stderr.close()
    filling.join()
    last = start("once")
    _, err = last.communicate(timeout=60)
    assert last.returncode == 0, err

    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert Counter(row["source"] for row in rows) == Counter(wanted.keys())
    assert sorted(row["part"] for row in rows) == list(range(1, PARTS + 1)), "no number is left out"
    ids = {row["source"]: row["id"] for row in rows}

    copies = [path for path in (tmp_path / "sorted").rglob("*") if path.is_file()]
    assert Counter(path.name for path in copies) == Counter(wanted.keys())
    assert all(path.read_bytes() == wanted[path.name] for path in copies)
    verdicts = {row["source"]: row["verdict"] for row in rows}
    assert {path.name: path.parent.name for path in copies} == verdicts

    taken = {json.loads(body)["source"]: headers["webhook-id"] for headers, body in start.receiver.got}
    assert taken == {name: id for name, id in ids.items() if verdicts[name] == "defect"}

    history = History(tmp_path / "history.sqlite")
    kept = Counter(Path(one.inspection.path).name for one in history.every())
    history.close()
    assert kept == Counter(wanted.keys())
    assert not list((tmp_path / "j.sqlite.pictures").iterdir())


def test_a_signal_ends_the_program_and_the_rest_is_done_the_next_time(start, folder, tmp_path):
    process = start()
    (folder / "a.png").write_bytes(draw(1))
    assert process.stdout.readline() == "1\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    (folder / "b.png").write_bytes(draw(2))
    start("once").communicate(timeout=60)
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [row["source"] for row in rows] == ["a.png", "b.png"]
    assert rows[0]["sha256"] == hashlib.sha256(draw(1)).hexdigest()
