"""The service notes where limits have stopped fitting: in rows, for a product, in its metrics."""

import json

import numpy as np
import pytest
from parcels import png

from assistant.errors import HistoryFault
from assistant.records.history import History
from assistant.service.records import HistoryRecords


@pytest.fixture
def dark(good):
    """Picture files of 24 parts under a light that is nearly out."""
    return [png((good(80 + i) * 0.3).astype(np.uint8)) for i in range(24)]


def send(client, files, **fields):
    sent = client.post("/v1/inspect", files=[("pictures", ("a.png", data)) for data in files], data=fields)
    assert sent.status_code == 200, sent.text
    return sent.json()["inspections"]


@pytest.mark.parametrize("kind", ["memory", "history"])
def test_an_alarm_is_in_rows_at_the_product_and_in_metrics(open_client, inspector, good, dark, tmp_path, kind):
    records = HistoryRecords(History(tmp_path / "history.sqlite")) if kind == "history" else None
    inspector.save(inspector.learn("lamp", [good(i) for i in range(4)]))
    client = open_client(records=records)
    send(client, dark[:2], product="lamp", group="line 1")
    for _ in range(5):
        rows = send(client, dark, product="lamp", group="line 2")
    assert rows[0]["group"] == "line 2"
    assert "the light or the lot has changed" in rows[-1]["notices"][-1]
    one, two = client.get("/v1/products/lamp/drift").json()["streams"]
    assert (one["group"], one["parts"], one["drifted"]) == ("line 1", 2, False)
    assert (two["group"], two["parts"], two["drifted"]) == ("line 2", 120, True)
    assert two["sentence"].endswith("check before you believe single verdicts")
    assert "looktwice_drifted_streams 1.0" in client.get("/metrics").text
    again = client.get(f"/v1/inspections/{rows[-1]['id']}").json()
    assert again["notices"] == rows[-1]["notices"] and again["group"] == "line 2"


def test_other_limits_begin_anew(client, cloth, dark):
    for _ in range(5):
        rows = send(client, dark, product=cloth)
    assert rows[-1]["notices"]
    client.patch(f"/v1/products/{cloth}", json={"target_false_alarm": 0.1})
    assert client.get(f"/v1/products/{cloth}/drift").json()["streams"] == []
    assert not any("has changed" in notice for notice in send(client, dark[:1], product=cloth)[0]["notices"])
    assert "looktwice_drifted_streams 0.0" in client.get("/metrics").text


def test_records_that_are_away_stop_no_inspection(open_client, inspector, good, dark, tmp_path, monkeypatch):
    history = History(tmp_path / "history.sqlite")
    inspector.save(inspector.learn("lamp", [good(i) for i in range(4)]))
    client = open_client(records=HistoryRecords(history))

    def away():
        raise HistoryFault("The history does not answer.")

    monkeypatch.setattr(history.database, "read", away)
    assert send(client, dark[:1], product="lamp")[0]["status"] == "ok"


def test_a_group_is_a_word(client, files):
    sent = client.post("/v1/inspect", files=[("pictures", ("a.png", files["good"]))], data={"group": "x" * 101})
    assert sent.status_code == 422


def test_a_product_that_is_not_there_has_no_state(client):
    assert client.get("/v1/products/nothing/drift").status_code == 404


def advise(client, row):
    sent = client.post("/v1/ask", json={"inspections": [row["id"]], "question": "What must be done with it?"})
    return json.loads(sent.text.strip().rsplit("data: ", 1)[1])["text"]


@pytest.mark.parametrize("kind", ["memory", "history"])
def test_advice_follows_a_drift_that_was_found_later(open_client, inspector, good, dark, tmp_path, kind):
    records = HistoryRecords(History(tmp_path / "history.sqlite")) if kind == "history" else None
    inspector.save(inspector.learn("lamp", [good(i) for i in range(4)]))
    client = open_client(records=records)
    (early,) = send(client, dark[:1], product="lamp")
    assert "no longer holds" not in advise(client, early)
    for _ in range(5):
        last = send(client, dark, product="lamp")[-1]
    for row in (early, last):
        assert "The product has drifted, so its limit no longer holds." in advise(client, row)
    (other,) = send(client, dark[:1], product="lamp", group="line 9")
    assert "no longer holds" not in advise(client, other)
    assert client.get(f"/v1/inspections/{early['id']}").json()["notices"] == early["notices"], "it stays as it was"
