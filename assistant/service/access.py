"""Who may do what: a bearer token names a key, a key has a role, and each key has its rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from assistant.service.keys import Role
from assistant.service.problems import Problem
from assistant.service.state import Service

_bearer = HTTPBearer(
    auto_error=False, description="A key from `looktwice keys add NAME --role operator|engineer`."
)
_ASK = {"WWW-Authenticate": "Bearer"}


@dataclass(frozen=True)
class Caller:
    """Who sent a request: the name of the key and its role; no name where no key is asked for."""

    name: str
    role: Role

    @property
    def actor(self) -> str:
        """Who it is, for the audit log."""
        return f"key {self.name}" if self.name else "service without keys"


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
        service: Annotated[Service, Depends(service_of)],
        credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    ) -> Caller:
        id, caller = _identify(service, credentials)
        if wait := service.rates.take(id):
            retry = {"Retry-After": str(math.ceil(wait))}
            raise Problem(429, "Too many requests come with this key", retry)
        if role == "engineer" and caller.role != "engineer":
            raise Problem(403, "This takes the key of an engineer, and this one is an operator's")
        return caller

    return check  # type: ignore[return-value]  # FastAPI awaits it


def _identify(service: Service, credentials: HTTPAuthorizationCredentials | None) -> tuple[str, Caller]:
    if service.keys is None:
        return "local", Caller("", "engineer")
    if credentials is None:
        raise Problem(401, "Send a key as `Authorization: Bearer KEY`", _ASK)
    key = service.keys.find(credentials.credentials)
    if key is None:
        raise Problem(401, "This key is not valid", _ASK)
    return key.id, Caller(key.name, key.role)


Served = Annotated[Service, Depends(service_of)]
Operator = Annotated[Caller, Depends(allow("operator"))]
Engineer = Annotated[Caller, Depends(allow("engineer"))]
