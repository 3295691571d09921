"""One attempt to save a DataFile: its chunks and files on their way to the blob store; no records, no HTTP.

What arrives is held until it is clear that it fits one pack, and goes to a directory otherwise. An attempt writes
under a path of its own, and nothing is visible before a record names that path.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import zlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import xxhash

from aqdata.errors import AqdataError, Invalid, StoreUnavailable, TooLarge
from aqdata.models import canonical
from aqdata.models.attachment import media_type_of
from aqdata.models.names import check_distinct
from aqdata.models.spec import DataSetSpec
from aqdata.stores.arrays import inline_or_thread
from aqdata.stores.base import Blobs, Buffer
from aqdata.stores.placement import (
    Placement,
    StoredArray,
    StoredFile,
    digest_of,
    directory_key,
    file_key,
    files_key,
    pack_key,
)
from aqdata.wire.chunks import check_chunk
from aqdata.wire.layout import Layout
from aqdata.wire.pack import Limits, group_entries
from aqdata.wire.zip import ZipWriter, check_crc

# bytes of chunks that are being written at the same time
_IN_FLIGHT = 16 << 20

logger = logging.getLogger(__name__)


@dataclass
class _Array:
    layout: Layout
    keys: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)


class Attempt:
    """Takes chunks and files in any order of arrays, and makes a placement of them."""

    def __init__(self, blobs: Blobs, limits: Limits, file_id: str) -> None:
        self.path = f"{file_id}.{secrets.token_hex(6)}"
        self._blobs = blobs
        self._limits = limits
        self._arrays: dict[str, _Array] = {}
        self._files: dict[str, tuple[int, str, int]] = {}
        self._held: dict[tuple[str, str], Buffer] | None = {}
        self._held_bytes = 0
        self._writes: dict[asyncio.Task[None], int] = {}
        self._failure: BaseException | None = None
        self._kept = False
        self._named: Callable[[], Awaitable[bool]] | None = None
        self._prefixes: set[str] = set()

    async def __aenter__(self) -> Attempt:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._kept:
            # a client that goes away must not keep us from cleaning up after it
            await asyncio.shield(self._clean_up(error))

    async def _clean_up(self, error: BaseException | None) -> None:
        """Discard it if that can't hurt; what can't be removed is litter, and no reason for another answer."""
        # once a commit has begun, only an answer of the store tells that it has no record of this
        unknown = error is not None and (isinstance(error, StoreUnavailable) or not isinstance(error, AqdataError))
        try:
            if self._named is None or not (unknown or await self._named()):
                await self.discard()
        except AqdataError as failure:
            logger.warning("could not remove %s: %s", self.path, failure)

    def committing(self, named: Callable[[], Awaitable[bool]]) -> None:
        """From now on a record may name what was written; `named` looks whether it does."""
        self._named = named

    def keep(self) -> None:
        """A record names what was written."""
        self._kept = True

    @property
    def layouts(self) -> dict[str, Layout]:
        """The arrays so far."""
        return {name: array.layout for name, array in self._arrays.items()}

    @property
    def files(self) -> dict[str, Any]:
        """The attached files so far, as the document describes them."""
        return {name: {"size": size, "media_type": media_type_of(name)} for name, (size, _, _) in self._files.items()}

    def declare(self, name: str, layout: Layout) -> None:
        """Say that chunks of this array follow, in stored order."""
        if name in self._arrays:
            raise Invalid("there are two DataSets of this name", field=f"datasets.{name}")
        if len(self._arrays) >= self._limits.arrays:
            raise TooLarge(f"at most {self._limits.arrays} DataSets", field="datasets")
        self._arrays[name] = _Array(layout)

    async def chunk(self, name: str, key: str, data: Buffer, crc: int | None = None) -> None:
        """Take the next chunk of an array; the buffer is the attempt's from now on.

        Raises:
            Invalid: the bytes are not such a chunk, or not those of the CRC.
            StoreFull, StoreUnavailable: this or an earlier chunk could not be written.
        """
        array = self._arrays[name]
        array.keys.append(key)
        array.sizes.append(len(data))
        array.digests.append(b"")
        number = len(array.keys) - 1
        if self._held is not None:
            await inline_or_thread(len(data), lambda: self._verify(name, array, number, data, crc))
            self._held[name, key] = data
            self._held_bytes += len(data)
            if self._held_bytes > self._limits.pack:
                held, self._held = self._held, None
                self._prefixes.add(directory_key(self.path))
                for (held_name, held_key), held_data in held.items():
                    await self._start(
                        len(held_data), self._blobs.write(self._chunk_key(held_name, held_key), held_data)
                    )
            return

        async def store() -> None:
            await inline_or_thread(len(data), lambda: self._verify(name, array, number, data, crc))
            await self._blobs.write(self._chunk_key(name, key), data)

        await self._start(len(data), store())

    async def file(self, name: str, data: Buffer, crc: int | None = None) -> None:
        """Take an attached file."""
        if name in self._files:
            raise Invalid("there are two files of this name", field=f"files.{name}")
        check_distinct([*self._files, name], "files")
        if len(self._files) >= self._limits.files or len(data) > self._limits.file:
            raise TooLarge(
                f"at most {self._limits.files} files of {self._limits.file} bytes each", field=f"files.{name}"
            )

        def verify() -> tuple[str, int]:
            if crc is not None:
                check_crc(data, crc, name)
            return xxhash.xxh3_128_hexdigest(data), zlib.crc32(data) if crc is None else crc

        self._files[name] = (len(data), *await inline_or_thread(len(data), verify))
        self._prefixes.add(files_key(self.path))
        # not beside others: files may be large
        await self._blobs.write(file_key(self.path, name), data)

    def digest(self, metadata: bytes, datasets: Mapping[str, bytes]) -> str:
        """What tells metadata and arrays from others: of JSON, descriptions and bytes, whatever their order."""
        total = xxhash.xxh3_128(metadata)
        for name, array in sorted(self._arrays.items()):
            total.update(canonical.write_tree([name, array.layout.order]) + datasets[name])
            total.update(b"".join(array.digests))
        return total.hexdigest()

    @property
    def stored_files(self) -> dict[str, StoredFile]:
        """Where the attached files lie."""
        return {
            name: StoredFile(file_key(self.path, name), digest, crc) for name, (_, digest, crc) in self._files.items()
        }

    async def finish(
        self, identity: Mapping[str, str], document: bytes, specs: Mapping[str, DataSetSpec], digest: str
    ) -> Placement:
        """Write what is left, durably, and say where all of it lies. `document` goes into the group's attributes."""
        described = {name: (specs[name], self._arrays[name].layout) for name in specs}
        head = await inline_or_thread(len(document), lambda: list(group_entries(identity, document, described)))
        if self._held is not None:
            form, arrays = "pack", await self._write_pack(head, self._held)
        else:
            form, arrays = "directory", self._stored()
            for name, data in head:
                await self._start(len(data), self._blobs.write(f"{directory_key(self.path)}/{name}", data))
        await self.flush()
        files = self.stored_files
        return Placement(self.path, form, digest, arrays, files, digest_of(files))  # type: ignore[arg-type]

    async def flush(self) -> None:
        """Make what was written so far durable."""
        await self.settle()
        for prefix in sorted(self._prefixes):
            await self._blobs.commit(prefix)

    async def discard(self) -> None:
        """Remove all that this attempt wrote, once nothing of it is under way any more."""
        await asyncio.gather(*self._writes, return_exceptions=True)
        await remove(self._blobs, self.path)

    async def _write_pack(
        self, head: list[tuple[str, bytes]], held: Mapping[tuple[str, str], Buffer]
    ) -> dict[str, StoredArray]:
        writer = ZipWriter()
        extents: dict[str, list[tuple[int, int]]] = {name: [] for name in self._arrays}

        def build() -> bytearray:
            whole = bytearray()
            for name, data in head:
                whole += writer.header(name, data)
                whole += data
            for (array, key), chunk in held.items():
                whole += writer.header(f"{array}/{key}", chunk)
                extents[array].append((len(whole), len(chunk)))
                whole += chunk
            whole += writer.end()
            return whole

        whole = await inline_or_thread(self._held_bytes, build)
        await self._blobs.write(pack_key(self.path), whole, commit=True)
        return {name: StoredArray(array.layout, tuple(extents[name])) for name, array in self._arrays.items()}

    def _stored(self) -> dict[str, StoredArray]:
        """Only the chunks of texts differ in size."""
        return {
            name: StoredArray(array.layout, tuple((0, size) for size in array.sizes) if array.layout.is_text else ())
            for name, array in self._arrays.items()
        }

    def _verify(self, name: str, array: _Array, number: int, data: Buffer, crc: int | None) -> None:
        if crc is not None:
            check_crc(data, crc, f"{name}/{array.keys[number]}")
        check_chunk(data, array.layout, f"datasets.{name}")
        array.digests[number] = xxhash.xxh3_128_digest(data)

    def _chunk_key(self, name: str, key: str) -> str:
        return f"{directory_key(self.path)}/{name}/{key}"

    async def _start(self, size: int, write: Coroutine[Any, Any, None]) -> None:
        """Let a write go on beside us, once what is under way leaves room for its bytes."""
        while self._writes and sum(self._writes.values()) + size > _IN_FLIGHT:
            await asyncio.wait(self._writes, return_when=asyncio.FIRST_COMPLETED)
        if self._failure is not None:
            write.close()
            raise self._failure
        task = asyncio.ensure_future(write)
        self._writes[task] = size
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._writes[task]
        if not task.cancelled() and task.exception() is not None:
            self._failure = self._failure or task.exception()

    async def settle(self) -> None:
        """Wait until all that was taken so far is verified and written, though not yet durable."""
        while self._writes:
            await asyncio.wait(self._writes)
        if self._failure is not None:
            raise self._failure


async def remove(blobs: Blobs, path: str) -> None:
    """Remove everything that lies under an attempt's path."""
    for key in (pack_key(path), directory_key(path), files_key(path)):
        await blobs.delete(key)
