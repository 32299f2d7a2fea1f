"""/v1/health, /v1/version and /metrics: whether the service runs, what it is, and what it has done."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse, Response

import assistant
from assistant.service.access import Operator, Served
from assistant.service.metrics import MEDIA_TYPE
from assistant.service.schemas import Health, Version

router = APIRouter(tags=["about"])


@router.get(
    "/v1/health",
    response_model=Health,
    responses={503: {"model": Health, "description": "It is stopping."}},
)
async def health(service: Served) -> Response:
    """Whether the service takes requests; this takes no key."""
    row = Health(status="stopping" if service.stopping else "ok", stuck=service.stuck)
    return JSONResponse(row.model_dump(), 503 if service.stopping else 200)


@router.get("/v1/version", response_model=Version)
async def version(service: Served, caller: Operator) -> Version:
    """What answers here."""
    backbone, settings = service.inspector.backbone, service.settings
    return Version(
        version=assistant.__version__,
        bundle=backbone.card.name,
        weights=backbone.digest,
        explainer=service.inspector.explainer.name if service.inspector.explainer else "template",
        batch=settings.most_gathered,
        wait_ms=settings.wait_ms,
        threads=settings.threads,
    )


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Counters."}},
)
async def metrics(service: Served, caller: Operator) -> Response:
    """Counters in Prometheus' text format."""
    return Response(service.metrics.text(), headers={"Content-Type": MEDIA_TYPE})
