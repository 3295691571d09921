"""Blobs in a local folder and in memory; buckets are not here, nor what the blobs mean."""

from __future__ import annotations

import asyncio
import mmap
import os
import secrets
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeVar

import tensorstore as ts

from aqdata.errors import ConfigError, Corrupt, Invalid, NotFound, StoreFull, StoreUnavailable
from aqdata.stores.base import Buffer
from aqdata.stores.disk import disk_errors, make_folder, sync_file, sync_folder
from aqdata.stores.threads import finish

T = TypeVar("T")

# no key's part may begin so: a blob that is still being written has such a name
TEMPORARY = ".aqdata-part-"
READERS = 4
WRITERS = 4
_LIST_AT_ONCE = 1000
_WINDOWS_REFUSES = frozenset('<>:"|?*')


def check_key(key: str) -> str:
    """The key, if it names something below the root.

    Raises:
        Invalid: it does not.
    """
    for part in key.split("/"):
        if part in ("", ".", "..") or "\\" in part or "\0" in part or part.startswith(TEMPORARY):
            raise Invalid(f"{key!r} is not the key of a blob", field="key")
        if sys.platform == "win32" and (_WINDOWS_REFUSES.intersection(part) or part[-1] in " ."):
            raise Invalid(f"Windows can't store {key!r}: leave out {' '.join(sorted(_WINDOWS_REFUSES))}", field="key")
    return key


class LocalBlobs:
    """`Blobs` in a local folder, one file each."""

    def __init__(self, root: Path, *, durable: bool = True, writers: int = WRITERS) -> None:
        # tensorstore takes no `..`
        root = Path(os.path.abspath(root))  # noqa: PTH100 (resolve would follow links)
        self._root = root
        self._durable = durable
        self._writers = ThreadPoolExecutor(writers, thread_name_prefix="aqdata-blobs-write")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="aqdata-blobs-read")
        self._store = ts.KvStore.open({"driver": "file", "path": f"{root.absolute().as_posix()}/"}).result()

    @classmethod
    async def open(cls, root: Path, *, durable: bool = True) -> LocalBlobs:
        """Make the folder if it is missing. A full disk is no error here: what it holds can be read.

        Raises:
            ConfigError: it can't be used.
        """
        blobs = cls(root, durable=durable)
        try:
            await blobs._run(blobs._writers, lambda: make_folder(root, durable=durable))
            await blobs.check()
        except StoreFull:
            pass
        except StoreUnavailable as error:
            await blobs.close()
            raise ConfigError(f"the folder {root} can't hold data: {error}") from error
        return blobs

    async def write(self, key: str, data: Buffer, *, commit: bool = False) -> None:
        path = self._path(key)

        def work() -> None:
            self._write(path, data)
            if commit and self._durable:
                self._commit(path)

        await self._run(self._writers, work)

    async def commit(self, prefix: str) -> None:
        if self._durable:
            path = self._path(prefix)
            await self._run(self._writers, lambda: self._commit(path))

    async def read(self, key: str, start: int = 0, stop: int | None = None) -> Buffer:
        path = self._path(key)
        return await self._run(self._readers, lambda: self._read(path, start, stop))

    async def view(self, key: str) -> Buffer:
        path = self._path(key)
        return await self._run(self._readers, lambda: self._map(path))

    async def list(self, prefix: str) -> AsyncIterator[str]:
        files = self._walk(self._path(prefix))
        while batch := await self._run(self._readers, lambda: tuple(islice(files, _LIST_AT_ONCE))):
            for file in batch:
                yield file.relative_to(self._root).as_posix()

    async def delete(self, prefix: str) -> None:
        path = self._path(check_key(prefix))

        def work() -> None:
            _delete(path)
            if path.parent != self._root:
                # the folder of attached files, if this was its last one
                with suppress(OSError):
                    path.parent.rmdir()

        await self._run(self._writers, work)

    def kvstore(self, prefix: str) -> ts.KvStore.Spec:
        return _below(self._store, prefix)

    async def check(self) -> None:
        probe = self._root / f"{TEMPORARY}{secrets.token_hex(8)}"

        def work() -> None:
            try:
                self._fill(probe, b"aqdata")
            finally:
                probe.unlink(missing_ok=True)

        await self._run(self._writers, work)

    async def close(self) -> None:
        await asyncio.to_thread(self._readers.shutdown)
        await asyncio.to_thread(self._writers.shutdown)

    def _path(self, key: str) -> Path:
        return self._root / check_key(key) if key else self._root

    async def _run(self, threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        def mapped() -> T:
            with disk_errors(self._root):
                return work()

        try:
            future = threads.submit(mapped)
        except RuntimeError as error:
            raise StoreUnavailable("the blobs are closed") from error
        return await finish(future)

    def _write(self, path: Path, data: Buffer) -> None:
        temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(8)}")
        try:
            try:
                self._fill(temporary, data)
            except FileNotFoundError:
                self._make_parents(path)
                self._fill(temporary, data)
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise

    def _fill(self, path: Path, data: Buffer) -> None:
        view = memoryview(data)
        rest = view.cast("B") if view.nbytes else b""
        with path.open("xb", buffering=0) as file:
            while rest:
                rest = rest[file.write(rest) :]
            if self._durable:
                sync_file(file.fileno())

    def _make_parents(self, path: Path) -> None:
        # not the root: if its disk is gone, the data must not go elsewhere
        for parent in reversed(path.parents):
            if parent != self._root and parent.is_relative_to(self._root):
                parent.mkdir(exist_ok=True)

    def _commit(self, path: Path) -> None:
        for folder, _, _ in os.walk(path):
            sync_folder(Path(folder))
        for parent in path.parents:
            if parent.is_relative_to(self._root) and parent.is_dir():
                sync_folder(parent)

    def _open(self, path: Path) -> BinaryIO:
        try:
            return path.open("rb", buffering=0)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise _missing(path.relative_to(self._root).as_posix()) from None

    def _read(self, path: Path, start: int, stop: int | None) -> bytes:
        with self._open(path) as file:
            size = os.fstat(file.fileno()).st_size
            start, stop = _check_range(path.name, size, start, stop)
            file.seek(start)
            pieces = []
            while start < stop:
                # one call returns 2 GiB at most
                piece = file.read(stop - start)
                if not piece:
                    raise Corrupt(f"{path.name} became shorter while it was read")
                pieces.append(piece)
                start += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _map(self, path: Path) -> memoryview:
        with self._open(path) as file:
            if not os.fstat(file.fileno()).st_size:
                return memoryview(b"")
            if sys.platform == "win32":
                return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            flags = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)
            return memoryview(mmap.mmap(file.fileno(), 0, flags=flags, prot=mmap.PROT_READ))

    def _walk(self, path: Path) -> Iterator[Path]:
        try:
            with os.scandir(path) as found:
                entries = tuple(found)
        except NotADirectoryError:
            # the path itself is a file, or one of its parents is
            if path.is_file():
                yield path
            return
        except FileNotFoundError:
            return
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from self._walk(path / entry.name)
            elif not entry.name.startswith(TEMPORARY):
                yield path / entry.name


class MemoryBlobs:
    """`Blobs` in memory, gone with the process; tensorstore holds them, so that it can read arrays out of them."""

    def __init__(self) -> None:
        self._store = ts.KvStore.open({"driver": "memory"}).result()

    async def write(self, key: str, data: Buffer, *, commit: bool = False) -> None:
        await self._store.write(check_key(key), bytes(data))

    async def commit(self, prefix: str) -> None:
        pass

    async def read(self, key: str, start: int = 0, stop: int | None = None) -> Buffer:
        found = await self._store.read(check_key(key))
        if found.state != "value":
            raise _missing(key)
        start, stop = _check_range(key, len(found.value), start, stop)
        return memoryview(found.value)[start:stop]

    async def view(self, key: str) -> Buffer:
        return await self.read(key)

    async def list(self, prefix: str) -> AsyncIterator[str]:
        for key in await self._under(check_key(prefix) if prefix else prefix):
            yield key

    async def delete(self, prefix: str) -> None:
        for key in await self._under(check_key(prefix)):
            await self._store.write(key, None)

    def kvstore(self, prefix: str) -> ts.KvStore.Spec:
        return _below(self._store, prefix)

    async def check(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def _under(self, prefix: str) -> Sequence[str]:
        keys = [key.decode() for key in await self._store.list()]
        return [key for key in keys if not prefix or key == prefix or key.startswith(f"{prefix}/")]


def _below(store: ts.KvStore, prefix: str) -> ts.KvStore.Spec:
    return (store / f"{check_key(prefix)}/").spec(retain_context=True)


def _missing(key: str) -> NotFound:
    return NotFound(f"there is no blob {key}", field="key")


def _check_range(name: str, size: int, start: int, stop: int | None) -> tuple[int, int]:
    stop = size if stop is None else stop
    if not 0 <= start <= stop <= size:
        raise Corrupt(f"{name} has {size} bytes, which are not those from {start} to {stop}")
    return start, stop


def _delete(path: Path) -> None:
    try:
        path.unlink()
        return
    except FileNotFoundError:
        return
    except OSError:
        # how systems say that it is a folder differs
        if not path.is_dir():
            raise
    while path.is_dir():
        # another delete of the same blobs may be faster
        with suppress(FileNotFoundError):
            shutil.rmtree(path)
