"""A `Transport` over the service in this process, for `aqdata.open(folder)`; no HTTP."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack
from os import PathLike
from typing import Any, BinaryIO, TypeVar

import numpy as np
import pydantic_core

from aqdata.backends import open_service
from aqdata.body import Body as Intake
from aqdata.config import Config, embedded
from aqdata.errors import StoreUnavailable
from aqdata.lab.progress import Progress
from aqdata.lab.transport import Body, Buffer, Loaded, Transport
from aqdata.models.selection import Selection
from aqdata.opened import Opened
from aqdata.service import Service
from aqdata.wire.pack import parse_pack
from aqdata.wire.strings import decode_strings

T = TypeVar("T")


def open_transport(folder: str | PathLike[str]) -> Transport:
    """The embedded stores in a folder, made if it is missing.

    Raises:
        ConfigError: they can't be opened.
    """
    return EmbeddedTransport(embedded(str(folder)))


class EmbeddedTransport:
    """Runs the service on an event loop in a thread of its own."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="aqdata-embedded", daemon=True)
        self._thread.start()
        self._stack = AsyncExitStack()
        try:
            self._service: Service = self._run(self._stack.enter_async_context(open_service(config)))
        except BaseException:
            self._stop()
            raise

    def __repr__(self) -> str:
        return f"<EmbeddedTransport {self._config.data_backend.path}>"

    def save(self, pack: Body, progress: Progress) -> Buffer:
        progress.start(pack.size)
        intake = Intake(_pieces(pack, progress), self._config.server.max_body, str(pack.size), patience=None)
        saved = self._run(self._service.save(intake.parts(parse_pack(self._service.limits))))
        return saved.receipt()

    def load(self, file_id: str) -> Loaded:
        async def work() -> Loaded:
            opened = await self._service.open(file_id)
            whole = await opened.whole()
            return Loaded(opened.record.document, is_pack=False) if whole is None else Loaded(whole, is_pack=True)

        return self._run(work())

    def document(self, file_id: str) -> Buffer:
        return self._run(self._service.record(file_id)).document

    def page(
        self, *, limit: int, cursor: str | None = None, state: str | None = None, ending: str | None = None
    ) -> Buffer:
        async def work() -> bytes:
            if ending is not None:
                return pydantic_core.to_json({"datafiles": await self._service.resolve(ending), "cursor": None})
            found, following = await self._service.find(limit, cursor, None if state is None else [state])
            return pydantic_core.to_json({"datafiles": found, "cursor": following})

        return self._run(work())

    def read(self, file_id: str, name: str, selection: Selection, dtype: np.dtype, progress: Progress) -> np.ndarray:
        async def work() -> np.ndarray:
            opened = await self._service.open(file_id)
            checked = opened.select(name, lambda _: selection)
            return await _read(opened, name, checked, dtype, progress)

        return self._run(work())

    def write_pack(self, file_id: str, out: BinaryIO, progress: Progress) -> None:
        async def work() -> None:
            size, stream = await (await self._service.open(file_id)).pack()
            progress.start(size)
            out.seek(0)
            async for piece in stream:
                await asyncio.to_thread(out.write, piece)
                progress.advance(len(piece))
            out.truncate()

        self._run(work())

    def delete(self, file_id: str) -> None:
        self._run(self._service.delete(file_id))

    def restore(self, file_id: str) -> None:
        self._run(self._service.restore(file_id))

    def purge(self, file_id: str) -> None:
        self._run(self._service.purge(file_id))

    def get_file(self, file_id: str, name: str, progress: Progress) -> Buffer:
        async def work() -> Buffer:
            data, _ = await (await self._service.open(file_id)).file(name)
            progress.advance(len(data))
            return data

        return self._run(work())

    def put_file(self, file_id: str, name: str, body: Body, progress: Progress) -> Buffer:
        async def work() -> Buffer:
            progress.start(body.size)
            limit = self._service.limits.file
            intake = Intake(_pieces(body, progress), limit, str(body.size), patience=None)
            record = await self._service.put_file(file_id, name, await intake.all(limit, "body"))
            return record.document

        return self._run(work())

    def close(self) -> None:
        if self._thread.is_alive():
            self._run(self._stack.aclose())
            self._stop()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if not self._thread.is_alive():
            work.close()
            raise StoreUnavailable("this Lab is closed")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            # Ctrl-C ends what was begun
            future.cancel()
            raise

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _pieces(body: Body, progress: Progress) -> AsyncIterator[bytes]:
    source = iter(body)
    while (piece := await asyncio.to_thread(next, source, None)) is not None:
        progress.advance(len(piece))
        # the service may hold it for longer than the caller leaves its array alone
        yield bytes(piece)


async def _read(opened: Opened, name: str, selection: Selection, dtype: np.dtype, progress: Progress) -> np.ndarray:
    if isinstance(dtype, np.dtypes.StringDType):
        pieces = [bytes(piece) async for piece in opened.part(name, selection)]
        return (await asyncio.to_thread(decode_strings, b"".join(pieces))).reshape(selection.shape)
    layout = opened.placement.arrays[name].layout
    transposed = selection.whole and layout.order == "F" and not layout.is_text
    stream = opened.stored(name) if transposed else opened.part(name, selection)
    flat = np.empty(selection.size * dtype.itemsize, np.uint8)
    progress.start(len(flat))
    filled = 0
    async for piece in stream:
        flat[filled : filled + len(piece)] = np.frombuffer(piece, np.uint8)
        filled += len(piece)
        progress.advance(len(piece))
    array = flat.view(dtype.newbyteorder("<")).astype(dtype, copy=False)
    return array.reshape(selection.shape, order="F" if transposed else "C")
