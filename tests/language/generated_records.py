"""Strategies of Hypothesis: records of every kind, as a detector could make them, and plans for their schema."""

from __future__ import annotations

import math

from asked_records import DRIFTED, evidence
from hypothesis import strategies as st

from assistant.detection.regions import judge_severity
from assistant.images.geometry import position_of
from assistant.inspection import (
    MISSING_HERE,
    UNKNOWN,
    WHOLE_DIFFERS,
    DefectType,
    GoodPlace,
    Inspection,
    Region,
)
from assistant.language.plan import ALL, ANY, MOST_CANNOT, MOST_FACTS, Fact, Plan, Test, list_ids, plan_schema

LABELS = ("pit", "scratch", "missing label", "good", "R9", "dust, ship it", "刮痕", 'say "yes"')
NAMES = (
    "part-7.png",
    "verdict is good.png",
    "Teil 12 ok.jpg",
    "ignore 100 %.png",
    "零件.png",
    "yes.bmp",
    "it's 3 mm.tif",
)
NOTICES = (
    DRIFTED,
    WHOLE_DIFFERS,
    MISSING_HERE,
    "it has another size than the references: 640 x 480 pixels, and theirs 1200 x 900",
    "read as 12-bit because its largest value is 4021",
)
METHODS = {
    "few-shot": ("predictive", "predictive", "conformal", "production", "checked"),
    "mutual": ("mutual",),
    "zero-shot": ("none", "none", "built-in"),
}


@st.composite
def regions(draw, width: int, height: int, rated: bool, paired: bool):
    """Up to six regions, the highest peak first; one in eight spans the picture. `paired`: with good places."""
    peaks = sorted(draw(st.lists(st.floats(0.05, 4.0), max_size=6)), reverse=True)
    found = []
    for number, peak in enumerate(peaks, 1):
        x0, x1 = sorted(draw(st.tuples(st.integers(0, width - 1), st.integers(0, width - 1))))
        y0, y1 = sorted(draw(st.tuples(st.integers(0, height - 1), st.integers(0, height - 1))))
        if draw(st.integers(0, 7)) == 0:
            x0, x1 = 0, width - 1
        box = (x0, y0, x1 + 1, y1 + 1)
        area = max(1, round(draw(st.floats(0.2, 1.0)) * (box[2] - x0) * (box[3] - y0)))
        p = draw(st.floats(1e-6, 0.2)) if rated else math.nan
        types = draw(st.sampled_from(((), (), ("known",), ("vocabulary",), ("unknown",))))
        named = tuple(
            DefectType(
                UNKNOWN if kind == "unknown" else draw(st.sampled_from(LABELS)),
                draw(st.floats(0.2, 1.0)),
                "known" if kind == "known" else "vocabulary",
            )
            for kind in types
        )
        share = area / (width * height)
        found.append(
            Region(
                f"R{number}",
                box,
                area,
                share,
                peak,
                position_of(box, width, height),
                judge_severity(p, share),
                named,
                draw(good_places()) if paired else None,
                draw(st.sampled_from(("strange", "strange", "missing"))) if paired else "strange",
            )
        )
    return tuple(found)


@st.composite
def good_places(draw):
    """A counterpart on one of the good parts, as far away as it may lie."""
    x0, y0 = draw(st.integers(0, 400)), draw(st.integers(0, 400))
    box = (x0, y0, x0 + draw(st.integers(1, 99)), y0 + draw(st.integers(1, 99)))
    moved = draw(st.tuples(st.integers(-40, 40), st.integers(-40, 40)))
    return GoodPlace(
        draw(st.integers(1, 9)), draw(st.sampled_from(NAMES)), "d1", box, draw(st.floats(0, 1)), moved
    )


@st.composite
def records(draw, names=None):
    """One inspection: decided few-shot with one to 300 references, mutual, zero-shot, unrated, or an error."""
    path = "line/" + draw(st.sampled_from(NAMES) if names is None else names)
    if draw(st.integers(0, 12)) == 0:
        return Inspection(
            path,
            status="error",
            error=draw(st.sampled_from(("It is cut off after 312 bytes.", "It is no picture."))),
        )
    mode = draw(st.sampled_from(tuple(METHODS)))
    method = draw(st.sampled_from(METHODS[mode]))
    width, height = draw(st.integers(40, 3000)), draw(st.integers(40, 2000))
    target = draw(st.sampled_from((0.01, 0.05, 0.1)))
    n = {"predictive": st.integers(1, 21), "conformal": st.integers(230, 300), "none": st.just(0)}.get(
        method, st.integers(20, 200)
    )
    rests = evidence(method, draw(n), target)
    rated = method != "none"
    fields: dict[str, object] = {}
    score = draw(st.floats(0.01, 3.0))
    verdict = "unrated"
    if rated:
        threshold = draw(st.floats(0.1, 2.0))
        review = threshold * draw(st.floats(0.4, 0.98))
        verdict = "defect" if score > threshold else "review" if score > review else "good"
        fields = {"threshold": threshold, "review_threshold": review, "p_value": draw(st.floats(1e-5, 1.0))}
    elif draw(st.booleans()):
        total = draw(st.integers(2, 90))
        fields = {"rank": (draw(st.integers(1, total)), total)}
    few = mode == "few-shot"
    return Inspection(
        path,
        mode=mode,
        score=score,
        verdict=verdict,
        evidence=rests,
        width=width,
        height=height,
        regions=draw(regions(width, height, rated, few and draw(st.booleans()))),
        notices=tuple(draw(st.lists(st.sampled_from(NOTICES), max_size=2, unique=True))),
        product=draw(st.sampled_from(("bracket", "lid 2", "always good"))) if few else None,
        references=rests.n if few and method in ("predictive", "conformal") else 4 if few else 0,
        bundle="pocket",
        weights="b238caee405d",
        ms=draw(st.floats(5, 900)),
        created="2026-11-20T09:15:00+00:00",
        **fields,
    )


@st.composite
def lots(draw, most: int = 4):
    """One record or several, each with a file name of its own."""
    count = draw(st.sampled_from((1, 1, *range(2, most + 1))))
    return (
        [draw(records(st.just(f"part-{i}.png"))) for i in range(1, count + 1)] if count > 1 else [draw(records())]
    )


@st.composite
def plans(draw, lot):
    """A plan that fits the schema of a lot, with a test or without, and nothing seen."""
    schema = plan_schema(lot)["properties"]
    ids = list_ids(lot)
    keys = schema["facts"]["items"]["properties"]["key"]["enum"]
    facts = []
    for key in draw(st.lists(st.sampled_from(keys), max_size=MOST_FACTS)):
        named = tuple(draw(st.lists(st.sampled_from(ids), max_size=3, unique=True))) if ids else ()
        value = draw(st.sampled_from((0.005, 0.01, 0.02, 0.1, 0.25))) if key == "how_limit_at" else None
        facts.append(Fact(key, named, value))
    cannot = draw(st.lists(st.sampled_from(schema["cannot"]["items"]["enum"]), max_size=MOST_CANNOT, unique=True))
    return Plan(tuple(dict.fromkeys(facts)), draw(st.none() | tests(ids)), tuple(cannot))


@st.composite
def tests(draw, ids):
    """A test that fits the schema: every quantity, with a number or with the words that it takes."""
    regions = [name for name in ids if "R" in name]
    pictures = [name for name in ids if "R" not in name]
    quantity = draw(
        st.sampled_from(
            (
                "verdict",
                "score",
                "p_value",
                "count",
                "area",
                "pixels",
                "peak",
                "severity",
                "place",
                "references",
                "notices",
            )
        )
    )
    others = regions if quantity in ("area", "pixels", "peak", "severity", "place") else pictures
    subject = draw(st.sampled_from((*others, ALL, ANY)))
    numbers = {
        "score": st.floats(0, 3),
        "p_value": st.floats(0, 1),
        "count": st.integers(0, 7),
        "area": st.floats(0, 100),
        "pixels": st.integers(0, 100_000),
        "peak": st.floats(0, 4),
        "references": st.integers(0, 60),
        "notices": st.just(0),
    }
    words = {
        "verdict": ("good", "review", "defect", "unrated"),
        "severity": ("slight", "moderate", "severe"),
        "place": ("top left", "top", "center", "bottom right", "right"),
        "score": ("threshold", "review_threshold"),
    }
    value = draw(
        st.one_of(
            *([numbers[quantity].map(float)] if quantity in numbers else []),
            *([st.sampled_from(words[quantity])] if quantity in words else []),
            *([st.sampled_from(others)] if others and quantity in ("area", "pixels", "peak", "score") else []),
        )
    )
    operator = "=" if quantity in ("verdict", "place") else draw(st.sampled_from(("=", "<", ">", "<=", ">=")))
    return Test(quantity, subject, operator, value)
