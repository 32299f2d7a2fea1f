"""Verdicts outlive a history that is locked or damaged; its errors are its own, and one bad row hides no other."""

import json
import sqlite3
import threading
import time

import pytest
from parcels import parts

from assistant.database import engine as database
from assistant.errors import AuditError, HistoryFault
from assistant.inspection import Inspection
from assistant.records.entries import Query
from assistant.records.history import History
from assistant.service.records import HistoryRecords, MemoryRecords
from assistant.service.waiting import PREFIX, Outbox


def until(what, seconds=10):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A history whose writers wait 0.3 seconds for a lock, its file, and a file for what waits."""
    monkeypatch.setattr(database, "SQLITE_WAIT_MS", 300)
    file = tmp_path / "history.sqlite"
    return History(file), file, tmp_path / "waiting"


def hold(file):
    """Another program that writes, and does not come to an end."""
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    return other


def test_a_verdict_is_answered_and_kept_later_while_the_history_is_locked(open_client, kept, files):
    history, file, note = kept
    client = open_client(records=HistoryRecords(history, note))
    other = hold(file)
    began = time.monotonic()
    answers = [
        client.post("/v1/inspect", files=parts("pictures", [files["bad"]] * 2), data={"lot": "L1"})
        for _ in range(3)
    ]
    assert time.monotonic() - began < 15
    assert {answer.status_code for answer in answers} == {200}
    rows = [row for answer in answers for row in answer.json()["inspections"]]
    assert all(row["id"].startswith(PREFIX) and row["score"] for row in rows)
    assert "kept as soon as" in answers[0].headers["warning"]
    listed = client.get("/v1/inspections", params={"lot": "L1"}).json()["inspections"]
    assert [row["id"] for row in listed] == [row["id"] for row in reversed(rows)]
    assert client.get("/v1/inspections", params={"lot": "L2"}).json()["inspections"] == []
    assert client.get(f"/v1/inspections/{rows[0]['id']}").json()["score"] == rows[0]["score"]
    assert "looktwice_inspections_waiting 6.0" in client.get("/metrics").text
    assert note.stat().st_mode & 0o777 == 0o600
    other.rollback()
    until(lambda: history.search(Query(lot="L1")).total == 6)
    until(lambda: "looktwice_inspections_waiting 0.0" in client.get("/metrics").text)
    found = client.get(f"/v1/inspections/{rows[0]['id']}").json()
    assert found["id"].isdigit() and found["score"] == rows[0]["score"]
    after = client.post("/v1/inspect", files=parts("pictures", [files["good"]]))
    assert after.json()["inspections"][0]["id"].isdigit() and "warning" not in after.headers
    other.close()


def test_what_waits_outlives_a_stop(kept, inspector, files):
    history, file, note = kept
    (found,) = inspector.inspect([files["bad"]])
    records = HistoryRecords(history, note)
    other = hold(file)
    id = records.add(found, "L7")
    assert id.startswith(PREFIX)
    records.close()
    other.rollback()
    again = HistoryRecords(History(file), note)
    until(lambda: (one := again.get(id)) and one.id.isdigit())
    row = again.history.get(int(again.get(id).id))
    assert row.lot == "L7" and row.inspection.score == found.score and row.inspection.coarse_map is not None
    again.close()
    third = HistoryRecords(History(file), note)
    assert third.get(id).id.isdigit() and third.history.search().total == 1, (
        "it is kept once, and its id still leads there"
    )
    third.close()


def test_two_processes_do_not_share_what_waits(tmp_path):
    def away(inspection, lot):
        raise HistoryFault("The history is away.")

    row = Inspection("a.png", "error", "no picture")
    first = Outbox(away, tmp_path / "waiting", patience=0.1, pause=0.05)
    second = Outbox(away, tmp_path / "waiting", patience=0.1, pause=0.05)
    ids = first.add(row), second.add(row)
    assert first.find(ids[0]) and not first.find(ids[1]) and not second.find(ids[0])
    for one in (first, second):
        one.close()
    kept = []
    third = Outbox(lambda inspection, lot: str(kept.append(inspection) or len(kept)), tmp_path / "waiting")
    until(lambda: len(kept) == 1)
    third.close()


def test_one_that_cannot_be_kept_holds_up_no_other(caplog):
    def keep(inspection, lot):
        if inspection.path == "bad":
            raise ValueError("never")
        return "7"

    outbox = Outbox(keep)
    assert outbox.add(Inspection("bad", "error", "x")).startswith(PREFIX)
    assert outbox.add(Inspection("good", "error", "x")) == "7"
    assert "cannot be kept" in caplog.text
    outbox.close()


def test_a_damaged_history_loses_no_verdict_and_is_nobodys_fault_who_asks(open_client, kept, files):
    history, file, note = kept
    client = open_client(records=HistoryRecords(history, note))
    with sqlite3.connect(file) as other:
        other.execute("ALTER TABLE looktwice_inspections RENAME TO elsewhere")
    answer = client.post("/v1/inspect", files=parts("pictures", [files["bad"]]))
    assert answer.status_code == 200 and answer.json()["inspections"][0]["id"].startswith(PREFIX)
    for address in ("/v1/inspections", "/v1/inspections/3"):
        away = client.get(address)
        assert away.status_code == 503 and away.headers["retry-after"] == "1", away.text
        assert away.headers["content-type"] == "application/problem+json"
    with sqlite3.connect(file) as other:
        other.execute("ALTER TABLE elsewhere RENAME TO looktwice_inspections")
    until(lambda: history.search().total == 1)


@pytest.mark.parametrize(
    "damage",
    [
        "row = '{'",
        "row = '[]'",
        "row = json_set(row, '$.schema', 99)",
        "row = json_set(row, '$.verdict', 'purple')",
        "row = json_set(row, '$.regions', 'none')",
        "created = 'yesterday'",
    ],
)
def test_one_damaged_row_does_not_hide_the_others(open_client, kept, files, tmp_path, damage):
    history, file, note = kept
    client = open_client(records=HistoryRecords(history, note))
    sent = client.post("/v1/inspect", files=parts("pictures", [files["good"], files["bad"], files["good"]]))
    ids = [row["id"] for row in sent.json()["inspections"]]
    with sqlite3.connect(file) as other:
        other.execute(f"UPDATE looktwice_inspections SET {damage} WHERE id = ?", (ids[1],))  # noqa: S608
    listed = client.get("/v1/inspections")
    assert listed.status_code == 200
    rows = {row["id"]: row for row in listed.json()["inspections"]}
    assert set(rows) == set(ids) and rows[ids[0]]["score"] and rows[ids[2]]["score"]
    assert rows[ids[1]]["status"] == "error" and ids[1] in rows[ids[1]]["error"]
    assert history.export(Query(), tmp_path / "all.jsonl") == 3
    assert client.get(f"/v1/inspections/{ids[1]}").status_code in (200, 503)


def test_records_that_do_not_answer_hold_up_nobody_else(open_client, files):
    free = threading.Event()

    class Stuck(MemoryRecords):
        def find(self, query, limit=50, offset=0):
            free.wait(20)
            return []

    client = open_client(records=Stuck(), records_seconds=0.2)
    began = time.monotonic()
    for _ in range(6):
        assert client.get("/v1/inspections").status_code == 503
    assert client.post("/v1/inspect", files=parts("pictures", [files["good"]])).status_code == 200
    assert time.monotonic() - began < 8
    free.set()


def test_a_log_of_changes_that_cannot_be_written_is_not_the_requests_fault(client, cloth, inspector, monkeypatch):
    def refuse(*args, **kwargs):
        raise AuditError("The audit log cannot be written.")

    monkeypatch.setattr(type(inspector.store), "names", refuse)
    answer = client.get("/v1/products")
    assert answer.status_code == 503 and "audit log" in json.loads(answer.text)["detail"]
