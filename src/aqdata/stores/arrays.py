"""Arrays in a blob store: written whole as a pack or a directory, read in parts; no records, no ids, no wire.

Reading a part takes one of three ways, the first that fits: a contiguous run of the stored bytes is read as byte
ranges of its chunks; parts of numeric arrays in a directory are read by tensorstore; the rest (packs, texts, fixed
bytes) chunk by chunk.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from bisect import bisect_left
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import tensorstore as ts
from numpy.typing import NDArray

from aqdata.errors import Corrupt, NotFound, StoreUnavailable
from aqdata.models.selection import Selection
from aqdata.stores.base import Blobs, Buffer
from aqdata.stores.placement import Placement
from aqdata.wire.chunks import decode_chunk, little_endian
from aqdata.wire.layout import TEXT, Layout, Run
from aqdata.wire.strings import encode_strings
from aqdata.wire.zarr import tensorstore_metadata

T = TypeVar("T")
Axes = tuple[range | NDArray[np.int64], ...]
Array = NDArray[Any]

BAND = 4 << 20
"""Bytes of a result that are read at once."""

_WIDE_BAND = 32 << 20
_AHEAD = 3
# bytes of chunks that tensorstore reads at once: it would take all that a block touches, however many
_AT_ONCE = 16 << 20
# converting less than this is quicker than handing it to a thread
_INLINE = 64 << 10


class ArrayReader:
    """Reads arrays of DataFiles out of a blob store."""

    def __init__(self, blobs: Blobs, *, mapped: bool = False) -> None:
        """With `mapped`, whole blobs may be mapped files: for callers who pass them on and don't look into them."""
        self._blobs = blobs
        self._mapped = mapped

    async def part(self, placement: Placement, name: str, selection: Selection) -> AsyncIterator[Buffer]:
        """What a selection gives, as the bytes of a little-endian array in C order, in pieces of about `BAND` bytes.

        Texts of dtype `str` are encoded as `vlen-utf8`.
        """
        stored = placement.arrays[name]
        itemsize = stored.layout.numpy_dtype.itemsize
        if not selection.is_basic:
            yield await self._result(placement, name, selection)
            return
        if stored.layout.dtype == "str":
            async for piece in self._texts(placement, name, selection):
                yield piece
            return
        if selection.whole and not stored.layout.is_text and _is_c(stored.layout):
            async for piece in self.stored(placement, name):
                yield piece
            return
        # across the stored order each band touches most chunks: fewer, larger ones
        across = stored.layout.order == "F" and placement.form == "directory"
        size, depth = (_WIDE_BAND, 1) if across else (BAND, _AHEAD)
        bands = (self._result(placement, name, band) for band in selection.bands(itemsize, size))
        async for piece in ahead(bands, depth):
            yield piece

    async def array(self, placement: Placement, name: str, selection: Selection) -> Array:
        """What a selection gives, as an array of the dtype that was saved."""
        layout = placement.arrays[name].layout
        if not selection.size:
            return np.zeros(selection.shape, layout.numpy_dtype)
        return selection.apply(await self._block(placement, name, selection.axes))

    async def stored(self, placement: Placement, name: str) -> AsyncIterator[Buffer]:
        """The whole array as its bytes in stored order, without the padding of its chunks."""
        layout = placement.arrays[name].layout
        reads = (self._whole(placement, name, at, run.count * layout.itemsize) for at, run in enumerate(layout.runs()))
        async for piece in ahead(reads):
            yield piece

    async def chunks(self, placement: Placement, name: str) -> AsyncIterator[tuple[Run, Buffer]]:
        """All chunks as they are stored, in stored order."""
        runs = list(placement.arrays[name].layout.runs())
        reads = (self._bytes(placement, name, at) for at in range(len(runs)))
        number = itertools.count()
        async for piece in ahead(reads):
            yield runs[next(number)], piece

    async def chunk(self, placement: Placement, name: str, key: str) -> Buffer | None:
        """One chunk by its key; None if the array has no such chunk."""
        layout = placement.arrays[name].layout
        cell = _cell(key, layout)
        return None if cell is None else await self._bytes(placement, name, layout.number(cell))

    async def _texts(self, placement: Placement, name: str, selection: Selection) -> AsyncIterator[Buffer]:
        count = encode_strings(np.empty(0, np.dtypes.StringDType()))
        yield selection.size.to_bytes(len(count), "little")
        bands = (self._result(placement, name, band) for band in selection.bands(TEXT, BAND))
        async for piece in ahead(bands):
            yield piece[len(count) :]

    async def _result(self, placement: Placement, name: str, selection: Selection) -> Buffer:
        result = await self.array(placement, name, selection)
        return await inline_or_thread(result.nbytes, lambda: array_bytes(result))

    async def _block(self, placement: Placement, name: str, axes: Axes) -> Array:
        """The outer block of these positions, in the user's order of axes."""
        stored = placement.arrays[name]
        layout = stored.layout
        own = axes if layout.order == "C" else axes[::-1]
        span = None if layout.is_text else contiguous(own, layout.stored_shape)
        if span is not None:
            data = await self._span(placement, name, *span)
            block = decode_chunk(data, layout, tuple(map(len, own)))
            return block if layout.order == "C" else block.T
        if placement.form == "directory" and (metadata := tensorstore_metadata(layout)) is not None:
            return await self._by_tensorstore(f"{placement.group}/{name}", metadata, layout, axes)
        block = await self._by_chunks(placement, name, own)
        return block if layout.order == "C" else block.T

    async def _span(self, placement: Placement, name: str, start: int, stop: int) -> Buffer:
        """Elements start to stop in stored order."""
        layout = placement.arrays[name].layout
        item = layout.itemsize
        pieces: list[tuple[int, int, int]] = []
        at = start
        while at < stop:
            number, begin, count = locate(layout, at)
            take = min(stop - at, count - begin)
            pieces.append((number, begin * item, (begin + take) * item))
            at += take
        if len(pieces) == 1:
            return await self._bytes(placement, name, *pieces[0])
        whole = bytearray((stop - start) * item)
        filled = 0
        async for piece in ahead(self._bytes(placement, name, *piece) for piece in pieces):
            whole[filled : filled + len(piece)] = piece
            filled += len(piece)
        return whole

    async def _by_tensorstore(self, prefix: str, metadata: dict[str, Any], layout: Layout, axes: Axes) -> Array:
        # a chunk that is not there is damage: all are written
        spec = {"driver": "zarr3", "metadata": metadata, "fill_missing_data_reads": False}
        try:
            array = await ts.open(spec, kvstore=self._blobs.kvstore(prefix), open=True, assume_metadata=True)
            block = np.empty(tuple(map(len, axes)), array.dtype.numpy_dtype)
            for part in batches(layout, axes):
                places = (axis[cut] for axis, cut in zip(axes, part, strict=True))
                index = tuple(_slice(place) if isinstance(place, range) else place for place in places)
                block[part] = await (array.oindex[index] if index else array).read()
        except ValueError as error:
            if "NOT_FOUND" in str(error):
                raise Corrupt(f"a chunk of {prefix} is missing") from error
            # tensorstore has one exception for all that goes wrong in a read
            raise StoreUnavailable(f"reading {prefix} failed: {error}") from error
        return block.view(layout.numpy_dtype)

    async def _by_chunks(self, placement: Placement, name: str, axes: Axes) -> Array:
        """The block in stored order of axes, from every chunk that has a part of it."""
        layout = placement.arrays[name].layout
        block = np.zeros(tuple(map(len, axes)), layout.numpy_dtype)
        pieces = list(overlaps(layout, axes))
        reads = (self._bytes(placement, name, number) for number, _, _ in pieces)
        at = iter(pieces)
        async for data in ahead(reads):
            _, target, source = next(at)
            await inline_or_thread(len(data), lambda d=data, t=target, s=source: _place(block, d, layout, t, s))  # type: ignore[misc]
        return block

    async def _whole(self, placement: Placement, name: str, number: int, size: int) -> Buffer:
        """The first bytes of a chunk, not to be looked into; see `Blobs.view`."""
        if placement.form == "pack":
            return await self._bytes(placement, name, number, 0, size)
        with _written(name):
            data = await self.blob(self._key(placement, name, number))
        if len(data) < size:
            raise Corrupt(f"a chunk of {name} is shorter than it was written")
        return memoryview(data)[:size]

    async def blob(self, key: str) -> Buffer:
        """A whole blob, to be passed on; see `Blobs.view`."""
        return await (self._blobs.view(key) if self._mapped else self._blobs.read(key))

    def _key(self, placement: Placement, name: str, number: int) -> str:
        layout = placement.arrays[name].layout
        return f"{placement.group}/{name}/{layout.key(layout.cell(number))}"

    async def _bytes(
        self, placement: Placement, name: str, number: int, start: int = 0, stop: int | None = None
    ) -> Buffer:
        """Bytes of a chunk by its number in stored order."""
        stored = placement.arrays[name]
        with _written(name):
            if placement.form == "directory":
                data = await self._blobs.read(self._key(placement, name, number), start, stop)
            else:
                offset, size = stored.extents[number]
                end = size if stop is None else stop
                data = await self._blobs.read(placement.group, offset + start, offset + end)
        if stop is not None and len(data) != stop - start:
            raise Corrupt(f"a chunk of {name} is shorter than it was written")
        return data


@contextmanager
def _written(name: str) -> Iterator[None]:
    """A record names it, so a blob that is not there is damage."""
    try:
        yield
    except NotFound as error:
        raise Corrupt(f"a chunk of {name} is missing") from error


async def ahead(reads: Iterable[Coroutine[Any, Any, T]], depth: int = _AHEAD) -> AsyncIterator[T]:
    """The results in their order, while the next few are already under way."""
    waiting: deque[asyncio.Task[T]] = deque()
    source = iter(reads)
    try:
        for read in itertools.islice(source, depth):
            waiting.append(asyncio.ensure_future(read))
        while waiting:
            result = await waiting[0]
            waiting.popleft()
            for read in itertools.islice(source, 1):
                waiting.append(asyncio.ensure_future(read))
            yield result
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def inline_or_thread(nbytes: int, work: Callable[[], T]) -> T:
    """Do the work, in a thread if it is about that many bytes that the event loop would notice."""
    return work() if nbytes <= _INLINE else await asyncio.to_thread(work)


def array_bytes(array: Array) -> Buffer:
    """The bytes of an array in C order, little-endian; texts of dtype `str` as `vlen-utf8`."""
    if isinstance(array.dtype, np.dtypes.StringDType):
        return encode_strings(array)
    plain = np.ascontiguousarray(array, dtype=little_endian(array.dtype))
    return plain.reshape(-1).view(np.uint8).data


def contiguous(axes: Axes, shape: tuple[int, ...]) -> tuple[int, int] | None:
    """The flat positions from which to which these positions are one run of a C-ordered array, or None."""
    start, stop, inner = 0, 1, 1
    partial = False
    for axis, length in zip(reversed(axes), reversed(shape), strict=True):
        if not isinstance(axis, range) or (len(axis) > 1 and (axis.step != 1 or partial)):
            return None
        start += axis[0] * inner
        stop += axis[-1] * inner
        inner *= length
        partial = partial or len(axis) < length
    return start, stop


def locate(layout: Layout, at: int) -> tuple[int, int, int]:
    """The number of the chunk that holds a flat stored position, where in the chunk it is, and how many it holds."""
    per_chunk, group, chunks = _grid(layout)
    outer, inside = divmod(at, group)
    within, begin = divmod(inside, per_chunk)
    return outer * chunks + within, begin, min(per_chunk, group - within * per_chunk)


def batches(layout: Layout, axes: Axes) -> Iterator[tuple[slice, ...]]:
    """A block of these positions (user's order of axes) in parts that touch `_AT_ONCE` bytes of chunks each."""
    room = max(_AT_ONCE // (layout.chunk_items * layout.itemsize), 1)
    cuts: list[list[slice]] = []
    for axis, length in zip(reversed(axes), reversed(layout.chunk), strict=True):
        cells = int(axis[-1] // length - axis[0] // length + 1)
        taken = min(cells, room)
        room //= taken
        cuts.append(list(_cuts(axis, taken * length)))
    yield from itertools.product(*reversed(cuts))


def _cuts(axis: range | NDArray[np.int64], width: int) -> Iterator[slice]:
    begin = 0
    while begin < len(axis):
        end = bisect_left(axis, (axis[begin] // width + 1) * width, begin)
        yield slice(begin, end)
        begin = end


def overlaps(layout: Layout, axes: Axes) -> Iterator[tuple[int, tuple[Array, ...], tuple[Array, ...]]]:
    """The chunks that hold parts of a block: number, places in the block, places in the chunk (stored order)."""
    cells: list[list[tuple[int, Array, Array]]] = []
    for axis, length in zip(axes, layout.stored_chunk, strict=True):
        positions = np.asarray(axis, dtype=np.int64)
        numbers, starts = np.unique(positions // length, return_index=True)
        bounds = itertools.pairwise((*starts.tolist(), len(positions)))
        cells.append(
            [
                (int(cell), np.arange(begin, end), positions[begin:end] - cell * length)
                for cell, (begin, end) in zip(numbers, bounds, strict=True)
            ]
        )
    for combination in itertools.product(*cells):
        yield (
            layout.number(tuple(c[0] for c in combination)),
            tuple(c[1] for c in combination),
            tuple(c[2] for c in combination),
        )


def _place(block: Array, data: Buffer, layout: Layout, target: tuple[Array, ...], source: tuple[Array, ...]) -> None:
    chunk = decode_chunk(data, layout, layout.stored_chunk)
    block[np.ix_(*target)] = chunk[np.ix_(*source)]


def _is_c(layout: Layout) -> bool:
    return layout.order == "C" or sum(length > 1 for length in layout.shape) <= 1


def _grid(layout: Layout) -> tuple[int, int, int]:
    """Elements per full chunk; elements and chunks for each place on the axes before the one that is split."""
    split = next((axis for axis, length in enumerate(layout.stored_chunk) if length > 1), max(layout.ndim - 1, 0))
    group = math.prod(layout.stored_shape[split:])
    return layout.chunk_items, group, max(-(-group // layout.chunk_items), 1)


def _cell(key: str, layout: Layout) -> tuple[int, ...] | None:
    """The place in the stored grid that a chunk key names; None if there is none such."""
    head, *parts = key.split(".")
    if head != "c" or len(parts) != layout.ndim or not all(part.isdecimal() and part.isascii() for part in parts):
        return None
    cell = tuple(map(int, parts)) if layout.order == "C" else tuple(map(int, parts))[::-1]
    inside = all(place < count for place, count in zip(cell, layout.grid, strict=True))
    return cell if inside and layout.key(cell) == key else None


def _slice(axis: range) -> slice:
    return slice(axis.start, axis[-1] + 1, axis.step)
