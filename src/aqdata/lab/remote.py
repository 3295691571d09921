"""Arrays and files that stay where they are until they are read; what is read travels through a `Transport`."""

from __future__ import annotations

import io
from typing import Any, BinaryIO

import numpy as np

from aqdata.lab.progress import Progress
from aqdata.lab.transport import Transport
from aqdata.models.datafile import DataSetSpec
from aqdata.models.dtypes import parse_dtype
from aqdata.models.selection import Selection


class RemoteArray:
    """An array of a stored DataFile. Index it as a numpy array: what comes back is one, and only that part travels.

    `np.asarray(array)` reads all of it. Nothing is kept: reading twice is travelling twice.
    """

    def __init__(self, transport: Transport, file_id: str, name: str, spec: DataSetSpec) -> None:
        self.shape = spec.shape
        self.dtype: np.dtype = parse_dtype(spec.dtype)
        self._transport = transport
        self._file_id = file_id
        self._name = name

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return Selection.of(..., self.shape).size

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of an array without dims")
        return self.shape[0]

    def __getitem__(self, index: Any) -> Any:
        """What numpy's indexing gives: an array, or a scalar.

        Raises:
            InvalidIndex: an IndexError; it does not fit the shape.
            NotFound, Unreachable: the DataFile is gone, or the server.
        """
        selection = Selection.of(index, self.shape, field=None)
        array = self._read(selection)
        return array[()] if selection.is_scalar else array

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("this array is not in memory: np.asarray(array) reads it")
        array = self._read(Selection.of(..., self.shape))
        return array if dtype is None else array.astype(dtype, copy=False)

    def __repr__(self) -> str:
        return f"<RemoteArray {self._name!r} {self.shape} {self.dtype}, not loaded>"

    def _read(self, selection: Selection) -> np.ndarray:
        if not selection.size:
            return np.empty(selection.shape, self.dtype)
        with Progress(f"read {self._name}", None) as progress:
            return self._transport.read(self._file_id, self._name, selection, self.dtype, progress)


class RemoteFile:
    """A file attached to a stored DataFile; its bytes travel when it is opened."""

    def __init__(self, transport: Transport, file_id: str, name: str, size: int, media_type: str) -> None:
        self.size = size
        self.media_type = media_type
        self._transport = transport
        self._file_id = file_id
        self._name = name

    def open(self) -> BinaryIO:
        return io.BytesIO(self.read())

    def read(self) -> bytes:
        with Progress(self._name, None) as progress:
            return bytes(self._transport.get_file(self._file_id, self._name, progress))

    def __repr__(self) -> str:
        return f"<RemoteFile {self._name!r} {self.size} bytes, not loaded>"
