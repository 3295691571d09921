"""What can be done with DataFiles, over the two stores: the only place that knows both; no HTTP, no configuration."""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from aqdata.attempt import Attempt, remove
from aqdata.errors import AqdataError, Conflict, Deleted, Invalid, NotFound, StoreFull, TooLarge
from aqdata.models import canonical
from aqdata.models.attachment import media_type_of
from aqdata.models.datafile import check_data_sets
from aqdata.models.ids import check_id, new_id
from aqdata.models.keys import escape_key
from aqdata.models.metadata import MetaData
from aqdata.models.selection import Selection
from aqdata.models.spec import DataSetSpec
from aqdata.stores.arrays import ArrayReader, inline_or_thread
from aqdata.stores.base import Blobs, Buffer, MetadataStore, Record
from aqdata.stores.placement import Placement, file_key
from aqdata.wire.layout import Layout, planned_itemsize
from aqdata.wire.pack import FILES, File, Header, Limits, Part, ZipWriter, group_entries, zip_size
from aqdata.wire.zarr import array_json

INLINE = 1 << 20
"""Bytes up to which a DataFile is given whole with its metadata, if the client takes it so."""

MAX_BLOCK = 64 << 20
"""Bytes that index arrays may touch in one request."""

MAX_PAGE = 1_000
_SYSTEM = ("id", "state", "revision", "saved_at", "was", "datasets", "files")
_TRIES = 5
_ENDING = re.compile(r"[0-9a-f-]{1,36}")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Opened:
    """A DataFile that was looked up: its record, and where its data lie."""

    record: Record
    placement: Placement

    @property
    def tree(self) -> dict[str, Any]:
        """The document as a tree of canonical JSON."""
        tree: dict[str, Any] = canonical.read_tree(self.record.document)
        return tree

    def arrays(self) -> dict[str, tuple[DataSetSpec, Layout]]:
        """Its DataSets with their layouts."""
        described = canonical.from_json_value(self.tree.get("datasets", {}))
        return {
            name: (DataSetSpec.from_document(described[name], f"datasets.{name}"), stored.layout)
            for name, stored in self.placement.arrays.items()
        }


@dataclass(frozen=True)
class Saved:
    """The record of a save, and whether this save made it or an equal one before."""

    record: Record
    created: bool

    def receipt(self) -> bytes:
        """What the client is told."""
        record = self.record
        receipt = {"id": record.id, "revision": record.revision, "state": record.state, "saved_at": record.saved_at}
        return canonical.write_tree(receipt)


class Service:
    """Saves, loads, slices, lists and bins DataFiles. It keeps no state of its own: any number may share the stores."""

    def __init__(self, metadata: MetadataStore, blobs: Blobs, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._metadata = metadata
        self._blobs = blobs
        self._reader = ArrayReader(blobs)

    # saving

    async def save(self, parts: AsyncIterator[Part]) -> Saved:
        """Save a DataFile from the parts of a pack. Whatever fails, nothing of it is visible.

        Raises:
            Invalid: the parts are no valid DataFile.
            Conflict: the id belongs to another DataFile.
        """
        header = await anext(parts)
        if not isinstance(header, Header):
            raise Invalid("a pack begins with its metadata", field="body")
        file_id, metadata = split_document(header.document)
        specs = {name: spec for name, (spec, _) in header.arrays.items()}
        async with self.attempt(file_id) as attempt:
            for name, (_, layout) in header.arrays.items():
                attempt.declare(name, layout)
            async for part in parts:
                if isinstance(part, File):
                    await attempt.file(part.name, part.data, part.crc)
                elif not isinstance(part, Header):
                    await attempt.chunk(part.array, part.key, part.data, part.crc)
            return await self.commit(attempt, file_id, metadata, specs)

    def attempt(self, file_id: str) -> Attempt:
        """A new attempt to save, as a context: discarded at its end unless `commit` made a record of it."""
        return Attempt(self._blobs, self.limits, file_id)

    async def commit(
        self, attempt: Attempt, file_id: str, metadata: MetaData, specs: Mapping[str, DataSetSpec]
    ) -> Saved:
        """Make a DataFile of an attempt: its record is the commit.

        Raises:
            Invalid: metadata and DataSets don't fit together, or the document is too large.
            Conflict: the id belongs to another DataFile.
        """
        check_data_sets(specs)
        encoded = metadata.to_json()
        await attempt.settle()
        digest = attempt.digest(encoded, specs)
        now = canonical.utc_text(datetime.now(UTC))
        group = _document(file_id, now, encoded)
        document = _described(group, specs, attempt.files)
        self._check_size(document)
        placement = await attempt.finish(group, specs, digest)
        date = canonical.utc_text(metadata.date)
        record = Record(file_id, 1, "complete", now, date, document, placement.to_json())
        for _ in range(_TRIES):
            # from here on the store may have the record, whatever the answer says
            attempt.keep()
            try:
                await self._metadata.insert(record)
            except StoreFull:
                attempt.keep(False)
                raise
            except Conflict:
                attempt.keep(False)
                existing = await self._existing(file_id)
                if existing is None:
                    continue  # it was purged in between
                if Placement.from_json(existing.storage).digest != digest:
                    detail = "this id belongs to another DataFile; a new one needs a new id"
                    raise Conflict(detail, field="id") from None
                return Saved(existing, created=False)
            return Saved(record, created=True)
        raise Conflict("the DataFile of this id is being removed", field="id")

    async def _existing(self, file_id: str) -> Record | None:
        try:
            return await self._metadata.get(file_id)
        except NotFound:
            return None

    def _check_size(self, document: bytes) -> None:
        if len(document) <= self.limits.document:
            return
        tree: dict[str, Any] = canonical.read_tree(document)
        sizes = sorted(((len(canonical.write_tree(value)), key) for key, value in tree.items()), reverse=True)
        largest = ", ".join(f"{key}: {size}" for size, key in sizes[:3])
        raise TooLarge(
            f"the document has {len(document)} bytes, at most {self.limits.document} (largest: {largest}); "
            "attach large texts as files and long lists as DataSets",
            field=sizes[0][1],
        )

    # looking up

    async def record(self, file_id: str) -> Record:
        """The record of an id, in the bin or not.

        Raises:
            Invalid: it is no UUID.
            NotFound: it is not here.
        """
        return await self._metadata.get(check_id(file_id))

    async def open(self, file_id: str) -> Opened:
        """A DataFile whose data are to be read.

        Raises:
            Deleted: it is in the bin.
        """
        record = await self.record(file_id)
        if record.state == "deleted":
            raise Deleted(f"DataFile {file_id} is in the bin: restore it first", field="id")
        return Opened(record, Placement.from_json(record.storage))

    async def find(
        self, limit: int = 50, cursor: str | None = None, states: Sequence[str] | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Summaries of DataFiles (trees of canonical JSON), newest first, and the cursor of the next page."""
        if not 1 <= limit <= MAX_PAGE:
            raise Invalid(f"1 to {MAX_PAGE}", field="limit")
        page = await self._metadata.find(limit=limit, cursor=cursor, states=states)
        return [_summary(document) for document in page.documents], page.cursor

    async def resolve(self, ending: str) -> list[dict[str, Any]]:
        """Summaries of at most two DataFiles, in any state, whose ids end so."""
        if not _ENDING.fullmatch(ending.lower()):
            raise Invalid("an ending of an id has hexadecimal digits and dashes", field="ending")
        ids = await self._metadata.resolve(ending.lower(), limit=2)
        return [_summary((await self._metadata.get(file_id)).document) for file_id in ids]

    # reading

    def select(self, opened: Opened, name: str, make: Callable[[tuple[int, ...]], Selection]) -> Selection:
        """A selection of a DataSet, checked against what one request may touch.

        Raises:
            NotFound: no DataSet of this name.
            TooLarge: index arrays that touch too much.
        """
        if name not in opened.placement.arrays:
            names = ", ".join(map(repr, opened.placement.arrays)) or "none"
            raise NotFound(f"there is no DataSet {name!r} in this DataFile; it has {names:.500}", field="name")
        layout = opened.placement.arrays[name].layout
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

    def part(self, opened: Opened, name: str, selection: Selection) -> AsyncIterator[Buffer]:
        """What a selection gives, as little-endian bytes in C order."""
        return self._reader.part(opened.placement, name, selection)

    async def array(self, opened: Opened, name: str, selection: Selection) -> Any:
        """What a selection gives, as a numpy array."""
        return await self._reader.array(opened.placement, name, selection)

    def stored(self, opened: Opened, name: str) -> AsyncIterator[Buffer]:
        """The whole of a numeric array as bytes in the order in which it is stored."""
        return self._reader.stored(opened.placement, name)

    async def file(self, opened: Opened, name: str) -> tuple[Buffer, str]:
        """An attached file and its media type."""
        key = opened.placement.files.get(name)
        if key is None:
            raise NotFound(f"there is no file {name!r} in this DataFile", field="name")
        return await self._blobs.read(key), media_type_of(name)

    async def pack(self, opened: Opened) -> tuple[int, AsyncIterator[Buffer]]:
        """The whole DataFile as a pack with its current metadata: its size, and its bytes."""
        tree = opened.tree
        head = list(group_entries(_group(tree), opened.arrays()))
        files = {name: tree["files"][escape_key(name)]["size"] for name in opened.placement.files}
        size = zip_size(itertools.chain(((name, len(data)) for name, data in head), _sizes(opened.placement, files)))
        return size, self._pack_bytes(opened, head)

    async def whole(self, opened: Opened) -> Buffer | None:
        """The pack, if the DataFile is so small that it goes with its metadata."""
        placement = opened.placement
        if placement.nbytes > INLINE or placement.files:
            return None
        if opened.record.revision == 1 and placement.form == "pack":
            return await self._blobs.read(placement.group)
        _, stream = await self.pack(opened)
        return b"".join([bytes(piece) async for piece in stream])

    async def _pack_bytes(self, opened: Opened, head: list[tuple[str, bytes]]) -> AsyncIterator[Buffer]:
        writer = ZipWriter()
        yield b"".join(writer.header(name, data) + data for name, data in head)
        for name in opened.placement.arrays:
            async for run, data in self._reader.chunks(opened.placement, name):
                yield await self._header(writer, f"{name}/{run.key}", data)
                yield data
        for name, key in opened.placement.files.items():
            data = await self._blobs.read(key)
            yield await self._header(writer, f"{FILES}/{name}", data)
            yield data
        yield writer.end()

    async def _header(self, writer: ZipWriter, name: str, data: Buffer) -> bytes:
        return await inline_or_thread(len(data), lambda: writer.header(name, data))

    async def zarr(self, opened: Opened, key: str) -> Buffer:
        """What lies under a key of the DataFile as a Zarr store.

        Raises:
            NotFound: no such key, or a chunk outside the array.
        """
        arrays = opened.arrays()
        name, _, rest = key.partition("/")
        if key == "zarr.json":
            return dict(group_entries(_group(opened.tree), arrays))[key]
        if name in arrays and rest == "zarr.json":
            return canonical.write_tree(array_json(*arrays[name]))
        data = await self._reader.chunk(opened.placement, name, rest) if name in arrays else None
        if data is None:
            raise NotFound(f"there is no {key!r} in this Zarr group", field="key")
        return data

    # changing

    async def delete(self, file_id: str) -> None:
        """Move a DataFile to the bin; it may be there already."""

        def change(tree: dict[str, Any]) -> bool:
            if tree["state"] == "deleted":
                return False
            tree["was"], tree["state"] = tree["state"], "deleted"
            return True

        await self._change(file_id, change)

    async def restore(self, file_id: str) -> Record:
        """Take a DataFile out of the bin; it may be out already."""

        def change(tree: dict[str, Any]) -> bool:
            if tree["state"] != "deleted":
                return False
            tree["state"] = tree.pop("was")
            return True

        return await self._change(file_id, change)

    async def purge(self, file_id: str) -> None:
        """Remove a DataFile for ever.

        Raises:
            Conflict: it is not in the bin.
        """
        record = await self.record(file_id)
        if record.state != "deleted":
            raise Conflict("only what is in the bin can be purged: delete it first", field="purge")
        placement = Placement.from_json(record.storage)
        await self._metadata.delete(record.id)
        # the record was the DataFile; what can't be removed now is no more than litter
        await _tolerating(partial(remove, self._blobs, placement.path), f"remove the data of {file_id}")
        for key in (*placement.files.values(), _sidecar_key(record.id)):
            await _tolerating(partial(self._blobs.delete, key), f"remove {key}")

    async def put_file(self, file_id: str, name: str, data: Buffer) -> Record:
        """Attach a file, in place of one of the same name if there is one."""
        opened = await self.open(file_id)
        async with self.attempt(opened.record.id) as attempt:
            await attempt.file(name, data)
            described = attempt.files
            await attempt.flush()
            key = file_key(attempt.path, name)
            replaced: list[str] = []

            def change(tree: dict[str, Any]) -> bool:
                if tree["state"] == "deleted":
                    raise Deleted(f"DataFile {file_id} is in the bin: restore it first", field="id")
                files = tree.setdefault("files", {})
                escaped = escape_key(name)
                files[escaped] = described[name]
                return True

            def move(placement: Placement) -> Placement:
                replaced[:] = [placement.files[name]] if name in placement.files else []
                return replace(placement, files={**placement.files, name: key})

            attempt.keep()
            record = await self._change(file_id, change, move)
        for old in replaced:
            await _tolerating(partial(self._blobs.delete, old), f"remove {old}")
        return record

    async def _change(
        self,
        file_id: str,
        change: Callable[[dict[str, Any]], bool],
        move: Callable[[Placement], Placement] = lambda placement: placement,
    ) -> Record:
        """Change a document, whoever else does so at the same time; `change` says whether there was anything to do."""
        for _ in range(_TRIES):
            old = await self.record(file_id)
            tree: dict[str, Any] = canonical.read_tree(old.document)
            if not change(tree):
                return old
            tree["revision"] = old.revision + 1
            document = canonical.write_tree(tree)
            self._check_size(document)
            storage = move(Placement.from_json(old.storage)).to_json()
            new = replace(old, revision=old.revision + 1, state=tree["state"], document=document, storage=storage)
            try:
                await self._metadata.replace(new, old.revision)
            except Conflict:
                continue
            await _tolerating(partial(self._write_sidecar, new), f"write the sidecar of {file_id}")
            return new
        raise Conflict("others change this DataFile all the time: try again", field="revision")

    async def _write_sidecar(self, record: Record) -> None:
        await self._blobs.write(_sidecar_key(record.id), record.document)
        await self._blobs.commit(_sidecar_key(record.id))

    # the stores

    async def check(self) -> None:
        """Return if both stores answer.

        Raises:
            StoreUnavailable, StoreFull: one does not.
        """
        await self._metadata.check()
        await self._blobs.check()

    async def close(self) -> None:
        """Close the stores."""
        await self._metadata.close()
        await self._blobs.close()


def split_document(document: Mapping[str, Any]) -> tuple[str, MetaData]:
    """The id and the metadata of a document that a client sent; what the server decides itself is left out.

    Raises:
        Invalid: the id or a metadata field is wrong.
    """
    file_id = check_id(document["id"]) if "id" in document else new_id()
    return file_id, MetaData.from_document({key: document[key] for key in document if key not in _SYSTEM})


def _document(file_id: str, saved_at: str, metadata: bytes) -> bytes:
    """The document of a new DataFile, without its DataSets and files."""
    system = canonical.write_tree({"id": file_id, "state": "complete", "revision": 1, "saved_at": saved_at})
    return system[:-1] + b"," + metadata[1:]


def _described(document: bytes, specs: Mapping[str, DataSetSpec], files: Mapping[str, Any]) -> bytes:
    """The document with its DataSets and files."""
    parts = [document[:-1]]
    if specs:
        parts.append(b'"datasets":' + canonical.encode({name: spec.to_document() for name, spec in specs.items()}))
    if files:
        parts.append(b'"files":' + canonical.encode(files))
    return b",".join(parts) + b"}"


def _group(tree: Mapping[str, Any]) -> bytes:
    """What of a document goes into the group's attributes."""
    return canonical.write_tree({key: value for key, value in tree.items() if key not in ("datasets", "files")})


def _summary(document: bytes) -> dict[str, Any]:
    tree: dict[str, Any] = canonical.read_tree(document)
    keys = ("id", "kind", "name", "user", "station", "tags", "flag", "comment", "date", "saved_at", "state", "revision")
    shapes = {name: spec["shape"] for name, spec in tree.get("datasets", {}).items()}
    return {key: tree[key] for key in keys if key in tree} | {"shapes": shapes}


def _sizes(placement: Placement, files: Mapping[str, int]) -> Any:
    for name, stored in placement.arrays.items():
        layout = stored.layout
        for number, run in enumerate(layout.runs()):
            yield f"{name}/{run.key}", stored.extents[number][1] if layout.is_text else run.size * layout.itemsize
    for name, size in files.items():
        yield f"{FILES}/{name}", size


def _sidecar_key(file_id: str) -> str:
    return f"{file_id}.meta.json"


async def _tolerating(work: Callable[[], Awaitable[None]], what: str) -> None:
    """Do what the acknowledged change does not depend on; `check` finds it if it fails."""
    try:
        await work()
    except AqdataError as error:
        logger.warning("could not %s: %s", what, error)
