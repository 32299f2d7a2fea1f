"""Connections as the service keeps them: none waits without end, and one that waits makes room for another.

uvicorn's own way of speaking HTTP, with a time limit for the head of a request, without the delay that gathers
small packets, and with problem JSON for what goes wrong before the app is asked.
"""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import h11
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from assistant.service.gate import SHIELD, STRICT
from assistant.service.problems import RETRY_SECONDS, problem_response

_CLOSE = {**SHIELD, **STRICT, "Connection": "close"}


class Connection(H11Protocol):  # type: ignore[misc, unused-ignore]
    """One connection. `head_seconds` is how long the head of a request may take, and what is left of a body that
    nobody reads; `most` connections are kept, of which one that waits is closed for one that is new."""

    head_seconds = 5.0
    most = 512

    _timer: asyncio.TimerHandle | None = None
    _since = 0.0

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a request; where there is no room, to refuse it."""
        super().connection_made(transport)
        own = transport.get_extra_info("socket")
        if own.family in (socket.AF_INET, socket.AF_INET6):  # else head and body of an answer wait for each other
            own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self.connections) > self.most and not self._make_room():
            self.app = _refuse  # type: ignore[assignment, unused-ignore]
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Wait for the next request, and for the rest of this one."""
        super().on_response_complete()
        self._watch()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self._say_and_close(400, "This is no HTTP request that can be read")

    @property
    def waits(self) -> bool:
        """Whether no request is being worked on."""
        return self.cycle is None or self.cycle.response_complete

    def _watch(self) -> None:
        """Start or stop the clock: it runs while part of a request is missing that nobody works on."""
        gone = self.transport.is_closing() or self not in self.connections  # closed, or a web socket's by now
        between = self.cycle is not None and self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]
        if gone or between or not self.waits:
            self._stop_timer()
        elif self._timer is None:
            self._since = time.monotonic()
            self._timer = self.loop.call_later(self.head_seconds, self._give_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if self.cycle is not None and self.conn.their_state is not h11.IDLE:
            self.transport.close()  # it was answered already
        else:
            self._say_and_close(408, "The request took too long to arrive")

    def _make_room(self) -> bool:
        """Close the connection that has waited longest, new ones first; False where all are at work."""
        waiting = [c for c in self.connections if isinstance(c, Connection) and c.waits and c is not self]
        if not waiting:
            return False
        first = min(waiting, key=lambda c: (c.cycle is not None, c._since))
        self.connections.discard(first)
        first.transport.abort()
        return True

    def _say_and_close(self, status: int, sentence: str) -> None:
        if self.transport.is_closing():
            return
        response = problem_response(status, sentence, _CLOSE)
        head = b"".join(b"%s: %s\r\n" % pair for pair in response.raw_headers)
        title = b"Bad Request" if status == 400 else b"Request Timeout"
        self.transport.write(b"HTTP/1.1 %d %s\r\n%s\r\n%s" % (status, title, head, response.body))
        self.transport.close()


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    headers = {**_CLOSE, "Retry-After": RETRY_SECONDS}
    await problem_response(503, "Too many connections are open", headers)(scope, receive, send)
