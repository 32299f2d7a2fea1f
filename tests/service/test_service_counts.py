"""Zones in which things are counted, over HTTP: learned with a product, told in its rows."""

import numpy as np
from parcels import parts

from assistant.eval.research.counted_drawn import draw_scene


def test_a_product_is_learned_with_zones_and_counts(client):
    random = np.random.default_rng(1)
    good = [draw_scene("holes", random) for _ in range(2)]
    fields = {"name": "plate", "counts": "holes=8@60,60,340,240"}
    made = client.post("/v1/products", data=fields, files=parts("references", good))
    assert made.status_code == 201 and made.json()["counted"][0]["expected"] == 8
    few = parts("pictures", [draw_scene("holes", random, -1)])
    row = client.post("/v1/inspect", data={"product": "plate"}, files=few).json()["inspections"][0]
    assert row["counts"] == [{"zone": "holes", "expected": 8, "counted": 7}] and row["verdict"] == "defect"
    wrong = client.post(
        "/v1/products", data=fields | {"name": "b", "counts": "holes"}, files=parts("references", good)
    )
    assert wrong.status_code == 422 and "is no zone" in wrong.json()["detail"]
