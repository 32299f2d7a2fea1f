"""/v1/inspect and /v1/inspections: pictures in, rows out, and the rows again later."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from assistant.errors import LooktwiceError
from assistant.inspection import EARLIER_NAMES, Inspection, Outcome, present_name, rank_unrated
from assistant.outlines import outlines_of
from assistant.products.pairs import draw_pairs
from assistant.products.product import Product
from assistant.products.summary import ProductRow
from assistant.records import entries
from assistant.records.agreement import SignOff
from assistant.records.drift import in_group, stream_of
from assistant.records.entries import check_group
from assistant.records.what_if import judged_earlier
from assistant.service.access import Operator, Served
from assistant.service.disconnects import wait_for_all
from assistant.service.documents import takes_pictures
from assistant.service.gathering import InspectArguments, QueueFull, Task
from assistant.service.problems import Problem, busy, failure_sentence, one_sentence
from assistant.service.records import StoredInspection
from assistant.service.schemas import InspectBody, InspectionRow, InspectionRows, InspectOptions, When
from assistant.service.state import Service
from assistant.service.uploads import Picture, Upload, read_upload
from assistant.service.waiting import PREFIX

router = APIRouter(tags=["inspections"])
T = TypeVar("T")

MOST_ROWS = 200
_RENAMED = "299 - \"Mode 'batch' is called 'mutual' now.\""
_WAITING = '299 - "The history does not answer: what was found is kept as soon as it does."'
FARTHEST = 1_000_000


@router.post(
    "/v1/inspect", openapi_extra=takes_pictures(InspectOptions, InspectBody), response_model=InspectionRows
)
async def inspect(request: Request, response: Response, service: Served, caller: Operator) -> InspectionRows:
    """Inspect one or more pictures; one that cannot be read becomes a row with status "error"."""
    upload = await read_upload(request, InspectOptions, InspectBody, service.settings.most_pictures)
    warnings = [_RENAMED] if upload.options.mode in EARLIER_NAMES else []
    found, pairs = await _inspect(request, service, upload)
    inspections = await _watch(service, found, upload.options.group)
    lot = upload.options.lot
    ids = await run_in_threadpool(lambda: [service.records.add(row, lot) for row in inspections])
    for row in inspections:
        service.metrics.note_picture(row.outcome)
    if any(id.startswith(PREFIX) for id in ids):
        warnings.append(_WAITING)
    if warnings:
        response.headers["Warning"] = ", ".join(warnings)
    shapes: list[dict[str, Any]] = [{} for _ in inspections]
    if upload.options.outlines:
        shapes = await run_in_threadpool(lambda: list(map(_polygons, inspections)))
    fresh = (
        row_of(id, row, lot, False if row.product else None, pairs=drawn, outlines=shape)
        for id, row, drawn, shape in zip(ids, inspections, pairs, shapes, strict=True)
    )
    return InspectionRows(inspections=list(fresh))


@router.get("/v1/inspections", response_model=InspectionRows)
async def list_inspections(
    service: Served,
    caller: Operator,
    product: Annotated[str | None, Query(max_length=80)] = None,
    verdict: Annotated[Outcome | None, Query()] = None,
    since: Annotated[When | None, Query(description="From then on; UTC where no zone is given.")] = None,
    until: Annotated[When | None, Query(description="Before then.")] = None,
    lot: Annotated[str | None, Query(max_length=entries.LONGEST_LOT)] = None,
    signed: Annotated[entries.Signed | None, Query(description="Whether it is signed off, or as what.")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 50,
    offset: Annotated[int, Query(ge=0, le=FARTHEST)] = 0,
) -> InspectionRows:
    """Earlier inspections that fit all that is given, the newest first."""
    query = entries.Query(product, (verdict,) if verdict else (), since, until, lot, signed=signed)
    kept = await look_up(service, lambda: service.records.find(query, limit, offset))
    states = await run_in_threadpool(_states_of, service, kept)
    return InspectionRows(inspections=[_any_row_of(one, states) for one in kept])


@router.get("/v1/inspections/{id}", response_model=InspectionRow)
async def get_inspection(
    id: Annotated[str, Path(max_length=80)], service: Served, caller: Operator
) -> InspectionRow:
    """One earlier inspection."""
    kept = await find_kept(service, id)
    return _any_row_of(kept, await run_in_threadpool(_states_of, service, [kept]))


async def _watch(service: Service, inspections: list[Inspection], group: str | None) -> list[Inspection]:
    """The inspections in their group, with notices where limits have stopped fitting, if the records answer."""
    grouped = list(in_group(inspections, check_group(group or "")))
    if not any(map(stream_of, grouped)):
        return grouped
    try:
        return await look_up(service, lambda: list(map(service.drift.see, grouped)))
    except Problem:
        return grouped


async def look_up(service: Service, work: Callable[[], T]) -> T:
    """What the records say; Problem where they do not answer in time. Other requests do not wait for it."""
    asked = asyncio.wrap_future(service.reading_threads.submit(work))
    try:
        return await asyncio.wait_for(asked, service.settings.records_seconds)
    except TimeoutError:
        raise busy("The records do not answer") from None


async def find_kept(service: Service, id: str) -> StoredInspection:
    """A kept inspection; Problem where there is none."""
    kept = await look_up(service, lambda: service.records.get(id))
    if kept is None:
        raise Problem(404, f"There is no inspection {id[:80]!r}")
    return kept


def row_of(
    id: str,
    inspection: Inspection,
    lot: str | None,
    outdated: bool | None = None,
    sign_off: SignOff | None = None,
    pairs: Mapping[str, str] | None = None,
    outlines: Mapping[str, Any] | None = None,
) -> InspectionRow:
    """An inspection as it is sent; ValidationError for one that no version can have made."""
    beside = {"id": id, "lot": lot, "outdated": outdated, "sign_off": vars(sign_off) if sign_off else None}
    if pairs:
        beside["pairs"] = dict(pairs)
    if outlines:
        beside["outlines"] = dict(outlines)
    return InspectionRow.model_validate(inspection.to_dict() | beside)


def _states_of(service: Service, kept: Sequence[StoredInspection]) -> dict[str, ProductRow]:
    """The products that some inspections were judged with, in short, as they are now; those that can be read."""
    names = {one.inspection.product for one in kept}
    states = {name: service.products.summary(name) for name in names if name}
    return {name: state for name, state in states.items() if state and not state.error}


def _any_row_of(kept: StoredInspection, states: Mapping[str, ProductRow]) -> InspectionRow:
    """As `row_of`; what makes no sense, in a store that was damaged, becomes a row with that error."""
    inspection = kept.inspection
    state = states.get(inspection.product or "")
    try:
        outdated = judged_earlier(inspection, state) if state else None
        return row_of(kept.id, inspection, kept.lot, outdated, kept.sign_off)
    except ValidationError:
        unread = Inspection(f"inspection {kept.id}", "error", f"The inspection {kept.id} is damaged.")
        return row_of(kept.id, unread, None)


async def _inspect(
    request: Request, service: Service, upload: Upload[InspectOptions]
) -> tuple[list[Inspection], list[dict[str, str]]]:
    """One Inspection a picture, named as the pictures are, and its regions beside good parts where asked for."""
    options, pictures = upload.options, upload.pictures["pictures"]
    product = await run_in_threadpool(service.products.get, options.product) if options.product else None
    arguments = InspectArguments(
        product,
        present_name(options.mode),
        options.target_false_alarm,
        options.zero_shot_limits,
        options.window,
    )
    _check(arguments)
    sound = [picture for picture in pictures if not picture.fault]
    files = [tuple(p.data for p in sound)] if arguments.mode == "mutual" else [(p.data,) for p in sound]
    try:
        gatherer = service.comparer if arguments.mode == "mutual" else service.gatherer
        tasks = [Task(some, arguments) for some in files if some]
        futures = await run_in_threadpool(gatherer.submit, tasks)
    except QueueFull:
        raise busy("Too many pictures are waiting") from None
    results = await wait_for_all(request, futures)
    rows = iter(_settle(results, [len(some) for some in files if some]))
    found = [None if picture.fault else next(rows) for picture in pictures]
    named = [_named(picture, row) for picture, row in zip(pictures, found, strict=True)]
    pairs: list[dict[str, str]] = [{} for _ in found]
    if options.pairs and product:
        pairs = await run_in_threadpool(lambda: [_encode_pairs(row, product) if row else {} for row in found])
    return rank_unrated(named), pairs  # pictures of other requests were looked at in the same call


def _polygons(inspection: Inspection) -> dict[str, Any]:
    """The outlines of regions by their ids: points (x, y) in pixels of the displayed picture."""
    return {shape.region.id: shape.polygon.round(2).tolist() for shape in outlines_of(inspection)}


def _encode_pairs(inspection: Inspection, product: Product) -> dict[str, str]:
    """The regions of a picture beside good parts: PNG files in base64, by their ids."""
    encoded = {}
    for region, drawn in draw_pairs(inspection, product).items():
        file = io.BytesIO()
        drawn.save(file, "PNG")
        encoded[region] = base64.b64encode(file.getvalue()).decode()
    return encoded


def _check(arguments: InspectArguments) -> None:
    """Problem where mode and product do not go together, before anything waits for it."""
    if arguments.mode == "few-shot" and arguments.product is None:
        raise Problem(422, "Mode 'few-shot' needs a product")
    if arguments.mode in ("zero-shot", "mutual") and arguments.product is not None:
        raise Problem(422, f"Mode {arguments.mode!r} uses no product: leave out the product or the mode")
    if arguments.product is not None and arguments.window is not None:
        raise Problem(422, "A product has a window of its own: leave out bit_depth, black and white")


def _settle(results: Sequence[list[Inspection] | BaseException], sizes: Sequence[int]) -> list[Inspection]:
    """The rows of all tasks in order; the error of the request, where it is one that all pictures share."""
    errors = [result for result in results if isinstance(result, BaseException)]
    refusal = next((error for error in errors if isinstance(error, LooktwiceError)), None)
    if refusal or (errors and len(errors) == len(results)):
        raise refusal or errors[0]
    rows: list[Inspection] = []
    for result, size in zip(results, sizes, strict=True):
        if isinstance(result, BaseException):
            rows += [Inspection("the picture", "error", failure_sentence(result))] * size
        else:
            rows += result
    return rows


def _named(picture: Picture, inspection: Inspection | None) -> Inspection:
    if inspection is None:
        inspection = Inspection(picture.name, "error", picture.fault)
    if inspection.status == "error":
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return replace(inspection, path=picture.name, error=one_sentence(inspection.error or ""), created=now)
    return replace(inspection, path=picture.name, judged=None)
