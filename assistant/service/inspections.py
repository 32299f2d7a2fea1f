"""/v1/inspect and /v1/inspections: pictures in, rows out, and the rows again later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from assistant.errors import LooktwiceError
from assistant.inspection import EARLIER_NAMES, Inspection, present_name
from assistant.records import entries as record
from assistant.service.access import Operator, Served
from assistant.service.disconnects import wait_for_all
from assistant.service.documents import takes_pictures
from assistant.service.gathering import How, QueueFull, Task
from assistant.service.problems import Problem, busy, failure_sentence, one_sentence
from assistant.service.records import Kept
from assistant.service.schemas import InspectBody, InspectionRow, InspectionRows, InspectOptions, When
from assistant.service.state import Service
from assistant.service.uploads import Picture, Upload, read_upload

router = APIRouter(tags=["inspections"])

MOST_ROWS = 200
FARTHEST = 1_000_000


@router.post(
    "/v1/inspect", openapi_extra=takes_pictures(InspectOptions, InspectBody), response_model=InspectionRows
)
async def inspect(request: Request, response: Response, service: Served, caller: Operator) -> InspectionRows:
    """Inspect one or more pictures; one that cannot be read becomes a row with status "error"."""
    upload = await read_upload(request, InspectOptions, InspectBody, service.settings.most_pictures)
    if upload.options.mode in EARLIER_NAMES:
        response.headers["Warning"] = "299 - \"Mode 'batch' is called 'mutual' now.\""
    pictures = upload.pictures["pictures"]
    found = await _find(request, service, upload)
    lot = upload.options.lot
    ids = await run_in_threadpool(lambda: [service.records.add(row, lot) for row in found])
    for row in found:
        service.metrics.note_picture(row.verdict or "error")
    rows = zip(ids, found, [lot] * len(pictures), strict=True)
    return InspectionRows(inspections=[row_of(id, row, lot) for id, row, lot in rows])


@router.get("/v1/inspections", response_model=InspectionRows)
async def list_inspections(
    service: Served,
    caller: Operator,
    product: Annotated[str | None, Query(max_length=80)] = None,
    verdict: Annotated[record.Found | None, Query()] = None,
    since: Annotated[When | None, Query(description="From then on; UTC where no zone is given.")] = None,
    until: Annotated[When | None, Query(description="Before then.")] = None,
    lot: Annotated[str | None, Query(max_length=80)] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 50,
    offset: Annotated[int, Query(ge=0, le=FARTHEST)] = 0,
) -> InspectionRows:
    """Earlier inspections that fit all that is given, the newest first."""
    query = record.Query(product, (verdict,) if verdict else (), since, until, lot)
    kept = await run_in_threadpool(service.records.find, query, limit, offset)
    return InspectionRows(inspections=[row_of(one.id, one.inspection, one.lot) for one in kept])


@router.get("/v1/inspections/{id}", response_model=InspectionRow)
async def get_inspection(
    id: Annotated[str, Path(max_length=80)], service: Served, caller: Operator
) -> InspectionRow:
    """One earlier inspection."""
    kept = await run_in_threadpool(find_kept, service, id)
    return row_of(kept.id, kept.inspection, kept.lot)


def find_kept(service: Service, id: str) -> Kept:
    """A kept inspection; Problem where there is none."""
    kept = service.records.get(id)
    if kept is None:
        raise Problem(404, f"There is no inspection {id[:80]!r}")
    return kept


def row_of(id: str, inspection: Inspection, lot: str | None) -> InspectionRow:
    """An inspection as it is sent."""
    row: dict[str, Any] = inspection.to_dict()
    return InspectionRow.model_validate({**row, "id": id, "lot": lot})


async def _find(request: Request, service: Service, upload: Upload[InspectOptions]) -> list[Inspection]:
    """One Inspection a picture, named as the pictures are."""
    options, pictures = upload.options, upload.pictures["pictures"]
    product = await run_in_threadpool(service.shelf.get, options.product) if options.product else None
    how = How(product, present_name(options.mode), options.target_false_alarm)
    _check(how)
    sound = [picture for picture in pictures if not picture.fault]
    files = [tuple(p.data for p in sound)] if how.mode == "mutual" else [(p.data,) for p in sound]
    try:
        futures = service.batcher.submit([Task(some, how) for some in files if some])
    except QueueFull:
        raise busy("Too many pictures are waiting") from None
    results = await wait_for_all(request, futures)
    rows = iter(_settle(results, [len(some) for some in files if some]))
    return [_named(picture, None if picture.fault else next(rows)) for picture in pictures]


def _check(how: How) -> None:
    """Problem where mode and product do not go together, before anything waits for it."""
    if how.mode == "few-shot" and how.product is None:
        raise Problem(422, "Mode 'few-shot' needs a product")
    if how.mode in ("zero-shot", "mutual") and how.product is not None:
        raise Problem(422, f"Mode {how.mode!r} uses no product: leave out the product or the mode")


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


def _named(picture: Picture, found: Inspection | None) -> Inspection:
    if found is None:
        found = Inspection(picture.name, "error", picture.fault)
    if found.status == "error":
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return replace(found, path=picture.name, error=one_sentence(found.error or ""), created=now)
    return replace(found, path=picture.name)
