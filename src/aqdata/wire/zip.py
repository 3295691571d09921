"""A stored ZIP as a stream: headers going out, entries coming in; nothing of what the entries are.

Sizes and CRC are in the local headers, so that a reader needs no seek
(https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import Any

import pydantic_core

from aqdata.errors import Invalid, TooLarge
from aqdata.wire.chunks import Buffer

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR64 = struct.Struct("<4sIQI")
LOCAL_SIGNATURE, _CENTRAL_SIGNATURE, _END_SIGNATURE = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
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
        local = _LOCAL.pack(LOCAL_SIGNATURE, 20, *common, 0) + encoded
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


def check_crc(data: Buffer, crc: int, field: str) -> None:
    """Raise `Invalid` if the bytes are not those that the CRC was made of."""
    if zlib.crc32(data) != crc:
        raise Invalid("the bytes don't match their CRC: damaged on the way", field=field)


class ZipEntries:
    """The entries as they come, and then the central directory that must repeat them."""

    def __init__(self) -> None:
        self._offset = 0
        self._seen: list[tuple[bytes, int, int, int]] = []

    def local(self, expected: str | None, signature: Buffer = b"") -> Generator[int, Buffer, tuple[str, int, int]]:
        """The name, size and CRC of the next entry; its data follow."""
        what = expected or "an attached file or the end"
        head = bytes(signature) + bytes((yield _LOCAL.size - len(signature)))
        sign, _, flags, method, _, _, crc, packed, size, name_size, extra = _LOCAL.unpack(head)
        if sign != LOCAL_SIGNATURE:
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
