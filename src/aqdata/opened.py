"""A DataFile that was looked up: read in part, or given whole; looking up and changing are in `service.py`."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from aqdata.documents import Tree, group_of
from aqdata.errors import Corrupt, NotFound, TooLarge
from aqdata.models import canonical
from aqdata.models.attachment import media_type_of
from aqdata.models.selection import Selection
from aqdata.models.spec import DataSetSpec
from aqdata.stores.arrays import ArrayReader, inline_or_thread
from aqdata.stores.base import Blobs, Buffer, Record
from aqdata.stores.placement import Placement
from aqdata.wire.layout import Layout, planned_itemsize
from aqdata.wire.pack import FILES, ROOT, group_entries
from aqdata.wire.zarr import array_json
from aqdata.wire.zip import ZipWriter, zip_size

INLINE = 1 << 20
"""Bytes up to which a DataFile is given whole with its metadata, if the client takes it so."""

MAX_BLOCK = 64 << 20
"""Bytes that index arrays may touch in one request."""


@dataclass(frozen=True)
class Opened:
    """A DataFile's record, where its data lie, and the stores that they are read from."""

    record: Record
    placement: Placement
    reader: ArrayReader
    blobs: Blobs
    again: Callable[[], Awaitable[Opened]]
    """Look it up again: it may be gone, or its files elsewhere, since it was."""

    async def tree(self) -> Tree:
        """The document as a tree of canonical JSON."""
        document = self.record.document
        tree: Tree = await inline_or_thread(len(document), lambda: canonical.read_tree(document))
        return tree

    def arrays(self, tree: Tree) -> dict[str, tuple[DataSetSpec, Layout]]:
        """Its DataSets with their layouts."""
        datasets = canonical.from_json_value(tree.get("datasets", {}))
        return {
            name: (DataSetSpec.from_document(datasets[name], f"datasets.{name}"), stored.layout)
            for name, stored in self.placement.arrays.items()
        }

    def select(self, name: str, make: Callable[[tuple[int, ...]], Selection]) -> Selection:
        """A selection of a DataSet, checked against what one request may touch.

        Raises:
            NotFound: no DataSet of this name.
            TooLarge: index arrays that touch too much.
        """
        if name not in self.placement.arrays:
            names = ", ".join(map(repr, self.placement.arrays)) or "none"
            raise NotFound(f"there is no DataSet {name!r} in this DataFile; it has {names:.500}", field="name")
        layout = self.placement.arrays[name].layout
        selection = make(layout.shape)
        touched = planned_itemsize(layout.dtype)
        for axis in selection.axes:
            touched *= len(axis)
        if not selection.is_basic and max(touched, selection.size * planned_itemsize(layout.dtype)) > MAX_BLOCK:
            raise TooLarge(
                f"index arrays touch {touched} bytes, at most {MAX_BLOCK} in one request: ask in parts or use slices",
                field="index",
            )
        return selection

    def part(self, name: str, selection: Selection) -> AsyncIterator[Buffer]:
        """What a selection gives, as little-endian bytes in C order."""
        return self._present(self.reader.part(self.placement, name, selection))

    async def array(self, name: str, selection: Selection) -> NDArray[Any]:
        """What a selection gives, as an array of the DataSet's dtype."""
        try:
            return await self.reader.array(self.placement, name, selection)
        except Corrupt:
            await self.again()
            raise

    def stored(self, name: str) -> AsyncIterator[Buffer]:
        """The whole of a numeric array as bytes in the order in which it is stored."""
        return self._present(self.reader.stored(self.placement, name))

    async def file(self, name: str) -> tuple[Buffer, str]:
        """An attached file and its media type.

        Raises:
            NotFound: no file of this name.
        """
        file = self.placement.files.get(name)
        if file is None:
            raise NotFound(f"there is no file {name!r} in this DataFile", field="name")
        try:
            return await self.blobs.read(file.key), media_type_of(name)
        except NotFound:
            return await (await self._moved()).file(name)

    async def pack(self) -> tuple[int, AsyncIterator[Buffer]]:
        """The whole DataFile as a pack with its current metadata: its size, and its bytes."""
        tree = await self.tree()
        arrays = self.arrays(tree)
        head = await inline_or_thread(
            len(self.record.document), lambda: list(group_entries(tree, group_of(tree), arrays))
        )
        try:
            # taken now: what replaces one later must not cut the answer short
            files = {name: await self.reader.blob(file.key) for name, file in self.placement.files.items()}
        except NotFound:
            return await (await self._moved()).pack()
        size = zip_size(itertools.chain(((name, len(data)) for name, data in head), _sizes(self.placement, files)))
        return size, self._present(self._pack_bytes(head, files))

    async def whole(self) -> Buffer | None:
        """The pack, if the DataFile is so small that it goes with its metadata."""
        if self.placement.nbytes > INLINE or self.placement.files:
            return None
        if self.record.revision == 1 and self.placement.form == "pack":
            return await self.blobs.read(self.placement.group)
        _, stream = await self.pack()
        return b"".join([bytes(piece) async for piece in stream])

    async def zarr(self, key: str) -> Buffer:
        """What lies under a key of the DataFile as a Zarr store.

        Raises:
            NotFound: no such key, or a chunk outside the array.
        """
        tree = await self.tree()
        arrays = self.arrays(tree)
        name, _, rest = key.partition("/")
        if key == ROOT:
            return dict(group_entries(tree, group_of(tree), arrays))[ROOT]
        if name in arrays and rest == ROOT:
            return canonical.write_tree(array_json(*arrays[name]))
        try:
            data = await self.reader.chunk(self.placement, name, rest) if name in arrays else None
        except Corrupt:
            await self.again()
            raise
        if data is None:
            raise NotFound(f"there is no {key!r} in this Zarr group", field="key")
        return data

    async def _present(self, pieces: AsyncIterator[Buffer]) -> AsyncIterator[Buffer]:
        """The same; but if something is missing because the DataFile was removed meanwhile, the error says that."""
        try:
            async for piece in pieces:
                yield piece
        except Corrupt:
            await self.again()
            raise

    async def _moved(self) -> Opened:
        """The DataFile as it is now, if its files lie elsewhere by now."""
        now = await self.again()
        if now.placement.files == self.placement.files:
            raise Corrupt("an attached file is missing")
        return now

    async def _pack_bytes(self, head: list[tuple[str, bytes]], files: Mapping[str, Buffer]) -> AsyncIterator[Buffer]:
        writer = ZipWriter()
        yield b"".join(writer.header(name, data) + data for name, data in head)
        for name in self.placement.arrays:
            async for run, data in self.reader.chunks(self.placement, name):
                yield await _header(writer, f"{name}/{run.key}", data)
                yield data
        for name, content in files.items():
            yield writer.header_for(f"{FILES}/{name}", len(content), self.placement.files[name].crc)
            yield content
        yield writer.end()


async def _header(writer: ZipWriter, name: str, data: Buffer) -> bytes:
    return await inline_or_thread(len(data), lambda: writer.header(name, data))


def _sizes(placement: Placement, files: Mapping[str, Buffer]) -> Iterator[tuple[str, int]]:
    for name, stored in placement.arrays.items():
        layout = stored.layout
        for number, run in enumerate(layout.runs()):
            yield f"{name}/{run.key}", stored.extents[number][1] if layout.is_text else run.size * layout.itemsize
    for name, content in files.items():
        yield f"{FILES}/{name}", len(content)
