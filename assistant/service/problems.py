"""Errors as a client sees them: problem JSON (RFC 9457) with one plain sentence and an id, never a traceback."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from assistant.errors import (
    AuditError,
    CalibrationError,
    ExplainerError,
    HistoryFault,
    LooktwiceError,
)

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = "1"

OUR_OWN = (ExplainerError, HistoryFault, AuditError)
"""Errors of what the service stands on, for which no request is to blame."""

log = logging.getLogger("looktwice.service")


class Problem(HTTPException):
    """A refusal: a status, one sentence in `detail`, headers, and `more` fields of the row."""

    def __init__(
        self,
        status: int,
        sentence: str,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(status, sentence, dict(headers or {}))
        self.more = dict(more or {})


def busy(sentence: str) -> Problem:
    """A refusal for now: the client may try again."""
    return Problem(503, sentence, {"Retry-After": RETRY_SECONDS})


def problem_response(
    status: int,
    sentence: str,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> JSONResponse:
    """The answer to a request that failed, with `more` fields; its id is in the log too."""
    name = new_id()
    log.info("refused %s: status %d", name, status)
    title = HTTPStatus(status).phrase
    row = {"type": "about:blank", "title": title, "status": status, "detail": one_sentence(sentence), "id": name}
    return JSONResponse(row | dict(more or {}), status, dict(headers or {}), media_type=MEDIA_TYPE)


def failure_response(error: BaseException) -> JSONResponse:
    """The answer where the fault is the service's own: what happened goes to the log, under the same id."""
    name = new_id()
    log.error("error %s", name, exc_info=error)
    sentence = f"Something went wrong here, and the request is not to blame: see error {name} in the server's log."
    row = {"type": "about:blank", "title": "Internal Server Error", "status": 500, "detail": sentence, "id": name}
    return JSONResponse(row, 500, media_type=MEDIA_TYPE)


def failure_sentence(error: BaseException) -> str:
    """As `failure_response`, for one picture among several."""
    name = new_id()
    log.error("error %s", name, exc_info=error)
    return f"Something went wrong here with this picture: see error {name} in the server's log."


def new_id() -> str:
    """A name for one error, 12 hexadecimal digits."""
    return secrets.token_hex(6)


def one_sentence(text: str) -> str:
    """A sentence with a full stop at its end."""
    return f"{' '.join(text.split()).rstrip('.')}."


def handle_problems(app: FastAPI) -> None:
    """Let an app answer every error that a client can cause with problem JSON."""
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ValidationError, _invalid)
    app.add_exception_handler(LooktwiceError, _impossible)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        return failure_response(error)
    sentence = str(error.detail)
    if not isinstance(error, Problem):
        missing = error.status_code == 404
        sentence = "There is nothing at this address" if missing else "The request cannot be read"
    more = error.more if isinstance(error, Problem) else None
    return problem_response(error.status_code, sentence, error.headers, more)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError | ValidationError):
        return failure_response(error)
    return problem_response(422, _first_fault(error.errors()))


async def _impossible(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, OUR_OWN):
        return problem_response(503, str(error), {"Retry-After": RETRY_SECONDS})
    return problem_response(409 if isinstance(error, CalibrationError) else 422, str(error))


def _first_fault(faults: Sequence[Any]) -> str:
    """What is wrong with the first field, without what was sent in it."""
    if not faults:
        return "The request cannot be understood"
    place = ".".join(str(part)[:40] for part in faults[0].get("loc", ())) or "body"
    return f"{place}: {faults[0].get('msg', 'cannot be understood')}"
