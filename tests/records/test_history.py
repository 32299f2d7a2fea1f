"""The history: what was kept comes back, is found as a plain filter finds it, and outlives a kill."""

import csv
import dataclasses
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from assistant.errors import HistoryError
from assistant.images.sources import shown_name
from assistant.inspection import Answer, Evidence, Inspection, Region, Seen
from assistant.records.entries import PREVIEW_SIDE, Query, tell_disagreements
from assistant.records.history import History, default_history

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAMES = (
    "Ä_b%c.png",
    "a'); DROP TABLE looktwice_inspections; --.png",
    "100%_of\\it.PNG",
    "\udcff\x00\u2028x.png",
    "STRASSE ß.png",
    "=cmd().png",
)


def found(path="a.png", verdict="good", at=NOON, product="cloth", score=0.5, **changes):
    region = Region("R1", (1, 2, 30, 40), 500, 0.05, 0.9, "top left", "slight")
    row = Inspection(
        path=path,
        mode="few-shot",
        score=score,
        p_value=0.2,
        threshold=0.7,
        review_threshold=0.6,
        verdict=verdict,
        regions=(region,),
        width=320,
        height=200,
        evidence=Evidence("conformal", "set by counting", 20, 0.05, 1 / 21),
        scale=(0.5, 1.2),
        notices=("a notice",),
        product=product,
        references=4,
        created=at.isoformat(timespec="seconds"),
        coarse_map=np.linspace(0, 1.3, 60, dtype=np.float32).reshape(6, 10),
    )
    return dataclasses.replace(row, **changes)


@pytest.fixture
def history(place):
    kept = History(place)
    yield kept
    kept.close()


@pytest.mark.parametrize("name", NAMES)
def test_an_inspection_comes_back_with_its_map(history, name):
    one = found(f"/secret/{name}")
    kept = history.get(history.add(one, lot=" L 7 "))
    assert kept.inspection == one and kept.lot == "L 7" and kept.created == NOON
    assert kept.inspection.coarse_map.dtype == np.float32
    assert np.abs(kept.inspection.coarse_map - one.coarse_map).max() <= 1.3 * 2**-11
    assert kept.inspection.anomaly_map.shape == (200, 320)
    assert history.search(Query(text=shown_name(name)[1:5])).total == 1


@pytest.mark.parametrize("scale", [0.0, 1e-9, 1e9])
def test_maps_of_any_size_keep_their_digits(history, scale):
    one = found(coarse_map=np.float32(scale) * np.arange(12, dtype=np.float32).reshape(3, 4))
    again = history.get(history.add(one)).inspection.coarse_map
    assert np.allclose(again, one.coarse_map, rtol=1e-3, atol=0)


def test_a_picture_that_was_not_read_is_kept_too(history):
    one = Inspection("bad.png", "error", "bad.png is not a picture")
    kept = history.get(history.add(one))
    assert kept.inspection == one and kept.inspection.coarse_map is None
    assert abs(kept.created - datetime.now(UTC)) < timedelta(minutes=1)
    assert history.search(Query(verdicts=("error",))).total == 1
    with pytest.raises(HistoryError, match="no inspection 99"):
        history.get(99)


def test_previews_are_small_and_bare(history, tmp_path):
    noisy = np.random.default_rng(0).integers(0, 255, (900, 1600, 3), np.uint8)
    Image.fromarray(noisy).save(tmp_path / "a.jpg", comment=b"secret", exif=b"Exif\x00\x00secret")
    with Image.open(tmp_path / "a.jpg") as opened:
        one, other = history.add(found(), preview=opened), history.add(found(), preview=noisy[:30, :40])
    (tmp_path / "p.jpg").write_bytes(history.preview(one))
    with Image.open(tmp_path / "p.jpg") as small:
        assert small.size == (PREVIEW_SIDE, 288) and small.format == "JPEG"
    assert b"secret" not in history.preview(one)
    assert history.preview(other) and history.preview(history.add(found())) is None
    assert [kept.has_preview for kept in history.search(Query(order="oldest")).rows] == [True, True, False]


def test_conversations_come_back_in_order(history):
    id, other = history.add(found()), history.add(found())
    said = [Answer("In R1.", ("R1",), "template"), Answer("<b>\udcff\x00", (), "pocket", ("a notice",))]
    for question, answer in zip(("Where?", "Why'; --\x00"), said, strict=True):
        history.add_turn(id, question, answer)
    assert [turn.answer for turn in history.turns(id)] == said and not history.turns(other)
    assert [turn.question for turn in history.turns(id)] == ["Where?", "Why'; --\x00"]
    history.forget_turns(id)
    assert not history.turns(id)
    with pytest.raises(HistoryError, match="no inspection 99"):
        history.add_turn(99, "?", said[0])


def test_what_a_second_look_disagrees_with_is_counted_once_each(history):
    ids = [history.add(found()) for _ in range(4)]
    quiet = Answer('It says "disagrees": "x", or so.', seen=(Seen("R1", "A groove.", "maybe"),))
    loud = Answer("In R1.", disagrees='The rim "looks" open.')
    for id, answer in ((ids[0], quiet), (ids[1], loud), (ids[1], loud), (ids[2], loud), (ids[2], quiet)):
        history.add_turn(id, "?", answer)
    assert history.disagreements() == 2 and history.disagreements(Query(text="nothing")) == 0
    assert history.turns(ids[0])[0].answer == quiet and history.turns(ids[1])[0].answer == loud
    assert tell_disagreements(2) == "A second look disagrees with 2 of these verdicts: a person should look."
    assert "one of these" in tell_disagreements(1) and tell_disagreements(0) == ""


texts = st.text(st.sampled_from("aAbBäÄß%_\\'\" .İ\x00"), max_size=4)
times = st.integers(0, 6).map(lambda hours: NOON + timedelta(hours=hours))
rows = st.tuples(
    texts,
    st.sampled_from(["good", "review", "defect", "error"]),
    st.sampled_from([None, "cloth", "Cloth", "board"]),
    times,
    st.sampled_from(["", "L1", "l1"]),
    st.floats(0, 2, allow_nan=False),
)
queries = st.builds(
    Query,
    product=st.sampled_from([None, "", "cloth", "board"]),
    verdicts=st.sets(st.sampled_from(["good", "review", "defect", "error"])).map(tuple),
    since=st.none() | times,
    until=st.none() | times,
    lot=st.sampled_from([None, "", "L1"]),
    text=texts,
    order=st.sampled_from(["newest", "oldest", "score"]),
)


def plain_search(kept, query):
    """What a query finds, said in Python; `kept` are (id, name, verdict, product, time, lot, score)."""

    def shown(text):
        return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text).casefold()

    hits = [
        row
        for row in kept
        if (query.product is None or row[3] == query.product)
        and (not query.verdicts or row[2] in query.verdicts)
        and (query.since is None or row[4] >= query.since)
        and (query.until is None or row[4] < query.until)
        and (query.lot is None or row[5] == query.lot)
        and shown(query.text) in shown(shown_name(row[1]))
    ]
    if query.order == "score":
        return sorted(hits, key=lambda row: (row[6] is None, -(row[6] or 0.0), row[0]))
    return sorted(hits, key=lambda row: (row[4], row[0]), reverse=query.order == "newest")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(rows, max_size=12), st.lists(queries, min_size=1, max_size=5), st.integers(1, 5))
def test_a_search_finds_what_a_plain_filter_finds(tmp_path_factory, given_rows, asked, size):
    history, kept = History(tmp_path_factory.mktemp("h") / "h.sqlite"), []
    for name, verdict, product, at, lot, score in given_rows:
        one = found(f"x/{name}.png", verdict if verdict != "error" else "good", at, product, score)
        if verdict == "error":
            one = Inspection(f"x/{name}.png", "error", "unreadable", product=product, created=at.isoformat())
        shown = None if verdict == "error" else one.score
        kept.append((history.add(one, lot=lot), one.path, verdict, product or "", at, lot, shown))
    for query in asked:
        expected = plain_search(kept, query)
        pages = -(-len(expected) // size) or 1
        seen = [history.search(query, page, size) for page in range(1, pages + 2)]
        assert [row.id for page in seen for row in page.rows] == [row[0] for row in expected]
        assert all(page.total == len(expected) for page in seen) and not seen[-1].rows
        every = plain_search(kept, dataclasses.replace(query, verdicts=()))
        assert dict(seen[0].counts) == {v: n for v in "good review defect error".split()
                                        if (n := sum(row[2] == v for row in every))}  # fmt: skip
    history.close()


def test_times_of_any_zone_are_the_same_moment(history):
    history.add(found(created="2026-03-01T14:00:00+02:00"))
    assert history.search(Query(since=NOON, until=NOON + timedelta(seconds=1))).total == 1
    assert history.search(Query(since=NOON.replace(tzinfo=None))).total == 1
    assert history.search(Query(until=NOON)).total == 0


@pytest.mark.parametrize(
    "ask",
    [
        lambda h: h.search(Query(verdicts=("bad",))),
        lambda h: h.search(Query(order="'; --")),
        lambda h: h.search(Query(text="x" * 400)),
        lambda h: h.search(size=0),
        lambda h: h.search(page=0),
        lambda h: h.add(found(), lot="x" * 101),
        lambda h: h.add(found(), lot="a\x00b"),
        lambda h: h.add(found(), run="none", place=0),
        lambda h: h.runs.get("none"),
        lambda h: h.export(Query(), "a.txt"),
    ],
)
def test_what_makes_no_sense_gives_one_sentence(history, ask):
    with pytest.raises(HistoryError, match=r"^[A-Z][^\n]*\.$"):
        ask(history)


def test_an_export_has_the_rows_of_a_run(history, tmp_path):
    ones = [found(name, at=NOON + timedelta(hours=i)) for i, name in enumerate(NAMES)]
    for one in ones:
        history.add(one, lot="L1")
    history.add(found("other.png"), lot="L2")
    query = Query(lot="L1", order="oldest")
    assert history.export(query, tmp_path / "a.jsonl") == history.export(query, tmp_path / "a.csv") == len(NAMES)
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text("utf-8").split("\n") if line]
    ahead = [(line.pop("id"), line.pop("lot"), line.pop("sign_off")) for line in lines]
    assert ahead == [(i + 1, "L1", None) for i in range(len(NAMES))]
    assert [Inspection.from_dict(line) for line in lines] == ones
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as file:
        cells = list(csv.DictReader(file))
    assert cells[5]["path"] == "'=cmd().png" and cells[0]["lot"] == "L1" and cells[0]["verdict"] == "good"
    with pytest.raises(HistoryError, match="cannot be written"):
        history.export(query, tmp_path / "none" / "a.csv")


def test_a_purge_takes_the_old_with_all_that_belongs_to_it(history):
    old, new = history.add(found(at=NOON)), history.add(found(at=NOON + timedelta(days=2)))
    for id in (old, new):
        history.add_turn(id, "?", Answer("!"))
    assert history.purge(NOON + timedelta(days=1)) == 1
    assert [kept.id for kept in history.search().rows] == [new] and history.turns(new) and not history.turns(old)
    with pytest.raises(HistoryError):
        history.get(old)
    assert history.purge(NOON + timedelta(days=1)) == 0
    assert history.add(found()) > new, "an id is never given twice"


def test_a_run_goes_on_where_it_was(history):
    run = history.runs.start(
        ["a.png", NAMES[3], "c.png"], {"product": "cloth", "mode": "auto"}, lot="L1", owner="me"
    )
    assert (run.state, run.total, run.done, run.owner) == ("running", 3, 0, "me")
    first = history.add(found("c.png"), run=run.id, place=2, lot="L1")
    assert history.add(found("again.png", "defect"), run=run.id, place=2) == first
    assert history.get(first).inspection.path == "c.png", "a place that is filled keeps what it has"
    assert history.runs.rest(run.id) == [(0, "a.png"), (1, NAMES[3])]
    with pytest.raises(HistoryError, match="elsewhere"):
        history.runs.claim(run.id, "other")
    assert history.runs.finish(run.id).state == "stopped"
    again = history.runs.claim(run.id, "other")
    assert (again.state, again.owner, again.done, again.settings) == ("running", "other", 1, run.settings)
    for place, source in history.runs.rest(run.id):
        history.add(found(source), run=run.id, place=place)
    assert history.runs.finish(run.id).state == "done" and history.runs.newest()[0].done == 3
    order = [kept.place for kept in history.search(Query(run=run.id, order="place")).rows]
    assert order == [0, 1, 2] and not history.runs.rest(run.id)
    with pytest.raises(HistoryError, match="is done"):
        history.runs.claim(run.id, "other")


def test_a_run_that_was_left_behind_can_be_taken_by_others(history, monkeypatch):
    monkeypatch.setattr("assistant.records.batch_run.HOLD", -1.0)
    run = history.runs.start(["a.png"], owner="me")
    assert history.runs.claim(run.id, "other").owner == "other"


def test_a_purge_spares_a_run_at_work_and_ends_one_that_lost_rows(history):
    runs = [history.runs.start(["a", "b"], owner="me") for _ in range(2)]
    for run in runs:
        history.add(found(), run=run.id, place=0)
    history.runs.finish(runs[1].id)
    history.add(found(at=NOON + timedelta(days=9)), run=runs[1].id, place=1)
    assert history.purge(NOON + timedelta(days=1)) == 1
    assert [history.runs.get(run.id).state for run in runs] == ["running", "purged"]
    assert history.runs.get(runs[0].id).done == 1
    with pytest.raises(HistoryError, match="is purged"):
        history.runs.claim(runs[1].id, "me")
    history.runs.finish(runs[0].id)
    assert history.purge(datetime.now(UTC) + timedelta(days=400)) == 2 and not history.runs.newest()


WORKER = """
import sys
from assistant.records.history import History
sys.path.insert(0, sys.argv[3])
from test_history import found
history = History(sys.argv[1])
history.runs.claim(sys.argv[2], "me")
print("ready", flush=True)
sys.stdin.readline()
for place, source in history.runs.rest(sys.argv[2]):
    id = history.add(found(source), run=sys.argv[2], place=place, preview=found().coarse_map.astype("uint8"))
    print(id, flush=True)
history.runs.finish(sys.argv[2])
"""


def start_worker(path, run):
    """A process that has claimed a run, and begins once it is spoken to."""
    command = [sys.executable, "-c", WORKER, path, run, Path(__file__).parent]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert worker.stdout.readline() == "ready\n"
    return worker


def let_go(worker):
    worker.stdin.write("\n")
    worker.stdin.flush()


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_killed_run_loses_no_finished_row_and_doubles_none(tmp_path):
    path = tmp_path / "h.sqlite"
    history, told = History(path), []
    run = history.runs.start([f"{i}.png" for i in range(60)], owner="me")
    for wanted in (7, 13):
        worker = start_worker(path, run.id)
        let_go(worker)
        told += [worker.stdout.readline() for _ in range(wanted)]
        worker.send_signal(signal.SIGKILL)
        told += worker.communicate()[0].splitlines()
        done = {kept.id for kept in history.every(Query(run=run.id))}
        assert {int(line) for line in told if line.strip()} <= done, "what was told as kept is kept"
        assert history.runs.get(run.id).state == "running" and len(done) < 60
    start_worker(path, run.id).communicate("\n")
    assert history.runs.get(run.id).state == "done"
    kept = list(history.every(Query(run=run.id, order="place")))
    assert [one.place for one in kept] == list(range(60))
    assert [one.inspection.path for one in kept] == [f"{i}.png" for i in range(60)]


def test_two_programs_and_some_threads_write_at_once(tmp_path):
    path = tmp_path / "h.sqlite"
    history = History(path)
    runs = [history.runs.start([f"{i}.png" for i in range(25)], owner="me") for _ in range(2)]
    workers = [start_worker(path, run.id) for run in (*runs, runs[0])]  # the first run has two workers
    threads = [threading.Thread(target=lambda: [history.add(found()) for _ in range(10)]) for _ in range(3)]
    for worker in workers:
        let_go(worker)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [worker.wait() for worker in workers if worker.communicate()] == [0, 0, 0]
    assert history.search().total == 80 and [history.runs.get(run.id).done for run in runs] == [25, 25]


def test_a_newer_schema_a_strange_file_and_a_bad_address_give_one_sentence(tmp_path):
    path = tmp_path / "h.sqlite"
    History(path).close()
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE looktwice_settings SET value = '2'")
    with pytest.raises(HistoryError, match="newer version of looktwice; update this one"):
        History(path)
    (tmp_path / "text").write_text("no database " * 100)
    for where in (
        tmp_path / "text",
        "nosuch://user:secret@host/db",
        "sqlite+nosuch:///x",
        tmp_path / "text" / "h",
    ):
        with pytest.raises(HistoryError, match=r"^The history[^\n]*\.$") as caught:
            History(where)
        assert "secret" not in str(caught.value) and str(tmp_path) not in str(caught.value)


def test_an_address_works_as_a_file_does_and_opening_again_keeps_all(tmp_path):
    with_url = History(f"sqlite:///{tmp_path / 'h.sqlite'}")
    id = with_url.add(found())
    assert History(tmp_path / "h.sqlite").get(id).inspection == found()
    with sqlite3.connect(tmp_path / "h.sqlite") as raw:
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_many_programs_may_open_a_new_history_at_once(tmp_path):
    code = "import sys; from assistant.records.history import History; History(sys.argv[1]).search()"
    openers = [subprocess.Popen([sys.executable, "-c", code, tmp_path / "h.sqlite"]) for _ in range(3)]
    assert [opener.wait() for opener in openers] == [0, 0, 0]


def test_the_tables_can_be_made_in_other_databases_too():
    from sqlalchemy.dialects import mysql, postgresql
    from sqlalchemy.schema import CreateTable

    from assistant.database.tables import INSPECTIONS

    assert "BYTEA" in str(CreateTable(INSPECTIONS).compile(dialect=postgresql.dialect()))
    assert "LONGBLOB" in str(CreateTable(INSPECTIONS).compile(dialect=mysql.dialect()))


def test_the_module_is_light_and_says_what_is_missing(tmp_path, monkeypatch):
    code = "import sys, assistant.records.history, assistant.products.audit; print('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
    monkeypatch.setitem(sys.modules, "assistant.database.schema", None)
    with pytest.raises(HistoryError, match=r"install looktwice\[history\]"):
        History(tmp_path / "h.sqlite")


def test_the_default_place_can_be_named(monkeypatch, tmp_path):
    monkeypatch.setenv("LOOKTWICE_HISTORY", str(tmp_path / "x.sqlite"))
    assert default_history() == tmp_path / "x.sqlite"
    monkeypatch.delenv("LOOKTWICE_HISTORY")
    assert default_history().name == "history.sqlite"
