"""A body on its way in, as a stream with a limit: exactly so many bytes, or what comes; nothing of HTTP or formats."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aqdata.errors import Invalid, TooLarge
from aqdata.stores.arrays import inline_or_thread
from aqdata.stores.base import Buffer
from aqdata.wire.pack import Header, Parser, Part

# what a refused upload may still send before we hang up: a client that is cut off in mid-body may never see why
_DRAIN_BYTES = 256 << 20
_DRAIN_SECONDS = 20.0


class Body:
    """Takes a body apart as it comes in, without holding more than is asked for."""

    def __init__(self, stream: AsyncIterator[bytes], limit: int, length: str | None, patience: float | None) -> None:
        self._stream = stream
        self._patience = patience
        self._limit = limit
        self._length = length
        self._rest = memoryview(b"")
        self._taken = 0
        self._hopeless = False

    async def pieces(self) -> AsyncIterator[bytes]:
        """What comes, as it comes.

        Raises:
            TooLarge: more than the limit.
        """
        if self._length is not None and self._length.isdecimal() and int(self._length) > self._limit:
            self._hopeless = True
            raise TooLarge(f"a body of {self._length} bytes; at most {self._limit}", field="body")
        while piece := await self._next():
            self._taken += len(piece)
            if self._taken > self._limit:
                raise TooLarge(f"the body has more than {self._limit} bytes", field="body")
            yield piece

    async def _next(self) -> bytes:
        """The next bytes; none at the end of the body."""
        try:
            async with asyncio.timeout(self._patience):
                async for piece in self._stream:
                    if piece:
                        return piece
        except TimeoutError:
            raise Invalid(f"no byte of the body came for {self._patience:g} s", field="body") from None
        return b""

    async def all(self, limit: int, field: str) -> bytearray:
        """The whole body.

        Raises:
            TooLarge: more than this limit.
        """
        whole = bytearray()
        async for piece in self.pieces():
            whole += piece
            if len(whole) > limit:
                raise TooLarge(f"more than {limit} bytes", field=field)
        return whole

    async def parts(self, parser: Parser) -> AsyncIterator[Part]:
        """Run a parser over the body.

        Raises:
            Invalid: the parser refuses it, or bytes are missing or left over.
        """
        pieces = self.pieces()
        header = False
        try:
            step = next(parser)
            while True:
                if isinstance(step, int):
                    data = await self._exactly(step, pieces)
                    # before the header come documents, whose JSON may be large
                    step = parser.send(data) if header else await _send(parser, data)
                else:
                    header = header or isinstance(step, Header)
                    yield step
                    step = next(parser)
        except StopIteration:
            pass
        end: bytes = await anext(pieces, b"")
        if self._rest or end:
            raise Invalid("bytes follow the end of the ZIP", field="body")

    async def drain(self) -> None:
        """Take the rest of a body that was refused, within bounds, so that the client gets to read why."""
        taken = 0
        if self._hopeless:
            return
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                async for piece in self._stream:
                    taken += len(piece)
                    if taken > _DRAIN_BYTES:
                        return
        except TimeoutError:
            return

    async def _exactly(self, size: int, pieces: AsyncIterator[bytes]) -> Buffer:
        if size <= len(self._rest):
            data, self._rest = self._rest[:size], self._rest[size:]
            return data
        # not bytearray(size): a size that is a lie must not allocate
        whole = bytearray(self._rest)
        self._rest = memoryview(b"")
        while len(whole) < size:
            piece: bytes = await anext(pieces, b"")
            if not piece:
                raise Invalid(f"the body ends early: {size - len(whole)} bytes or more are missing", field="body")
            need = size - len(whole)
            whole += memoryview(piece)[:need]
            self._rest = memoryview(piece)[need:]
        return whole


async def _send(parser: Parser, data: Buffer) -> int | Part:
    def send() -> int | Part | None:
        # StopIteration can't cross a future
        try:
            return parser.send(data)
        except StopIteration:
            return None

    step = await inline_or_thread(len(data), send)
    if step is None:
        raise Invalid("the ZIP ends before its metadata", field="body")
    return step
