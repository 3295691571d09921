"""Opening a SQLite file as a database of aqdata: its schema, its settings, its errors; no queries and no threads."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import apsw

from aqdata.errors import ConfigError, Corrupt, Invalid, StoreFull, StoreUnavailable, TooLarge
from aqdata.stores.disk import FULL, make_folder, sync_folder

# "aqdt"; `file` and other programs tell our databases by it
APPLICATION_ID = 0x61716474
BUSY_SECONDS = 10.0

# Step n takes a database from version n to n + 1; a released step is never edited.
# `ending` is the id backwards: an index on it finds ids by how they end.
# The document is last: a row's other columns are then read without its overflow pages.
MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE datafiles (
        id TEXT NOT NULL PRIMARY KEY,
        ending TEXT NOT NULL,
        revision INTEGER NOT NULL,
        state TEXT NOT NULL,
        saved_at TEXT NOT NULL,
        date TEXT NOT NULL,
        storage BLOB NOT NULL,
        document BLOB NOT NULL
    ) STRICT;
    CREATE INDEX datafiles_ending ON datafiles (ending);
    CREATE INDEX datafiles_newest ON datafiles (date, id, state);
    """,
)

# WAL needs memory that all processes share, and locks that work
_NETWORK = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs"}
    | {"nfs4", "ocfs2", "prl_fs", "smb3", "smbfs", "vboxsf"}
    | {f"fuse.{name}" for name in ("sshfs", "rclone", "s3fs", "gcsfuse", "glusterfs", "ceph", "ceph-fuse", "juicefs")}
    | {f"fuse.{name}" for name in ("davfs", "davfs2", "goofys", "mount-s3", "smbnetfs", "curlftpfs", "vmhgfs-fuse")}
)

_UNAVAILABLE = (
    *(apsw.IOError, apsw.BusyError, apsw.LockedError, apsw.CantOpenError, apsw.ReadOnlyError),
    *(apsw.PermissionsError, apsw.ProtocolError),
)


@contextmanager
def database_errors(path: Path | None, connection: apsw.Connection | None = None) -> Iterator[None]:
    """Raise an `AqdataError` in place of an error of SQLite that is no mistake of ours."""
    try:
        yield
    except apsw.FullError as error:
        raise StoreFull from error
    except apsw.TooBigError as error:
        raise TooLarge("the document is over 1 GB", field="document") from error
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise Corrupt(f"the database {path} is damaged: {error}") from error
    except _UNAVAILABLE as error:
        if connection is not None and isinstance(error, apsw.IOError) and _is_full(error, connection):
            raise StoreFull from error
        raise StoreUnavailable(f"the database {path} does not answer: {error}") from error
    except apsw.SQLError as error:
        if "malformed JSON" not in str(error):
            raise
        raise Invalid("the document is not JSON, or nested deeper than 1000 levels", field="document") from error


def _is_full(error: apsw.IOError, connection: apsw.Connection) -> bool:
    # SHMSIZE: the memory shared by the processes is a file too
    return getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_SHMSIZE or connection.system_errno in FULL


def open_database(path: Path | None, *, durable: bool, migrations: Sequence[str] = MIGRATIONS) -> apsw.Connection:
    """A connection to the database, made or migrated if needed; without a path it is in memory.

    Raises:
        ConfigError: this can't be, or must not be, a database of aqdata; the message says what to do.
        StoreUnavailable: another process blocks it.
        StoreFull: no space is left to make it.
    """
    if path is None:
        connection = apsw.Connection(":memory:")
        _migrate(connection, path, migrations)
        return connection
    if file_system := network_file_system(path):
        raise ConfigError(
            f"{path} is on a network file system ({file_system}), where SQLite loses data: "
            "put the database on a local disk, or use MongoDB"
        )
    with _open_errors(path):
        make_folder(path.parent, durable=durable)
        connection = connect(path, durable=durable, flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
        try:
            _prepare(connection, path, migrations)
        except BaseException:
            connection.close()
            raise
        if durable:
            sync_folder(path.parent)
    return connection


def connect(path: Path, *, durable: bool, flags: int = apsw.SQLITE_OPEN_READWRITE) -> apsw.Connection:
    """One more connection to a database."""
    connection = apsw.Connection(str(path), flags=flags)
    connection.set_busy_timeout(int(BUSY_SECONDS * 1000))
    # NORMAL: a power cut takes the last changes but leaves the database whole
    connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
    connection.execute(f"PRAGMA fullfsync = {int(durable)}")
    return connection


@contextmanager
def _open_errors(path: Path) -> Iterator[None]:
    try:
        with database_errors(path):
            yield
    except StoreFull as error:
        raise StoreFull(f"the disk of the database {path} is full: free some space, then start again") from error
    except Corrupt as error:
        raise ConfigError(f"{path} is not a SQLite database: name another file, or restore a backup") from error
    except StoreUnavailable as error:
        if isinstance(error.__cause__, apsw.BusyError):
            raise
        raise ConfigError(f"the database {path} can't be opened: {error.__cause__}") from error
    except OSError as error:
        if error.errno in FULL:
            raise StoreFull(f"the disk of the database {path} is full: free some space, then start again") from error
        raise ConfigError(f"the folder of the database {path} can't be used: {error.strerror}") from error


def _prepare(connection: apsw.Connection, path: Path, migrations: Sequence[str]) -> None:
    _version(connection, path, len(migrations))
    _use_wal(connection, path)
    _migrate(connection, path, migrations)


def _use_wal(connection: apsw.Connection, path: Path) -> None:
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            mode = connection.pragma("journal_mode", "wal")
            break
        except apsw.BusyError:
            # SQLite does not wait here when two processes make the database at once
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    if mode != "wal":
        raise ConfigError(f"the file system of {path} can't hold a database with WAL: put it on a local disk")
    connection.execute("PRAGMA journal_size_limit = 67108864")


def _migrate(connection: apsw.Connection, path: Path | None, migrations: Sequence[str]) -> None:
    if _version(connection, path, len(migrations)) == len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        # again: another process may have migrated it in between
        for step in migrations[_version(connection, path, len(migrations)) :]:
            connection.execute(step)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: apsw.Connection, path: Path | None, newest: int) -> int:
    """The version of the schema, 0 for a new database; refuses what is not ours."""
    application = connection.pragma("application_id")
    version = connection.pragma("user_version")
    if application != APPLICATION_ID:
        empty = connection.execute("SELECT count(*) FROM sqlite_schema").get == 0
        if application or version or not empty:
            raise ConfigError(f"{path} is the database of another program: name another file")
        return 0
    assert isinstance(version, int)
    if version > newest:
        raise ConfigError(
            f"{path} was written by a newer aqdata (its schema is version {version}, this aqdata knows {newest}): "
            "upgrade aqdata"
        )
    return version


def network_file_system(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str | None:
    """The kind of the network file system that a path is on, if it is on one and this is Linux."""
    if sys.platform != "linux":
        return None
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return None
    place = path.resolve()
    found, kind = Path(), ""
    for line in lines:
        mount, _, source = line.partition(" - ")
        point = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), mount.split(" ")[4]))
        # of two mounts on one point the later one is seen
        if place.is_relative_to(point) and len(point.parts) >= len(found.parts):
            found, kind = point, source.split(" ")[0]
    return kind if kind in _NETWORK else None
