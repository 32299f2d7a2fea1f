"""Inspections as a detector would make them, and the worst that a name, a question or an answer can hold."""

from datetime import UTC, datetime

import pytest
from PIL import Image

from assistant.inspection import Answer, Evidence, Inspection, Region
from assistant.records.entries import Turn

HOSTILE = {
    "markup": '<img src=x onerror="alert(1)">&\'$title</style><script>alert(1)</script>.png',
    "pdf": "(x) Tj ET Q /JS (app.alert(1)) >> endobj \\051 **bold** __u__ [a](http://x.example).png",
    "long": "W" * 250 + ".png",
    "turned": "a\u202egnp.exe \u2066b\u200f.png",
    "scripts": "größe деталь Ωμέγα.png",
    "right to left": "בדיקה عيب.png",
    "wide": "零件 部品 😀🔥.png",
    "controls": "a\x00\x1b[31m\r\nb\u2028c\udcff.png",
    "combining": "e" + "\u0301" * 50 + ".png",
}


@pytest.fixture(params=HOSTILE.values(), ids=list(HOSTILE))
def hostile(request):
    return request.param


@pytest.fixture
def make():
    """make(path, score, **changes) -> Inspection; a defect above 0.5, for review above 0.4."""

    def build(path="a.png", score=0.75, **changes):
        fields = {
            "mode": "few-shot",
            "p_value": 0.02,
            "threshold": 0.5,
            "review_threshold": 0.4,
            "verdict": "defect" if score > 0.5 else "review" if score > 0.4 else "good",
            "product": "bottle",
            "references": 4,
            "bundle": "pocket",
            "weights": "abc123",
            "created": "2026-03-01T12:00:00+00:00",
            "evidence": Evidence("conformal", "Set from twenty good bottles.", 20, 0.05, 1 / 21),
        }
        return Inspection(path=path, score=score, **(fields | changes))

    return build


@pytest.fixture
def region():
    """A function of the id, the types and the place of a region."""

    def build(id="R1", types=(), box=(10, 20, 40, 60)):
        return Region(id, box, 900, 0.031, 0.75, "top left", "slight", types)

    return build


@pytest.fixture
def turn():
    """A function of a question, an answer, who gave it, and notices."""

    def build(question="Where is it?", answer="At the top left.", source="template", notices=()):
        return Turn(question, Answer(answer, ("R1",), source, notices), datetime(2026, 3, 1, tzinfo=UTC))

    return build


@pytest.fixture
def broken():
    return Inspection(path="broken.jpg", status="error", error="This file is empty.")


@pytest.fixture
def red():
    return Image.new("RGB", (1600, 1200), "red")
