"""/v1/ask: an answer as server-sent events, snapshots while it grows and then the whole."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from assistant.errors import LooktwiceError
from assistant.inspection import Answer, Inspection
from assistant.language.explainer import Prompt
from assistant.service.access import Operator, Served
from assistant.service.bodies import Json, read_json
from assistant.service.documents import takes_json
from assistant.service.inspections import find_kept, look_up
from assistant.service.problems import Problem, failure_response, problem_response
from assistant.service.schemas import AskBody
from assistant.service.state import Service
from assistant.service.uploads import decode

router = APIRouter(tags=["answers"])

EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": (
            "Events `snapshot` while the answer grows, then one `answer`, or one `error` with a problem; the "
            "data of each is a JSON object on one line. Code worded `text` and `more` from the record; `seen` is "
            "what a language model sees itself, to be shown apart and never as checked, and `disagrees` where "
            "that differs from the verdict, which stays. `failed` says that who was asked gave no whole answer. "
            "Lines that begin with a colon say that the work goes on."
        ),
        "content": {
            "text/event-stream": {
                "schema": {"type": "string"},
                "example": 'event: answer\ndata: {"text": "The verdict is defect.", "regions": ["R1"], '
                '"source": "template", "notices": [], "seen": [], "disagrees": "", "failed": false, "more": "", '
                '"language": "en"}\n\n',
            }
        },
    }
}


@router.post("/v1/ask", openapi_extra=takes_json(AskBody), response_class=StreamingResponse, responses=EVENTS)
async def ask(request: Request, service: Served, caller: Operator) -> StreamingResponse:
    """Answer a question about one or several inspections, from their evidence alone."""
    sent = await read_json(request, AskBody)
    body = sent.content
    if not body.question.strip():
        raise Problem(422, "The question is empty")
    inspections = [(await find_kept(service, id)).inspection for id in body.inspections]
    with suppress(Problem):  # the records do not answer: what is known is answered from
        inspections = await look_up(service, lambda: [service.drift.warned(one) for one in inspections])
    if body.picture is not None and len(inspections) != 1:
        raise Problem(422, "A picture belongs to a question about a single inspection")
    prompt = await run_in_threadpool(_prompt, service, sent, inspections)
    service.metrics.answers.inc()
    return StreamingResponse(_events(service, prompt), media_type="text/event-stream")


def _prompt(service: Service, sent: Json[AskBody], inspections: list[Inspection]) -> Prompt:
    body, picture = sent.content, None
    history = [(turn.question, turn.answer) for turn in body.history]
    if body.picture is not None:
        picture = decode(body.picture.name, 0, sent.pieces(body.picture.data)).checked()
    return service.answerer.prompt(inspections, body.question.strip(), history, picture, body.language)


async def _events(service: Service, prompt: Prompt) -> AsyncIterator[bytes]:
    final: Answer | None = None
    try:
        async with aclosing(service.answerer.answer(prompt)) as snapshots:  # type: ignore[type-var]
            async for snapshot in snapshots:
                if snapshot is None:
                    yield b": the work goes on\n\n"
                    continue
                final = snapshot
                yield _event("snapshot", asdict(snapshot))
    except LooktwiceError as error:
        yield _event("error", json.loads(bytes(problem_response(503, str(error)).body)))
        return
    except Exception as error:
        yield _event("error", json.loads(bytes(failure_response(error).body)))
        return
    if final is not None:
        yield _event("answer", asdict(final))


def _event(name: str, row: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(row)}\n\n".encode()
