"""Durability on the local disk: folders, fsync and what the system's errors mean; no blobs, no database."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aqdata.errors import StoreFull, StoreUnavailable

# Windows has no quota errors
FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Raise `StoreFull` or `StoreUnavailable` in place of an `OSError`."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise StoreFull from error
        raise StoreUnavailable(f"{error.filename or path}: {error.strerror or error}") from error


def sync_file(fd: int) -> None:
    """Make the bytes of an open file durable."""
    if sys.platform == "darwin":
        import fcntl

        # macOS' fsync stops at the drive's cache
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fsync(fd)


def sync_folder(folder: Path) -> None:
    """Make the entries of a folder durable, where the system can."""
    if sys.platform == "win32":
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    except OSError as error:
        # some network file systems have no fsync of folders
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(fd)


def make_folder(folder: Path, *, durable: bool) -> None:
    """Make a folder and its missing parents, and their entries durable."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    if durable:
        for each in missing:
            sync_folder(each.parent)
