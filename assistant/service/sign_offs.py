"""/v1/inspections/{id}/sign-offs and /v1/agreement: what people decided about parts, beside the verdicts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.concurrency import run_in_threadpool

from assistant.errors import HistoryError, HistoryFault
from assistant.records import entries
from assistant.records.agreement import SignOff, current
from assistant.service.access import Operator, Served
from assistant.service.bodies import read_json
from assistant.service.callers import Caller
from assistant.service.documents import takes_json
from assistant.service.inspections import find_kept, look_up
from assistant.service.problems import Problem
from assistant.service.schemas import When
from assistant.service.sign_off_schemas import AgreementRow, SignerName, SignOffBody, SignOffRow, SignOffRows
from assistant.service.state import Service

router = APIRouter(tags=["sign-offs"])

Id = Annotated[str, Path(max_length=80)]


@router.post(
    "/v1/inspections/{id}/sign-offs",
    status_code=201,
    openapi_extra=takes_json(SignOffBody),
    response_model=SignOffRow,
)
async def sign_off(id: Id, request: Request, service: Served, caller: Operator) -> SignOffRow:
    """Sign a part off. Its verdict stays as it is; the newest sign-off of a part counts."""
    body = (await read_json(request, SignOffBody)).content
    name, kept = _signer(body.name, caller), await find_kept(service, id)
    given = await run_in_threadpool(
        service.records.sign,
        id,
        body.decision,
        body.reason,
        name,
        actor=caller.actor,
        log=service.inspector.store.log,
    )
    service.metrics.note_sign_off(kept.inspection.outcome, given.decision)
    return _row_of(given)


@router.get("/v1/inspections/{id}/sign-offs", response_model=SignOffRows)
async def list_sign_offs(id: Id, service: Served, caller: Operator) -> SignOffRows:
    """All sign-offs of a part, those that were withdrawn included."""
    await find_kept(service, id)
    return await _rows(service, id)


@router.delete("/v1/inspections/{id}/sign-offs/{sign_off}", response_model=SignOffRows)
async def withdraw_sign_off(
    id: Id,
    sign_off: Annotated[int, Path(ge=1, le=1_000_000_000)],
    request: Request,
    service: Served,
    caller: Operator,
    name: Annotated[SignerName | None, Query(description="Who withdraws it; by default the key's name.")] = None,
) -> SignOffRows:
    """Withdraw a sign-off. It stays to be seen, and the newest of the others counts."""
    await request.body()
    who, kept = _signer(name, caller), await find_kept(service, id)
    log = service.inspector.store.log
    try:
        await run_in_threadpool(service.records.withdraw, id, who, sign_off=sign_off, actor=caller.actor, log=log)
    except HistoryFault:
        raise
    except HistoryError as error:
        raise Problem(404, str(error)) from error
    service.metrics.note_sign_off(kept.inspection.outcome, "withdrawn")
    return await _rows(service, id)


@router.get("/v1/agreement", response_model=AgreementRow)
async def get_agreement(
    service: Served,
    caller: Operator,
    product: Annotated[str | None, Query(max_length=80)] = None,
    since: Annotated[When | None, Query(description="From then on; UTC where no zone is given.")] = None,
    until: Annotated[When | None, Query(description="Before then.")] = None,
    lot: Annotated[str | None, Query(max_length=entries.LONGEST_LOT)] = None,
) -> AgreementRow:
    """How many inspections of each verdict are signed off, and as what."""
    query = entries.Query(product, (), since, until, lot)
    return AgreementRow.of(await look_up(service, lambda: service.records.agreement(query)))


def _signer(name: str | None, caller: Caller) -> str:
    """Who signs; Problem where nobody is named and no key has a name."""
    if who := name or caller.name:
        return who
    raise Problem(422, "Say who signs off: send `name`, or a key")


async def _rows(service: Service, id: str) -> SignOffRows:
    given = await look_up(service, lambda: service.records.sign_offs(id))
    counts = current(given)
    return SignOffRows(sign_off=_row_of(counts) if counts else None, sign_offs=list(map(_row_of, given)))


def _row_of(one: SignOff) -> SignOffRow:
    return SignOffRow.model_validate(vars(one))
