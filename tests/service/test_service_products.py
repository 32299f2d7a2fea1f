"""/v1/products: learn, teach, set, remove and forget, and who did it."""

import base64

import numpy as np
import pytest
from parcels import bearer, parts, png


def learn(client, name, pictures, **fields):
    return client.post("/v1/products", data={"name": name, **fields}, files=parts("references", pictures))


def test_a_product_is_learned_listed_shown_and_forgotten(client, inspector, good):
    made = learn(client, "blue cloth", [good(i) for i in range(3)], target_false_alarm="0.1")
    assert made.status_code == 201 and made.headers["location"] == "/v1/products/blue%20cloth"
    detail = made.json()
    assert [row["name"] for row in detail["contents"]] == ["0.png", "1.png", "2.png"]
    assert detail["target_false_alarm"] == 0.1 and detail["references"] == 3
    kept = inspector.load("blue cloth")
    assert kept.calibration.threshold == detail["threshold"]
    assert [row["name"] for row in client.get("/v1/products").json()["products"]] == ["blue cloth"]
    assert client.get(made.headers["location"]).json() == detail
    gone = client.delete(made.headers["location"])
    assert gone.status_code == 204 and not gone.content
    assert client.get(made.headers["location"]).status_code == 404
    assert client.delete(made.headers["location"]).status_code == 404
    assert client.get("/v1/products").json() == {"products": []}


def test_a_product_says_whether_its_pictures_are_alike_as_wholes(client, mixed):
    alike = learn(client, "alike", [mixed(i, 0.5) for i in range(2)]).json()
    unlike = learn(client, "unlike", [mixed(0, 0.0), mixed(1, 1.0)]).json()
    assert (alike["alike"], unlike["alike"]) == (True, False)
    assert [row["alike"] for row in client.get("/v1/products").json()["products"]] == [True, False]
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    for name in ("ProductRow", "ProductDetail"):
        example = schemas[name]["examples"][0]
        assert set(example) == set(schemas[name]["properties"]) - {"error"}, "an example shows every field"


def test_a_trained_memory_is_refused_in_one_sentence_where_nothing_was_trained(client, good, train_lookup):
    refused = learn(client, "cloth", [good(1), good(2)], memory="trained")
    assert refused.status_code == 422 and "looktwice train dictionary" in refused.json()["detail"]
    train_lookup(1)
    made = learn(client, "cloth", [good(1), good(2)], memory="trained")
    assert made.status_code == 201 and made.json()["memory"] == "trained"


def test_a_product_can_be_learned_from_base64_with_masks(client, good):
    mask = np.zeros((160, 160, 3), np.uint8)
    mask[40:120, 40:120] = 255
    coded = lambda pixels: {"name": "a.png", "data": base64.b64encode(png(pixels)).decode()}  # noqa: E731
    body = {"name": "cloth", "references": [coded(good(1)), coded(good(2))], "roi": coded(mask), "views": "flips"}
    made = client.post("/v1/products", json=body)
    assert made.status_code == 201 and made.json()["views"] == "flips"
    empty = client.post("/v1/products", json={**body, "name": "other", "roi": coded(0 * mask)})
    assert empty.status_code == 422 and "region of interest is empty" in empty.json()["detail"]


def test_nothing_is_learned_from_a_bad_picture_or_under_a_taken_name(client, cloth, good):
    bad = learn(client, "other", [good(1), b"no picture"])
    assert bad.status_code == 422 and "1.png" in bad.json()["detail"]
    taken = learn(client, cloth, [good(9)])
    assert taken.status_code == 409 and client.get(f"/v1/products/{cloth}").json()["references"] == 3
    assert [row["name"] for row in client.get("/v1/products").json()["products"]] == [cloth]


def test_good_parts_and_defects_are_taught_and_taken_away(client, cloth, good, planted):
    address = f"/v1/products/{cloth}/references"
    more = client.post(address, files=parts("pictures", [good(7), good(8)])).json()
    assert more["references"] == 5 and more["undoable"] == 1
    pixels, (x0, y0, x1, y1) = planted(good(9), 0.5, 0.5)
    mask = np.zeros_like(pixels)
    mask[y0:y1, x0:x1] = 255
    files = parts("pictures", [pixels]) + parts("mask", [mask])
    taught = client.post(address, data={"kind": "defect", "label": "blot"}, files=files).json()
    defect = next(row for row in taught["contents"] if row["kind"] == "defect")
    assert defect["label"] == "blot" and taught["changes"][-1]["what"] == "defect"
    (row,) = client.post(
        "/v1/inspect", data={"product": cloth}, files=parts("pictures", [planted(good(20), 0.4, 0.6)[0]])
    ).json()["inspections"]
    assert row["references"] == 5
    left = client.delete(f"{address}/{defect['id']}").json()
    assert left["defects"] == 0 and left["references"] == 5
    assert client.delete(f"{address}/{defect['id']}").status_code == 404
    assert client.delete(f"{address}/9999").status_code == 404


def test_a_lesson_is_taken_whole_or_not_at_all(client, cloth, good):
    address = f"/v1/products/{cloth}/references"
    before = client.get(f"/v1/products/{cloth}").json()
    assert client.post(address, files=parts("pictures", [good(7), b"no"])).status_code == 422
    assert client.post(address, data={"label": "x"}, files=parts("pictures", [good(7)])).status_code == 422
    two = parts("pictures", [good(7), good(8)]) + parts("mask", [good(9)])
    assert client.post(address, data={"kind": "defect"}, files=two).status_code == 422
    assert client.post("/v1/products/none/references", files=parts("pictures", [good(7)])).status_code == 404
    assert client.get(f"/v1/products/{cloth}").json() == before


def test_the_target_moves_the_threshold_and_can_be_undone(client, cloth, inspector):
    before = client.get(f"/v1/products/{cloth}").json()
    after = client.patch(f"/v1/products/{cloth}", json={"target_false_alarm": 0.01}).json()
    assert after["target_false_alarm"] == 0.01 and after["threshold"] > before["threshold"]
    assert inspector.load(cloth).undo().calibration.threshold == before["threshold"]
    for wrong in (0, 1e-200, 0.6, "0.1", True, None):
        assert client.patch(f"/v1/products/{cloth}", json={"target_false_alarm": wrong}).status_code == 422
    assert client.patch(f"/v1/products/{cloth}", json={"threshold": 1}).status_code == 422


def test_a_product_that_another_program_changes_is_seen_changed(client, cloth, inspector, good):
    assert client.get(f"/v1/products/{cloth}").json()["references"] == 3
    inspector.save(inspector.teach(inspector.load(cloth), good(30)))
    assert client.get(f"/v1/products/{cloth}").json()["references"] == 4
    inspector.store.path(cloth).write_bytes(b"damaged")
    assert client.get(f"/v1/products/{cloth}").status_code == 409
    (row,) = client.get("/v1/products").json()["products"]
    assert row["name"] == cloth and "damaged" in row["error"]


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "..", "a/b", "C:\\x", "CON", "x" * 300, "a\x00b", " ", ".hidden", "a\nb", "<b>"],
)
def test_a_name_that_leads_elsewhere_is_no_product(client, inspector, good, name, tmp_path):
    from urllib.parse import quote

    outside = tmp_path / "passwd.product.safetensors"
    outside.write_bytes(b"x")
    address = f"/v1/products/{quote(name, safe='')}"
    assert client.get(address).status_code in (404, 422)
    assert client.delete(address).status_code in (404, 405, 422)
    assert client.patch(address, json={"target_false_alarm": 0.1}).status_code in (404, 405, 422)
    body = {"name": name, "references": [{"data": base64.b64encode(png(good(1))).decode()}]}
    assert client.post("/v1/products", json=body).status_code == 422
    assert outside.exists() and inspector.store.names() == []


def test_the_log_names_the_key_that_changed_a_product(open_client, inspector, keys, good):
    ring, _, engineer = keys
    client = open_client(ring, bearer(engineer))
    assert learn(client, "cloth", [good(1), good(2)]).status_code == 201
    assert client.patch("/v1/products/cloth", json={"target_false_alarm": 0.1}).status_code == 200
    assert client.delete("/v1/products/cloth").status_code == 204
    entries = list(inspector.store.log.entries())
    assert [entry.actor for entry in entries] == ["key eva"] * 3
    assert entries[0].before is None and entries[-1].after is None


def test_a_change_that_cannot_be_written_is_not_made(client, cloth, inspector, monkeypatch):
    from assistant.errors import ProductError

    def refuse(*args, **kwargs):
        raise ProductError("The disk is full.")

    before = client.get(f"/v1/products/{cloth}").json()
    with monkeypatch.context() as patch:
        patch.setattr(inspector.store, "save", refuse)
        assert client.patch(f"/v1/products/{cloth}", json={"target_false_alarm": 0.2}).status_code == 503
    assert client.get(f"/v1/products/{cloth}").json() == before


def test_references_are_decoded_as_they_are_learned_and_let_go(client, good, monkeypatch):
    import weakref

    from assistant.images.load import LoadedImage

    alive, most, checked = [], [], LoadedImage.__post_init__

    def count(image):
        checked(image)
        alive.append(weakref.ref(image))
        most.append(sum(one() is not None for one in alive))

    monkeypatch.setattr(LoadedImage, "__post_init__", count)
    made = learn(client, "cloth", [good(i, 64, 64) for i in range(24)])
    assert made.status_code == 201 and len(made.json()["contents"]) == 24
    assert len(most) >= 24 and max(most) <= 12


@pytest.fixture
def inspected(client, cloth, good, planted):
    """The address of the product, of which three good parts and two bad ones were inspected."""
    pictures = [*(good(20 + i) for i in range(3)), planted(good(30), 0.3, 0.4)[0], planted(good(31), 0.7, 0.6)[0]]
    rows = client.post("/v1/inspect", data={"product": cloth}, files=parts("pictures", pictures)).json()
    assert [row["outdated"] for row in rows["inspections"]] == [False] * 5
    return f"/v1/products/{cloth}"


def test_every_change_answers_what_it_makes_of_recent_inspections(client, inspected, good):
    before = client.get(inspected).json()
    limits = lambda row: {name: row[name] for name in ("threshold", "review_threshold")}  # noqa: E731
    after = client.patch(inspected, json={"target_false_alarm": 0.2}).json()
    effect = after["effect"]
    assert (effect["before"], effect["after"]) == (limits(before), limits(after))
    assert (effect["recent"], effect["earlier"]) == (5, 0)
    taught = client.post(f"{inspected}/references", files=parts("pictures", [good(7)])).json()
    assert taught["effect"]["before"] == limits(after) and taught["effect"]["earlier"] == 5
    left = client.delete(f"{inspected}/references/3").json()
    assert left["effect"]["after"] == limits(left) and "effect" not in client.get(inspected).json()


def test_a_defect_is_taught_as_good_only_with_confirm(client, inspected, good, planted):
    before = client.get(inspected).json()
    files = parts("pictures", [good(7), planted(good(40), 0.5, 0.3)[0]])
    asked = client.post(f"{inspected}/references", files=files)
    problem = asked.json()
    assert asked.status_code == 409 and asked.headers["content-type"] == "application/problem+json"
    assert "1.png scores" in problem["detail"] and "far above the limit" in problem["detail"]
    assert problem["confirm"]["recent"] == 5 and client.get(inspected).json() == before
    taught = client.post(f"{inspected}/references", data={"confirm": "true"}, files=files).json()
    assert taught["references"] == 5 and taught["effect"] == problem["confirm"]
    refused = client.patch(inspected, json={"target_false_alarm": 0.9})
    assert refused.status_code == 422 and "confirm" not in refused.json()


def test_limits_are_tried_on_recent_inspections_without_changing_them(client, inspected):
    before = client.get(inspected).json()
    loose = client.get(f"{inspected}/what-if", params={"threshold": 9}).json()
    assert loose["verdicts"]["defect"]["good"] == 2 and loose["after"]["threshold"] == 9
    told = client.get(f"{inspected}/what-if", params={"target_false_alarm": 0.2}).json()
    assert told["recent"] == 5 and told["after"]["threshold"] < told["before"]["threshold"]
    assert client.get(inspected).json() == before
    for wrong in ({}, {"threshold": 1, "target_false_alarm": 0.1}, {"threshold": 0}, {"target_false_alarm": "x"}):
        assert client.get(f"{inspected}/what-if", params=wrong).status_code == 422
    assert client.get("/v1/products/none/what-if", params={"threshold": 1}).status_code == 404


def test_results_by_an_earlier_state_of_a_product_are_marked(client, inspected, good):
    def marks():
        rows = client.get("/v1/inspections", params={"product": "cloth"}).json()["inspections"]
        (one,) = {client.get(f"/v1/inspections/{row['id']}").json()["outdated"] for row in rows}
        assert {row["outdated"] for row in rows} == {one}
        return one

    assert marks() is False
    client.patch(inspected, json={"target_false_alarm": 0.2})
    assert marks() is True
    client.patch(inspected, json={"target_false_alarm": 0.05})
    assert marks() is False
    client.post(f"{inspected}/references", files=parts("pictures", [good(7)]))
    assert marks() is True
    client.delete(inspected)
    assert marks() is None
