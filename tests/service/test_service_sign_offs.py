"""Sign-offs over HTTP: who may give them, where they stand, how they are counted, and what they never change."""

import pytest
from parcels import bearer, parts

from assistant.inspection import Inspection
from assistant.records.history import History
from assistant.service.records import HistoryRecords
from assistant.service.waiting import Waiting


@pytest.fixture(params=["memory", "history"])
def kept(request, tmp_path):
    """Where inspections are kept: None for memory."""
    if request.param == "memory":
        yield None
        return
    history = History(tmp_path / "h.sqlite")
    yield HistoryRecords(history)
    history.close()


def inspect(client, cloth, files, count=1):
    sent = client.post("/v1/inspect", data={"product": cloth}, files=parts("pictures", [files["bad"]] * count))
    return sent.json()["inspections"]


def sign(client, id, decision="good", reason="within tolerance", **more):
    sent = {"decision": decision, "reason": reason, "name": "eva"} | more
    return client.post(f"/v1/inspections/{id}/sign-offs", json=sent)


def test_a_sign_off_stands_beside_the_verdict_in_rows_and_counts(kept, open_client, inspector, good, files):
    client = open_client(records=kept)
    client.post("/v1/products", data={"name": "cloth"}, files=parts("references", [good(i) for i in range(3)]))
    one, other = inspect(client, "cloth", files, 2)
    given = sign(client, one["id"], "good", "  a\nscratch ")
    assert given.status_code == 201, given.text
    assert (given.json()["reason"], given.json()["name"]) == ("a scratch", "eva")
    assert given.json()["actor"] == "service without keys"
    again = client.get(f"/v1/inspections/{one['id']}").json()
    assert again.pop("sign_off")["decision"] == "good" and again == {k: one[k] for k in again}
    assert client.get("/v1/inspections", params={"signed": "no"}).json()["inspections"][0]["id"] == other["id"]
    assert len(client.get("/v1/inspections", params={"signed": "good"}).json()["inspections"]) == 1
    assert client.get("/v1/inspections", params={"signed": "defect"}).json()["inspections"] == []
    verdict = one["verdict"]
    counted = client.get("/v1/agreement", params={"product": "cloth"}).json()
    assert counted[verdict] == {"inspected": 2, "good": 1, "defect": 0}
    assert counted["overkill"] == (verdict == "defect") and "1 signed off: 1 good" in counted["described"]
    metrics = client.get("/metrics").text
    assert f'looktwice_sign_offs_total{{decision="good",verdict="{verdict}"}} 1.0' in metrics
    noted = list(inspector.store.log.entries())[-1]
    assert (noted.action, noted.details["reason"], noted.details["product"]) == ("sign off", "a scratch", "cloth")


def test_the_newest_counts_and_one_that_was_withdrawn_stays_to_be_seen(kept, open_client, good, files):
    client = open_client(records=kept)
    client.post("/v1/products", data={"name": "cloth"}, files=parts("references", [good(i) for i in range(3)]))
    id = inspect(client, "cloth", files)[0]["id"]
    first, second = (sign(client, id, decision).json()["id"] for decision in ("good", "defect"))
    address = f"/v1/inspections/{id}/sign-offs"
    assert client.get(address).json()["sign_off"]["id"] == second
    left = client.delete(f"{address}/{second}", params={"name": "otto"})
    assert left.status_code == 200 and left.json()["sign_off"]["id"] == first
    assert [one["withdrawn_by"] for one in left.json()["sign_offs"]] == ["", "otto"]
    assert client.delete(f"{address}/{second}", params={"name": "otto"}).status_code == 404
    assert client.delete(f"{address}/{first}", params={"name": "otto"}).json()["sign_off"] is None
    assert client.get(f"/v1/inspections/{id}").json()["sign_off"] is None
    assert 'decision="withdrawn"' in client.get("/metrics").text


def test_an_operator_signs_under_the_name_of_the_key_or_of_a_person(keys, open_client, good, files):
    ring, operator, engineer = keys
    client = open_client(ring, bearer(engineer))
    client.post("/v1/products", data={"name": "cloth"}, files=parts("references", [good(i) for i in range(3)]))
    client.headers = bearer(operator)
    id = inspect(client, "cloth", files)[0]["id"]
    own, named = sign(client, id, name=None).json(), sign(client, id, name="maria").json()
    assert (own["name"], named["name"]) == ("otto", "maria") and own["actor"] == named["actor"] == "key otto"
    client.headers = {}
    assert sign(client, id).status_code == 401


@pytest.mark.parametrize(
    ("change", "status", "sentence"),
    [
        ({"decision": "fine"}, 422, "decision"),
        ({"reason": ""}, 422, "reason"),
        ({"reason": " \t"}, 422, "A sign-off has a reason"),
        ({"name": None}, 422, "Say who signs off"),
        ({"verdict": "good"}, 422, "verdict"),
    ],
)
def test_what_makes_no_sense_is_refused(client, cloth, files, change, status, sentence):
    id = inspect(client, cloth, files)[0]["id"]
    refused = sign(client, id, **change)
    assert refused.status_code == status and sentence in refused.json()["detail"]
    assert client.get(f"/v1/inspections/{id}/sign-offs").json() == {"sign_off": None, "sign_offs": []}
    assert sign(client, "404").status_code == 404
    assert client.get("/v1/inspections/404/sign-offs").status_code == 404


def test_what_is_forgotten_takes_its_sign_offs_along(open_client, files):
    client = open_client(kept=1)
    for _ in range(2):
        (row,) = client.post("/v1/inspect", files=parts("pictures", [files["good"]])).json()["inspections"]
        assert sign(client, row["id"], "defect").status_code == 201
    assert len(client.app.state.service.records._signed) == 1
    assert client.get("/v1/agreement").json()[row["verdict"]] == {"inspected": 1, "good": 0, "defect": 1}


def test_one_that_waits_for_the_history_is_signed_off_later(open_client, tmp_path):
    history = History(tmp_path / "h.sqlite")
    records = HistoryRecords(history)
    row = Waiting(Inspection("x.png", "error", "unreadable"))
    records.outbox._waiting[row.id] = row
    client = open_client(records=records)
    refused = sign(client, row.id)
    assert refused.status_code == 503 and "waits for the history" in refused.json()["detail"]
    assert client.get(f"/v1/inspections/{row.id}/sign-offs").json()["sign_offs"] == []
    records.outbox._settle(row, str(history.add(row.inspection)))
    assert sign(client, row.id).status_code == 201 and history.sign_offs.of(1)
    history.close()
