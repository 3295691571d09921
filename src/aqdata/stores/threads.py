"""Waiting for work in a thread, safely when the waiter is cancelled; which threads there are is up to the stores."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def finish(future: Future[T]) -> T:
    """The result of work in a thread.

    When the caller is cancelled, work that has not begun is dropped, and work that has begun is waited for: what the
    caller does next, such as a clean-up, must not overtake it.
    """
    waiter = asyncio.wrap_future(future)
    try:
        await asyncio.wait((waiter,))
    except asyncio.CancelledError:
        future.cancel()
        while not waiter.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait((waiter,))
        if not waiter.cancelled():
            waiter.exception()  # marks it as seen
        raise
    return waiter.result()
