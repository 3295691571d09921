"""A whole DataFile as one stored ZIP: written, and parsed as a stream; no store, no HTTP.

Entries, in this order: `zarr.json` of the group, `<name>/zarr.json` of each array, each array's chunks in stored
order, attached files as `__files__/<name>`. xarray opens it:
`xr.open_zarr("zip::file://x.zarr.zip")`.
"""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pydantic_core

from aqdata.errors import Corrupt, Invalid, TooLarge
from aqdata.models import canonical
from aqdata.models.attachment import FileSource
from aqdata.models.names import check_distinct, check_name
from aqdata.models.spec import DataSetSpec
from aqdata.wire.chunks import ArrayLike, Buffer, check_chunk, cut, join, mean_text, order_of
from aqdata.wire.layout import Layout
from aqdata.wire.zarr import array_json, group_bytes, parse_array, parse_group
from aqdata.wire.zip import LOCAL_SIGNATURE, ZipEntries, ZipWriter, zip_size

MEDIA_TYPE = "application/zip"
FILES = "__files__"
ROOT = "zarr.json"
IDENTITY = ("id", "name", "kind")
_PIECE = 1 << 20


def group_entries(
    identity: Mapping[str, Any], document: bytes, arrays: Mapping[str, tuple[DataSetSpec, Layout]]
) -> Iterator[tuple[str, bytes]]:
    """The `zarr.json` of the group and of its arrays.

    `document` is canonical JSON, without datasets and files; `identity` has its id, name and kind.
    """
    attributes = {key: identity[key] for key in IDENTITY if key in identity}
    described = {name: pydantic_core.to_json(array_json(spec, layout)) for name, (spec, layout) in arrays.items()}
    yield ROOT, group_bytes(attributes, document, described)
    for name, array in described.items():
        yield f"{name}/{ROOT}", array


class Pack:
    """A DataFile as the bytes of a pack: iterate for the buffers, again for a retry; `size` is known beforehand.

    `document` is canonical JSON: the id and the metadata. Arrays may be anything that has shape and dtype and gives
    numpy arrays when sliced; they are read as the buffers are taken.
    """

    def __init__(
        self,
        document: bytes,
        arrays: Mapping[str, tuple[DataSetSpec, ArrayLike]],
        files: Mapping[str, FileSource],
    ) -> None:
        # texts have no size before they are encoded, so they are read now
        arrays = {
            name: (spec, array[(...,)] if spec.dtype == "str" and not isinstance(array, np.ndarray) else array)
            for name, (spec, array) in arrays.items()
        }
        self._arrays = {
            name: (Layout.plan(spec.dtype, spec.shape, order_of(array), name, mean_text(array, spec)), array)
            for name, (spec, array) in arrays.items()
        }
        layouts = {name: (spec, self._arrays[name][0]) for name, (spec, _) in arrays.items()}
        self._head = list(group_entries(pydantic_core.from_json(document), document, layouts))
        self._files = dict(files)
        self._texts = {
            name: [bytes(data) for _, data in cut(array, layout, name)]
            for name, (layout, array) in self._arrays.items()
            if layout.is_text
        }
        self.size = zip_size(self._sizes())

    def _sizes(self) -> Iterator[tuple[str, int]]:
        for name, data in self._head:
            yield name, len(data)
        for name, (layout, _) in self._arrays.items():
            texts = self._texts.get(name)
            for at, run in enumerate(layout.runs()):
                yield f"{name}/{run.key}", len(texts[at]) if texts else run.size * layout.itemsize
        for name, file in self._files.items():
            yield f"{FILES}/{name}", file.size

    def __iter__(self) -> Iterator[Buffer]:
        writer = ZipWriter()
        head = b"".join(writer.header(name, data) + data for name, data in self._head)
        yield head
        for name, (layout, array) in self._arrays.items():
            for key, data in self._chunks(name, layout, array):
                yield writer.header(f"{name}/{key}", data)
                yield data
        for name, file in self._files.items():
            with file.open() as stream:
                content = stream.read(file.size + 1)
            if len(content) != file.size:
                raise Invalid(f"the file changed while it was read: {len(content)} bytes, not {file.size}", field=name)
            yield writer.header(f"{FILES}/{name}", content)
            yield from (memoryview(content)[at : at + _PIECE] for at in range(0, len(content), _PIECE))
        yield writer.end()

    def _chunks(self, name: str, layout: Layout, array: ArrayLike) -> Iterator[tuple[str, Buffer]]:
        if name in self._texts:
            return ((run.key, data) for run, data in zip(layout.runs(), self._texts[name], strict=True))
        return ((run.key, data) for run, data in cut(array, layout, name))


@dataclass(frozen=True)
class Limits:
    """What a DataFile may hold at most, in bytes and counts; `pack`: bytes of chunks up to which it is one object."""

    pack: int = 8 << 20
    document: int = 15 << 20
    file: int = 64 << 20
    text_chunk: int = 64 << 20
    arrays: int = 1_000
    files: int = 1_000

    @property
    def json(self) -> int:
        """Bytes of JSON that are read: more than `document`, so that the refusal can name the largest fields."""
        return 2 * self.document


@dataclass(frozen=True)
class Header:
    """The group's metadata, decoded, and about how many bytes they were; its arrays."""

    document: dict[str, Any]
    arrays: dict[str, tuple[DataSetSpec, Layout]]
    size: int


@dataclass(frozen=True)
class Chunk:
    """A chunk of an array, its CRC not yet checked."""

    array: str
    key: str
    data: Buffer
    crc: int


@dataclass(frozen=True)
class File:
    """An attached file, its CRC not yet checked."""

    name: str
    data: Buffer
    crc: int


Part = Header | Chunk | File
Parser = Generator[int | Part, Buffer, None]
"""Yields how many bytes it needs next, to be sent to it, and parts, for which nothing is sent back."""


def parse_pack(limits: Limits) -> Parser:
    """Parse a pack from its first byte to its last.

    Raises:
        Invalid: it breaks the format; the field names the entry.
    """
    entries = ZipEntries()
    header = yield from _parse_head(entries, limits)
    yield header
    for name, (_, layout) in header.arrays.items():
        size = layout.chunk_items * layout.itemsize
        for run in layout.runs():
            key, got, crc = yield from entries.local(f"{name}/{run.key}")
            limit = limits.text_chunk if layout.is_text else size
            if layout.is_text and got > limit:
                detail = f"a chunk of texts has {got} bytes, at most {limit}: cut it into smaller chunks"
                raise TooLarge(detail, field=f"datasets.{name}")
            if got != size and not layout.is_text:
                raise Invalid(f"a chunk has {got} bytes; dtype {layout.dtype} and its shape make {limit}", field=key)
            yield Chunk(name, run.key, (yield got), crc)
    names: list[str] = []
    while True:
        signature = yield 4
        if signature != LOCAL_SIGNATURE:
            break
        key, size, crc = yield from entries.local(None, signature)
        if not key.startswith(f"{FILES}/"):
            raise Invalid("not an entry of this DataFile", field=key)
        names.append(check_name(key.removeprefix(f"{FILES}/"), "file"))
        if len(names) > limits.files or size > limits.file:
            raise TooLarge(f"at most {limits.files} files of {limits.file} bytes each", field=key)
        yield File(names[-1], (yield size), crc)
    check_distinct(names, "files")
    yield from entries.end(signature)


def _parse_head(entries: ZipEntries, limits: Limits) -> Generator[int, Buffer, Header]:
    text, group = yield from entries.json(ROOT, limits.json)
    attributes, described = parse_group(group)
    document = attributes.get("metadata")
    if not isinstance(document, dict):
        raise Invalid("the group has no attribute metadata", field=ROOT)
    for key in {*IDENTITY, *attributes} - {"metadata"}:
        if key not in IDENTITY or attributes.get(key) != document.get(key):
            raise Invalid(f"attribute {key!r:.100} is not the one of the metadata", field=ROOT)
    if len(described) > limits.arrays:
        raise TooLarge(f"{len(described)} DataSets; at most {limits.arrays}", field="datasets")
    arrays: dict[str, tuple[DataSetSpec, Layout]] = {}
    for name in described:
        check_name(name, "DataSet", f"datasets.{name}"[:200])
        arrays[name] = parse_array(described[name], name)
    check_distinct(arrays, "datasets")
    for name in described:
        _, own = yield from entries.json(f"{name}/{ROOT}", limits.json)
        if own != described[name]:
            raise Invalid("differs from the group's consolidated metadata", field=f"{name}/{ROOT}")
    value = document if canonical.is_tagless(text) else canonical.from_json_value(document)
    return Header(value, arrays, len(text))


@dataclass(frozen=True)
class UnpackedPack:
    """A pack that was read as a whole; `document` is a Python tree, arrays are the caller's own."""

    document: dict[str, Any]
    arrays: dict[str, tuple[DataSetSpec, np.ndarray]]
    files: dict[str, memoryview]


def read_pack(data: Buffer) -> UnpackedPack:
    """Read a pack that lies in memory; arrays are copied out of it.

    Raises:
        Invalid: it breaks the format.
        Corrupt: it is cut short, or a CRC is wrong.
    """
    header = Header({}, {}, 0)
    chunks: dict[str, list[Buffer]] = {}
    files: dict[str, memoryview] = {}
    for part in feed(parse_pack(Limits()), memoryview(data)):
        if isinstance(part, Header):
            header = part
            chunks = {name: [] for name in part.arrays}
            continue
        if zlib.crc32(part.data) != part.crc:
            raise Corrupt("the bytes of a pack don't match their CRC")
        if isinstance(part, Chunk):
            check_chunk(part.data, header.arrays[part.array][1], f"datasets.{part.array}")
            chunks[part.array].append(part.data)
        else:
            files[part.name] = memoryview(part.data)
    arrays = {name: (spec, join(iter(chunks[name]), layout)) for name, (spec, layout) in header.arrays.items()}
    return UnpackedPack(header.document, arrays, files)


def feed(parser: Parser, view: memoryview) -> Iterator[Part]:
    """Run a parser over bytes in memory.

    Raises:
        Corrupt: bytes are missing or left over.
    """
    at = 0
    step = next(parser)
    while True:
        try:
            if isinstance(step, int):
                piece = view[at : at + step]
                if len(piece) < step:
                    raise Corrupt("a pack is cut short")
                at += step
                step = parser.send(piece)
            else:
                yield step
                step = next(parser)
        except StopIteration:
            break
    if at != len(view):
        raise Corrupt("bytes follow the end of a pack")
