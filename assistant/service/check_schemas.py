"""The JSON of check sets and of limits from unlabelled parts: what may be asked, and what comes back."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field

from assistant.detection.check_set import ESCAPE_COST, Outcome
from assistant.inspection import Verdict
from assistant.records.proposal import Bin
from assistant.records.what_if import Effect
from assistant.service.schemas import EXAMPLES, PictureIn

_PIXEL = cast(Any, PictureIn.model_config["json_schema_extra"])["examples"][0]


def _asked(example: dict[str, Any]) -> ConfigDict:
    return ConfigDict(extra="forbid", strict=True, json_schema_extra={"examples": [example]})


def _given(example: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [example]})


class CheckOptions(BaseModel):
    """`escape_cost`: what a bad part called good costs, in good ones called defective. `apply`: keep the best.

    `choose`: try other views, alignment and layers on the parts, too.
    """

    model_config = _asked({"escape_cost": 5.0})
    escape_cost: Annotated[float, Field(gt=0, le=1e6)] = ESCAPE_COST
    choose: bool = False
    apply: bool = False


class CheckBody(CheckOptions):
    """Parts that are known to be good, and parts that are known to be bad."""

    model_config = _asked({"good": [_PIXEL], "bad": [_PIXEL]})
    good: Annotated[list[PictureIn], Field(min_length=1)]
    bad: Annotated[list[PictureIn], Field(min_length=1)]


class RecalibrateOptions(BaseModel):
    """`apply`: keep the limits that are found, which can be undone; else they are only shown."""

    model_config = _asked({"apply": False})
    apply: bool = False


class RecalibrateBody(RecalibrateOptions):
    """Parts that nobody sorted, at most a fifth of them defective; none takes those that were inspected lately."""

    model_config = _asked({"parts": [_PIXEL]})
    parts: list[PictureIn] = []


_SHARE = {"count": 1, "of": 30, "low": 0.0017, "high": 0.149}
_OUTCOME = {
    "name": "now",
    "threshold": 0.24,
    "review_threshold": 0.22,
    "overkill": _SHARE,
    "escape": {"count": 0, "of": 12, "low": 0.0, "high": 0.221},
    "review": {"count": 4, "of": 42, "low": 0.0331, "high": 0.2046},
}
_PART = {"truth": "good", "path": "part.png", "verdict": "good", "score": 0.19}
_CHECK = {
    "now": _OUTCOME,
    "recommended": _OUTCOME | {"name": "recommended"},
    "tried": [_OUTCOME],
    "escape_cost": 5.0,
    "parts": [_PART],
    "unread": [],
    "choice": None,
    "kept": None,
}
_CHOICE = {
    "chosen": "turned",
    "best": "turned",
    "auroc": {"as now": 0.88, "mirrored": 0.91, "turned": 0.97, "anywhere": 0.86},
    "gain": 0.08,
    "low": 0.02,
    "high": 0.14,
    "good": 30,
    "bad": 12,
    "reason": "turned ranks parts better that were held out when it was chosen",
    "left_out": ["More tiles were not tried: give the reference pictures for that."],
}
_PROPOSAL = {
    "product": "bracket",
    "parts": 200,
    "left_out": 0,
    "origin": "estimated for 5 % false alarms from 200 unlabelled parts, taken as mostly good",
    "would_be": {"good": 160, "review": 28, "defect": 12},
    "effect": EXAMPLES["Effect"],
    "bins": [{"low": 0.18, "high": 0.2, "parts": 96}],
    "kept": None,
}


class CheckedPart(BaseModel):
    """A part of a check set, what it is, and what the limits of now call it."""

    model_config = _given(_PART)
    truth: Literal["good", "bad"]
    path: str
    verdict: Verdict
    score: float


class UnreadPart(BaseModel):
    """A part that could not be read, and counts nowhere."""

    model_config = _given({"path": "broken.png", "error": "The picture cannot be read."})
    path: str
    error: str


class Choice(BaseModel):
    """Which way to look at a product was chosen, "as now" where none is better for sure; `reason` says why.

    `auroc`: how often a bad part scores above a good one in every way that was tried. `gain`: the AUROC that
    choosing so brought on parts held out, from `low` to `high` with 90 % confidence.
    """

    model_config = _given(_CHOICE)
    chosen: str
    best: str
    auroc: dict[str, float]
    gain: float
    low: float
    high: float
    good: int
    bad: int
    reason: str
    left_out: list[str]


class CheckRow(BaseModel):
    """What a check set shows: shares have the interval that they lie in with 90 % confidence.

    `recommended` are the limits that cost least on these very parts, in the way of `choice`, which is null where
    nobody asked. `kept`: what it changed, null for nothing.
    """

    model_config = _given(_CHECK)
    now: Outcome
    recommended: Outcome
    tried: list[Outcome]
    escape_cost: float
    parts: list[CheckedPart]
    unread: list[UnreadPart]
    choice: Choice | None
    kept: Effect | None


class ProposalRow(BaseModel):
    """Limits that unlabelled parts suggest: what would become of these parts, and a histogram of their scores."""

    model_config = _given(_PROPOSAL)
    product: str
    parts: int
    left_out: int
    origin: str
    would_be: dict[str, int]
    effect: Effect
    bins: list[Bin]
    kept: Effect | None
