"""The result type: it says the same after a way through JSON, and holds no nonsense."""

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.inspection import SCHEMA, DefectType, Evidence, Inspection, Region

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
POSITIONS = ["top left", "top", "top right", "left", "center", "right", "bottom left", "bottom", "bottom right"]


@st.composite
def regions(draw):
    x0, y0 = draw(st.integers(0, 9000)), draw(st.integers(0, 9000))
    return Region(
        id=f"R{draw(st.integers(1, 16))}",
        box=(x0, y0, x0 + draw(st.integers(1, 900)), y0 + draw(st.integers(1, 900))),
        area=draw(st.integers(1, 10**8)),
        area_fraction=draw(st.floats(0, 1, exclude_min=True)),
        peak=draw(NUMBERS),
        position=draw(st.sampled_from(POSITIONS)),
        severity=draw(st.sampled_from(["slight", "moderate", "severe"])),
        defect_types=tuple(draw(st.lists(st.builds(DefectType, st.text(), st.floats(0, 1)), max_size=3))),
    )


READ = st.builds(
    Inspection,
    path=st.text(),
    mode=st.sampled_from(["zero-shot", "few-shot", "mutual"]),
    score=NUMBERS,
    p_value=NUMBERS,
    threshold=NUMBERS,
    review_threshold=NUMBERS,
    verdict=st.sampled_from(["good", "review", "defect"]),
    regions=st.lists(regions(), max_size=3).map(tuple),
    width=st.integers(1, 20000),
    height=st.integers(1, 20000),
    evidence=st.none() | st.builds(Evidence, st.text(), st.text(), st.integers(0, 999), NUMBERS, NUMBERS),
    scale=st.tuples(NUMBERS, NUMBERS),
    looks_like=st.lists(st.text(), max_size=3).map(tuple),
    notices=st.lists(st.text(), max_size=3).map(tuple),
    bundle=st.none() | st.text(),
    weights=st.none() | st.text(),
    product=st.none() | st.text(),
    references=st.integers(0, 99),
    created=st.none() | st.text(),
    ms=st.none() | NUMBERS,
)
UNREAD = st.builds(Inspection, path=st.text(), status=st.just("error"), error=st.text(min_size=1))


@pytest.fixture
def inspection():
    return Inspection(
        path="a.png",
        mode="few-shot",
        score=0.3,
        p_value=0.01,
        threshold=0.2,
        review_threshold=0.15,
        verdict="defect",
        regions=(Region("R1", (1, 2, 3, 4), 4, 0.01, 0.5, "top", "slight"),),
        width=20,
        height=10,
        coarse_map=np.array([[0.0, 0.5]], dtype=np.float32),
    )


@given(READ | UNREAD)
def test_an_inspection_survives_json(inspection):
    line = inspection.to_json()
    assert "\n" not in line
    json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    again = Inspection.from_json(line)
    assert again == inspection and again.to_json() == line


def test_the_row_begins_with_what_people_look_for(inspection):
    first = ["schema", "path", "status", "error", "mode", "score", "p_value", "threshold", "verdict"]
    row = inspection.to_dict()
    assert list(row)[:9] == first and "coarse_map" not in row
    assert set(row["regions"][0]) == {
        *("id", "box", "area", "area_fraction", "peak", "position", "severity", "defect_types"),
        *("reference", "kind"),
    }


@pytest.mark.parametrize("schema", [SCHEMA + 1, 0, None, "1"])
def test_another_schema_is_refused(inspection, schema):
    with pytest.raises(ValueError, match="schema"):
        Inspection.from_dict(inspection.to_dict() | {"schema": schema})


def test_a_row_without_schema_or_with_an_unknown_key_is_refused(inspection):
    row = inspection.to_dict()
    with pytest.raises(ValueError, match="unknown keys in an inspection: colour"):
        Inspection.from_dict(row | {"colour": 1})
    with pytest.raises(ValueError, match="unknown keys"):
        Inspection.from_dict(row | {"coarse_map": [[1.0]]})
    del row["schema"]
    with pytest.raises(ValueError, match="schema None"):
        Inspection.from_dict(row)


@pytest.mark.parametrize("name", ["score", "p_value", "threshold", "review_threshold"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None])
def test_a_number_that_is_none_is_refused(inspection, name, value):
    with pytest.raises(ValueError, match=name):
        dataclasses.replace(inspection, **{name: value})
    with pytest.raises(ValueError, match=name):
        Inspection.from_json(json.dumps(inspection.to_dict() | {name: value}))


def test_no_other_number_gets_into_json_as_nan(inspection):
    with pytest.raises(ValueError):
        dataclasses.replace(inspection, ms=math.nan).to_json()


@pytest.mark.parametrize(
    "change",
    [
        {"status": "fine"},
        {"status": "error"},
        {"status": "error", "error": ""},
        {"mode": "guess"},
        {"mode": None},
        {"verdict": "ok"},
        {"verdict": None},
    ],
    ids=str,
)
def test_words_that_mean_nothing_are_refused(inspection, change):
    with pytest.raises(ValueError):
        dataclasses.replace(inspection, **change)


@pytest.mark.parametrize(
    "change",
    [
        {"box": (3, 2, 3, 4)},
        {"box": (1, 4, 3, 2)},
        {"box": (-1, 2, 3, 4)},
        {"position": "middle"},
        {"severity": "bad"},
        {"peak": math.nan},
        {"peak": math.inf},
    ],
    ids=str,
)
def test_regions_that_mean_nothing_are_refused(inspection, change):
    with pytest.raises(ValueError, match="region R1"):
        dataclasses.replace(inspection.regions[0], **change)


def test_evidence_is_frozen(inspection):
    for thing, name in ((inspection, "verdict"), (inspection.regions[0], "peak")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, name, None)


def test_the_map_is_given_in_pixels_of_the_picture(inspection):
    full = inspection.anomaly_map
    assert full.shape == (10, 20) and full.dtype == np.float32
    assert full[:, 0].max() == 0.0 and full[:, -1].min() == 0.5
    with pytest.raises(ValueError, match="no anomaly map"):
        _ = Inspection.from_json(inspection.to_json()).anomaly_map
    with pytest.raises(ValueError, match="no anomaly map"):
        _ = Inspection("a", "error", "it is broken").anomaly_map


def test_two_inspections_are_equal_whatever_their_maps(inspection):
    assert inspection == dataclasses.replace(inspection, coarse_map=None)
    assert "coarse_map" not in repr(inspection)


def test_the_earlier_name_of_the_mutual_mode_is_still_read(inspection):
    kept = dataclasses.replace(inspection, mode="mutual", evidence=Evidence("mutual", "three", 3, 0.05, 0.25))
    row = kept.to_dict()
    earlier = row | {"mode": "batch", "evidence": row["evidence"] | {"method": "batch"}}
    assert Inspection.from_dict(earlier) == kept == Inspection.from_json(json.dumps(earlier))
    with pytest.raises(ValueError, match="no such mode"):
        dataclasses.replace(kept, mode="batch")
