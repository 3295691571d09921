"""One open SQLite database: a thread that writes, threads that read, and group commit; it knows no table."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import apsw

from aqdata.errors import AqdataError, StoreUnavailable
from aqdata.stores.connection import MIGRATIONS, connect, database_errors, open_database
from aqdata.stores.threads import finish

T = TypeVar("T")

READERS = 4
# bounds how long the first of a group waits for the others
MOST_CHANGES = 64
# 4 MB, as SQLite's own checkpoints
CHECKPOINT_PAGES = 1000


@dataclass(frozen=True, slots=True)
class _Change(Generic[T]):
    run: Callable[[apsw.Connection], T]
    future: Future[T]


class Database:
    """A database that runs work on its connections in its own threads.

    Changes that wait at the same time share one transaction, and so one fsync; each has a savepoint, so that a
    `Conflict` of one leaves the others alone. An answer comes after the commit.
    """

    def __init__(self, connection: apsw.Connection, path: Path | None, *, durable: bool) -> None:
        self._connection = connection
        self._path = path
        self._durable = durable
        self._inode = path.stat().st_ino if path else 0
        self._wal_pages = 0
        self._waiting: deque[_Change[Any]] = deque()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="aqdata-sqlite-write")
        # a database in memory is its one connection
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="aqdata-sqlite-read") if path else self._writer
        self._local = threading.local()
        self._reading: list[apsw.Connection] = []
        connection.set_wal_hook(self._count_wal)

    @classmethod
    async def open(cls, path: Path | None, *, durable: bool = True, migrations: Sequence[str] = MIGRATIONS) -> Database:
        """Open or make it; without a path it is in memory. Errors as in `open_database`."""
        connection = await asyncio.to_thread(open_database, path, durable=durable, migrations=migrations)
        return cls(connection, path, durable=durable)

    async def read(self, work: Callable[[apsw.Connection], T]) -> T:
        """What the work returns, which must only read."""
        return await asyncio.wrap_future(self._submit(self._readers, lambda: self._read(work)))

    async def change(self, work: Callable[[apsw.Connection], T]) -> T:
        """What the work returns, once it is committed; it may be run again after a rollback."""
        future: Future[T] = Future()
        self._waiting.append(_Change(work, future))
        self._submit(self._writer, self._drain)
        return await finish(future)

    async def check(self) -> None:
        """Raise `StoreUnavailable` if the database does not answer."""
        await asyncio.to_thread(self._check_in_place)
        await self.read(lambda connection: connection.execute("SELECT count(*) FROM sqlite_schema").fetchall())

    async def close(self) -> None:
        """Finish the changes that wait, and close; a second call does nothing."""
        await asyncio.to_thread(self._close)

    def _submit(self, threads: ThreadPoolExecutor, work: Callable[[], T]) -> Future[T]:
        try:
            return threads.submit(work)
        except RuntimeError as error:
            raise StoreUnavailable("the database is closed") from error

    def _close(self) -> None:
        self._readers.shutdown()
        self._writer.shutdown()
        for connection in self._reading:
            connection.close()
        self._wal_pages = CHECKPOINT_PAGES
        self._checkpoint()
        self._connection.close()

    def _read(self, work: Callable[[apsw.Connection], T]) -> T:
        with database_errors(self._path):
            connection = self._reading_connection()
        with database_errors(self._path, connection):
            return work(connection)

    def _reading_connection(self) -> apsw.Connection:
        if self._path is None:
            return self._connection
        connection: apsw.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = connect(self._path, durable=self._durable)
            connection.execute("PRAGMA query_only = ON")
            self._local.connection = connection
            self._reading.append(connection)
        return connection

    def _drain(self) -> None:
        group: list[_Change[Any]] = []
        while self._waiting and len(group) < MOST_CHANGES:
            change = self._waiting.popleft()
            if change.future.set_running_or_notify_cancel():
                group.append(change)
        if group:
            self._commit(group)
            self._checkpoint()

    def _commit(self, group: Sequence[_Change[Any]]) -> None:
        try:
            with database_errors(self._path, self._connection):
                outcomes = self._transaction(group)
        except StoreUnavailable as error:
            for change in group:
                change.future.set_exception(error)
        except BaseException as error:  # noqa: BLE001 (it is the caller's)
            if len(group) == 1:
                group[0].future.set_exception(error)
                return
            # nothing of the group is stored; one that does not fit must not fail the others
            for change in group:
                self._commit([change])
        else:
            for change, outcome in zip(group, outcomes, strict=True):
                if isinstance(outcome, AqdataError):
                    change.future.set_exception(outcome)
                else:
                    change.future.set_result(outcome)

    def _transaction(self, group: Sequence[_Change[Any]]) -> Sequence[object]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._check_in_place()
            outcomes = [self._attempt(change) for change in group]
            self._connection.execute("COMMIT")
        except BaseException:
            # a full disk makes SQLite roll back by itself
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        return outcomes

    def _attempt(self, change: _Change[Any]) -> object:
        self._connection.execute("SAVEPOINT change")
        try:
            outcome: object = change.run(self._connection)
        except AqdataError as error:
            self._connection.execute("ROLLBACK TO change")
            outcome = error
        self._connection.execute("RELEASE change")
        return outcome

    def _check_in_place(self) -> None:
        """Writes to a deleted file succeed and are lost."""
        if self._path is None:
            return
        try:
            same = self._path.stat().st_ino == self._inode
        except OSError:
            same = False
        if not same:
            raise StoreUnavailable(f"the database {self._path} was moved or replaced while open: restart the server")

    def _count_wal(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _checkpoint(self) -> None:
        """Between changes, so that no answer waits for it."""
        if self._wal_pages >= CHECKPOINT_PAGES:
            # a failed one loses nothing, and the next commit tries again
            with suppress(apsw.Error):
                self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
