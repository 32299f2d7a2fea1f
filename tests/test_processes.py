"""A forked child says at once that the models of its parent do not work there; a spawned one loads its own."""

import os
import subprocess
import sys
import threading

import pytest

from assistant import processes
from assistant.errors import LooktwiceError, ProcessError
from assistant.images.reading import read_ahead
from assistant.models import backbone
from assistant.processes import Home

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")

PROGRAM = """
import multiprocessing, os, sys, time
from pathlib import Path

import numpy as np
import torch

import assistant.detection.built_in, assistant.models.card
from assistant import Inspector, load_image

torch.set_num_threads(2)  # what hangs without a word is the second thread
cards = Path(sys.argv[1]) / "cards"
assistant.models.card.card_folder = assistant.detection.built_in.card_folder = lambda: cards
runtime = sys.argv[2]
pictures = list(np.random.default_rng(0).integers(0, 255, (8, 200, 200, 3), dtype=np.uint8))


def load():
    return Inspector.from_pretrained("tiny-cnn", device="cpu", runtime=runtime)


def try_it(what, *given):
    start = time.perf_counter()
    try:
        print("worked", what(*given), flush=True)
    except Exception as error:
        print(type(error).__name__, str(error).splitlines()[-1], flush=True)
    assert time.perf_counter() - start < 20


def in_child(what, *given):
    code = 1
    try:
        try_it(what, *given)
        code = 0
    finally:
        os._exit(code)  # what else a forked child does at its end is torch's and Python's


def run(context, what, *given):
    child = multiprocessing.get_context(context).Process(target=in_child, args=(what, *given))
    child.start()
    child.join(60)
    if child.is_alive():
        child.kill()
        print("hangs", what, flush=True)
    assert not child.exitcode, child.exitcode


def in_process(number):
    return load().inspect(pictures[number]).verdict


class Pictures(torch.utils.data.Dataset):
    def __init__(self, inspector=None):
        self.inspector = inspector

    def __len__(self):
        return len(pictures)

    def __getitem__(self, index):
        picture = load_image(pictures[index]).pixels
        return picture if self.inspector is None else self.inspector.inspect(picture).verdict


def read(dataset, context):
    loader = torch.utils.data.DataLoader(
        dataset, batch_size=4, num_workers=2, collate_fn=list, multiprocessing_context=context
    )
    return [row for batch in loader for row in batch]


if __name__ == "__main__":
"""

FORKED = """
    inspector = load()
    product = inspector.learn("noise", pictures[:3])
    rows = inspector.inspect(iter(pictures))
    first = next(rows)
    run("fork", inspector.inspect, pictures)
    run("fork", inspector.inspect, pictures[0], product)
    run("fork", list, rows)
    run("fork", inspector.learn, "noise", pictures)
    run("fork", inspector.teach, product, pictures[4:])
    run("fork", inspector.backbone.encode_text, ["a bolt"])
    run("fork", load)
    try_it(read, Pictures(inspector), "fork")
    run("fork", first.to_dict().get, "status")
    run("fork", inspector.ask, first, "Is it good?")
    print("and here", len(list(rows)), len(inspector.inspect(pictures)))
"""

SPAWNED = """
    inspector = load()
    inspector.inspect(pictures)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        print("spawn", len(pool.map(in_process, range(4))))
    for context in ("fork", "spawn"):
        loaded = read(Pictures(), context)
        print("loader", context, len(inspector.inspect(loaded)))
    try_it(read, Pictures(inspector), "spawn")
"""


@pytest.fixture
def lines_of(tiny_folder, tmp_path):
    """lines_of(program, runtime): what a program of its own prints; it may take a minute or two, and not hang."""

    def run(body, runtime):
        file = tmp_path / "program.py"
        file.write_text(PROGRAM + body)
        home = os.environ | {"LOOKTWICE_CACHE": str(tiny_folder)}
        home.pop("OMP_NUM_THREADS", None)
        done = subprocess.run(
            [sys.executable, "-W", "ignore", str(file), str(tiny_folder), runtime],
            capture_output=True,
            text=True,
            env=home,
            timeout=250,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


@forks
@pytest.mark.parametrize("runtime", ["openvino", "torch"])
def test_a_forked_child_says_at_once_that_it_cannot(lines_of, runtime):
    *refused, plain, answered, last = lines_of(FORKED, runtime)
    assert len(refused) == 8
    assert not [line for line in refused if not line.startswith("ProcessError") or "spawn" not in line]
    assert plain == "worked ok" and answered.startswith("worked Answer") and last == "and here 7 8"


def test_spawned_processes_load_their_own_and_workers_may_read(lines_of):
    spawned, forked_loader, spawned_loader, sent = lines_of(SPAWNED, "openvino")
    assert spawned == "spawn 4" and [forked_loader, spawned_loader] == ["loader fork 8", "loader spawn 8"]
    assert sent.startswith("ProcessError") and "Inspector.from_pretrained" in sent


@forks
@pytest.mark.timeout(30)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_reading_ahead_is_not_gone_on_with_in_a_child(good):
    entries = read_ahead([good(i) for i in range(6)])
    next(entries)
    child = os.fork()
    if child == 0:
        try:
            next(entries)
        except ProcessError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert len(list(entries)) == 5


def test_a_thread_is_at_home_where_its_process_is():
    home, said = Home(), []
    thread = threading.Thread(target=lambda: said.append(home.check()))
    thread.start()
    thread.join()
    assert said == [None] and issubclass(ProcessError, LooktwiceError)


def test_nothing_is_loaded_in_a_child_of_a_process_that_has_loaded_something(monkeypatch):
    monkeypatch.setattr(processes, "_loading", [os.getpid() + 1])
    monkeypatch.setattr(backbone, "load_card", lambda name: pytest.fail("it went on"))
    with pytest.raises(ProcessError, match="spawn"):
        backbone.Backbone.load("tiny-cnn")
