"""NumPy's `.npy` format, cut into chunks as it streams in, and its header going out; no HTTP, no store.

Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import ast
import io
import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib import format as npy_format

from aqdata.errors import Invalid
from aqdata.models.dtypes import SUPPORTED, dtype_name, parse_dtype
from aqdata.wire.chunks import Buffer, encode_chunk, little_endian
from aqdata.wire.layout import Layout, Order, Run

MAGIC = npy_format.MAGIC_PREFIX
# NumPy's own limit for headers that it parses without being told to trust the file
_MAX_HEADER = 10_000
_PREFIX = len(MAGIC) + 2
_DESCR = re.compile(r"[<>=|]?(?:b1|[iufc][0-9]{1,2}|[SU][1-9][0-9]{0,8}|[mM]8(?:\[[0-9a-zA-Z]+\])?)")


def npy_header(dtype: str, shape: tuple[int, ...], order: Order = "C", field: str | None = None) -> bytes:
    """What goes in front of an array's little-endian bytes.

    Raises:
        Invalid: dtype `str`, of which NumPy writes only pickles.
    """
    if dtype == "str":
        raise Invalid("an .npy has no texts of any length: ask for application/json or octet-stream", field=field)
    described = little_endian(parse_dtype(dtype))
    header = {"descr": npy_format.dtype_to_descr(described), "fortran_order": order == "F", "shape": shape}
    stream = io.BytesIO()
    npy_format.write_array_header_2_0(stream, header)
    return stream.getvalue()


class NpyCutter:
    """Takes the bytes of an `.npy` as they come and gives chunks, each as work that makes its bytes."""

    def __init__(self, name: str) -> None:
        self.layout: Layout | None = None
        self._name = name
        self._field = f"datasets.{name}"
        self._buffer = bytearray()
        self._dtype = np.dtype("u1")
        self._runs: Iterator[Run] = iter(())
        self._run: Run | None = None
        self._seen = 0

    def feed(self, data: Buffer) -> Iterator[tuple[Run, np.ndarray]]:
        """Take bytes; gives the runs that are complete, as flat arrays in the file's dtype and byte order.

        Raises:
            Invalid: it is no `.npy`, has a dtype that can't be stored, or more bytes than its header says.
        """
        self._buffer += data
        if self.layout is None and not self._begin():
            return
        while self._run is not None:
            size = self._run.count * self._dtype.itemsize
            if len(self._buffer) < size:
                return
            # the array keeps the bytes alive; the buffer goes on as a new one
            ready, self._buffer = self._buffer, self._buffer[size:]
            self._seen += size
            yield self._run, np.frombuffer(ready, self._dtype, self._run.count)
            self._run = next(self._runs, None)
        if self._buffer:
            raise Invalid(f"{len(self._buffer)} bytes follow the {self._seen} of dtype and shape", field=self._field)

    def encode(self, run: Run, piece: np.ndarray) -> Buffer:
        """The chunk of a run that `feed` gave."""
        if self.layout is None:
            raise Invalid("the .npy has no header yet", field=self._field)
        return encode_chunk(piece, self.layout, run, self._name)

    def end(self) -> Layout:
        """The layout, once all bytes were fed.

        Raises:
            Invalid: bytes are missing.
        """
        if self.layout is None:
            raise Invalid("this is no .npy file, or it is cut short", field=self._field)
        if self._run is not None:
            total = math.prod(self.layout.shape) * self._dtype.itemsize
            have = self._seen + len(self._buffer)
            raise Invalid(f"the array has {have} bytes; its dtype and shape make {total}", field=self._field)
        return self.layout

    def _begin(self) -> bool:
        """Read the header, once it is there."""
        if len(self._buffer) < _PREFIX + 4:
            if not MAGIC.startswith(bytes(self._buffer[: len(MAGIC)])):
                raise Invalid("this is no .npy file: send arrays as np.save writes them", field=self._field)
            return False
        width = 2 if self._buffer[len(MAGIC)] == 1 else 4
        size = self._header_size(width)
        if len(self._buffer) < size:
            return False
        shape, fortran, dtype = self._header(bytes(self._buffer[_PREFIX + width : size]))
        if any(type(length) is not int or not 0 <= length < 1 << 53 for length in shape):
            raise Invalid(f"the shape {shape} is none", field=self._field)
        order: Order = "F" if fortran and sum(length > 1 for length in shape) > 1 else "C"
        self.layout = Layout.plan(dtype_name(dtype, self._field), shape, order, self._field)
        self._dtype = dtype
        self._runs = self.layout.runs()
        self._run = next(self._runs, None)
        del self._buffer[:size]
        return True

    def _header_size(self, width: int) -> int:
        if not self._buffer.startswith(MAGIC) or self._buffer[len(MAGIC)] not in (1, 2, 3):
            raise Invalid("this is no .npy file: send arrays as np.save writes them", field=self._field)
        length = int.from_bytes(self._buffer[_PREFIX : _PREFIX + width], "little")
        if length > _MAX_HEADER:
            raise Invalid(f"an .npy header of {length} bytes; at most {_MAX_HEADER}", field=self._field)
        return _PREFIX + width + length

    def _header(self, text: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
        # not NumPy's own reader: it fails in many ways, and knows more kinds of descr than can be stored
        try:
            tree = ast.literal_eval(text.decode("latin-1").strip())
            shape, fortran, described = tree["shape"], tree["fortran_order"], tree["descr"]
        except (ValueError, TypeError, SyntaxError, KeyError, RecursionError, MemoryError) as error:
            raise Invalid(f"the .npy header can't be read: {error!r:.200}", field=self._field) from error
        if not isinstance(shape, tuple) or type(fortran) is not bool or len(tree) != 3:
            raise Invalid(f"the .npy header is none: {tree!r:.200}", field=self._field)
        if described == "|O":
            raise Invalid("object arrays (pickles) are not taken: give it a plain dtype", field=self._field)
        if not isinstance(described, str) or not _DESCR.fullmatch(described):
            raise Invalid(f"dtype {described!r:.200} can't be stored; one of {', '.join(SUPPORTED)}", field=self._field)
        try:
            return shape, fortran, np.dtype(described)
        except (TypeError, ValueError) as error:
            raise Invalid(f"dtype {described!r}: {error}", field=self._field) from error
