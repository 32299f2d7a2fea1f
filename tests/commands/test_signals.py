"""A command that is told to end says so in a sentence and leaves what it has; told twice, it ends at once."""

import json
import os
import signal
import subprocess
import sys

import pytest
from PIL import Image

from assistant.commands.signals import Told, ends_when_told
from assistant.records.history import History

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")

SLOW = """
import signal, sys, time
from pathlib import Path

import assistant.detection.built_in, assistant.models.card
from assistant.commands import console, main

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs the tests may have it ignored
cards = Path(sys.argv.pop(1)) / "cards"
assistant.models.card.card_folder = assistant.detection.built_in.card_folder = lambda: cards
plain = console.row_printer

def slowly(*given):
    show = plain(*given)
    return lambda row: (show(row), time.sleep(0.3))

console.row_printer = slowly
complain = console.complain

def complain_slowly(sentence):
    complain(sentence)
    time.sleep(20)

if sys.argv.pop(1) == "slow end":
    console.complain = complain_slowly
main.main()
"""


@pytest.fixture
def start(tiny_folder, tmp_path, good):
    """start(*arguments, end=...): a command at work on pictures that take a while; its first row is out."""
    (tmp_path / "new").mkdir()
    for i in range(12):
        Image.fromarray(good(i)).save(tmp_path / "new" / f"{i}.png")
    begun = []

    def run(*arguments, end="quick end"):
        home = os.environ | {"LOOKTWICE_CACHE": str(tiny_folder), "LOOKTWICE_PRODUCTS": str(tmp_path / "products")}
        command = [sys.executable, "-c", SLOW, str(tiny_folder), end, *map(str, arguments)]
        command += ["--bundle", "tiny-cnn", "--device", "cpu"]
        process = subprocess.Popen(command, env=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        begun.append(process)
        assert json.loads(process.stdout.readline())["status"] == "ok"
        return process

    yield run
    for process in begun:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("told_by", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_run_that_is_told_to_end_is_marked_as_stopped(start, tmp_path, told_by, status):
    process = start("batch", tmp_path / "new", "--history", tmp_path / "history.sqlite")
    process.send_signal(told_by)
    _, said = process.communicate(timeout=60)
    assert process.returncode == status and "Traceback" not in said
    assert "Stopped." in said and "--resume" in said
    history = History(tmp_path / "history.sqlite")
    [run] = history.runs.newest()
    assert run.state == "stopped" and 0 < run.done < run.total


@pytest.mark.parametrize("again", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_is_told_twice_ends_at_once_without_a_traceback(start, tmp_path, again):
    process = start("inspect", tmp_path / "new", end="slow end")
    process.send_signal(signal.SIGINT)
    while "Stopped." not in process.stderr.readline():
        pass
    process.send_signal(again)
    _, said = process.communicate(timeout=10)
    assert process.returncode == 128 + again and said == ""


def test_signals_are_as_before_where_none_came():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with ends_when_told():
        assert signal.getsignal(signal.SIGTERM) not in before
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_signal_that_was_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ends_when_told():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert issubclass(Told, KeyboardInterrupt)
