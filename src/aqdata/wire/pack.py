"""A whole DataFile as one stored ZIP: written, and parsed as a stream; no store, no HTTP.

Entries, in this order: `zarr.json` of the group, `<name>/zarr.json` of each array, each array's chunks in stored
order, attached files as `__files__/<name>`. Sizes and CRC are in the local headers, so that a reader needs no seek
(https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT). xarray opens it: `xr.open_zarr("zip::file://x.zarr.zip")`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pydantic_core

from aqdata.errors import Corrupt, Invalid, TooLarge
from aqdata.models import canonical
from aqdata.models.attachment import FileSource
from aqdata.models.names import check_distinct, check_name
from aqdata.models.spec import DataSetSpec
from aqdata.wire.chunks import ArrayLike, Buffer, check_chunk, cut, join, order_of
from aqdata.wire.layout import Layout
from aqdata.wire.zarr import array_json, group_bytes, parse_array, parse_group

MEDIA_TYPE = "application/zip"
FILES = "__files__"
ROOT = "zarr.json"
IDENTITY = ("id", "name", "kind")
_PIECE = 1 << 20

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR64 = struct.Struct("<4sIQI")
_LOCAL_SIGNATURE, _CENTRAL_SIGNATURE, _END_SIGNATURE = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_END64_SIGNATURE, _LOCATOR64_SIGNATURE = b"PK\x06\x06", b"PK\x06\x07"
_UTF8 = 1 << 11
_DATE = 33  # 1980-01-01, the first day of the format: the same DataFile is the same bytes
_MAX32, _MAX16 = 0xFFFFFFFF, 0xFFFF


@dataclass
class ZipWriter:
    """The headers of a stored ZIP; the caller puts each entry's data behind its header."""

    offset: int = 0
    _central: list[bytes] = field(default_factory=list)

    def header(self, name: str, data: Buffer) -> bytes:
        """What goes in front of an entry's data."""
        return self.header_for(name, len(data), zlib.crc32(data))

    def header_for(self, name: str, size: int, crc: int) -> bytes:
        """The same, if the CRC is known."""
        encoded = name.encode()
        common = (_UTF8, 0, 0, _DATE, crc, size, size, len(encoded))
        zip64 = struct.pack("<HHQ", 1, 8, self.offset) if self.offset >= _MAX32 else b""
        offset = min(self.offset, _MAX32)
        version = 45 if zip64 else 20
        head = _CENTRAL.pack(_CENTRAL_SIGNATURE, version, version, *common, len(zip64), 0, 0, 0, 0, offset)
        self._central.append(head + encoded + zip64)
        local = _LOCAL.pack(_LOCAL_SIGNATURE, 20, *common, 0) + encoded
        self.offset += len(local) + size
        return local

    def end(self) -> bytes:
        """The central directory and what closes it."""
        central = b"".join(self._central)
        count, size, offset = len(self._central), len(central), self.offset
        end64 = b""
        if count >= _MAX16 or offset + size >= _MAX32:
            end64 = _END64.pack(_END64_SIGNATURE, 44, 45, 45, 0, 0, count, count, size, offset)
            end64 += _LOCATOR64.pack(_LOCATOR64_SIGNATURE, 0, offset + size, 1)
        short = (min(count, _MAX16),) * 2
        end = _END.pack(_END_SIGNATURE, 0, 0, *short, min(size, _MAX32), min(offset, _MAX32), 0)
        return central + end64 + end


def header_size(name: str) -> int:
    """Bytes of an entry's local header."""
    return _LOCAL.size + len(name.encode())


def zip_size(entries: Iterable[tuple[str, int]]) -> int:
    """Bytes of a ZIP of entries of these names and sizes."""
    writer = ZipWriter()
    for name, size in entries:
        writer.header_for(name, size, 0)
    return writer.offset + len(writer.end())


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
        self._arrays = {
            name: (Layout.plan(spec.dtype, spec.shape, order_of(array), name), array)
            for name, (spec, array) in arrays.items()
        }
        layouts = {name: (spec, self._arrays[name][0]) for name, (spec, _) in arrays.items()}
        self._head = list(group_entries(pydantic_core.from_json(document), document, layouts))
        self._files = dict(files)
        # texts have no size before they are encoded
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


def check_crc(data: Buffer, crc: int, field: str) -> None:
    """Raise `Invalid` if the bytes are not those that the CRC was made of."""
    if zlib.crc32(data) != crc:
        raise Invalid("the bytes don't match their CRC: damaged on the way", field=field)


def parse_pack(limits: Limits) -> Parser:
    """Parse a pack from its first byte to its last.

    Raises:
        Invalid: it breaks the format; the field names the entry.
    """
    entries = _Entries()
    document, arrays = yield from _parse_head(entries, limits)
    yield Header(document, arrays, entries.document_size)
    for name, (_, layout) in arrays.items():
        size = layout.chunk_items * layout.itemsize
        for run in layout.runs():
            key, got, crc = yield from entries.local(f"{name}/{run.key}")
            limit = limits.text_chunk if layout.is_text else size
            if got > limit or (got != size and not layout.is_text):
                raise Invalid(f"a chunk has {got} bytes; dtype {layout.dtype} and its shape make {limit}", field=key)
            yield Chunk(name, run.key, (yield got), crc)
    names: list[str] = []
    while True:
        signature = yield 4
        if signature != _LOCAL_SIGNATURE:
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


def _parse_head(
    entries: _Entries, limits: Limits
) -> Generator[int, Buffer, tuple[dict[str, Any], dict[str, tuple[DataSetSpec, Layout]]]]:
    text, group = yield from entries.json(ROOT, limits.json)
    entries.document_size = len(text)
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
    return document if canonical.is_tagless(text) else canonical.from_json_value(document), arrays


class _Entries:
    """The entries as they come, and then the central directory that must repeat them."""

    def __init__(self) -> None:
        self._offset = 0
        self.document_size = 0
        self._seen: list[tuple[bytes, int, int, int]] = []

    def local(self, expected: str | None, signature: Buffer = b"") -> Generator[int, Buffer, tuple[str, int, int]]:
        """The name, size and CRC of the next entry; its data follow."""
        what = expected or "an attached file or the end"
        head = bytes(signature) + bytes((yield _LOCAL.size - len(signature)))
        sign, _, flags, method, _, _, crc, packed, size, name_size, extra = _LOCAL.unpack(head)
        if sign != _LOCAL_SIGNATURE:
            raise Invalid(f"broken ZIP: expected {what}", field="body")
        name = bytes((yield name_size))
        yield extra
        try:
            text = name.decode()
        except UnicodeDecodeError as error:
            raise Invalid("an entry's name is not UTF-8", field="body") from error
        if expected is not None and text != expected:
            raise Invalid(f"expected the entry {expected!r} next, not {text!r:.200}", field="body")
        if method != 0 or packed != size or flags & ~_UTF8 or size == _MAX32:
            raise Invalid("entries are stored, not compressed, with size and CRC in their local header", field=text)
        self._seen.append((name, crc, size, self._offset))
        self._offset += _LOCAL.size + name_size + extra + size
        return text, size, crc

    def json(self, name: str, limit: int) -> Generator[int, Buffer, tuple[str, Any]]:
        """An entry that is JSON, and what it says."""
        _, size, crc = yield from self.local(name)
        if size > limit:
            raise TooLarge(f"{size} bytes; at most {limit}", field=name)
        data = yield size
        check_crc(data, crc, name)
        try:
            text = str(data, "utf-8")
            return text, pydantic_core.from_json(text, allow_inf_nan=False)
        except ValueError as error:
            raise Invalid(f"not JSON: {error}", field=name) from error

    def end(self, signature: Buffer) -> Generator[int, Buffer, None]:
        """The central directory, from behind its first signature, to the last byte of the ZIP."""
        begin = self._offset
        for seen in self._seen:
            entry = yield from self._central(signature)
            if entry != seen:
                raise Invalid("the central directory contradicts the entries", field="body")
            signature = yield 4
        if signature == _END64_SIGNATURE:
            yield _END64.size + _LOCATOR64.size - 4
            signature = yield 4
        end = bytes(signature) + bytes((yield _END.size - 4))
        sign, _, _, _, count, _, offset, comment = _END.unpack(end)
        if sign != _END_SIGNATURE or count != min(len(self._seen), _MAX16) or offset not in (begin, _MAX32):
            raise Invalid("broken ZIP: its end contradicts the entries", field="body")
        yield comment

    def _central(self, signature: Buffer) -> Generator[int, Buffer, tuple[bytes, int, int, int]]:
        if signature != _CENTRAL_SIGNATURE:
            raise Invalid("broken ZIP: entries are missing in the central directory", field="body")
        head = bytes(signature) + bytes((yield _CENTRAL.size - 4))
        fields = _CENTRAL.unpack(head)
        crc, size, name_size, extra_size, comment, offset = *fields[7:8], *fields[9:13], fields[16]
        name = bytes((yield name_size))
        extra = bytes((yield extra_size))
        yield comment
        if offset == _MAX32 and extra[:4] == b"\x01\x00\x08\x00":
            (offset,) = struct.unpack_from("<Q", extra, 4)
        return name, crc, size, offset


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
