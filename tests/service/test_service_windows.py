"""The window of a series over HTTP: files keep their depth on the way in, and fields say how to read them."""

import io

import numpy as np
import pytest
from parcels import parts
from PIL import Image


@pytest.fixture
def deep(good):
    """deep(seed, low, high): a PNG of 16 bits between two values."""

    def make(seed, low, high):
        grey = good(seed)[..., 0].astype(float) / 255
        out = io.BytesIO()
        Image.fromarray((low + grey * (high - low)).astype(np.uint16)).save(out, "PNG")
        return out.getvalue()

    return make


def learn(client, references, **fields):
    return client.post(
        "/v1/products", data={"name": "cloth", **fields}, files=parts("references", list(references))
    )


def inspect(client, pictures, **fields):
    return client.post("/v1/inspect", data=fields, files=parts("pictures", list(pictures)))


def test_a_product_learned_from_deep_files_shows_its_window_and_reads_through_it(client, inspector, deep):
    made = learn(client, [deep(i, 20_000, 21_000) for i in range(3)])
    assert made.status_code == 201, made.text
    window = made.json()["window"]
    assert window["bit_depth"] is None and 20_000 - 200 < window["black"] < window["white"] < 21_000
    assert [row["name"] for row in made.json()["contents"]] == ["0.png", "1.png", "2.png"]
    assert client.get("/v1/products").json()["products"][0]["window"] == window
    [row] = inspect(client, [deep(7, 20_000, 21_000)], product="cloth").json()["inspections"]
    direct = inspector.inspect(deep(7, 20_000, 21_000), "cloth")
    assert row["window"] == window and row["score"] == direct.score and row["notices"] == list(direct.notices)
    [far] = inspect(client, [deep(8, 50_000, 60_000)], product="cloth").json()["inspections"]
    assert "100 % of its samples lie outside the window" in far["notices"][0]
    taught = client.post("/v1/products/cloth/references", files=parts("pictures", [deep(9, 20_000, 21_000)]))
    assert taught.status_code == 200 and taught.json()["references"] == 4 and taught.json()["window"] == window


def test_fields_give_a_window_for_learning_and_for_pictures_without_a_product(client, deep):
    made = learn(client, [deep(i, 100, 900) for i in range(2)], bit_depth="10")
    assert made.status_code == 201 and made.json()["window"]["bit_depth"] == 10
    [row] = inspect(client, [deep(1, 100, 900)], black="50", white="1e3").json()["inspections"]
    assert (row["window"]["black"], row["window"]["white"]) == (50, 1000)
    [plain] = inspect(client, [deep(1, 100, 900)]).json()["inspections"]
    assert plain["window"] is None and plain["score"] != row["score"]
    lot = inspect(client, [deep(i, 100, high) for i, high in enumerate((340, 500, 520))], mode="mutual")
    assert len({str(one["window"]) for one in lot.json()["inspections"]}) == 1
    assert lot.json()["inspections"][0]["window"]["white"] is not None


@pytest.mark.parametrize(
    "fields", [{"black": "5"}, {"black": "9", "white": "3"}, {"bit_depth": "12", "black": "0", "white": "9"}]
)
def test_a_window_that_makes_no_sense_is_one_sentence(client, deep, fields):
    for refused in (inspect(client, [deep(1, 0, 900)], **fields), learn(client, [deep(1, 0, 900)], **fields)):
        assert refused.status_code == 422 and "window" in refused.json()["detail"]


def test_a_products_own_window_is_not_overruled(client, deep):
    assert learn(client, [deep(i, 100, 900) for i in range(2)]).status_code == 201
    refused = inspect(client, [deep(1, 100, 900)], product="cloth", bit_depth="16")
    assert refused.status_code == 422 and "window of its own" in refused.json()["detail"]


def test_references_of_two_depths_are_refused_in_one_sentence(client, deep, files):
    refused = learn(client, [deep(1, 100, 900), files["good"]])
    assert refused.status_code == 422 and "one scale" in refused.json()["detail"]
