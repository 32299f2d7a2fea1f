"""The JSON of the service: what may be asked, and what comes back, with an example each.

Results are made of the dataclasses that the rest of the program speaks; what exists for HTTP alone stands here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from assistant.images.window import Window
from assistant.inspection import AskedMode, Count, Evidence, Mode, Region, Verdict
from assistant.language.conversation import LONGEST_QUESTION, MOST_TURNS
from assistant.products.summary import ProductDetail, ProductRow
from assistant.records.drift import StreamState
from assistant.records.entries import LONGEST_LOT
from assistant.records.what_if import Effect
from assistant.service.sign_off_schemas import SignOffRow

PRODUCT = "bracket"
_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNoqMgDAALiAWes8LjdAAAAAElFTkSuQmCC"
_TAKEN = "2026-03-01T08:30:00+00:00"

_DAY = re.compile(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ]|$)")


def _as_written(value: object) -> object:
    if isinstance(value, str) and not _DAY.match(value):
        raise ValueError("a time is written as 2026-03-01 or 2026-03-01T08:30:00Z")
    return value


When = Annotated[
    datetime, BeforeValidator(_as_written), WithJsonSchema({"type": "string", "pattern": _DAY.pattern})
]
"""A day or a time; without the check, any number would be one too."""

ProductName = Annotated[str, Field(min_length=1, max_length=80)]
Lot = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_LOT, pattern=r"^[^\x00-\x1f\x7f]+$")]
Target = Annotated[float, Field(ge=1e-6, le=0.5)]
AnyMode = Annotated[
    AskedMode | Literal["batch"], Field(description='"batch" is what "mutual" was called until 0.2.')
]


def _asked(example: dict[str, Any]) -> ConfigDict:
    return ConfigDict(extra="forbid", strict=True, json_schema_extra={"examples": [example]})


def _given(example: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [example]})


class PictureIn(BaseModel):
    """A picture file in base64: PNG, JPEG, BMP, TIFF or WebP. Addresses are not followed."""

    model_config = _asked({"name": "part.png", "data": _PIXEL})
    name: Annotated[str, Field(max_length=1000)] = ""
    data: Annotated[str, Field(json_schema_extra={"contentEncoding": "base64"})]


Level = Annotated[float, Field(allow_inf_nan=False)]


class WindowOptions(BaseModel):
    """How pictures of more than 8 bits are read: the bits of the camera, or the values of black and of white."""

    bit_depth: Annotated[int, Field(ge=8, le=16)] | None = None
    black: Level | None = None
    white: Level | None = None

    @property
    def window(self) -> Window | None:
        """The window that was asked for, None for none."""
        asked = Window(self.black, self.white, self.bit_depth)
        return asked if asked.levels else None

    @model_validator(mode="after")
    def _check(self) -> Self:
        Window(self.black, self.white, self.bit_depth)  # says what makes no sense
        return self


class InspectOptions(WindowOptions):
    """How to inspect. A product has a target and a window of its own; without one, `target_false_alarm`, and
    `bit_depth` or `black` and `white`, count.

    Without a product a picture is "unrated", unless `zero_shot_limits` lets other products' good pictures decide.
    """

    model_config = _asked({"product": PRODUCT})
    product: ProductName | None = None
    mode: AnyMode = "auto"
    target_false_alarm: Target = 0.05
    zero_shot_limits: bool = False
    lot: Lot | None = None
    group: Annotated[Lot | None, Field(description="A word for the camera, the light or the lot.")] = None
    pairs: Annotated[bool, Field(description="Whether regions come beside good parts, as pictures.")] = False
    outlines: Annotated[bool, Field(description="Whether regions come with their outlines, as polygons.")] = False


class InspectBody(InspectOptions):
    """Pictures to inspect, and how."""

    model_config = _asked({"pictures": [{"name": "part.png", "data": _PIXEL}], "product": PRODUCT})
    pictures: Annotated[list[PictureIn], Field(min_length=1)]


class LearnOptions(WindowOptions):
    """How to learn a product; see `Inspector.learn`. The window is worked out from the references by default."""

    model_config = _asked({"name": PRODUCT})
    name: ProductName
    target_false_alarm: Target = 0.05
    views: Literal["plain", "flips", "turns"] = "plain"
    tiles: Annotated[int, Field(ge=1, le=4)] = 1
    memory: Literal["nearest", "trained"] = "nearest"
    aligned: bool | None = None
    registered: bool | None = None
    counts: Annotated[
        str,
        Field(max_length=8000, description="Zones as in pins=8@40,60,300,200, with semicolons between several."),
    ] = ""


class LearnBody(LearnOptions):
    """Good pictures to learn a product from. Masks are white where to look, or what to ignore."""

    model_config = _asked({"name": PRODUCT, "references": [{"name": "good.png", "data": _PIXEL}]})
    references: Annotated[list[PictureIn], Field(min_length=1)]
    roi: PictureIn | None = None
    ignore: PictureIn | None = None


class TeachOptions(BaseModel):
    """What the pictures are. A label belongs to a defect.

    A good part that scores far above the limit is taught with `confirm` alone; without it, that is a problem 409.
    """

    model_config = _asked({"kind": "good"})
    kind: Literal["good", "defect"] = "good"
    label: Annotated[str, Field(min_length=1, max_length=60)] | None = None
    confirm: bool = False


class TeachBody(TeachOptions):
    """Pictures to teach. A mask belongs to a single defect and is white where that is."""

    model_config = _asked({"kind": "defect", "label": "pit", "pictures": [{"name": "bad.png", "data": _PIXEL}]})
    pictures: Annotated[list[PictureIn], Field(min_length=1)]
    mask: PictureIn | None = None


class TargetBody(BaseModel):
    """The share of good pictures that may be called defective."""

    model_config = _asked({"target_false_alarm": 0.02})
    target_false_alarm: Target


class TurnIn(BaseModel):
    """One question that was asked before, and its answer."""

    model_config = _asked({"question": "Is it defective?", "answer": "The verdict is defect."})
    question: Annotated[str, Field(max_length=LONGEST_QUESTION)]
    answer: Annotated[str, Field(max_length=8000)]


class AskBody(BaseModel):
    """A question about inspections. `picture` shows a single one again to a language model that looks.

    `language` is that of the answer, "en", "de", "es" or "zh", by default that of the question.
    """

    model_config = _asked({"inspections": ["9f86d081884c7d65"], "question": "Where is it, and how large?"})
    inspections: Annotated[list[Annotated[str, Field(max_length=80)]], Field(min_length=1, max_length=16)]
    question: Annotated[str, Field(min_length=1, max_length=LONGEST_QUESTION)]
    history: Annotated[list[TurnIn], Field(max_length=MOST_TURNS)] = []
    picture: PictureIn | None = None
    language: Annotated[str, Field(max_length=20)] | None = None


_REGION = {
    "id": "R1",
    "box": [40, 56, 72, 90],
    "area": 811,
    "area_fraction": 0.0317,
    "peak": 0.41,
    "position": "left",
    "severity": "moderate",
    "defect_types": [],
    "reference": {
        "id": 2,
        "name": "good.png",
        "digest": "3f9a0c51",
        "box": [44, 56, 76, 90],
        "distance": 0.52,
        "moved": [4, 0],
    },
}
_EVIDENCE = {
    "method": "conformal",
    "origin": "set by counting: at most 5 % false alarms with 90 % confidence by 60 good pictures, each scored "
    "without itself, as long as parts stay as these are",
    "n": 60,
    "target_false_alarm": 0.05,
    "smallest_p": 0.0164,
    "expected_rate": 0.0164,
    "upper_rate": 0.0377,
}
_INSPECTION = {
    "id": "9f86d081884c7d65",
    "lot": "2026-09",
    "outdated": False,
    "sign_off": None,
    "schema": 1,
    "path": "part.png",
    "status": "ok",
    "error": None,
    "mode": "few-shot",
    "score": 0.31,
    "p_value": 0.04,
    "threshold": 0.24,
    "review_threshold": 0.22,
    "verdict": "defect",
    "regions": [_REGION],
    "width": 160,
    "height": 160,
    "evidence": _EVIDENCE,
    "scale": [0.18, 0.42],
    "looks_like": [],
    "notices": [],
    "bundle": "pocket",
    "weights": "5f2c",
    "product": PRODUCT,
    "references": 60,
    "created": _TAKEN,
    "ms": 101.1,
    "rank": None,
    "window": None,
}


# `Inspection.to_dict` with an id and a lot: an Inspection always has its numbers, and here they may be null.
class InspectionRow(BaseModel):
    """What was found in one picture; a picture that cannot be read has status "error" and no numbers.

    One with the verdict "unrated" has a score and no limits; `rank` is its place among those of the request and
    their number, 1 being the strangest, and `evidence.origin` says what to do for a decision. `outdated`: the
    product has other limits now; null without a product, or where it is gone. `sign_off` is what a person decided,
    and changes nothing else. `pairs`, where they were asked for, are PNG files in base64 by the ids of regions:
    the region, the same place on a good part, and their difference. `outlines`, where they were asked for, are
    polygons of points (x, y) in pixels of the displayed picture, by the ids of regions.
    """

    model_config = _given(_INSPECTION)
    id: str
    lot: str | None = None
    outdated: bool | None = None
    sign_off: SignOffRow | None = None
    schema_: Annotated[int, Field(alias="schema")] = 1
    path: str
    status: Literal["ok", "error"]
    error: str | None = None
    mode: Mode | None = None
    score: float | None = None
    p_value: float | None = None
    threshold: float | None = None
    review_threshold: float | None = None
    verdict: Verdict | None = None
    regions: list[Region] = []
    width: int | None = None
    height: int | None = None
    evidence: Evidence | None = None
    scale: tuple[float, float] | None = None
    looks_like: list[str] = []
    notices: list[str] = []
    bundle: str | None = None
    weights: str | None = None
    product: str | None = None
    references: int = 0
    created: str | None = None
    ms: float | None = None
    rank: tuple[int, int] | None = None
    window: Window | None = None
    group: str = ""
    counts: list[Count] = []
    pairs: dict[str, str] = {}
    outlines: dict[str, list[tuple[float, float]]] = {}


class InspectionRows(BaseModel):
    """Inspections, in the order of the pictures, or the newest first."""

    model_config = _given({"inspections": [_INSPECTION]})
    inspections: list[InspectionRow]


_SUMMARY = {
    "name": PRODUCT,
    "bundle": "pocket",
    "references": 4,
    "defects": 1,
    "threshold": 0.24,
    "review_threshold": 0.22,
    "target_false_alarm": 0.05,
    "method": "predictive",
    "origin": "estimated for 5 % false alarms from 4 good pictures and what other products show; counting alone "
    "promises 44 % at most with 90 % confidence, and it takes 45 from several days to promise 5 %",
    "expected_rate": 0.05,
    "upper_rate": 0.438,
    "missing": 41,
    "aligned": False,
    "registered": False,
    "alike": True,
    "tiles": 1,
    "memory": "nearest",
    "views": "plain",
    "window": None,
    "created": _TAKEN,
    "bytes": 6_400_000,
    "counted": [{"name": "pins", "expected": 8, "outline": [40, 60, 300, 200]}],
    "remarks": [],
}


class ProductRows(BaseModel):
    """The products, by name."""

    model_config = _given({"products": [_SUMMARY]})
    products: list[ProductRow]


_DRIFT = {
    "product": PRODUCT,
    "group": "camera 2",
    "parts": 412,
    "drifted": True,
    "alarms": 1,
    "evidence": 1.0,
    "since": _TAKEN,
    "part": 398,
    "last": 40,
    "direction": "higher",
    "against": "good parts",
    "sentence": f"the last 40 parts of '{PRODUCT}' in group 'camera 2' score higher than its good parts did: "
    "unless most of them are bad, the camera, the light or the lot has changed; check before you believe single "
    "verdicts",
}


class StreamStates(BaseModel):
    """Whether a product's limits fit what was inspected since they were set, a row for each group."""

    model_config = _given({"streams": [_DRIFT]})
    streams: list[StreamState]


@dataclass(frozen=True, kw_only=True)
class ChangedProduct(ProductDetail):
    """A product after a change, and what the change makes of recent inspections."""

    effect: Effect


_DETAIL = _SUMMARY | {
    "contents": [{"id": 0, "kind": "good", "name": "good.png", "label": "", "score": 0.19}],
    "changes": [],
    "undoable": 0,
}
_EFFECT = {
    "product": PRODUCT,
    "before": {"threshold": 0.24, "review_threshold": 0.22},
    "after": {"threshold": 0.27, "review_threshold": 0.25},
    "recent": 120,
    "changed": 4,
    "earlier": 0,
    "verdicts": {
        "good": {"good": 101, "review": 0, "defect": 0},
        "review": {"good": 3, "review": 0, "defect": 0},
        "defect": {"good": 0, "review": 1, "defect": 15},
    },
}
EXAMPLES: dict[str, dict[str, Any]] = {
    "ProductRow": _SUMMARY,
    "ProductDetail": _DETAIL,
    "ChangedProduct": _DETAIL | {"effect": _EFFECT},
    "Effect": _EFFECT,
    "StreamState": _DRIFT,
}
"""Examples of the results that are dataclasses, by their names in the OpenAPI document."""


class Health(BaseModel):
    """Whether the service takes requests, and how many of its workers have been at one thing for too long.

    Those are processes that have spent more than half of its time on a picture, and threads that have been
    inspecting for a minute.
    """

    model_config = _given({"status": "ok", "stuck": 0})
    status: Literal["ok", "stopping"]
    stuck: int = Field(ge=0)


class Version(BaseModel):
    """What answers here: the program, its model, and how pictures are gathered."""

    model_config = _given(
        {
            "version": "0.1.0",
            "bundle": "pocket",
            "weights": "5f2c",
            "explainer": "template",
            "batch": 8,
            "wait_ms": 10.0,
            "threads": 1,
        }
    )
    version: str
    bundle: str
    weights: str
    explainer: str
    batch: int
    wait_ms: float
    threads: int


class ProblemRow(BaseModel):
    """What is wrong, in one sentence. The id is in the server's log.

    `confirm`: what a change would do that is made only where the request says so.
    """

    model_config = _given(
        {
            "type": "about:blank",
            "title": "Not Found",
            "status": 404,
            "detail": "There is no product 'braket'. Did you mean 'bracket'?",
            "id": "3f9a0c51d2e7",
        }
    )
    type: str
    title: str
    status: int
    detail: str
    id: str
    confirm: Effect | None = None
