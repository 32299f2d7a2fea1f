"""Without a product and without limits of one's own the service answers unrated rows, ranked within a request."""

import pytest

from assistant.detection.built_in import BuiltInLimits
from assistant.inspection import UNRATED


@pytest.fixture
def shipped(inspector, monkeypatch, tmp_path):
    """The inspector's limits are those that its bundle ships; by them every picture would be a defect."""
    monkeypatch.setattr("assistant.inspector.user_limits", lambda name: tmp_path / "none")
    scores = tuple(0.001 + i / 1e5 for i in range(40))
    inspector.__dict__["limits"] = BuiltInLimits("tiny", inspector.backbone.digest, "40 things", scores)


def send(client, *files, **fields):
    response = client.post("/v1/inspect", files=[("pictures", ("a.png", data)) for data in files], data=fields)
    assert response.status_code == 200, response.text
    return response.json()["inspections"]


def test_a_request_gets_unrated_rows_and_their_ranks(shipped, client, files):
    bad, good = send(client, files["bad"], files["good"])
    assert {bad["verdict"], good["verdict"]} == {"unrated"} and bad["evidence"]["origin"] == UNRATED
    assert bad["threshold"] is bad["review_threshold"] is bad["p_value"] is None
    assert sorted((bad["rank"], good["rank"])) == [[1, 2], [2, 2]]
    assert (bad["rank"] == [1, 2]) == (bad["score"] > good["score"])
    kept = client.get(f"/v1/inspections/{bad['id']}").json()
    assert kept["rank"] == bad["rank"] and kept["verdict"] == "unrated"
    assert len(client.get("/v1/inspections", params={"verdict": "unrated"}).json()["inspections"]) == 2


def test_ranks_stay_within_a_request(shipped, client, files):
    (alone,) = send(client, files["bad"])
    assert alone["rank"] is None


def test_the_shipped_limits_decide_for_who_asks_them_to(shipped, client, files):
    decided, asked = send(client, files["bad"], zero_shot_limits="true"), send(client, files["bad"])
    assert (decided[0]["verdict"], asked[0]["verdict"]) == ("defect", "unrated")


def test_a_question_about_one_gets_what_to_do(shipped, client, files):
    (row,) = send(client, files["bad"])
    said = client.post("/v1/ask", json={"inspections": [row["id"]], "question": "Is it defective?"}).text
    assert "without references no decision can be made" in said
