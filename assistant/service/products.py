"""/v1/products: what was learned, taught further, set and forgotten. Operators may look, engineers may change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Annotated, TypeVar
from urllib.parse import quote

import numpy as np
from fastapi import APIRouter, Path, Query, Request, Response
from numpy.typing import NDArray
from starlette.concurrency import run_in_threadpool

from assistant.detection.calibration import Calibration
from assistant.errors import HistoryError
from assistant.images.masks import load_mask
from assistant.inspection import Inspection
from assistant.products.config import LearnConfig
from assistant.products.product import Product
from assistant.products.summary import ProductDetail, detail_of
from assistant.products.teaching import DoubtfulTeaching
from assistant.products.ways import Chosen
from assistant.records.proposal import judged_alike, propose
from assistant.records.what_if import MOST_RECENT, Effect, asked_of, describe, other_limits, what_if
from assistant.service.access import Engineer, Operator, Served
from assistant.service.bodies import read_json
from assistant.service.callers import Caller
from assistant.service.check_schemas import (
    CheckBody,
    CheckOptions,
    CheckRow,
    ProposalRow,
    RecalibrateBody,
    RecalibrateOptions,
)
from assistant.service.disconnects import wait_for_one
from assistant.service.documents import takes_json, takes_pictures
from assistant.service.inspections import look_up
from assistant.service.problems import Problem
from assistant.service.records import StoredInspection
from assistant.service.schemas import (
    ChangedProduct,
    LearnBody,
    LearnOptions,
    ProductRows,
    StreamStates,
    TargetBody,
    TeachBody,
    TeachOptions,
)
from assistant.service.state import Service
from assistant.service.uploads import Picture, Upload, read_upload

router = APIRouter(tags=["products"])

Name = Annotated[str, Path(max_length=200, description="The name of a product.")]
T = TypeVar("T")


@router.get("/v1/products", response_model=ProductRows)
async def list_products(service: Served, caller: Operator) -> ProductRows:
    """All products in short."""
    return ProductRows(products=await run_in_threadpool(service.products.summaries))


@router.get("/v1/products/{id}", response_model=ProductDetail)
async def get_product(id: Name, service: Served, caller: Operator) -> ProductDetail:
    """One product with what it holds."""
    return detail_of(await run_in_threadpool(service.products.get, id))


@router.get("/v1/products/{id}/what-if", response_model=Effect)
async def try_limits(
    id: Name,
    service: Served,
    caller: Operator,
    target_false_alarm: Annotated[float | None, Query(ge=1e-6, le=0.5)] = None,
    threshold: Annotated[float | None, Query(gt=0, le=1e6, description="A score in place of the limit.")] = None,
) -> Effect:
    """What recent inspections would have become by another target or another limit; nothing is changed."""
    product = await run_in_threadpool(service.products.get, id)
    other = other_limits(product, target_false_alarm, threshold)
    return what_if(product, other, await _recent(service, product))


@router.get("/v1/products/{id}/drift", response_model=StreamStates)
async def get_drift(id: Name, service: Served, caller: Operator) -> StreamStates:
    """Whether the limits still fit what was inspected since they were set, by group."""
    product = await run_in_threadpool(service.products.get, id)
    return StreamStates(streams=await look_up(service, lambda: service.drift.states(product)))


@router.post(
    "/v1/products",
    status_code=201,
    openapi_extra=takes_pictures(LearnOptions, LearnBody),
    response_model=ProductDetail,
)
async def learn_product(request: Request, response: Response, service: Served, caller: Engineer) -> ProductDetail:
    """Learn a product from good pictures, all of which must be readable; its name must be free."""
    upload = await read_upload(request, LearnOptions, LearnBody, service.settings.most_pictures)
    product = await _do_in_turn(request, service, lambda: _learn(service, caller, upload))
    response.headers["Location"] = f"/v1/products/{quote(product.name)}"
    return detail_of(product)


@router.delete("/v1/products/{id}", status_code=204, response_class=Response)
async def delete_product(id: Name, request: Request, service: Served, caller: Engineer) -> Response:
    """Forget a product."""
    await request.body()
    await _do_in_turn(request, service, lambda: service.products.delete(id, caller.actor))
    return Response(status_code=204)


@router.patch("/v1/products/{id}", openapi_extra=takes_json(TargetBody), response_model=ChangedProduct)
async def set_target(id: Name, request: Request, service: Served, caller: Engineer) -> ChangedProduct:
    """Set the share of good pictures that may be called defective. It can be undone."""
    target = (await read_json(request, TargetBody)).content.target_false_alarm
    return await _change(request, service, caller, id, lambda p: service.inspector.teacher.retarget(p, target))


@router.post(
    "/v1/products/{id}/references",
    openapi_extra=takes_pictures(TeachOptions, TeachBody),
    response_model=ChangedProduct,
)
async def teach_product(id: Name, request: Request, service: Served, caller: Engineer) -> ChangedProduct:
    """Teach a product more good parts or known defects: all the pictures or, where one is unfit, none.

    A good part that scores far above the limit needs `confirm`; the problem 409 says what it would do.
    """
    upload = await read_upload(request, TeachOptions, TeachBody, service.settings.most_pictures)
    options, mask = upload.options, upload.one("mask")
    if options.kind == "good" and (options.label is not None or mask is not None):
        raise Problem(422, "A label and a mask belong to a defect, and a good part has none")
    if mask is not None and len(upload.pictures["pictures"]) != 1:
        raise Problem(422, "A mask belongs to one picture: teach the defects one by one")

    def teach(product: Product) -> Product:
        pictures = (picture.named() for picture in upload.pictures["pictures"])
        return service.inspector.teach(
            product, pictures, options.kind, label=options.label, mask=_mask(mask), confirm=options.confirm
        )

    try:
        return await _change(request, service, caller, id, teach)
    except DoubtfulTeaching as doubt:
        effect = what_if(doubt.before, doubt.after.calibration, await _recent(service, doubt.before))
        sentence = f"{doubt} {describe(effect)} Nothing was changed; with confirm it is taught all the same"
        raise Problem(409, sentence, more={"confirm": asdict(effect)}) from doubt


@router.post(
    "/v1/products/{id}/check", openapi_extra=takes_pictures(CheckOptions, CheckBody), response_model=CheckRow
)
async def check_product(id: Name, request: Request, service: Served, caller: Engineer) -> CheckRow:
    """How a product judges known good and bad parts, and what other limits would do; `apply` keeps the best."""
    upload = await read_upload(request, CheckOptions, CheckBody, service.settings.most_pictures)
    good, bad = ([one.named() for one in upload.pictures[kind]] for kind in ("good", "bad"))
    seen = await run_in_threadpool(service.products.get, id)
    cost, chosen = upload.options.escape_cost, None
    if upload.options.choose:
        chosen = await _do_in_turn(request, service, lambda: service.inspector.choose(seen, good, bad))
        if upload.options.apply:
            seen = await _take_way(request, service, caller, seen, chosen)
        elif chosen.product:
            seen = chosen.product
    found = await _do_in_turn(request, service, lambda: service.inspector.check(seen, good, bad, cost))
    kept = None
    if upload.options.apply and found.better.limits != found.now.limits:
        by = f"by {len(found.good)} good and {len(found.bad)} bad parts"
        kept = await _keep(request, service, caller, seen, found.calibrated, by)
    choice = chosen.to_dict() if chosen else None
    return CheckRow.model_validate(found.to_dict() | {"choice": choice, "kept": kept})


@router.post(
    "/v1/products/{id}/recalibrate",
    openapi_extra=takes_pictures(RecalibrateOptions, RecalibrateBody),
    response_model=ProposalRow,
)
async def recalibrate_product(id: Name, request: Request, service: Served, caller: Engineer) -> ProposalRow:
    """The limits that unlabelled parts suggest, or those inspected lately; `apply` keeps them."""
    upload = await read_upload(request, RecalibrateOptions, RecalibrateBody, service.settings.most_pictures)
    seen = await run_in_threadpool(service.products.get, id)
    bad: list[Inspection] = []
    if pictures := [one.named() for one in upload.pictures["parts"]]:
        parts = await _do_in_turn(request, service, lambda: service.inspector.inspect(pictures, seen))
    else:
        rows = await _recent_rows(service, seen)
        parts = judged_alike(seen, [row.inspection for row in rows])
        bad = [row.inspection for row in rows if row.sign_off and row.sign_off.decision == "defect"]
    found = propose(seen, parts, service.inspector.teacher.prior(), bad)
    kept = None
    if upload.options.apply:
        kept = await _keep(request, service, caller, seen, found.calibration, found.name)
    return ProposalRow.model_validate(found.to_dict() | {"kept": kept})


@router.delete("/v1/products/{id}/references/{reference}", response_model=ChangedProduct)
async def remove_reference(
    id: Name,
    reference: Annotated[int, Path(ge=0, le=1_000_000_000)],
    request: Request,
    service: Served,
    caller: Engineer,
) -> ChangedProduct:
    """Take a reference or a known defect away."""

    def remove(product: Product) -> Product:
        ids = {one.id for one in product.references} | {one.id for one in product.known.defects}
        if reference not in ids:
            raise Problem(404, f"The product {id!r} has nothing with the id {reference}")
        return service.inspector.teacher.remove(product, reference)

    await request.body()
    return await _change(request, service, caller, id, remove)


def _learn(service: Service, caller: Caller, upload: Upload[LearnOptions]) -> Product:
    options = upload.options

    def make() -> Product:
        config = LearnConfig(
            views=options.views,
            tiles=options.tiles,
            memory=options.memory,
            aligned=options.aligned,
            registered=options.registered,
            roi=_mask(upload.one("roi")),
            ignore=_mask(upload.one("ignore")),
            target_false_alarm=options.target_false_alarm,
            window=options.window,
            counts=(options.counts,),
        )
        references = [picture.named() for picture in upload.pictures["references"]]
        return service.inspector.learn(options.name, references, config)

    return service.products.learn(options.name, make, caller.actor)


async def _change(
    request: Request, service: Service, caller: Caller, name: str, how: Callable[[Product], Product]
) -> ChangedProduct:
    """The product after a change, with what that makes of recent inspections."""
    before: list[Product] = []

    def follow(product: Product) -> Product:
        before.append(product)
        return how(product)

    after = await _do_in_turn(request, service, lambda: service.products.change(name, follow, caller.actor))
    effect = what_if(before[-1], after.calibration, await _recent(service, before[-1]))
    return ChangedProduct(**vars(detail_of(after)), effect=effect)


async def _keep(
    request: Request, service: Service, caller: Caller, seen: Product, limits: Calibration, by: str
) -> Effect:
    """What it does to keep limits that were worked out for `seen`; Problem where that has changed since."""

    def keep(product: Product) -> Product:
        if product.seal != seen.seal:
            raise Problem(409, f"The product {seen.name!r} was changed meanwhile: ask again")
        return service.inspector.teacher.keep_limits(product, limits, by)

    return (await _change(request, service, caller, seen.name, keep)).effect


async def _take_way(request: Request, service: Service, caller: Caller, seen: Product, chosen: Chosen) -> Product:
    """The product in the way that was chosen for `seen`; Problem where that has changed since."""
    if chosen.product is None:
        return seen

    def take(product: Product) -> Product:
        if product.seal != seen.seal:
            raise Problem(409, f"The product {seen.name!r} was changed meanwhile: ask again")
        return chosen.follow(product)

    await _change(request, service, caller, seen.name, take)
    return await run_in_threadpool(service.products.get, seen.name)


async def _recent(service: Service, product: Product) -> list[Inspection]:
    """The newest inspections of a product; none where the records are away, which stops no change."""
    return [one.inspection for one in await _recent_rows(service, product)]


async def _recent_rows(service: Service, product: Product) -> Sequence[StoredInspection]:
    try:
        return await look_up(service, lambda: service.records.find(asked_of(product), MOST_RECENT))
    except (Problem, HistoryError):
        return ()


async def _do_in_turn(request: Request, service: Service, work: Callable[[], T]) -> T:
    """Do something in the one thread that changes products."""
    return await wait_for_one(request, service.changing_thread.submit(work))


def _mask(picture: Picture | None) -> NDArray[np.bool_] | None:
    if picture is None:
        return None
    return load_mask(picture.checked(), name=picture.name)
