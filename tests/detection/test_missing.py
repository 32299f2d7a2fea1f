"""Regions of what is missing: at their place, among the others, and never called good."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from assistant.adapters.dictionary import Dictionary
from assistant.detection.missing import KEPT, Absences, with_missing
from assistant.inspection import MISSING_HERE, Inspection, Region
from assistant.inspector import Inspector
from assistant.language import answer
from assistant.overlay import to_html
from assistant.reports.words import name_region


def strange(id, box, peak):
    return Region(id, box, 100, 0.01, peak, "center", "slight")


def found(*regions, verdict="defect", score=0.6):
    made = np.full((10, 10), 0.1, np.float32)
    made[7, 2] = 0.45
    return Inspection(
        "a.png", mode="few-shot", score=score, p_value=0.1, threshold=0.5, review_threshold=0.4, verdict=verdict,
        regions=regions, width=200, height=100, coarse_map=made,
    )  # fmt: skip


def lacking(rows, columns, value=0.4):
    made = np.zeros((10, 10), np.float32)
    made[rows, columns] = value
    return made


HOLE = lacking(slice(6, 9), slice(1, 4))  # pixels 20 to 80 and 60 to 90


def test_something_missing_is_a_region_with_the_peak_that_the_map_has_there():
    row = with_missing(found(strange("R1", (150, 10, 180, 30), 0.6)), HOLE, 0.1, lambda peak: 0.2)
    first, second = row.regions
    assert (first.id, first.kind, second.id, second.kind) == ("R1", "strange", "R2", "missing")
    assert second.peak == pytest.approx(0.45) and second.position == "bottom left"
    x0, y0, x1, y1 = second.box
    assert 10 <= x0 <= 20 and 80 <= x1 <= 90 and 55 <= y0 <= 60 and 90 <= y1 <= 95
    assert row.verdict == "defect" and MISSING_HERE not in row.notices


def test_a_strange_region_at_the_same_place_is_what_is_missing():
    row = with_missing(found(strange("R1", (22, 58, 84, 95), 0.6)), HOLE, 0.1, lambda peak: 0.2)
    assert [(one.id, one.kind, one.box) for one in row.regions] == [("R1", "missing", (22, 58, 84, 95))]


def test_a_picture_without_a_strange_place_is_for_review():
    row = with_missing(found(verdict="good", score=0.2), HOLE, 0.1, lambda peak: 0.2)
    assert row.verdict == "review" and MISSING_HERE in row.notices and len(row.regions) == 1
    assert Inspection.from_json(row.to_json()).regions == row.regions


def test_words_say_that_something_is_missing():
    row = with_missing(found(verdict="good", score=0.2), HOLE, 0.1, lambda peak: 0.2)
    assert "something is missing here" in name_region(row.regions[0])
    assert "something is missing here" in to_html(replace(row, path="gone.png"))
    assert "missing" in answer(row, "What is R1?").text
    said = answer(row, "Is it defective?").text
    assert "is not called good" in said and "do not agree" not in said


def test_another_kind_is_refused():
    with pytest.raises(ValueError, match="kind"):
        replace(strange("R1", (0, 0, 1, 1), 0.5), kind="lost")


def test_what_a_memory_shows_is_worked_out_once_and_again_when_it_changes():
    def grid(seed):
        made = torch.randn(8, 8, 6, generator=torch.Generator().manual_seed(seed))
        return torch.nn.functional.normalize(made, dim=-1)

    memory, absences = Dictionary.build({0: grid(0), 1: grid(1)}), Absences()
    first = absences.of(memory, 2)
    assert absences.of(memory, 2) is first and absences.of(memory, 1) is not first
    memory.add(2, grid(2))
    assert len(absences.of(memory, 2).grids) == 3
    for seed in range(2 * KEPT):
        absences.of(Dictionary.build({0: grid(seed), 1: grid(seed + 1)}), 2)
    assert len(absences._known) == KEPT


def bracket(seed, knob=True):
    """A grey part with three dark knobs, one of them perhaps missing, under a little noise."""
    rng = np.random.default_rng(seed)
    shown = Image.new("RGB", (160, 160), (150, 150, 150))
    draw = ImageDraw.Draw(shown)
    for x, y in ((40, 45), (115, 45), *([(80, 115)] if knob else [])):
        draw.ellipse((x - 16, y - 16, x + 16, y + 16), fill=(30, 60, 40))
        draw.line((x - 10, y - 10, x + 10, y + 10), fill=(230, 220, 60), width=4)
    return (np.asarray(shown) + rng.normal(0, 3, (160, 160, 3))).clip(0, 255).astype(np.uint8)


@pytest.mark.weights
def test_a_part_without_its_knob_is_found_by_the_pocket_tower():
    inspector = Inspector.from_pretrained("pocket", device="cpu")
    product = inspector.learn("bracket", [bracket(i) for i in range(3)], aligned=True)
    row = inspector.inspect(bracket(9, False), product)
    lacks = [one for one in row.regions if one.kind == "missing"]
    x0, y0, x1, y1 = lacks[0].box
    assert x0 < 80 < x1 and y0 < 115 < y1 and lacks[0].reference and row.verdict != "good"
    assert all(one.kind == "strange" for one in inspector.inspect(bracket(8), product).regions)


def test_it_is_looked_for_where_parts_lie_alike_and_within_what_is_looked_at(inspector, monkeypatch):
    asked = []

    def find(self, tokens, memory):
        asked.append(1)
        made = torch.zeros(tokens.shape[:2])
        made[20:26, 12:20] = 0.5
        return made

    monkeypatch.setattr("assistant.adapters.absence.Absence.find", find)
    pictures = [bracket(i) for i in range(4)]
    product = inspector.learn("bracket", pictures, aligned=True)
    row = inspector.inspect(bracket(9), product)
    [lacks] = [one for one in row.regions if one.kind == "missing"]
    assert lacks.reference and row.verdict != "good" and asked
    asked.clear()
    for other in (inspector.learn("loose", pictures, aligned=False), inspector.learn("one", pictures[:1])):
        assert all(one.kind == "strange" for one in inspector.inspect(bracket(9), other).regions)
    assert not asked
    roi = np.zeros((160, 160), bool)
    roi[:80] = True
    above = inspector.learn("above", pictures, aligned=True, roi=roi)
    assert all(one.kind == "strange" for one in inspector.inspect(bracket(9), above).regions) and asked
