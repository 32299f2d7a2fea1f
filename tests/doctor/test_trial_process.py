"""Whatever a part does to its process, the others are tried, and what happened is said."""

import os
import sys

import pytest

from assistant.doctor import trial_process

CHILD = """
import json, os, signal, sys, time
bundle, device, folder, fatal = sys.argv[1:5]
def say(**row): print(json.dumps(row), flush=True)
for part in ("first", "second", "third"):
    say(begin=part)
    if part == "second" and part not in fatal.split(","):
        print("a library says why", file=sys.stderr, flush=True)
        {crash}
    say(found={{"part": part, "state": "works", "said": device + os.environ["LOOKTWICE_PRODUCTS"]}})
{end}
"""


@pytest.fixture
def child(tmp_path, monkeypatch):
    """child(crash, end): a process that does so in its second part, and at its end."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(trial_process, "MODULE", "fake_trial")

    def write(crash="pass", end="pass"):
        (tmp_path / "fake_trial.py").write_text(CHILD.format(crash=crash, end=end))

    return write


def states(findings):
    return {one.part: one.state for one in findings}


def test_all_parts_are_tried_away_from_the_users_own_folders(child, monkeypatch):
    child()
    monkeypatch.setenv("LOOKTWICE_PRODUCTS", "/mine")
    heard = []
    found = trial_process.try_parts("pocket", "cpu", heard.append)
    assert states(found) == dict.fromkeys(("first", "second", "third"), "works")
    assert heard == ["first", "second", "third"]
    assert all(one.said.startswith("cpu") and "/mine" not in one.said for one in found)


@pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")
def test_a_part_that_kills_its_process_fails_and_the_next_is_tried(child):
    child("os.kill(os.getpid(), signal.SIGILL)")
    found = trial_process.try_parts("pocket", None, lambda part: None)
    assert states(found) == {"first": "works", "second": "fails", "third": "works"}
    [failed] = [one for one in found if one.state == "fails"]
    assert "SIGILL" in failed.said and "a library says why" in failed.said and failed.mend


@pytest.mark.parametrize(
    ("crash", "said"), [("sys.exit(3)", "status 3"), ("time.sleep(60)", "did not end within 3 seconds")]
)
def test_a_part_that_ends_or_hangs_fails_and_the_next_is_tried(child, crash, said):
    child(crash)
    found = trial_process.try_parts("pocket", None, lambda part: None, patience=3)
    assert states(found) == {"first": "works", "second": "fails", "third": "works"}
    assert said in next(one.said for one in found if one.state == "fails")


def test_a_process_that_cannot_start_is_one_finding(child, tmp_path):
    (tmp_path / "fake_trial.py").write_text("import nothing_of_this_name\n")
    [found] = trial_process.try_parts("pocket", None, lambda part: None)
    assert (found.part, found.state) == ("start", "fails") and "nothing_of_this_name" in found.said
