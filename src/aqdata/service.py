"""What can be done with DataFiles, over the two stores: the only place that knows both; no HTTP, no configuration."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from aqdata.attempt import Attempt, remove
from aqdata.documents import NOT_IN_SUMMARY, Draft, Tree, check_size, described, summary
from aqdata.errors import AqdataError, Conflict, Deleted, Invalid, NotFound, TooLarge
from aqdata.models import canonical
from aqdata.models.datafile import check_data_sets
from aqdata.models.ids import check_id
from aqdata.models.keys import escape_key, unescape_key
from aqdata.models.names import check_distinct
from aqdata.models.spec import DataSetSpec
from aqdata.opened import Opened
from aqdata.stores.arrays import ArrayReader, inline_or_thread
from aqdata.stores.base import Blobs, Buffer, MetadataStore, Record
from aqdata.stores.placement import Placement, digest_of
from aqdata.wire.pack import File, Header, Limits, Part

MAX_PAGE = 1_000
_TRIES = 5
_ENDING = re.compile(r"[0-9a-f-]{1,36}")

logger = logging.getLogger(__name__)


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

    def __init__(
        self, metadata: MetadataStore, blobs: Blobs, limits: Limits | None = None, *, mapped: bool = False
    ) -> None:
        """`mapped`: what is read whole goes to a socket as it is; see `ArrayReader`."""
        self.limits = limits or Limits()
        self._metadata = metadata
        self._blobs = blobs
        self._reader = ArrayReader(blobs, mapped=mapped)

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
        draft = await inline_or_thread(header.size, lambda: Draft.of(header.document))
        specs = {name: spec for name, (spec, _) in header.arrays.items()}
        async with self.attempt(draft.id) as attempt:
            for name, (_, layout) in header.arrays.items():
                attempt.declare(name, layout)
            async for part in parts:
                if isinstance(part, File):
                    await attempt.file(part.name, part.data, part.crc)
                elif not isinstance(part, Header):
                    await attempt.chunk(part.array, part.key, part.data, part.crc)
            return await self.commit(attempt, draft, specs)

    def attempt(self, file_id: str) -> Attempt:
        """A new attempt to save, as a context: discarded at its end unless `commit` made a record of it."""
        return Attempt(self._blobs, self.limits, file_id)

    async def commit(self, attempt: Attempt, draft: Draft, specs: Mapping[str, DataSetSpec]) -> Saved:
        """Make a DataFile of an attempt: its record is the commit.

        Raises:
            Invalid: metadata and DataSets don't fit together, or the document is too large.
            Conflict: the id belongs to another DataFile.
            Deleted: it was saved before, and is in the bin.
        """
        check_data_sets(specs)
        await attempt.settle()
        datasets = {name: canonical.encode(spec.to_document()) for name, spec in specs.items()}
        digest = attempt.digest(draft.encoded, datasets)
        now = canonical.utc_text(datetime.now(UTC))
        group = draft.group(now)
        document = described(group, datasets, attempt.files)
        check_size(document, self.limits.document)
        placement = await attempt.finish(draft.identity, group, specs, digest)
        date = canonical.utc_text(draft.metadata.date)
        record = Record(draft.id, 1, "complete", now, date, document, placement.to_json())
        attempt.committing(partial(self._names, draft.id, attempt.path))
        for _ in range(_TRIES):
            try:
                await self._metadata.insert(record)
            except Conflict:
                existing = await self._existing(draft.id)
                if existing is None:
                    continue  # it was purged in between
                known = Placement.from_json(existing.storage)
                digests = (digest, attempt.digest(draft.dated(existing.date), datasets))
                if not known.is_same(digests, digest_of(attempt.stored_files)):
                    detail = "a DataFile with this id and other content is stored: save yours as a new DataFile"
                    raise Conflict(detail, field="id") from None
                if existing.state == "deleted":
                    raise Deleted("it was saved before and is in the bin: restore it", field="id") from None
                return Saved(existing, created=False)
            attempt.keep()
            return Saved(record, created=True)
        raise Conflict("the DataFile of this id is being removed", field="id")

    async def _existing(self, file_id: str) -> Record | None:
        try:
            return await self._metadata.get(file_id)
        except NotFound:
            return None

    async def _names(self, file_id: str, path: str) -> bool:
        """Whether the record of an id names what lies under an attempt's path."""
        existing = await self._existing(file_id)
        return existing is not None and Placement.from_json(existing.storage).names(path)

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
        again = partial(self.open, record.id)
        return Opened(record, Placement.from_json(record.storage), self._reader, self._blobs, again)

    async def find(
        self, limit: int = 50, cursor: str | None = None, states: Sequence[str] | None = None
    ) -> tuple[list[Tree], str | None]:
        """Summaries of DataFiles (trees of canonical JSON), newest first, and the cursor of the next page."""
        if not 1 <= limit <= MAX_PAGE:
            raise Invalid(f"1 to {MAX_PAGE}", field="limit")
        page = await self._metadata.find(limit=limit, cursor=cursor, states=states, without=NOT_IN_SUMMARY)
        size = sum(map(len, page.documents))
        return await inline_or_thread(size, lambda: list(map(summary, page.documents))), page.cursor

    async def resolve(self, ending: str) -> list[Tree]:
        """Summaries of at most two DataFiles, in any state, whose ids end so."""
        if not _ENDING.fullmatch(ending.lower()):
            raise Invalid("an ending of an id has hexadecimal digits and dashes", field="ending")
        ids = await self._metadata.resolve(ending.lower(), limit=2)
        return [summary((await self._metadata.get(file_id)).document) for file_id in ids]

    # changing

    async def delete(self, file_id: str) -> None:
        """Move a DataFile to the bin; it may be there already."""

        def change(tree: Tree) -> bool:
            if tree["state"] == "deleted":
                return False
            tree["was"], tree["state"] = tree["state"], "deleted"
            return True

        await self._change(file_id, change)

    async def restore(self, file_id: str) -> Record:
        """Take a DataFile out of the bin; it may be out already."""

        def change(tree: Tree) -> bool:
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
        record = await self._purged(file_id)
        placement = Placement.from_json(record.storage)
        # the record was the DataFile; what can't be removed now is no more than litter
        await _tolerating(partial(remove, self._blobs, placement.path), f"remove the data of {file_id}")
        for key in (*(file.key for file in placement.files.values()), _sidecar_key(record.id)):
            await _tolerating(partial(self._blobs.delete, key), f"remove {key}")

    async def _purged(self, file_id: str) -> Record:
        """The record that was removed: what somebody has just restored must stay."""
        for _ in range(_TRIES):
            record = await self.record(file_id)
            if record.state != "deleted":
                raise Conflict("only what is in the bin can be purged: delete it first", field="purge")
            try:
                await self._metadata.delete(record.id, record.revision)
            except Conflict:
                continue
            return record
        raise Conflict("others change this DataFile all the time: try again", field="revision")

    async def put_file(self, file_id: str, name: str, data: Buffer) -> Record:
        """Attach a file, in place of one of the same name if there is one."""
        opened = await self.open(file_id)
        async with self.attempt(opened.record.id) as attempt:
            await attempt.file(name, data)
            await attempt.flush()
            file = attempt.stored_files[name]
            replaced: list[str] = []

            def change(tree: Tree) -> bool:
                if tree["state"] == "deleted":
                    raise Deleted(f"DataFile {file_id} is in the bin: restore it first", field="id")
                files = tree.setdefault("files", {})
                others = [unescape_key(key) for key in files if key != escape_key(name)]
                check_distinct([*others, name], "files")
                if len(others) >= self.limits.files:
                    raise TooLarge(f"at most {self.limits.files} files", field="files")
                files[escape_key(name)] = attempt.files[name]
                return True

            def move(placement: Placement) -> Placement:
                # a change that was made though the store said otherwise is made again
                replaced[:] = [old.key for old in [placement.files.get(name)] if old not in (None, file)]
                return replace(placement, files={**placement.files, name: file})

            attempt.committing(partial(self._names, opened.record.id, attempt.path))
            record = await self._change(file_id, change, move)
            attempt.keep()
        for old in replaced:
            await _tolerating(partial(self._blobs.delete, old), f"remove {old}")
        return record

    async def _change(
        self,
        file_id: str,
        change: Callable[[Tree], bool],
        move: Callable[[Placement], Placement] = lambda placement: placement,
    ) -> Record:
        """Change a document, whoever else does so at the same time; `change` says whether there was anything to do."""
        for _ in range(_TRIES):
            old = await self.record(file_id)
            new = await inline_or_thread(len(old.document), partial(self._changed, old, change, move))
            if new is None:
                return old
            try:
                await self._metadata.replace(new, old.revision)
            except Conflict:
                continue
            await _tolerating(partial(self._write_sidecar, new), f"write the sidecar of {file_id}")
            return new
        raise Conflict("others change this DataFile all the time: try again", field="revision")

    def _changed(
        self, old: Record, change: Callable[[Tree], bool], move: Callable[[Placement], Placement]
    ) -> Record | None:
        tree: Tree = canonical.read_tree(old.document)
        if not change(tree):
            return None
        revision = tree["revision"] = old.revision + 1
        document = canonical.write_tree(tree)
        check_size(document, self.limits.document)
        storage = move(Placement.from_json(old.storage)).to_json()
        return replace(old, revision=revision, state=tree["state"], document=document, storage=storage)

    async def _write_sidecar(self, record: Record) -> None:
        """Put the document beside the data; whoever writes last writes the newest."""
        key = _sidecar_key(record.id)
        while True:
            await self._blobs.write(key, record.document, commit=True)
            current = await self._existing(record.id)
            if current is None:
                await self._blobs.delete(key)
                return
            if current.revision == record.revision:
                return
            record = current

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


def _sidecar_key(file_id: str) -> str:
    return f"{file_id}.meta.json"


async def _tolerating(work: Callable[[], Awaitable[None]], what: str) -> None:
    """Do what the acknowledged change does not depend on; `check` finds it if it fails."""
    try:
        await work()
    except AqdataError as error:
        logger.warning("could not %s: %s", what, error)
