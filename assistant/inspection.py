"""The one result type that everything speaks: an `Inspection` of a picture, with its `Region`s.

It is frozen evidence. Detectors make it, explanations and screens read it, nothing changes it. It knows
nothing about models or widgets; how it is shown in a notebook is `overlay`'s.
"""

from __future__ import annotations

import dataclasses
import io
import json
import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from assistant.errors import ImageError, told
from assistant.images.geometry import Position, to_picture
from assistant.images.sources import shown_name
from assistant.images.window import Window

if TYPE_CHECKING:
    from PIL import Image

    from assistant.images.judged import JudgedPicture
    from assistant.images.load import LoadedImage, Source

SCHEMA = 1

Mode = Literal["zero-shot", "few-shot", "mutual"]
AskedMode = Literal["auto", "zero-shot", "few-shot", "mutual"]
Verdict = Literal["good", "review", "defect", "unrated"]
Outcome = Literal["good", "review", "defect", "unrated", "error"]
Severity = Literal["slight", "moderate", "severe", "unrated"]
Kind = Literal["strange", "missing", "count"]

_MEANINGS: dict[Kind, str] = {
    "strange": "",
    "missing": told("something is missing here"),
    "count": told("not the expected number here"),
}
"""What is said of a region by its kind, "" for nothing."""

UNRATED = told(
    "nothing is known of this product: give one to a few good parts as references, or inspect a whole lot together"
)
"""Why a picture is unrated, and what to do for a decision: the origin that its evidence names."""

EARLIER_NAMES = {"batch": "mutual"}
"""What modes and methods were called until 0.2: in rows that were kept then, and accepted for one release."""

UNKNOWN = "unknown"
"""The name of the type of a region that nothing in the vocabulary fits."""


@dataclass(frozen=True)
class DefectType:
    """A defect type that a region resembles; `probability` in [0, 1], for "unknown" that no guess is right.

    `source` is "vocabulary" for a word, and "known" for the label of a defect that was given as an example.
    """

    name: str
    probability: float
    source: Literal["vocabulary", "known"] = "vocabulary"


@dataclass(frozen=True)
class GoodPlace:
    """Where on a good part a region has its counterpart: the real answer to "why?".

    `id`, `name` and `digest` say which reference of the product. `box` is (x0, y0, x1, y1) in pixels of that
    reference as shown, x1 and y1 exclusive. `distance` is the mean cosine distance of the region's patches to
    those there, in [0, 2]. `moved` is by how many pixels of the reference, right and down, the box lies from the
    region's own place. Where parts are registered, all of it is in the frame that references are brought to.
    """

    id: int
    name: str
    digest: str
    box: tuple[int, int, int, int]
    distance: float
    moved: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        x0, y0, x1, y1 = self.box
        if not (0 <= x0 < x1 and 0 <= y0 < y1):
            raise ValueError(f"reference {self.id}: box {self.box} is empty or reversed")
        if not math.isfinite(self.distance):
            raise ValueError(f"reference {self.id}: distance is {self.distance}, which is not a finite number")

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> GoodPlace:
        """Rebuild from a row of JSON."""
        return cls(**{**row, "box": tuple(row["box"]), "moved": tuple(row.get("moved", (0, 0)))})


@dataclass(frozen=True)
class Region:
    """One connected place where the anomaly map rises above the limit.

    `id` is "R1", "R2", ... from the highest peak down. `box` is (x0, y0, x1, y1) in pixels of the displayed
    picture, x1 and y1 exclusive. `area` counts pixels, `area_fraction` divides by the picture's, in (0, 1].
    `peak` is the largest value of the anomaly map inside, in the same unit as the score. `severity` is "unrated"
    where the picture is. `defect_types` is ranked, labels of known defects first, and empty where there is none
    and the image tower cannot tell types apart. `reference` is its counterpart on a good part, None where there
    is no product, or its memory does not say where patches lie. `kind` is "missing" where parts lie alike and what
    good parts have there is nowhere around, while what is there is found elsewhere on them, or where a counted
    thing is not in its place; "count" for a zone, or a thing in it, whose number is not the expected one; else
    "strange".
    """

    id: str
    box: tuple[int, int, int, int]
    area: int
    area_fraction: float
    peak: float
    position: Position
    severity: Severity
    defect_types: tuple[DefectType, ...] = ()
    reference: GoodPlace | None = None
    kind: Kind = "strange"

    @property
    def meaning(self) -> str:
        """What its kind says for people, "" for one that is just strange."""
        return _MEANINGS[self.kind]

    @property
    def has_type(self) -> bool:
        """Whether something is known about the type of defect."""
        return bool(self.defect_types) and self.defect_types[0].name != UNKNOWN

    def __post_init__(self) -> None:
        x0, y0, x1, y1 = self.box
        if not (0 <= x0 < x1 and 0 <= y0 < y1):
            raise ValueError(f"region {self.id}: box {self.box} is empty or reversed")
        if not math.isfinite(self.peak):
            raise ValueError(f"region {self.id}: peak is {self.peak}, which is not a finite number")
        if self.position not in get_args(Position):
            raise ValueError(f"region {self.id}: no such position as {self.position!r}")
        if self.severity not in get_args(Severity):
            raise ValueError(f"region {self.id}: no such severity as {self.severity!r}")
        if self.kind not in get_args(Kind):
            raise ValueError(f"region {self.id}: no such kind as {self.kind!r}")


@dataclass(frozen=True)
class Count:
    """How many alike things lie in a zone that somebody drew, and how many were expected there.

    `counted` is None where it cannot be told.
    """

    zone: str
    expected: int
    counted: int | None

    @property
    def wrong(self) -> bool:
        """Whether it is known to be another number than expected."""
        return self.counted is not None and self.counted != self.expected

    def __str__(self) -> str:
        if self.counted is None:
            return told(f"zone {self.zone!r} cannot be counted for sure, {self.expected} expected")
        return told(f"zone {self.zone!r}: {self.counted} counted, {self.expected} expected")


@dataclass(frozen=True)
class Evidence:
    """Where a threshold comes from, so that a reader can judge how far to trust it.

    `method` names the rule (see `detection.calibration`), `origin` says it in one sentence. `n` is the number
    of different good pictures behind it, 0 for a built-in limit, and for none (method "none").
    `target_false_alarm` is the share of good pictures that the threshold is set to reject. `smallest_p` is
    1 / (n + 1): a p-value below it rests on the fitted curve and not on counting. `expected_rate` is the share of
    good pictures expected beyond the threshold, and `upper_rate` what counting alone promises at most, with 90 %
    confidence: 1 where it is not known.
    """

    method: str
    origin: str
    n: int
    target_false_alarm: float
    smallest_p: float
    expected_rate: float = 1.0
    upper_rate: float = 1.0


WHOLE_DIFFERS = told(
    "the picture as a whole differs from the references; by its strangest places alone the verdict would be milder"
)
"""The notice of an inspection whose verdict would be milder by the map alone."""

MISSING_HERE = told("something that the references have is missing, although nothing in the picture is strange")
"""The notice of an inspection that is for review by what is missing alone; its regions of that kind say where."""

NOTHING_SHOWN = told("nothing in it can be inspected")
"""How notices of pictures begin that are never good, whatever their score: they show nothing of the product."""


_LIMITS = ("p_value", "threshold", "review_threshold")
"""What an unrated picture has none of."""

_NUMBERS = ("score", "p_value", "threshold", "review_threshold", "width", "height", "scale")
"""What a picture that could not be read has none of."""

_UNWRITTEN = {"coarse_map", "judged"}


@dataclass(frozen=True)
class Inspection:
    """What was found in one picture, against what limit, and what was decided.

    `score` is the raw anomaly score (higher is stranger), never normalised over other pictures. The verdict
    is "defect" where score > threshold, "review" where score > review_threshold, else "good". `p_value`
    estimates how often a good picture scores this high. A picture that could not be read has status "error", a
    sentence in `error`, no verdict, NaN for every score and limit and 0 for its sizes, all of them null in JSON.

    Without references, other pictures or limits of one's own there is nothing to decide by: the verdict is
    "unrated", limits and `p_value` are NaN, null in JSON, and `evidence.origin` says what to do. `rank` is then
    (place, of how many) among the unrated pictures of a finished run, 1 being the strangest.

    `counts` are those of the zones in which a number of things is expected, left out of the JSON where there is
    none. A wrong one makes a defect, whatever the score is, since somebody stated that rule; one that cannot be
    told is for review.

    `coarse_map` is the anomaly map [h, w] float32 on the tower's grid, in the unit of the score; it covers
    the whole displayed picture of `width` x `height` pixels. `judged` is that picture, while it is held. Both are
    left out of the JSON. Where the picture as a
    whole differs from references that are alike, the score is higher than the map shows, and so are the peaks of
    regions; `notices` say so where it decides. `scale` is the pair of map values that the fixed colour scale of
    the product runs between. `window` is what the picture was read through, that of its product or of its batch;
    the JSON leaves it out where there is none, and so it does `group`, a word that somebody gave the camera, the
    light or the lot.
    """

    path: str
    status: Literal["ok", "error"] = "ok"
    error: str | None = None
    mode: Mode | None = None
    score: float = math.nan
    p_value: float = math.nan
    threshold: float = math.nan
    review_threshold: float = math.nan
    verdict: Verdict | None = None
    regions: tuple[Region, ...] = ()
    width: int = 0
    height: int = 0
    evidence: Evidence | None = None
    scale: tuple[float, float] = (0.0, 1.0)
    looks_like: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    bundle: str | None = None
    weights: str | None = None
    product: str | None = None
    references: int = 0
    created: str | None = None
    ms: float | None = None
    rank: tuple[int, int] | None = None
    window: Window | None = None
    group: str = ""
    counts: tuple[Count, ...] = ()
    schema: int = SCHEMA
    coarse_map: NDArray[np.float32] | None = field(default=None, compare=False, repr=False)
    judged: JudgedPicture | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.status == "error":
            if not self.error:
                raise ValueError("an inspection with status 'error' says what went wrong")
            return
        if self.status != "ok":
            raise ValueError(f"no such status as {self.status!r}")
        if self.mode not in get_args(Mode):
            raise ValueError(f"no such mode as {self.mode!r}")
        if self.verdict not in get_args(Verdict):
            raise ValueError(f"no such verdict as {self.verdict!r}")
        decided = () if self.verdict == "unrated" else _LIMITS
        for name in ("score", *decided):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not math.isfinite(value):
                raise ValueError(f"{name} is {value}, which is not a finite number")
        if not decided and not all(math.isnan(getattr(self, name)) for name in _LIMITS):
            raise ValueError("an unrated inspection has no limits and no p-value")

    def __repr__(self) -> str:
        name = shown_name(self.path)
        if self.status == "error":
            return f"<Inspection of {name}: error, {self.error}>"
        regions = f"{len(self.regions)} region{'' if len(self.regions) == 1 else 's'}"
        limits = f"score {self.score:.4g}"
        if self.verdict != "unrated":
            limits += f", limit {self.threshold:.4g}"
        elif self.rank:
            limits += f", {self.standing}"
        return f"<Inspection of {name}: {self.verdict}, {limits}, {regions}>"

    def overlay(self, picture: Source | None = None) -> Image.Image:
        """The picture with map, boxes and verdict drawn on it, see `draw_overlay`.

        Drawn on `picture`, by default on what was judged; ImageError where that is neither in memory nor in its
        file. A row read from JSON has no map: its boxes and its verdict are drawn.
        """
        from assistant.overlay import draw_from

        return draw_from(self, picture)

    def to_supervision(self, classes: Sequence[str] = ()) -> Any:
        """The regions as `supervision.Detections`: boxes, masks, names, and peaks as confidence.

        `xyxy` [N, 4] and `mask` [N, height, width] are in pixels of the displayed picture. `confidence` is the
        peak of each region in the unit of the score, no probability. `data` holds `class_name` (the likeliest type
        of defect, else the kind), `region`, `severity`, `kind`, and `is_box` where no map tells more than the box;
        `metadata` path, verdict, score and threshold. `class_id` counts the names of `classes`, and then others in
        the order in which they come, in this picture. LooktwiceError without supervision
        (`looktwice[annotations]`), and for a picture that could not be read.
        """
        from assistant.outlines import to_supervision

        return to_supervision(self, classes)

    def picture(self, source: Source | None = None) -> LoadedImage:
        """The picture as it was judged: from memory or, where it is not held any more, from where it lay.

        With `source`, that is read in its place. ImageError where it cannot be read, or has changed since.
        """
        from assistant.images.load import load_image

        if source is None and self.judged:
            return self.judged.get()
        return load_image(self.path if source is None else source, window=self.window)

    def _repr_html_(self) -> str:
        from assistant.overlay import to_html

        return to_html(self)

    def _repr_png_(self) -> bytes | None:
        file = io.BytesIO()
        try:
            self.overlay().save(file, "PNG")
        except ImageError:
            return None
        return file.getvalue()

    @property
    def anomaly_map(self) -> NDArray[np.float32]:
        """The anomaly map [height, width] float32 in pixels of the displayed picture."""
        if self.coarse_map is None or not self.width or not self.height:
            raise ValueError("this inspection carries no anomaly map (it was read from JSON or is an error)")
        return to_picture(self.coarse_map, self.width, self.height)

    @property
    def outcome(self) -> Outcome:
        """The verdict, or "error" for a picture that could not be read."""
        return self.verdict or "error"

    @property
    def standing(self) -> str:
        """The rank as people read it, "3 of 40"; "" where there is none."""
        return say_rank(self.rank)

    @property
    def by_curve(self) -> bool:
        """Whether the p-value is rarer than counting its good pictures can show: a fitted curve alone says it."""
        rests = self.evidence if self.verdict != "unrated" else None
        return bool(rests and rests.n and self.p_value < rests.smallest_p)

    def say_p(self, digits: int = 2) -> str:
        """The p-value as people read it: "0.04", or "0.0065 by the curve" where nothing was counted that far."""
        return f"{self.p_value:.{digits}g}{' by the curve' if self.by_curve else ''}"

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dict without the map; `from_dict` reverses it."""
        row = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in _UNWRITTEN}
        row["regions"] = [dataclasses.asdict(region) for region in self.regions]
        row["evidence"] = dataclasses.asdict(self.evidence) if self.evidence else None
        if self.window:
            row["window"] = self.window.to_dict()
        else:
            del row["window"]
        row["counts"] = [dataclasses.asdict(count) for count in self.counts]
        for name in ("group", "counts"):
            if not row[name]:
                del row[name]
        if self.status == "error":
            row |= dict.fromkeys(_NUMBERS)
        elif self.verdict == "unrated":
            row |= dict.fromkeys(_LIMITS)
        first = ("schema", "path", "status", "error", "mode", "score", "p_value", "threshold", "verdict")
        return {name: row[name] for name in first} | row

    def to_json(self) -> str:
        """One line of strict JSON: no NaN, no infinity."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_dict(cls, row: dict[str, Any]) -> Inspection:
        """Rebuild from `to_dict`; ValueError on a newer schema or an unknown key. Earlier names are brought up."""
        if row.get("schema") != SCHEMA:
            raise ValueError(f"schema {row.get('schema')!r} is not {SCHEMA}, the one this version reads")
        names = {f.name for f in dataclasses.fields(cls)} - _UNWRITTEN
        if unknown := sorted(set(row) - names):
            raise ValueError(f"unknown keys in an inspection: {', '.join(unknown)}")
        fields = dict(row)
        fields["regions"] = tuple(_region(r) for r in row.get("regions", ()))
        fields["mode"] = present_name(row.get("mode"))
        evidence = row.get("evidence")
        fields["evidence"] = (
            Evidence(**evidence | {"method": present_name(evidence["method"])}) if evidence else None
        )
        fields["window"] = Window.from_dict(row["window"]) if row.get("window") else None
        fields["counts"] = tuple(Count(**count) for count in row.get("counts", ()))
        for name in ("looks_like", "notices"):
            fields[name] = tuple(row.get(name, ()))
        for name in _NUMBERS:
            if fields.get(name) is None:
                fields.pop(name, None)  # a picture that could not be read, or is unrated
        for name in ("scale", "rank"):
            if fields.get(name) is not None:
                fields[name] = tuple(fields[name])
        return cls(**fields)

    @classmethod
    def from_json(cls, line: str) -> Inspection:
        """Rebuild from `to_json`."""
        return cls.from_dict(json.loads(line))


def judge_score(score: float, review_threshold: float, threshold: float) -> Verdict:
    """The verdict by a score and the two limits."""
    return "defect" if score > threshold else "review" if score > review_threshold else "good"


def judge_counts(verdict: Verdict, counts: Sequence[Count]) -> Verdict:
    """A verdict by the score, with what zones add: a wrong number is a defect, an untold one for review."""
    if verdict == "unrated":
        return verdict
    if any(count.wrong for count in counts):
        return "defect"
    return "review" if verdict == "good" and any(count.counted is None for count in counts) else verdict


def rank_score(score: float, scores: Sequence[float]) -> tuple[int, int] | None:
    """The rank of a score among the sorted scores of all unrated pictures of a run; None for a single one."""
    return (len(scores) - bisect_right(scores, score) + 1, len(scores)) if len(scores) > 1 else None


def rank_unrated(rows: Sequence[Inspection]) -> list[Inspection]:
    """The rows of a finished run, each unrated one with its `rank` in it."""
    scores = sorted(row.score for row in rows if row.verdict == "unrated")

    def place(row: Inspection) -> Inspection:
        return replace(row, rank=rank_score(row.score, scores)) if row.verdict == "unrated" else row

    return list(map(place, rows))


def say_rank(rank: tuple[int, int] | None) -> str:
    """A rank as "3 of 40"; "" where there is none."""
    return f"{rank[0]} of {rank[1]}" if rank else ""


def present_name(word: Any) -> Any:
    """A mode or method by its present name: "batch", as it was called until 0.2, is "mutual"."""
    return EARLIER_NAMES.get(word, word) if isinstance(word, str) else word


def _region(row: dict[str, Any]) -> Region:
    types = tuple(DefectType(**t) for t in row.get("defect_types", ()))
    reference = GoodPlace.from_dict(row["reference"]) if row.get("reference") else None
    return Region(**{**row, "box": tuple(row["box"]), "defect_types": types, "reference": reference})


@dataclass(frozen=True)
class Seen:
    """One line of what a language model sees by itself, which nothing has checked.

    `where` is the id of a region ("R1", of several pictures "P2.R1") or of a picture ("P2"), "whole" for all that
    was asked about, or "elsewhere". `sure` is the model's own word for it.
    """

    where: str
    text: str
    sure: Literal["clear", "maybe"] = "clear"


@dataclass(frozen=True)
class Answer:
    """Words about an inspection: `text`, the region ids it cites, and what planned it ("template", ...).

    `text` is checked: code made it from the record, in `language`, and so is `more`, the rest of it. `seen` is the
    model's own look, to be shown apart and never as checked, and `disagrees` what it says where its own look
    differs from the verdict, which stays as it is. `failed` tells that who was asked gave no whole answer; a
    notice says why.
    """

    text: str
    regions: tuple[str, ...] = ()
    source: str = "template"
    notices: tuple[str, ...] = ()
    seen: tuple[Seen, ...] = ()
    disagrees: str = ""
    failed: bool = False
    more: str = ""
    language: str = "en"

    @property
    def whole(self) -> str:
        """All that code worded: `text`, and `more`, which is folded away until somebody wants it."""
        return f"{self.text} {self.more}".strip()
