"""Waiting for work only as long as its client is connected; when that one hangs up, the work is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from typing import TypeVar

from fastapi import Request

T = TypeVar("T")


class ClientGone(Exception):
    """The client hung up; what had not begun was cancelled."""


async def wait_for_all(request: Request, work: Sequence[Future[T]]) -> list[T | BaseException]:
    """The results or errors of all the work, in order; ClientGone where nobody waits for them any more.

    The request's body has been read already.
    """
    results = asyncio.gather(*map(asyncio.wrap_future, work), return_exceptions=True)
    watch = asyncio.ensure_future(_hung_up(request))
    try:
        await asyncio.wait((results, watch), return_when=asyncio.FIRST_COMPLETED)
        if not results.done():
            raise ClientGone
        return await results
    finally:
        watch.cancel()
        for future in work:
            future.cancel()


async def wait_for_one(request: Request, work: Future[T]) -> T:
    """The result of one piece of work; its error, or ClientGone."""
    (result,) = await wait_for_all(request, [work])
    if isinstance(result, BaseException):
        raise result
    return result


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
