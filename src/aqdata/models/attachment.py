"""Attached files: where their bytes come from; how they travel is in wire/."""

from __future__ import annotations

import io
import mimetypes
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, runtime_checkable

from aqdata.errors import Invalid, TooLarge
from aqdata.models.names import check_distinct, check_name

MAX_FILE = 64 * 2**20

# the standard library's own table, not the machine's: a name has the same type on every client and server
_TYPES = mimetypes.MimeTypes()


@runtime_checkable
class FileSource(Protocol):
    """The bytes of an attached file; `size` in bytes."""

    @property
    def size(self) -> int: ...
    @property
    def media_type(self) -> str: ...
    def open(self) -> BinaryIO: ...
    def read(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class BytesFile:
    """A file in memory."""

    content: bytes
    media_type: str = "application/octet-stream"

    @property
    def size(self) -> int:
        return len(self.content)

    def open(self) -> BinaryIO:
        return io.BytesIO(self.content)

    def read(self) -> bytes:
        return self.content


@dataclass(frozen=True, slots=True)
class PathFile:
    """A file on this machine's disk, of the size that it had when it was attached."""

    path: Path
    size: int
    media_type: str

    def open(self) -> BinaryIO:
        return self.path.open("rb")

    def read(self) -> bytes:
        return self.path.read_bytes()


def media_type_of(name: str) -> str:
    """The media type that the ending of a name tells."""
    return _TYPES.guess_type(name)[0] or "application/octet-stream"


def file_sources(files: Any) -> dict[str, FileSource]:
    """The sources of a list of paths, or of a mapping of names to bytes, paths and sources.

    Raises:
        Invalid: a wrong name, two that differ in nothing but case, no such file.
        TooLarge: a file is larger than 64 MiB.
    """
    sources = {check_name(name, "file", "files"): _source(name, value) for name, value in _pairs(files)}
    check_distinct(sources, "files")
    return sources


def _pairs(files: Any) -> list[tuple[Any, Any]]:
    if isinstance(files, Mapping):
        return list(files.items())
    if isinstance(files, str | os.PathLike | bytes) or not isinstance(files, Iterable):
        raise Invalid("files is a list of paths, or a dict of names and paths or bytes", field="files")
    pairs = []
    for index, path in enumerate(files):
        if not isinstance(path, str | os.PathLike):
            raise Invalid(f"a path, not {type(path).__name__}; bytes need a name", field=f"files.{index}")
        pairs.append((Path(path).name, path))
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        double = next(name for name in names if names.count(name) > 1)
        raise Invalid(f"two files are called {double!r}: give a dict that names them apart", field="files")
    return pairs


def _source(name: str, value: Any) -> FileSource:
    where = f"files.{name}"
    source: FileSource
    if isinstance(value, bytes | bytearray | memoryview):
        source = BytesFile(bytes(value), media_type_of(name))
    elif isinstance(value, str | os.PathLike):
        source = _on_disk(name, Path(value).expanduser(), where)
    elif isinstance(value, FileSource):
        # one that is stored already: how large it may be was decided there
        return value
    else:
        raise Invalid(f"a path or bytes, not {type(value).__name__}", field=where)
    if source.size > MAX_FILE:
        raise TooLarge(f"{source.size / 2**20:.1f} MiB; an attached file has at most 64: use a DataSet", field=where)
    return source


def _on_disk(name: str, path: Path, where: str) -> FileSource:
    try:
        if not path.is_file():
            raise Invalid(f"there is no file {path}", field=where)
        return PathFile(path, path.stat().st_size, media_type_of(name))
    except (OSError, ValueError) as error:
        if isinstance(error, Invalid):
            raise
        raise Invalid(f"the file {path} can't be read: {error}", field=where) from None
