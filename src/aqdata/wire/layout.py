"""How one array is cut into chunks and named in a Zarr group; no JSON, no ZIP, no I/O.

Chunks are contiguous runs of the array's elements in *stored order*: C order, or, for arrays that came in Fortran
order, C order of the transposed array. So a chunk is cut, sent, written and read without rearranging anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from aqdata.errors import Invalid
from aqdata.models.dtypes import parse_dtype

Order = Literal["C", "F"]

TARGET = 1 << 20
"""Bytes that a chunk has at least, where the array is that large."""

LIMIT = 8 << 20
"""Bytes that a chunk may have at most; texts of any length are bounded by the server instead."""

MAX_ITEM = 1 << 20
MAX_NDIM = 32
TEXT = 16
"""Bytes that a text of any length counts for when chunks are planned."""


@dataclass(frozen=True)
class Run:
    """One chunk: its key below the array's folder, and the part of the array it holds.

    `count` of its `size` elements belong to the array, the first ones; the rest is padding.
    """

    key: str
    index: tuple[slice, ...]
    start: int
    count: int
    size: int


@dataclass(frozen=True)
class Layout:
    """Dtype, shape, order and chunk shape of an array; shapes are the user's, whatever the order."""

    dtype: str
    shape: tuple[int, ...]
    order: Order
    chunk: tuple[int, ...]

    @classmethod
    def plan(
        cls, dtype: str, shape: tuple[int, ...], order: Order = "C", field: str | None = None, text: int = TEXT
    ) -> Layout:
        """The layout that aqdata writes: runs of 1 to 3 MiB, balanced so that little is padded.

        `text`: about how many bytes one of dtype `str` has.

        Raises:
            Invalid: more than 32 dims, or elements of more than 1 MiB.
        """
        if len(shape) > MAX_NDIM:
            raise Invalid(f"{len(shape)} dims; at most {MAX_NDIM} can be stored", field=field)
        item = min(max(text, TEXT), TARGET) if dtype == "str" else planned_itemsize(dtype)
        if item > MAX_ITEM:
            raise Invalid(f"elements of {item} bytes; fixed-length ones have at most {MAX_ITEM}: use str", field=field)
        stored = shape if order == "C" else shape[::-1]
        chunk = [max(length, 1) for length in stored]
        inner = item
        for axis in reversed(range(len(chunk))):
            whole = inner * chunk[axis]
            if whole >= TARGET:
                chunk[axis] = -(-chunk[axis] // (whole // TARGET))
                chunk[:axis] = [1] * axis
                break
            inner = whole
        return cls(dtype, shape, order, tuple(chunk) if order == "C" else tuple(chunk[::-1]))

    def check(self, field: str) -> None:
        """Raise `Invalid` unless the chunks are contiguous runs of 1–8 MiB, or there is just one."""
        if len(self.shape) > MAX_NDIM or planned_itemsize(self.dtype) > MAX_ITEM:
            Layout.plan(self.dtype, self.shape, self.order, field)
        split = next((axis for axis, length in enumerate(self.stored_chunk) if length > 1), self.ndim)
        tail = zip(self.stored_chunk[split + 1 :], self.stored_shape[split + 1 :], strict=True)
        size = self.chunk_items * planned_itemsize(self.dtype)
        if any(chunk != max(length, 1) for chunk, length in tail):
            raise Invalid(f"chunks of {list(self.chunk)} are no contiguous runs in {self.order} order", field=field)
        # long texts make chunks of few
        if size > LIMIT or (size < TARGET and self.chunk_count > 1 and self.dtype != "str"):
            raise Invalid(f"chunks of {size} bytes; they have {TARGET} to {LIMIT}, or there is just one", field=field)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @cached_property
    def numpy_dtype(self) -> np.dtype:
        return parse_dtype(self.dtype)

    @property
    def is_text(self) -> bool:
        """Whether chunks are `vlen-utf8`, of no fixed size."""
        return is_text(self.dtype)

    @property
    def itemsize(self) -> int:
        """Bytes of an element as stored; 0 for texts."""
        return 0 if self.is_text else self.numpy_dtype.itemsize

    @property
    def stored_shape(self) -> tuple[int, ...]:
        return self.shape if self.order == "C" else self.shape[::-1]

    @property
    def stored_chunk(self) -> tuple[int, ...]:
        return self.chunk if self.order == "C" else self.chunk[::-1]

    @property
    def chunk_items(self) -> int:
        return math.prod(self.chunk)

    @property
    def chunk_count(self) -> int:
        """How many chunks the array has; 0 if it has no elements."""
        return math.prod(self.grid)

    @property
    def nbytes(self) -> int:
        """Bytes of all chunks with their padding; for texts an estimate."""
        return self.chunk_count * self.chunk_items * planned_itemsize(self.dtype)

    def runs(self) -> Iterator[Run]:
        """All chunks in stored order; an `index` is into the stored, perhaps transposed, array."""
        start = 0
        for number in range(self.chunk_count):
            cell = self.cell(number)
            bounds = [
                (at * c, min((at + 1) * c, n))
                for at, c, n in zip(cell, self.stored_chunk, self.stored_shape, strict=True)
            ]
            count = math.prod(stop - begin for begin, stop in bounds)
            yield Run(self.key(cell), tuple(slice(*bound) for bound in bounds), start, count, self.chunk_items)
            start += count

    @cached_property
    def grid(self) -> tuple[int, ...]:
        """How many chunks there are along each axis, in stored order."""
        return tuple(-(-n // c) for n, c in zip(self.stored_shape, self.stored_chunk, strict=True))

    def cell(self, number: int) -> tuple[int, ...]:
        """The place in the stored grid of a chunk by its number in stored order."""
        cell: list[int] = []
        for count in reversed(self.grid):
            number, place = divmod(number, count)
            cell.append(place)
        return tuple(reversed(cell))

    def number(self, cell: tuple[int, ...]) -> int:
        """The number of the chunk at a place in the stored grid."""
        number = 0
        for place, count in zip(cell, self.grid, strict=True):
            number = number * count + place
        return number

    def key(self, cell: tuple[int, ...]) -> str:
        """The key of a chunk by its place in the stored grid: `c.0.3`; with slashes each row would be a folder."""
        place = cell if self.order == "C" else cell[::-1]
        return ".".join(["c", *map(str, place)])


def is_text(dtype: str) -> bool:
    """Whether a dtype is stored as `vlen-utf8`."""
    return dtype == "str" or dtype[0] == "U"


def planned_itemsize(dtype: str) -> int:
    """Bytes that an element counts for when chunks are planned."""
    return TEXT if dtype == "str" else parse_dtype(dtype).itemsize
