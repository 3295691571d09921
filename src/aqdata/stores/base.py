"""The two Protocols that every backend fulfils, and what passes through them; no backend is here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import tensorstore as ts

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Record:
    """One DataFile in the metadata store.

    `document` is what users see: canonical JSON (`models/canonical.py`), an object with `id`, `kind`, `name`, `date`,
    `state`, `revision` and `saved_at` among its keys. `storage` is what only the service reads: canonical JSON that
    says where the arrays lie and how they are laid out, and the digest of the save. The other fields repeat keys of
    the document, so that a store need not parse it; the service keeps them equal.
    """

    id: str
    revision: int
    state: str
    saved_at: str
    date: str
    document: bytes
    storage: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """Some DataFiles, newest first, and the cursor of the next page (None: that was the last)."""

    documents: Sequence[bytes]
    cursor: str | None


class MetadataStore(Protocol):
    """Where records live. An answer means that the change is durable; an error that the caller may not know."""

    async def insert(self, record: Record) -> None:
        """Add a record.

        Raises:
            Conflict: the id is taken.
        """

    async def get(self, file_id: str) -> Record:
        """The record.

        Raises:
            NotFound: no such id.
        """

    async def replace(self, record: Record, revision: int) -> None:
        """Put the record in place of the one of the same id, if that has this revision.

        Raises:
            NotFound: no such id.
            Conflict: the stored record has another revision.
        """

    async def find(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        states: Sequence[str] | None = None,
        without: Sequence[str] = (),
    ) -> Page:
        """The documents of these states (default: all but `deleted`), by date and id, newest first.

        `without`: fields at the top of the documents that are left out.

        Pages are stable: what is inserted while someone pages shows up at most in front.

        Raises:
            Invalid: the cursor is not one of this store's.
        """

    async def resolve(self, ending: str, *, limit: int = 2) -> Sequence[str]:
        """At most `limit` ids that end so, of any state, in ascending order."""

    async def delete(self, file_id: str, revision: int | None = None) -> None:
        """Remove the record for ever, if it has this revision (None: any).

        Raises:
            NotFound: no such id.
            Conflict: the stored record has another revision.
        """

    async def check(self) -> None:
        """Return if the store answers.

        Raises:
            StoreUnavailable: it does not.
        """

    async def close(self) -> None: ...


class Blobs(Protocol):
    """Named byte strings: a local folder, memory or a bucket. Keys are relative paths with `/`, without empty parts,
    `.`, `..` or backslashes; others raise `Invalid`. A prefix is the key of a blob, or the front of keys up to a `/`.

    A blob appears whole or not at all, and is durable once `write` has returned and, on a file system, `commit` has
    been called for a prefix that holds it.
    """

    async def write(self, key: str, data: Buffer, *, commit: bool = False) -> None:
        """Write a blob, and commit it at once if that is all; the buffer is free for reuse afterwards.

        Raises:
            StoreFull: no space left.
            StoreUnavailable: the store does not answer.
        """

    async def commit(self, prefix: str) -> None:
        """Make the directory entries of all that was written under this prefix durable, up to the root."""

    async def read(self, key: str, start: int = 0, stop: int | None = None) -> Buffer:
        """The bytes from start to stop (default: the end) of a blob.

        Raises:
            NotFound: no such blob.
            Corrupt: the blob is shorter than that.
        """

    async def view(self, key: str) -> Buffer:
        """A whole blob, to be passed on as it is: it may be a mapped file, where an error of the disk is a signal to
        who looks into it, and an ordinary error of the system call that sends it.

        Raises:
            NotFound: no such blob.
        """

    def list(self, prefix: str) -> AsyncIterator[str]:
        """The keys under this prefix ("": all), in no order."""

    async def delete(self, prefix: str) -> None:
        """Remove this blob and all blobs under `prefix/`; missing ones are no error, an empty prefix is (`Invalid`)."""

    def kvstore(self, prefix: str) -> ts.KvStore.Spec:
        """The blobs under `prefix/` as tensorstore opens them."""

    async def check(self) -> None:
        """Return if the store takes writes.

        Raises:
            StoreUnavailable: it does not.
        """

    async def close(self) -> None: ...
