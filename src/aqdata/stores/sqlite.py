"""The metadata store in one SQLite file: its queries; how the file is opened, shared and committed is not here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apsw

from aqdata.errors import AqdataError, Conflict, NotFound
from aqdata.stores.base import Page, Record
from aqdata.stores.cursor import read_cursor, write_cursor
from aqdata.stores.database import Database

# bytes go through CAST: jsonb() would take a BLOB for JSONB, and Python need not decode them
_INSERT = """
    INSERT INTO datafiles (id, ending, revision, state, saved_at, date, storage, document)
    VALUES (?, ?, ?, ?, ?, ?, ?, jsonb(CAST(? AS TEXT)))
    ON CONFLICT (id) DO NOTHING
"""
_UPDATE = """
    UPDATE datafiles
    SET revision = ?, state = ?, saved_at = ?, date = ?, storage = ?, document = jsonb(CAST(? AS TEXT))
    WHERE id = ? AND revision = ?
"""
_GET = """
    SELECT id, revision, state, saved_at, date, CAST(json(document) AS BLOB), storage FROM datafiles WHERE id = ?
"""
_FIND = """
    SELECT date, id, CAST(json({document}) AS BLOB) FROM datafiles
    WHERE {states} AND (date, id) < (?, ?) ORDER BY date DESC, id DESC LIMIT ?
"""
_RESOLVE = "SELECT id FROM datafiles WHERE ending >= ? AND ending < ? LIMIT ?"
_REVISION = "SELECT revision FROM datafiles WHERE id = ?"
_DELETE = "DELETE FROM datafiles WHERE id = ?1 AND revision = ifnull(?2, revision)"

# sorts after every date and every id
_LAST = chr(0x10FFFF)


class SqliteStore:
    """A `MetadataStore` in one SQLite file, which several processes may use at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    async def open(cls, path: Path | str, *, durable: bool = True) -> SqliteStore:
        """Open or make the file; `:memory:` keeps it all in memory. Not durable: a power cut takes the last changes.

        Raises:
            ConfigError: this can't be, or must not be, a database of aqdata; the message says what to do.
            StoreUnavailable: another process blocks it.
            StoreFull: no space is left to make it.
        """
        return cls(await Database.open(_file(path), durable=durable))

    async def insert(self, record: Record) -> None:
        def change(connection: apsw.Connection) -> None:
            place = (record.id, record.id[::-1], record.revision, record.state, record.saved_at, record.date)
            connection.execute(_INSERT, (*place, record.storage, record.document))
            if not connection.changes():
                raise Conflict(f"there is a DataFile {record.id} already", field="id")

        await self._database.change(change)

    async def get(self, file_id: str) -> Record:
        rows = await self._rows(_GET, (file_id,))
        if not rows:
            raise _missing(file_id)
        return Record(*rows[0])

    async def replace(self, record: Record, revision: int) -> None:
        def change(connection: apsw.Connection) -> None:
            values = (record.revision, record.state, record.saved_at, record.date, record.storage, record.document)
            connection.execute(_UPDATE, (*values, record.id, revision))
            if not connection.changes():
                raise _other(connection, record.id, revision)

        await self._database.change(change)

    async def find(
        self,
        *,
        limit: int,
        cursor: str | None = None,
        states: Sequence[str] | None = None,
        without: Sequence[str] = (),
    ) -> Page:
        condition = "state != 'deleted'" if states is None else f"state IN ({', '.join('?' * len(states))})"
        paths = [f'$."{field}"' for field in without]
        document = f"jsonb_remove(document, {', '.join('?' * len(paths))})" if paths else "document"
        query = _FIND.format(document=document, states=condition)
        date, file_id = (_LAST, _LAST) if cursor is None else read_cursor(cursor)
        rows = await self._rows(query, (*paths, *(states or ()), date, file_id, limit + 1))
        more = write_cursor(*rows[limit - 1][:2]) if len(rows) > limit else None
        return Page([document for _, _, document in rows[:limit]], more)

    async def resolve(self, ending: str, *, limit: int = 2) -> Sequence[str]:
        values = (ending[::-1], ending[::-1] + _LAST, limit)
        rows = await self._rows(_RESOLVE, values)
        return sorted(file_id for (file_id,) in rows)

    async def delete(self, file_id: str, revision: int | None = None) -> None:
        def change(connection: apsw.Connection) -> None:
            connection.execute(_DELETE, (file_id, revision))
            if not connection.changes():
                raise _other(connection, file_id, revision)

        await self._database.change(change)

    async def check(self) -> None:
        await self._database.check()

    async def close(self) -> None:
        await self._database.close()

    async def _rows(self, query: str, values: Sequence[str | int]) -> Sequence[tuple[Any, ...]]:
        return await self._database.read(lambda connection: connection.execute(query, values).fetchall())


def _file(path: Path | str) -> Path | None:
    return None if str(path) == ":memory:" else Path(path).expanduser().absolute()


def _other(connection: apsw.Connection, file_id: str, revision: int | None) -> AqdataError:
    """Why there was no record of this id and revision to change."""
    stored = connection.execute(_REVISION, (file_id,)).get
    if stored is None:
        return _missing(file_id)
    return Conflict(f"DataFile {file_id} is at revision {stored}, not {revision}: load it again", field="revision")


def _missing(file_id: str) -> NotFound:
    return NotFound(f"there is no DataFile {file_id}", field="id")
