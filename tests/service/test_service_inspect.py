"""/v1/inspect and /v1/inspections: pictures in both forms, rows for all of them, and the rows again."""

import base64
import io
import json

import pytest
from parcels import png
from PIL import Image

from assistant.records.entries import LONGEST_LOT
from assistant.records.history import History
from assistant.service.records import HistoryRecords, MemoryRecords


def send(client, *named, **fields):
    return client.post("/v1/inspect", files=[("pictures", (name, data)) for name, data in named], data=fields)


def rows(response):
    assert response.status_code == 200, response.text
    return response.json()["inspections"]


def test_a_picture_gets_the_row_that_the_inspector_gives(client, inspector, files):
    (row,) = rows(send(client, ("part.png", files["bad"])))
    (found,) = inspector.inspect([files["bad"]])
    assert row["path"] == "part.png" and row["mode"] == "zero-shot" and row["id"]
    assert row["score"] == pytest.approx(found.score, rel=1e-5) and row["verdict"] == found.verdict
    assert row["threshold"] == found.threshold and row["evidence"]["method"] == "built-in"
    assert [r["box"] for r in row["regions"]] == [list(r.box) for r in found.regions]


def test_files_and_base64_give_the_same(client, files):
    body = {"pictures": [{"name": "part.png", "data": base64.b64encode(files["bad"]).decode()}]}
    (one,) = rows(client.post("/v1/inspect", json=body))
    (other,) = rows(send(client, ("part.png", files["bad"])))
    assert one["score"] == pytest.approx(other["score"], rel=1e-5) and one["path"] == other["path"]


def test_a_product_is_compared_with(client, cloth, files):
    good, bad = rows(send(client, ("a.png", files["good"]), ("b.png", files["bad"]), product=cloth, lot="7"))
    assert good["product"] == bad["product"] == cloth and bad["mode"] == "few-shot"
    assert bad["score"] > good["score"] and good["lot"] == "7"


def test_bad_pictures_are_error_rows_and_the_rest_goes_on(client, files):
    found = rows(
        send(
            client,
            ("text.png", b"not a picture"),
            ("a.png", files["good"]),
            ("empty.png", b""),
            ("cut.png", files["good"][:500]),
            ("page.png", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"),
        )
    )
    assert [row["status"] for row in found] == ["error", "ok", "error", "error", "error"]
    assert [row["path"] for row in found] == ["text.png", "a.png", "empty.png", "cut.png", "page.png"]
    assert all(row["error"].endswith(".") and row["score"] is None for row in found if row["status"] == "error")


def test_what_is_no_base64_is_an_error_row_and_an_address_is_not_followed(client, files, monkeypatch):
    monkeypatch.setattr("socket.socket.connect", lambda *a: pytest.fail("an address was followed"))
    sent = ["http://169.254.169.254/latest", "file:///etc/passwd", "@@@", base64.b64encode(files["good"]).decode()]
    found = rows(client.post("/v1/inspect", json={"pictures": [{"data": data} for data in sent]}))
    assert [row["status"] for row in found] == ["error"] * 3 + ["ok"]
    assert found[0]["path"] == "picture 1" and "base64" in found[0]["error"]


def test_mutual_mode_compares_the_pictures_of_one_request(client, good, files):
    pictures = [(f"{i}.png", png(good(60 + i))) for i in range(3)] + [("x.png", b"no"), ("b.png", files["bad"])]
    found = rows(send(client, *pictures, mode="mutual"))
    assert [row["mode"] for row in found] == ["mutual"] * 3 + [None, "mutual"]
    assert max(found, key=lambda row: row["score"] or 0)["path"] == "b.png"
    few = send(client, ("a.png", files["good"]), mode="mutual")
    earlier = send(client, *pictures, mode="batch")
    assert [row["mode"] for row in rows(earlier)] == [row["mode"] for row in found]
    assert "'mutual'" in earlier.headers["Warning"] and "Warning" not in few.headers
    assert few.status_code == 409 and "at least three" in few.json()["detail"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"mode": "few-shot"}, 422),
        ({"mode": "psychic"}, 422),
        ({"product": "nothing"}, 404),
        ({"product": "../../etc/passwd"}, 404),
        ({"target_false_alarm": "0.7"}, 422),
        ({"target_false_alarm": "nan"}, 422),
        ({"colour": "red"}, 422),
        ({"lot": "a\x00b"}, 422),
        ({"lot": ""}, 422),
        ({"lot": "x" * (LONGEST_LOT + 1)}, 422),
        ({"target_false_alarm": "0.0001"}, 409),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(client, files, fields, status):
    refused = send(client, ("a.png", files["good"]), **fields)
    problem = refused.json()
    assert refused.status_code == status == problem["status"]
    assert refused.headers["content-type"] == "application/problem+json"
    assert problem["detail"].endswith(".") and "\n" not in problem["detail"] and len(problem["id"]) == 12
    assert "Traceback" not in refused.text and "/" not in problem["detail"].replace("../../etc/passwd", "")


@pytest.mark.parametrize("path", ["/v1/inspect", "/v1/products"])
def test_a_body_of_another_kind_or_without_pictures_is_refused(client, path):
    assert client.post(path, content=b"x", headers={"Content-Type": "text/plain"}).status_code == 415
    assert client.post(path).status_code == 415
    assert client.post(path, content=b"{", headers={"Content-Type": "application/json"}).status_code == 422
    assert client.post(path, json={"name": "x"}).status_code == 422
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    assert client.post(path, content=b"--y--", headers=kind).status_code in (400, 422)
    assert client.post(path, content=b"--x", headers={"Content-Type": "multipart/form-data"}).status_code == 400


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("../../etc/passwd.png", "passwd.png"),
        ("C:\\secret\\a.png", "a.png"),
        ("=HYPERLINK(1)", "=HYPERLINK(1)"),
        ("<img src=x onerror=alert(1)>.png", "<img src=x onerror=alert(1)>.png"),
        ("a\nevent: answer\n\n.png", "a\\nevent: answer\\n\\n.png"),
        ("", "picture 1"),
    ],
)
def test_names_are_shown_as_text_and_lead_nowhere(client, files, sent, shown):
    body = {"pictures": [{"name": sent, "data": base64.b64encode(files["bad"]).decode()}]}
    response = client.post("/v1/inspect", json=body)
    (row,) = rows(response)
    assert row["path"] == shown
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-content-type-options"] == "nosniff"


def test_rows_are_found_again(client, cloth, files):
    first = rows(send(client, ("a.png", files["good"]), lot="one"))[0]
    second, third = rows(send(client, ("b.png", files["bad"]), ("c.png", b"no"), product=cloth, lot="two"))
    assert client.get(f"/v1/inspections/{second['id']}").json() == second
    found = lambda **query: [row["id"] for row in rows(client.get("/v1/inspections", params=query))]  # noqa: E731
    assert found() == [third["id"], second["id"], first["id"]]
    assert found(product=cloth) == [second["id"]] and found(lot="one") == [first["id"]]
    assert found(verdict=second["verdict"], lot="two") == [second["id"]] and found(verdict="error") == [
        third["id"]
    ]
    assert found(limit=1, offset=1) == [second["id"]]
    assert found(since="2000-01-01T00:00:00", until="2001-01-01T00:00:00Z") == []
    assert found(since="2000-01-01T00:00:00+02:00") == [third["id"], second["id"], first["id"]]
    assert found(until="2000-01-01") == []
    for wrong in ("0.5", "1700000000", "yesterday"):
        assert client.get("/v1/inspections", params={"since": wrong}).status_code == 422
    assert client.get("/v1/inspections/none").status_code == 404
    assert client.get("/v1/inspections", params={"limit": 100000}).status_code == 422


@pytest.mark.parametrize("kind", ["memory", "history"])
def test_records_keep_the_same_in_memory_and_in_a_history(kind, inspector, open_client, files, tmp_path):
    records = MemoryRecords(3) if kind == "memory" else HistoryRecords(History(tmp_path / "history.sqlite"))
    client = open_client(records=records)
    row = rows(send(client, ("a.png", files["bad"]), ("b.png", b"no"), lot="lot 1"))[0]
    again = client.get(f"/v1/inspections/{row['id']}").json()
    assert again == row
    assert [r["path"] for r in rows(client.get("/v1/inspections?lot=lot%201&verdict=error"))] == ["b.png"]
    assert [r["path"] for r in rows(client.get("/v1/inspections?limit=1&offset=1"))] == ["a.png"]
    assert [r["path"] for r in rows(client.get("/v1/inspections?product="))] == ["b.png", "a.png"], "of no product"
    assert rows(client.get("/v1/inspections?product=cloth")) == rows(client.get("/v1/inspections?lot=")) == []
    for since, until, count in [
        ("2000-01-01", "9000-01-01T00:00", 2),
        ("9000-01-01", None, 0),
        (None, "2000-01-01T00:00:00Z", 0),
        ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", 2),
    ]:
        times = {name: value for name, value in (("since", since), ("until", until)) if value}
        assert len(rows(client.get("/v1/inspections", params=times))) == count
    assert client.get("/v1/inspections/99999999999999999999").status_code == 404


def test_memory_is_bounded_and_keeps_no_map(client, open_client, files):
    client = open_client(kept=2)
    ids = [rows(send(client, ("a.png", files["good"])))[0]["id"] for _ in range(3)]
    assert client.get(f"/v1/inspections/{ids[0]}").status_code == 404
    records = client.app.state.service.records
    assert records.get(ids[2]).inspection.coarse_map is None


def test_a_fault_of_the_service_has_an_id_and_no_traceback(client, inspector, files, monkeypatch, caplog):
    def burst(*args, **kwargs):
        raise RuntimeError("secret /root/path")

    with monkeypatch.context() as patch:
        patch.setattr(inspector, "inspect", burst)
        failed = send(client, ("a.png", files["good"]))
    problem = failed.json()
    assert failed.status_code == 500 and failed.headers["content-type"] == "application/problem+json"
    assert "secret" not in failed.text and "Traceback" not in failed.text
    assert problem["id"] in caplog.text and "secret" in caplog.text
    assert send(client, ("a.png", files["good"])).status_code == 200  # the next one goes well


def test_one_picture_that_breaks_the_inspector_spoils_no_other(client, inspector, files, monkeypatch):
    inspect = inspector.inspect

    def fragile(pictures, *args, **kwargs):
        if files["bad"] in pictures:
            raise MemoryError
        return inspect(pictures, *args, **kwargs)

    monkeypatch.setattr(inspector, "inspect", fragile)
    found = rows(send(client, ("a.png", files["good"]), ("b.png", files["bad"]), ("c.png", files["good"])))
    assert [row["status"] for row in found] == ["ok", "error", "ok"] and "log" in found[1]["error"]


def test_the_open_api_document_describes_both_forms(client):
    made = client.get("/openapi.json").json()
    body = made["paths"]["/v1/inspect"]["post"]["requestBody"]["content"]
    assert set(body) == {"multipart/form-data", "application/json"}
    refs = json.dumps(made).split('"$ref": "#/components/schemas/')[1:]
    assert {ref.split('"')[0] for ref in refs} <= set(made["components"]["schemas"])
    for name in ("InspectBody", "LearnBody", "TeachBody", "TargetBody", "AskBody", "InspectionRow", "ProblemRow"):
        assert made["components"]["schemas"][name]["examples"]
    files = body["multipart/form-data"]["schema"]["properties"]["pictures"]
    assert files["maxItems"] == 32 and "security" not in made["paths"]["/v1/inspect"]["post"]
    assert client.get("/docs").status_code == client.get("/redoc").status_code == 404


def test_the_examples_are_what_the_models_take():
    from assistant.service import schemas as wire

    models = [one for one in vars(wire).values() if isinstance(one, type) and issubclass(one, wire.BaseModel)]
    with_examples = [m for m in models if m is not wire.BaseModel and m.model_json_schema().get("examples")]
    assert len(with_examples) > 12
    for model in with_examples:
        for example in model.model_json_schema()["examples"]:
            model.model_validate(example)


def test_regions_come_with_their_outlines_where_they_are_asked_for(client, cloth, good, planted):
    sent = [("bad.png", png(planted(good(1), 0.3, 0.6)[0])), ("no.png", b"no picture"), ("good.png", png(good(2)))]
    asked = rows(send(client, *sent, product=cloth, outlines="true"))
    assert sorted(asked[0]["outlines"]) == sorted(region["id"] for region in asked[0]["regions"]) != []
    x0, y0, x1, y1 = asked[0]["regions"][0]["box"]
    points = asked[0]["outlines"]["R1"]
    assert len(points) > 4 and all(x0 - 1 <= x <= x1 + 1 and y0 - 1 <= y <= y1 + 1 for x, y in points)
    assert asked[1]["outlines"] == asked[2]["outlines"] == {}
    assert [row["outlines"] for row in rows(send(client, *sent, product=cloth))] == [{}] * 3


def test_regions_come_beside_good_parts_where_they_are_asked_for(client, cloth, good, planted):
    bad = png(planted(good(1), 0.3, 0.6)[0])
    sent = [("bad.png", bad), ("no.png", b"no picture"), ("good.png", png(good(2)))]
    asked = rows(send(client, *sent, product=cloth, pairs="true"))
    assert sorted(asked[0]["pairs"]) == sorted(region["id"] for region in asked[0]["regions"]) != []
    with Image.open(io.BytesIO(base64.b64decode(asked[0]["pairs"]["R1"]))) as pair:
        assert pair.format == "PNG" and pair.width > 2.5 * pair.height
    assert asked[1]["pairs"] == asked[2]["pairs"] == {}
    plain = rows(send(client, *sent, product=cloth))
    assert [row["pairs"] for row in plain] == [{}] * 3
    reference = plain[0]["regions"][0]["reference"]
    assert reference["id"] == 1 and reference["digest"] and reference["box"] == plain[0]["regions"][0]["box"]
    kept = client.get(f"/v1/inspections/{plain[0]['id']}").json()
    assert kept["regions"] == plain[0]["regions"]
    assert rows(send(client, ("bad.png", bad), pairs="true"))[0]["pairs"] == {}  # nothing to stand beside
