from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aqdata.errors import ConfigError, NotFound, StoreUnavailable
from aqdata.stores.blobs import LocalBlobs, MemoryBlobs
from aqdata.testing import BlobsContract


class TestLocal(BlobsContract):
    @pytest.fixture
    async def blobs(self, tmp_path: Path) -> AsyncIterator[LocalBlobs]:
        blobs = await LocalBlobs.open(tmp_path / "new" / "blobs")
        yield blobs
        await blobs.close()


class TestNotDurable(BlobsContract):
    @pytest.fixture
    async def blobs(self, tmp_path: Path) -> AsyncIterator[LocalBlobs]:
        blobs = await LocalBlobs.open(tmp_path, durable=False)
        yield blobs
        await blobs.close()


class TestMemory(BlobsContract):
    @pytest.fixture
    def blobs(self) -> MemoryBlobs:
        return MemoryBlobs()


@pytest.fixture
async def blobs(tmp_path: Path) -> AsyncIterator[LocalBlobs]:
    blobs = await LocalBlobs.open(tmp_path / "blobs")
    yield blobs
    await blobs.close()


class Syncs:
    """The paths that were fsynced, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
        self.paths: list[str] = []
        fsync = os.fsync

        def recorded(fd: int) -> None:
            path = Path(f"/proc/self/fd/{fd}").readlink()
            self.paths.append("file" if path.is_file() else path.relative_to(root).as_posix())
            fsync(fd)

        monkeypatch.setattr(os, "fsync", recorded)


@pytest.mark.skipif(sys.platform != "linux", reason="names open files by /proc")
class TestDurability:
    async def test_a_pack_takes_two_fsyncs(
        self, blobs: LocalBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        syncs = Syncs(monkeypatch, tmp_path / "blobs")
        await blobs.write("id.nonce.zarr.zip", b"pack")
        await blobs.commit("id.nonce.zarr.zip")
        assert syncs.paths == ["file", "."]

    async def test_every_folder_of_a_tree_and_its_parents(
        self, blobs: LocalBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await blobs.write("other/x", b"x")
        syncs = Syncs(monkeypatch, tmp_path / "blobs")
        await blobs.write("lab/id.zarr/zarr.json", b"{}")
        # as another writer leaves it
        (tmp_path / "blobs/lab/id.zarr/s21/c/0").mkdir(parents=True)
        (tmp_path / "blobs/lab/id.zarr/s21/c/0/0").touch()
        await blobs.commit("lab/id.zarr")
        assert syncs.paths[0] == "file"
        tree = {"lab/id.zarr", "lab/id.zarr/s21", "lab/id.zarr/s21/c", "lab/id.zarr/s21/c/0"}
        assert set(syncs.paths[1:]) == tree | {"lab", "."}

    async def test_new_root_and_its_parents(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        syncs = Syncs(monkeypatch, tmp_path)
        await (await LocalBlobs.open(tmp_path / "a" / "b")).close()
        assert {"a", "."} <= set(syncs.paths)

    async def test_none_when_not_durable(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        syncs = Syncs(monkeypatch, tmp_path)
        blobs = await LocalBlobs.open(tmp_path / "a", durable=False)
        await blobs.write("a/b", b"x")
        await blobs.commit("a/b")
        await blobs.close()
        assert syncs.paths == []


class TestView:
    async def test_is_the_blob(self, blobs: LocalBlobs) -> None:
        await blobs.write("a/b", b"some bytes")
        await blobs.write("a/empty", b"")
        assert await blobs.view("a/b") == b"some bytes"
        assert await blobs.view("a/empty") == b""
        with pytest.raises(NotFound):
            await blobs.view("a/c")
        with pytest.raises(NotFound):
            await blobs.view("a")

    async def test_cannot_change_the_blob(self, blobs: LocalBlobs) -> None:
        await blobs.write("a", b"before")
        view = await blobs.view("a")
        assert view.readonly
        await blobs.write("a", b"after")
        assert view == b"before"
        await blobs.delete("a")
        assert view == b"before"


def tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


async def test_a_failed_write_leaves_nothing(blobs: LocalBlobs, tmp_path: Path) -> None:
    await blobs.write("a/b", b"x")
    for key in ("a", "a/b/c"):
        with pytest.raises(StoreUnavailable):
            await blobs.write(key, b"y")
    assert tree(tmp_path) == {"blobs", "blobs/a", "blobs/a/b"}


async def test_writes_in_a_few_threads(tmp_path: Path) -> None:
    before = threading.active_count()
    blobs = LocalBlobs(tmp_path, writers=2)
    await asyncio.gather(*(blobs.write(f"{number}", b"x") for number in range(50)))
    assert threading.active_count() <= before + 2
    await blobs.close()


async def test_lost_root_is_not_made_again(blobs: LocalBlobs, tmp_path: Path) -> None:
    await blobs.write("a/b", b"x")
    (tmp_path / "blobs").rename(tmp_path / "unmounted")
    for call in (blobs.check(), blobs.write("a/b", b"x"), blobs.write("c", b"x")):
        with pytest.raises(StoreUnavailable, match="No such file"):
            await call
    assert not (tmp_path / "blobs").exists()


async def test_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for root in (tmp_path / "file", tmp_path / "file" / "blobs"):
        with pytest.raises(ConfigError, match="can't hold data"):
            await LocalBlobs.open(root)


async def test_closed_blobs_say_so(tmp_path: Path) -> None:
    blobs = await LocalBlobs.open(tmp_path)
    await blobs.close()
    await blobs.close()
    for call in (blobs.write("a", b"x"), blobs.read("a"), blobs.check()):
        with pytest.raises(StoreUnavailable, match="closed"):
            await call


KILLED = """
import asyncio, sys
from pathlib import Path
from aqdata.stores.blobs import LocalBlobs

async def main(root):
    blobs = await LocalBlobs.open(root)
    for number in range(100_000):
        data = bytes([number % 256]) * 3_000_000
        await asyncio.gather(*(blobs.write(f"{number}/{part}", data) for part in range(4)))
        await blobs.commit(f"{number}")
        print(number, flush=True)

asyncio.run(main(Path(sys.argv[1])))
"""


def write_and_kill(root: Path, answers: int) -> list[str]:
    """What a process acknowledged before it was killed."""
    with subprocess.Popen([sys.executable, "-c", KILLED, root], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(answers)]
        process.kill()
        lines += process.stdout.readlines()
    return [line.strip() for line in lines if line.endswith("\n")]


async def test_kill_leaves_whole_blobs_only(tmp_path: Path) -> None:
    acknowledged = write_and_kill(tmp_path, 5)
    blobs = await LocalBlobs.open(tmp_path)
    keys = {key async for key in blobs.list("")}
    assert {f"{number}/{part}" for number in acknowledged for part in range(4)} <= keys
    for key in keys:
        assert await blobs.read(key) == bytes([int(key.split("/")[0]) % 256]) * 3_000_000
    await blobs.close()
