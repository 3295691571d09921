"""The same `Lab` with `await`; all of its work is done by the sync one, in threads.

async with aqdata.aio.connect() as lab:
    file_id = await lab.save(df)
    df = await lab.load(file_id)
    part = await lab.read(df["s21"], np.s_[10:20, ::2])
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Coroutine
from os import PathLike
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import aqdata
from aqdata.addresses import check_folder, check_url
from aqdata.lab import Lab
from aqdata.models.dataset import DataSet, LazyArray

__all__ = ["AsyncLab", "connect", "open"]

P = ParamSpec("P")
R = TypeVar("R")


def _awaitable(method: Callable[Concatenate[Lab, P], R]) -> Callable[Concatenate[AsyncLab, P], Coroutine[Any, Any, R]]:
    """The method with await: the same signature and docstring, run in a thread."""

    @functools.wraps(method)
    async def run(self: AsyncLab, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return await asyncio.to_thread(lambda: method(self._opened(), *args, **kwargs))

    return run


class AsyncLab:
    """A `Lab` whose methods are awaited. What is cancelled while it runs goes on in its thread, its result unused."""

    def __init__(self, make: Callable[[], Lab]) -> None:
        """`make` is called once, in a thread, when the Lab is first needed."""
        self._make = make
        self._lock = threading.Lock()
        self._lab: Lab | None = None

    save = _awaitable(Lab.save)
    load = _awaitable(Lab.load)
    metadata = _awaitable(Lab.metadata)
    find = _awaitable(Lab.find)
    resolve = _awaitable(Lab.resolve)
    delete = _awaitable(Lab.delete)
    restore = _awaitable(Lab.restore)
    purge = _awaitable(Lab.purge)
    put_file = _awaitable(Lab.put_file)
    get_file = _awaitable(Lab.get_file)
    put = _awaitable(Lab.put)
    download = _awaitable(Lab.download)

    async def read(self, array: DataSet | LazyArray, index: Any = ...) -> Any:
        """`array[index]` of a loaded DataFile, without blocking the event loop; by default the whole array."""
        return await asyncio.to_thread(lambda: array[index])

    async def close(self) -> None:
        """End the connections; arrays that are not loaded yet can't be read any more."""
        await asyncio.to_thread(self._close)

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._opened)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<AsyncLab {self._lab or 'not open yet'}>"

    def _close(self) -> None:
        with self._lock:
            if self._lab is not None:
                self._lab.close()

    def _opened(self) -> Lab:
        with self._lock:
            if self._lab is None:
                self._lab = self._make()
            return self._lab


def connect(url: str | None = None, *, connect_timeout: float = 5.0, read_timeout: float = 60.0) -> AsyncLab:
    """`aqdata.connect` with await."""
    if url is not None:
        check_url(url)
    return AsyncLab(lambda: aqdata.connect(url, connect_timeout=connect_timeout, read_timeout=read_timeout))


def open(folder: str | PathLike[str]) -> AsyncLab:  # noqa: A001 - as aqdata.open
    """`aqdata.open` with await."""
    check_folder(folder)
    return AsyncLab(lambda: aqdata.open(folder))
