"""What every request passes first: from where it may come, with which key, and how much it may be.

An ASGI layer around the whole app. Key and length are looked at before a request takes a place among those in
flight; bytes are counted as they arrive, before anything is decoded. It adds the security headers, and turns
whatever goes wrong inside into problem JSON.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.service.callers import LOCAL, Caller, identify
from assistant.service.keys import KeyRing
from assistant.service.metrics import Metrics
from assistant.service.problems import Problem, busy, failure_response, problem_response
from assistant.service.quotas import InFlight
from assistant.service.settings import ServiceSettings

HEALTH = "/v1/health"
UNCOUNTED = (HEALTH, "/metrics", "/openapi.json")
WITH_PICTURES = re.compile(r"/v1/(inspect|ask|products|products/[^/]+/(references|check|recalibrate))")
"""Where a POST may carry pictures; any other body has at most `MOST_TEXT` bytes."""

MOST_TEXT = 65_536
"""Bytes of a body, or of what it has beside its pictures."""

_CALLER = "looktwice.caller"  # where a request carries who sent it

SHIELD = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
STRICT = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guarded(Protocol):
    """What the gate asks about."""

    settings: ServiceSettings
    keys: KeyRing | None
    in_flight: InFlight
    metrics: Metrics
    stopping: bool


class Gate:
    """The ASGI layer."""

    def __init__(self, app: ASGIApp, service: Guarded) -> None:
        self.app, self.service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        started = time.perf_counter()
        status = 500
        own = is_own(scope["path"])

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers.update(SHIELD | STRICT if own else SHIELD)
            await send(message)

        try:
            self._refuse(scope)
            with self._place(scope) as fits:
                if not fits:
                    raise busy("Too many requests are in flight")
                await self._pass_on(scope, receive, answer, own)
        except Problem as problem:
            response = problem_response(problem.status_code, problem.detail, problem.headers)
            await response(scope, receive, answer)
        if own:
            route = getattr(scope.get("route"), "path", "other")
            self.service.metrics.note_request(route, scope["method"], status, time.perf_counter() - started)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send, own: bool) -> None:
        begun = False

        async def answer(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        body = _Body(scope, receive, self.service) if own else None
        try:
            await self.app(scope, body or receive, answer)
        except Exception as error:
            response = failure_response(error)
            if not begun:
                await response(scope, receive, answer)
        finally:
            if body:
                body.let_go()

    def _place(self, scope: Scope) -> AbstractContextManager[bool]:
        """A place among the requests in flight, for the key it comes with."""
        return self.service.in_flight.request(_caller(scope).id) if _counts(scope) else nullcontext(True)

    def _refuse(self, scope: Scope) -> None:
        """Problem for a request that may not go on, in the order in which the reasons count."""
        headers, settings = Headers(scope=scope), self.service.settings
        host = headers.get("host", "")
        if settings.hosts and _name_of(host) not in settings.hosts:
            raise Problem(400, "The service is not known under this name")
        # a link on another site may lead to the page, which does nothing by being shown
        opened = (
            not is_own(scope["path"]) and headers.get("sec-fetch-mode") == "navigate" and "origin" not in headers
        )
        if not opened and not _may_call(headers, host, settings.origins):
            raise Problem(403, "Pages of other sites may not call this service")
        if self.service.stopping and scope["path"] != HEALTH:
            raise busy("The service is stopping")
        if not is_own(scope["path"]):
            return
        if _counts(scope):
            scope[_CALLER] = identify(self.service.keys, headers.get("authorization"))
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or int(length[:20]) > _most(scope, settings):
            raise _too_large(_most(scope, settings))


class _Body:
    """Counts the bytes of one request as they arrive, and how long they take."""

    def __init__(self, scope: Scope, receive: Receive, service: Guarded) -> None:
        self._receive, self._service = receive, service
        self._most, self._caller = _most(scope, service.settings), _caller(scope).id
        self._taken = 0
        self._more = True
        self._began = time.monotonic()

    async def __call__(self) -> Message:
        if not self._more:
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), max(0.01, self._until - time.monotonic()))
        except TimeoutError:
            raise Problem(408, "The request took too long to arrive", {"Connection": "close"}) from None
        if message["type"] == "http.request":
            self._more = message.get("more_body", False)
            self._count(len(message.get("body", b"")))
        return message

    @property
    def _until(self) -> float:
        """When the next bytes have to be here: a body is neither slow all along nor long on its way."""
        settings = self._service.settings
        return self._began + min(settings.body_seconds, settings.lag_seconds + self._taken / settings.least_rate)

    def let_go(self) -> None:
        """The request is over."""
        self._service.in_flight.add(-self._taken, self._caller)
        self._taken = 0

    def _count(self, size: int) -> None:
        if self._taken + size > self._most:
            raise _too_large(self._most)
        if not self._service.in_flight.add(size, self._caller):
            raise busy("Too much is being sent at once")
        self._taken += size


def is_own(path: str) -> bool:
    """Whether an address is the service's and not that of the page beside it."""
    return path.startswith("/v1/") or path in UNCOUNTED


def _counts(scope: Scope) -> bool:
    """Whether a request asks for a key and takes a place; a browser's question whether it may ask does neither."""
    return is_own(scope["path"]) and scope["path"] not in UNCOUNTED and scope["method"] != "OPTIONS"


def _caller(scope: Scope) -> Caller:
    caller: Caller = scope.get(_CALLER, LOCAL)
    return caller


def _most(scope: Scope, settings: ServiceSettings) -> int:
    """The bytes that a request's body may have."""
    pictures = scope["method"] == "POST" and WITH_PICTURES.fullmatch(scope["path"])
    return settings.most_bytes if pictures else min(MOST_TEXT, settings.most_bytes)


def _too_large(most: int) -> Problem:
    return Problem(413, f"A request may have at most {most} bytes here", {"Connection": "close"})


def _name_of(host: str) -> str:
    """The name in a Host header, without port and brackets."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _may_call(headers: Headers, host: str, origins: Sequence[str]) -> bool:
    """Whether a browser sends this for the service's own page or one that is allowed; other programs may."""
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "none") in ("none", "same-origin")
    if origin in origins:
        return True
    try:
        return urlsplit(origin).netloc == host and host != ""
    except ValueError:
        return False
