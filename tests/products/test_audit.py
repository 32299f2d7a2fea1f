"""The audit log: every change is in it, nothing in it can be changed unseen, and a crash costs nothing."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from test_product import make

from assistant.commands import main as cli
from assistant.errors import AuditError, ProductError
from assistant.products.audit import AuditLog, os_user
from assistant.products.audit_chain import START, check_chain, read_entry
from assistant.products.product import Change
from assistant.products.store import ProductStore


@pytest.fixture
def log(tmp_path):
    return AuditLog(tmp_path / "audit.jsonl")


@pytest.fixture
def filled(log):
    """Six entries, with names that would like to be more than names."""
    for i, name in enumerate(['"}\n{"n":1', "\u2028\udcff\x00", "=cmd()", "[red]", "a", "b"]):
        log.append(
            "teach good", name, actor=f"key {name}", before={"n": i}, after={"n": i + 1}, details={"x": [name]}
        )
    return log


@pytest.fixture
def store(tmp_path):
    return ProductStore(tmp_path / "products")


def taught(product, *changes, **contents):
    history = tuple(Change(f"2025-01-01T00:00:{i:02}", *change) for i, change in enumerate(changes))
    return dataclasses.replace(product, history=history, **contents)


def test_entries_come_back_as_they_went_in_and_hang_together(filled):
    entries = list(filled.entries())
    assert [entry.n for entry in entries] == [1, 2, 3, 4, 5, 6]
    assert entries[1].product == "\u2028\udcff\x00" and entries[0].details == {"x": ['"}\n{"n":1']}
    assert entries[0].previous == START and all(b.previous == a.hash for a, b in pairwise(entries))
    assert all(entry.time.endswith("+00:00") for entry in entries)
    found = filled.verify()
    assert found.ok and found.entries == 6 and found.head == entries[-1].hash and not found.torn
    assert filled.path.read_bytes().count(b"\n") == 6


def test_an_empty_log_is_whole_and_has_no_kept_head(log):
    assert log.verify().ok and log.verify().head == START
    assert not log.verify("ab" * 32).ok and not log.path.exists()


@pytest.mark.parametrize("line", range(6))
def test_whatever_field_of_whatever_line_is_changed_that_line_is_named(filled, line):
    lines = filled.path.read_bytes().splitlines(keepends=True)
    row = json.loads(lines[line])
    for name, value in row.items():
        other = {
            **row,
            name: value + 1 if isinstance(value, int) else {"n": 77} if isinstance(value, dict) else "x",
        }
        for changed in (other, {k: v for k, v in row.items() if k != name}, {**row, "more": 1}):
            raw = json.dumps(changed, sort_keys=True, separators=(",", ":")).encode() + b"\n"
            found = check_chain([*lines[:line], raw, *lines[line + 1 :]])
            assert not found.ok and found.line == line + 1 and found.entries == line, name


def test_every_flipped_byte_is_found(filled):
    content = filled.path.read_bytes()
    for at in range(0, len(content) - 1, 7):
        spoiled = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        assert not check_chain(spoiled.splitlines(keepends=True)).ok, at


@pytest.mark.parametrize(
    ("order", "line"),
    [([0, 2, 3], 2), ([1, 2], 1), ([0, 2, 1, 3], 2), ([0, 1, 1, 2], 3), ([5], 1)],
    ids=str,
)
def test_lines_taken_out_moved_or_doubled_are_found(filled, order, line):
    lines = filled.path.read_bytes().splitlines(keepends=True)
    found = check_chain([lines[i] for i in order])
    assert not found.ok and found.line == line and f"Line {line}" in found.fault


def test_a_line_that_says_the_same_in_other_words_is_found(filled):
    lines = filled.path.read_bytes().splitlines(keepends=True)
    doubled = lines[2].replace(b'{"action"', b'{"action":"delete product","action"')
    assert check_chain([*lines[:2], doubled]).line == 3
    assert check_chain([*lines[:2], lines[2].replace(b":", b": ", 1)]).line == 3
    assert check_chain([*lines[:2], b"\n", *lines[2:]]).line == 3


def test_a_cut_log_or_one_written_anew_is_found_with_the_kept_head(filled):
    head = filled.verify().head
    lines = filled.path.read_bytes().splitlines(keepends=True)
    filled.append("remove", "a")
    assert filled.verify(head).ok
    filled.path.write_bytes(b"".join(lines[:4]))
    assert filled.verify().ok and "cut off" in filled.verify(head).fault
    filled.path.unlink()
    filled.append("learn", "a")
    assert filled.verify().ok and not filled.verify(head).ok


@pytest.mark.parametrize("keep", [1, 40, -2])
def test_a_torn_line_is_told_for_ever_and_stops_nobody(filled, keep):
    lines = filled.path.read_bytes().splitlines(keepends=True)
    torn = b"".join(lines[:5]) + lines[5][:keep]
    filled.path.write_bytes(torn)
    found = filled.verify()
    assert found.ok and found.torn == (6,) and found.entries == 5
    filled.append("remove", "a")
    assert filled.path.read_bytes().startswith(torn + b"\n"), "what was torn stays where it is"
    found = filled.verify()
    assert found.ok and found.torn == (6,) and found.entries == 7
    assert [entry.action for entry in filled.entries()][-2:] == ["torn line", "remove"]
    after = filled.path.read_bytes().splitlines(keepends=True)
    assert check_chain([*after[:5], b"another\n", *after[6:]]).line == 6, "the torn line is under the chain too"
    assert check_chain([*after[:5], *after[6:]]).line == 6


def test_two_crashes_one_after_the_other_are_torn_lines_too(filled):
    with filled.path.open("ab") as file:
        file.write(b'{"action":"le\n{"acti')
    filled.append("remove", "a")
    found = filled.verify()
    assert found.ok and found.torn == (7, 8) and found.entries == 8


def test_an_entry_that_lacks_nothing_but_its_lines_end_is_one(filled):
    filled.path.write_bytes(filled.path.read_bytes()[:-1])
    assert filled.verify().ok and not filled.verify().torn
    filled.append("remove", "a")
    assert filled.verify().ok and filled.verify().entries == 7 and not filled.verify().torn


@pytest.mark.parametrize("spoil", [b"rubbish\n", b"\n", b'{"n":1}\n'])
def test_nothing_is_added_to_a_log_whose_end_was_tampered_with(filled, spoil):
    with filled.path.open("ab") as file:
        file.write(spoil)
    before = filled.path.read_bytes()
    with pytest.raises(AuditError, match="damaged at its end"):
        filled.append("remove", "a")
    assert filled.path.read_bytes() == before and filled.verify().line == 7
    lines = before.splitlines(keepends=True)
    filled.path.write_bytes(b"".join(lines[:5]) + lines[5].replace(b'"n":6}', b'"n":7}'))
    with pytest.raises(AuditError, match="damaged at its end"):
        filled.append("remove", "a")


def test_lines_of_any_length_are_read_from_the_end(log):
    for i in range(4):
        log.append("learn", "a", details={"long": "x" * 60_000 * i})
    assert log.verify().entries == 4
    assert read_entry(b"[" * 100_000) is None and read_entry(b'{"n":' * 50_000) is None


def test_facts_that_are_no_json_and_actions_that_are_none_are_refused(log):
    with pytest.raises(ValueError):
        log.append("learn", "a", after={"threshold": float("nan")})
    with pytest.raises(ValueError, match="no such action"):
        log.append("look", "a")
    assert log.verify().entries == 0


WRITER = """
import sys
from assistant.products.audit import AuditLog
log = AuditLog(sys.argv[1])
print("ready", flush=True)
i = 0
while len(sys.argv) < 4 or i < int(sys.argv[3]):
    log.append("learn", sys.argv[2], details={"i": i, "long": "x" * 5000})
    i += 1
"""


def start_writer(log, *arguments):
    command = [sys.executable, "-c", WRITER, log.path, *arguments]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert writer.stdout.readline() == "ready\n"
    return writer


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_kill_in_the_middle_of_writing_leaves_a_chain_that_fits_and_goes_on(log):
    count = 0
    for again in range(3):
        writer = start_writer(log, f"p{again}")
        end = time.monotonic() + 20
        while log.verify().entries < count + 5 and time.monotonic() < end:
            time.sleep(0.01)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        found = log.verify()
        assert found.ok and found.entries >= count + 5
        count = found.entries
    mine = [entry.details["i"] for entry in log.entries() if entry.product == "p2"]
    assert mine == list(range(len(mine)))


def test_programs_and_threads_that_write_at_once_lose_nothing(log):
    writers = [start_writer(log, name, "12") for name in ("a", "b")]
    threads = [threading.Thread(target=lambda: [log.append("learn", "c") for _ in range(6)]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for waiting in (*threads, *writers):
        waiting.join() if isinstance(waiting, threading.Thread) else waiting.communicate()
    found = log.verify()
    assert found.ok and found.entries == 36 and not found.torn
    for name in "ab":
        assert [e.details["i"] for e in log.entries() if e.product == name] == list(range(12))


def test_a_change_that_cannot_be_recorded_is_refused(store, monkeypatch):
    store.save(make())
    before = store.path("cloth").read_bytes()
    store.log.path.unlink()
    store.log.path.mkdir()
    for change in (
        lambda: store.save(make(seed=1)),
        lambda: store.delete("cloth"),
        lambda: store.save(make("new")),
    ):
        with pytest.raises(ProductError, match="cannot be kept or removed: The audit log cannot be"):
            change()
    assert store.path("cloth").read_bytes() == before and store.names() == ["cloth"]


def test_a_change_that_was_recorded_and_failed_is_told(store, monkeypatch):
    store.save(make())
    with monkeypatch.context() as patch:
        patch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
        with pytest.raises(ProductError, match="No space left"):
            store.save(make(seed=1))
    *_, tried, failed = store.log.entries()
    assert failed.action == "failed" and failed.details == {"entry": tried.n, "why": "ProductError"}
    assert failed.after == tried.before and not list(store.strays())


@pytest.mark.parametrize(
    ("history", "contents", "action"),
    [
        ([("good", 2, "c.png")], {}, "teach good"),
        ([("defect", 2, "c.png", "pit")], {}, "teach defect"),
        ([("removed", 1, "b.png")], {}, "remove"),
        ([("recalibrated",)], {}, "recalibrate"),
        ([("masks",)], {"roi": torch.ones(3, 3)}, "roi"),
        ([("masks",)], {"ignore": torch.ones(3, 3)}, "ignore"),
        ([("masks",)], {"roi": None, "ignore": torch.ones(3, 3)}, "masks"),
        ([("good", 2, "c.png"), ("good", 3, "d.png")], {}, "teach good"),
        ([("good", 2, "c.png"), ("removed", 2, "c.png")], {}, "several changes"),
        ([], {"created": "2026-01-01T00:00:00+00:00"}, "learn"),
    ],
    ids=str,
)
def test_the_log_says_by_itself_what_was_done_and_back(store, history, contents, action):
    old, new = make(), taught(make(), *history, **contents)
    store.save(old)
    store.save(new, actor="key line-3")
    entry = list(store.log.entries())[-1]
    assert (entry.action, entry.actor, entry.product) == (action, "key line-3", "cloth")
    assert entry.before["state"] != entry.after["state"]
    if history:
        assert [(c["what"], c["id"], c["name"]) for c in entry.details["changes"]] == [
            (*change[:1], *(change[1:3] or (None, ""))) for change in history
        ]
        store.save(old)
        undone = list(store.log.entries())[-1]
        assert undone.action == "undo" and undone.details["taken_back"] == entry.details["changes"]
        assert undone.after == entry.before
    assert store.log.verify().ok and not list(store.strays())


def test_a_full_history_that_lost_its_oldest_change_tells_only_the_new_one(store):
    changes = [("good", i, f"{i}.png") for i in range(51)]
    whole = taught(make(), *changes)
    older = dataclasses.replace(whole, history=whole.history[:50])
    newer = dataclasses.replace(whole, history=whole.history[1:])
    for product in (older, newer, older):
        store.save(product)
    *_, added, undone = store.log.entries()
    assert added.action == "teach good" and [c["id"] for c in added.details["changes"]] == [50]
    assert undone.action == "undo" and [c["id"] for c in undone.details["taken_back"]] == [50]


def test_learning_says_which_references_and_a_target_and_a_removal_are_told(store):
    store.save(make())
    store.save(make().with_target(0.2))
    store.save(make().with_target(0.2))  # nothing new: nothing to tell
    store.delete("cloth", actor="key boss")
    learned, target, gone = store.log.entries()
    assert learned.action == "learn" and learned.before is None and learned.actor == os_user()
    assert [r["name"] for r in learned.details["references"]] == ["a.png", "b.png"]
    assert learned.after["roi"]["share"] == 0.625 and learned.after["references"] == 2
    assert target.action == "target" and (target.before["target"], target.after["target"]) == (0.05, 0.2)
    assert target.before["threshold"] == learned.after["threshold"] > target.after["threshold"]
    assert gone.action == "delete product" and gone.before == target.after and gone.after is None
    assert gone.actor == "key boss" and not list(store.strays())
    with pytest.raises(ProductError, match="There is no product 'cloth'"):
        store.delete("cloth")
    assert store.log.verify().entries == 3


def test_what_was_done_without_the_log_is_told(store):
    store.save(make())
    store.save(make("board"))
    make(seed=1).save(store.path("cloth"))
    make("tile").save(store.path("tile"))
    store.path("board").unlink()
    cloth, board, tile = sorted(store.strays(), key=lambda s: "cbt".index(s.split("'")[1][0]))
    assert (
        "changed without the log" in cloth and "changed without the log" in board and "is not in the log" in tile
    )
    store.path("cloth").write_bytes(b"damaged")
    assert len(list(store.strays())) == 3
    store.save(make())  # a damaged one can be replaced, and that is told as well
    assert list(store.log.entries())[-1].before["damaged"] is True


SAVER = """
import sys
from assistant.products.store import ProductStore
sys.path.insert(0, sys.argv[2])
from test_product import make
store, products = ProductStore(sys.argv[1]), [make(seed=i, entries=3000) for i in range(2)]
print("ready", flush=True)
while True:
    for product in products:
        store.save(product)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_kill_between_entry_and_change_leaves_the_state_before_or_after_it(store):
    command = [sys.executable, "-c", SAVER, store.folder, Path(__file__).parent]
    saver = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert saver.stdout.readline() == "ready\n"
    end = time.monotonic() + 20
    while store.log.verify().entries < 8 and time.monotonic() < end:
        time.sleep(0.01)
    saver.send_signal(signal.SIGKILL)
    saver.wait()
    saver.stdout.close()
    from assistant.products.changes import facts

    assert store.log.verify().ok
    last = list(store.log.entries())[-1]
    assert facts(store.load("cloth")) in (last.before, last.after)
    store.save(make(seed=5))
    assert store.log.verify().ok and not list(store.strays())


def test_what_an_inspector_is_taught_is_in_the_log(inspector, good):
    product = inspector.learn("cloth", [good(0), good(1)])
    inspector.save(product)
    product = inspector.teach(product, good(2))
    inspector.save(product, actor="key line-3")
    inspector.save(inspector.load("cloth").undo())
    learned, one_more, undone = inspector.store.log.entries()
    assert [e.action for e in (learned, one_more, undone)] == ["learn", "teach good", "undo"]
    assert undone.after == learned.after and one_more.details["changes"][0]["digest"]
    assert one_more.actor == "key line-3" and not list(inspector.store.strays())


@pytest.fixture
def run(monkeypatch, capfd):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["looktwice", "audit", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        out, err = capfd.readouterr()
        return stopped.value.code or 0, out, " ".join(err.split())

    return call


def test_the_command_line_shows_and_verifies(run, store):
    store.save(make())
    store.save(make().with_target(0.2))
    store.save(make("board"))
    where = ("--products", store.folder)
    status, out, _ = run("show", *where, "--product", "cloth")
    assert status == 0 and [json.loads(line)["action"] for line in out.splitlines()] == ["learn", "target"]
    assert len(run("show", *where, "--last", 1)[1].splitlines()) == 1
    status, head, err = run("verify", *where)
    assert status == 0 and head.strip() == store.log.verify().head and "All 3 entries fit" in err
    assert run("verify", *where, "--head", head.strip())[0] == 0
    lines = store.log.path.read_bytes().splitlines(keepends=True)
    store.log.path.write_bytes(b"".join(lines[:2]))
    status, _, err = run("verify", *where, "--head", head.strip())
    assert status == 1 and "cut off" in err
    status, _, err = run("verify", *where)
    assert status == 1 and "'board' is not in the log" in err
    store.log.path.write_bytes(lines[0].replace(b'"target":0.05', b'"target":0.06') + lines[1])
    status, _, err = run("verify", *where)
    assert status == 1 and "Line 1 holds something else" in err
    status, _, err = run("show", *where)
    assert status == 0 and "cannot be trusted" in err


def test_the_table_shows_names_as_names(filled, capsys):
    from assistant.commands.audit import _print_table, describe

    filled.append("target", "cloth", before={"target": 0.05}, after={"target": 0.1}, details={"role": "engineer"})
    *named, target = filled.entries()
    assert describe(target) == "target 0.05 -> 0.1; role engineer"
    _print_table([*named, target])
    shown = capsys.readouterr().out
    assert "[red]" in shown and "\x00" not in shown and "\u2028" not in shown
