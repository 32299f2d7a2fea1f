"""/v1/products/{id}/check and /recalibrate: shown first, kept where asked for, undone as any change."""

from dataclasses import replace

import pytest
from parcels import bearer, parts

from assistant.inspection import Inspection

PLACES = [(0.3, 0.3), (0.7, 0.6), (0.5, 0.4)]


@pytest.fixture
def known(good, planted):
    """Multipart parts of six good and three bad pictures."""
    bad = [planted(good(40 + i), *place)[0] for i, place in enumerate(PLACES)]
    return [*parts("good", [good(20 + i) for i in range(6)]), *parts("bad", bad)]


def test_a_check_shows_what_is_wrong_and_changes_nothing_unless_asked(client, cloth, known, inspector):
    limits = replace(inspector.load(cloth).calibration, method="checked", limits=(0.001, 0.002), source="nothing")
    inspector.store.change(cloth, lambda product: inspector.teacher.keep_limits(product, limits, "by nothing"))
    before = client.get(f"/v1/products/{cloth}").json()
    found = client.post(f"/v1/products/{cloth}/check", files=known)
    assert found.status_code == 200, found.text
    row = found.json()
    assert (row["now"]["overkill"]["of"], row["now"]["escape"]["of"], row["kept"]) == (6, 3, None)
    assert [one["truth"] for one in row["parts"]] == ["good"] * 6 + ["bad"] * 3
    for kind, verdict, wrong in (("good", "defect", "overkill"), ("bad", "good", "escape")):
        named = [one for one in row["parts"] if one["truth"] == kind and one["verdict"] == verdict]
        assert len(named) == row["now"][wrong]["count"]
    assert client.get(f"/v1/products/{cloth}").json() == before
    kept = client.post(f"/v1/products/{cloth}/check", files=known, data={"apply": "true"}).json()
    after = client.get(f"/v1/products/{cloth}").json()
    assert kept["kept"] and kept["recommended"] == row["recommended"]
    assert after["method"] == "checked" and "6 good and 3 bad parts" in after["origin"]
    assert after["threshold"] == row["recommended"]["threshold"]
    assert inspector.load(cloth).undo().calibration.threshold == before["threshold"]


def test_other_ways_are_tried_where_asked_and_kept_with_apply(client, cloth, known, inspector, monkeypatch):
    from assistant.detection import held_out
    from assistant.products import ways

    def mirrored(scores, now):
        return replace(held_out.choose_way(scores, now), chosen="mirrored")

    every = ways.ways_of
    monkeypatch.setattr(ways, "ways_of", lambda *given: list(every(*given))[:2])
    asked = f"/v1/products/{cloth}/check"
    row = client.post(asked, files=known, data={"choose": "true"}).json()
    assert row["choice"]["chosen"] == "as now" and "too few" in row["choice"]["reason"]
    assert client.post(asked, files=known).json()["choice"] is None
    monkeypatch.setattr(ways, "choose_way", mirrored)
    assert client.post(asked, files=known, data={"choose": "true"}).json()["choice"]["chosen"] == "mirrored"
    assert inspector.load(cloth).views == "plain"
    assert client.post(asked, files=known, data={"choose": "true", "apply": "true"}).status_code == 200
    assert inspector.load(cloth).views == "flips"


def test_a_check_needs_both_kinds_and_an_engineer(open_client, cloth, known, keys):
    ring, operator, _ = keys
    client = open_client()
    assert client.post(f"/v1/products/{cloth}/check", files=known[:6]).status_code == 422
    guarded = open_client(ring, bearer(operator))
    for way in ("check", "recalibrate"):
        assert guarded.post(f"/v1/products/{cloth}/{way}", files=known).status_code == 403


def test_unlabelled_parts_suggest_limits_that_are_kept_where_asked(client, cloth, good, planted):
    pictures = [good(100 + i) for i in range(18)] + [planted(good(60 + i), *PLACES[i])[0] for i in range(3)]
    before = client.get(f"/v1/products/{cloth}").json()
    row = client.post(f"/v1/products/{cloth}/recalibrate", files=parts("parts", pictures)).json()
    assert row["parts"] == 21 == sum(row["would_be"].values()) == sum(one["parts"] for one in row["bins"])
    assert row["would_be"]["defect"] >= 3 and row["kept"] is None
    assert client.get(f"/v1/products/{cloth}").json() == before
    asked = client.post(
        f"/v1/products/{cloth}/recalibrate", files=parts("parts", pictures), data={"apply": "true"}
    )
    after = client.get(f"/v1/products/{cloth}").json()
    assert asked.json()["kept"]["after"]["threshold"] == after["threshold"] != before["threshold"]
    assert after["method"] == "production" and "21 unlabelled parts" in after["origin"]


def test_without_parts_those_inspected_lately_are_taken(client, cloth, good):
    refused = client.post(f"/v1/products/{cloth}/recalibrate", json={})
    assert refused.status_code in (409, 422) and "at least 20" in refused.json()["detail"]
    sent = parts("pictures", [good(100 + i) for i in range(20)])
    assert client.post("/v1/inspect", files=sent, data={"product": cloth}).status_code == 200
    row = client.post(f"/v1/products/{cloth}/recalibrate", json={})
    assert row.status_code == 200 and (row.json()["parts"], row.json()["left_out"]) == (20, 0)
    worse = parts("pictures", [good(200 + i) for i in range(2)])
    rows = client.post("/v1/inspect", files=worse, data={"product": cloth}).json()["inspections"]
    said = {"decision": "defect", "reason": "a hole", "name": "Eva"}
    assert client.post(f"/v1/inspections/{rows[0]['id']}/sign-offs", json=said).status_code == 201
    row = client.post(f"/v1/products/{cloth}/recalibrate", json={}).json()
    assert (row["parts"], row["left_out"]) == (21, 1)


def test_what_cannot_be_read_is_named(client, cloth, known):
    row = client.post(f"/v1/products/{cloth}/check", files=[*known, *parts("bad", [b"no picture"])]).json()
    assert [one["path"] for one in row["unread"]] == ["0.png"] and row["now"]["escape"]["of"] == 3
    assert Inspection(**row["unread"][0], status="error").error
