"""The app: `create_app` puts routes, errors, limits and the OpenAPI document together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect

import assistant
from assistant.images.decoders import DECODERS
from assistant.inspector import Inspector
from assistant.products.live_store import MissingProduct, UnkeptProduct, UnusableProduct
from assistant.products.store import TakenName
from assistant.service import about, answers, inspections, products, sign_offs
from assistant.service.disconnects import ClientGone
from assistant.service.documents import document, methods_of, problem_responses
from assistant.service.gate import Gate
from assistant.service.keys import KeyRing
from assistant.service.problems import handle_problems, problem_response
from assistant.service.records import Records
from assistant.service.settings import ServiceSettings
from assistant.service.state import Service

DESCRIPTION = (
    "Finds defects it was never trained on, says where, and decides against a threshold that every "
    "result explains. Pictures come as files or in base64, never by address. Errors are problem JSON."
)


def create_app(
    inspector: Inspector,
    settings: ServiceSettings | None = None,
    *,
    keys: KeyRing | None = None,
    records: Records | None = None,
) -> FastAPI:
    """The service around an inspector, which is warm and is shared by all requests.

    Without `keys` every caller may do everything, so the app must then be reached from this machine only.
    `records` keeps the inspections, by default the last ones in memory. Changes to products go to the log of the
    inspector's store, with the name of the key.
    `app.state.service` is the `Service`, whose `drain` lets nothing new in.
    """
    service = Service(inspector, settings or ServiceSettings(), keys=keys, records=records)

    @asynccontextmanager
    async def live(app: FastAPI) -> AsyncIterator[None]:
        with DECODERS.guard(service.settings.decode_seconds or DECODERS.seconds):
            yield
            await run_in_threadpool(service.close)

    app = FastAPI(
        title="looktwice",
        version=assistant.__version__,
        description=DESCRIPTION,
        lifespan=live,
        docs_url=None,  # FastAPI's page of documents loads scripts from elsewhere
        redoc_url=None,
        responses=problem_responses(),
    )
    app.state.service = service
    for part in (inspections, sign_offs, products, answers, about):
        app.include_router(part.router)
    handle_problems(app)
    _handle_more(app)
    if service.settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(service.settings.origins),
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type"],
        )
    app.add_middleware(Gate, service=service)
    app.openapi = lambda: document(app)  # type: ignore[method-assign]
    return app


def _handle_more(app: FastAPI) -> None:
    for kind, status in ((MissingProduct, 404), (TakenName, 409), (UnusableProduct, 409), (UnkeptProduct, 503)):

        async def refuse(request: Request, error: Exception, status: int = status) -> JSONResponse:
            return problem_response(status, str(error))

        app.add_exception_handler(kind, refuse)

    async def hang_up(request: Request, error: Exception) -> Response:
        return Response(status_code=499)  # nobody reads it; the counters do

    async def refuse_method(request: Request, error: Exception) -> JSONResponse:
        allowed = ", ".join(methods_of(app, request.url.path))  # of all routes, and not of the first that fits
        return problem_response(405, "This address does not take that method", {"Allow": allowed})

    app.add_exception_handler(ClientGone, hang_up)
    app.add_exception_handler(ClientDisconnect, hang_up)
    app.add_exception_handler(405, refuse_method)
