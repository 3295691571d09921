"""The bytes of chunks from arrays, and arrays from the bytes of chunks; no Zarr metadata, no ZIP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from aqdata.errors import Invalid
from aqdata.models.spec import DataSetSpec
from aqdata.wire.layout import Layout, Order, Run
from aqdata.wire.strings import decode_strings, encode_strings

Buffer = bytes | bytearray | memoryview


class ArrayLike(Protocol):
    """An array, or one that gives numpy arrays when it is sliced."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype: ...
    def __getitem__(self, index: Any, /) -> np.ndarray: ...


def order_of(array: ArrayLike) -> Order:
    """The order in which an array is best stored: its own."""
    if isinstance(array, np.ndarray) and array.flags.f_contiguous and not array.flags.c_contiguous:
        return "F"
    return "C"


def mean_text(array: ArrayLike, spec: DataSetSpec) -> int:
    """About how many bytes a text of an array of dtype `str` takes."""
    if spec.dtype != "str" or not isinstance(array, np.ndarray) or not array.size:
        return 0
    # most characters of UTF-8 take one byte, and each text has four for its length
    return int(np.strings.str_len(array).mean()) + 4


def cut(array: ArrayLike, layout: Layout, name: str) -> Iterator[tuple[Run, Buffer]]:
    """The chunks of an array in stored order; plain ones are views of it where its memory allows."""
    for run in layout.runs():
        index = run.index if layout.order == "C" else run.index[::-1]
        # the dtype says what a text is: of a 0-d array comes a str, whose NULs at the end numpy's own would drop
        piece = np.asarray(array[index], dtype=array.dtype)
        yield run, encode_chunk(piece.T if layout.order == "F" else piece, layout, run, name)


def encode_chunk(piece: np.ndarray, layout: Layout, run: Run, name: str) -> Buffer:
    """One chunk, padded; `piece` is in stored order, of any byte order."""
    if layout.is_text:
        flat = piece.ravel(order="C")
        if run.count < run.size:
            flat = np.concatenate([flat, np.zeros(run.size - run.count, dtype=flat.dtype)])
        return encode_strings(flat, name)
    flat = np.ascontiguousarray(piece, dtype=little_endian(layout.numpy_dtype)).reshape(-1)
    if run.count < run.size:
        padded = np.zeros(run.size, dtype=flat.dtype)
        padded[: run.count] = flat
        flat = padded
    return flat.view(np.uint8).data


def check_chunk(data: Buffer, layout: Layout, field: str) -> None:
    """Raise `Invalid` if the bytes can't be this layout's: wrong size, broken texts, bools other than 0 and 1."""
    if layout.is_text:
        count = int.from_bytes(data[:4], "little")
        # before they are decoded: millions of empty texts take much memory
        if count != layout.chunk_items:
            raise Invalid(f"a chunk has {count} texts instead of {layout.chunk_items}", field=field)
        texts = decode_strings(data, field)
        if layout.dtype != "str" and np.strings.str_len(texts).max() > int(layout.dtype[1:]):
            raise Invalid(f"a text is longer than {layout.dtype} allows", field=field)
        return
    size = layout.chunk_items * layout.itemsize
    if len(data) != size:
        raise Invalid(f"a chunk has {len(data)} bytes; {layout.dtype} and its shape make {size}", field=field)
    if layout.dtype == "bool" and np.frombuffer(data, np.uint8).max() > 1:
        raise Invalid("a bool is neither 0 nor 1", field=field)


def decode_chunk(data: Buffer, layout: Layout, shape: tuple[int, ...]) -> np.ndarray:
    """The elements of stored bytes as an array of this shape, stored order, native dtype; plain ones are a view."""
    if layout.is_text:
        return decode_strings(data).astype(layout.numpy_dtype, copy=False).reshape(shape)
    array = np.frombuffer(data, dtype=little_endian(layout.numpy_dtype)).reshape(shape)
    return array.astype(layout.numpy_dtype, copy=False)


def join(chunks: Iterator[Buffer], layout: Layout) -> np.ndarray:
    """The whole array from all its chunks in stored order."""
    stored = np.zeros(layout.stored_shape, dtype=layout.numpy_dtype)
    for run, data in zip(layout.runs(), chunks, strict=True):
        full = decode_chunk(data, layout, (-1,))
        shape = tuple(part.stop - part.start for part in run.index)
        stored[run.index] = full[: run.count].reshape(shape)
    return stored if layout.order == "C" else stored.T


def little_endian(dtype: np.dtype) -> np.dtype:
    """The dtype in the byte order of the store."""
    return dtype.newbyteorder("<")
