"""What a `Lab` needs from whatever keeps the DataFiles: few primitives, in bytes; no DataFile, no connecting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np

from aqdata.lab.progress import Progress
from aqdata.models.selection import Selection

Buffer = bytes | bytearray | memoryview

_PIECE = 1 << 20


class Body(Protocol):
    """Bytes on their way to the store: iterate for the buffers, again for a retry."""

    @property
    def size(self) -> int: ...
    def __iter__(self) -> Iterator[Buffer]: ...


class FileBody:
    """The bytes of a local file."""

    def __init__(self, path: str | PathLike[str]) -> None:
        self._path = Path(path)
        self.size = self._path.stat().st_size

    def __iter__(self) -> Iterator[Buffer]:
        with self._path.open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece


class BytesBody:
    """Bytes in memory."""

    def __init__(self, data: Buffer) -> None:
        self._data = memoryview(data).cast("B")
        self.size = self._data.nbytes

    def __iter__(self) -> Iterator[Buffer]:
        return (self._data[at : at + _PIECE] for at in range(0, self.size, _PIECE))


@dataclass(frozen=True, slots=True)
class Loaded:
    """A whole pack, or the document alone (canonical JSON) where the arrays are too large to come with it."""

    content: Buffer
    is_pack: bool


class Transport(Protocol):
    """Keeps DataFiles for a `Lab`. Several threads may call it at once.

    Ids are whole, names and selections are checked; documents, receipts and pages are JSON as in the HTTP API. What
    fails raises the errors of `aqdata.errors` that the service raises, with their `field`.
    """

    def save(self, pack: Body, progress: Progress) -> Buffer:
        """Store a pack: `{"id", "revision", "state", "saved_at"}`, also if the same was stored before."""

    def load(self, file_id: str) -> Loaded:
        """A DataFile in one go, if its arrays are small, else its document."""

    def document(self, file_id: str) -> Buffer:
        """The document alone."""

    def page(
        self, *, limit: int, cursor: str | None = None, state: str | None = None, ending: str | None = None
    ) -> Buffer:
        """`{"datafiles": […], "cursor"}`, newest first; with `ending`, at most two ids of any state."""

    def read(self, file_id: str, name: str, selection: Selection, dtype: np.dtype, progress: Progress) -> np.ndarray:
        """The selected part of a DataSet: the selection's shape, this dtype in native order, the caller's own."""

    def write_pack(self, file_id: str, out: BinaryIO, progress: Progress) -> None:
        """Write the whole DataFile as a pack; `out` can seek, and what an attempt has left in it is overwritten."""

    def delete(self, file_id: str) -> None:
        """Put into the bin."""

    def restore(self, file_id: str) -> None:
        """Take out of the bin."""

    def purge(self, file_id: str) -> None:
        """Remove from the bin for ever."""

    def get_file(self, file_id: str, name: str, progress: Progress) -> Buffer:
        """The bytes of an attached file."""

    def put_file(self, file_id: str, name: str, body: Body, progress: Progress) -> Buffer:
        """Attach a file, or replace it: the new document."""

    def close(self) -> None: ...
