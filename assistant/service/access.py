"""Who may do what: a bearer token names a key, a key has a role, and each key has its rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from assistant.service.callers import Caller, identify
from assistant.service.keys import Role
from assistant.service.problems import Problem
from assistant.service.state import Service

# for the OpenAPI document: keys are looked at before a request comes here, see `Gate`
_bearer = HTTPBearer(
    auto_error=False, description="A key from `looktwice keys add NAME --role operator|engineer`."
)


def service_of(request: Request) -> Service:
    """The service of the app that a request came to."""
    service = request.app.state.service
    if not isinstance(service, Service):
        raise TypeError("the app was not made by create_app")
    return service


def allow(role: Role) -> Callable[..., Caller]:
    """A dependency that lets keys of a role through; an engineer may do whatever an operator may."""

    # async, so that it runs before anything of the body is read and takes no thread
    async def check(
        request: Request,
        service: Annotated[Service, Depends(service_of)],
        _: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    ) -> Caller:
        caller = identify(service.keys, request.headers.get("authorization"))
        if wait := service.rates.take(caller.id):
            retry = {"Retry-After": str(math.ceil(wait))}
            raise Problem(429, "Too many requests come with this key", retry)
        if role == "engineer" and caller.role != "engineer":
            raise Problem(403, "This takes the key of an engineer, and this one is an operator's")
        return caller

    return check  # type: ignore[return-value]  # FastAPI awaits it


Served = Annotated[Service, Depends(service_of)]
Operator = Annotated[Caller, Depends(allow("operator"))]
Engineer = Annotated[Caller, Depends(allow("engineer"))]
