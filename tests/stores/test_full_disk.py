from __future__ import annotations

import asyncio
from pathlib import Path

import apsw
import pytest

from aqdata.errors import NotFound, StoreFull
from aqdata.stores.base import Record
from aqdata.stores.blobs import LocalBlobs
from aqdata.stores.sqlite import SqliteStore
from aqdata.testing import new_record


def large_record(size: int = 20_000) -> Record:
    return new_record(extra=b'"text":"' + b"x" * size + b'"')


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 65536):
                pass
        except OSError:
            pass


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


async def test_database_on_a_full_disk(small_disk: Path) -> None:
    store = await SqliteStore.open(small_disk / "db")
    kept = [large_record() for _ in range(20)]
    await asyncio.gather(*map(store.insert, kept))
    fill(small_disk / "other")

    refused = []
    for _ in range(3):
        # a few may still fit into the WAL
        more = [large_record() for _ in range(30)]
        answers = await asyncio.gather(*map(store.insert, more), return_exceptions=True)
        assert {type(answer) for answer in answers} <= {type(None), StoreFull}
        kept += [record for record, answer in zip(more, answers, strict=True) if answer is None]
        refused += [record for record, answer in zip(more, answers, strict=True) if answer is not None]
    assert refused

    for record in kept:
        assert await store.get(record.id) == record
    for record in refused:
        with pytest.raises(NotFound):
            await store.get(record.id)
    await store.check()

    (small_disk / "other").unlink()
    await store.insert(refused[0])
    await store.close()
    again = await SqliteStore.open(small_disk / "db")
    assert len((await again.find(limit=1000)).documents) == len(kept) + 1
    await again.close()
    connection = apsw.Connection(str(small_disk / "db"))
    assert connection.execute("PRAGMA integrity_check").get == "ok"
    connection.close()


async def test_one_document_too_large_for_the_disk_fails_alone(small_disk: Path) -> None:
    store = await SqliteStore.open(small_disk / "db")
    small = [new_record() for _ in range(20)]
    large = large_record(6_000_000)
    answers = await asyncio.gather(*map(store.insert, [*small[:10], large, *small[10:]]), return_exceptions=True)
    assert isinstance(answers.pop(10), StoreFull)
    assert answers == [None] * 20
    for record in small:
        assert await store.get(record.id) == record
    await store.close()


async def test_new_database_on_a_full_disk(small_disk: Path) -> None:
    fill(small_disk / "other")
    with pytest.raises(StoreFull):
        await SqliteStore.open(small_disk / "lab" / "db")
    (small_disk / "other").unlink()
    store = await SqliteStore.open(small_disk / "lab" / "db")
    await store.insert(new_record())
    await store.close()


async def test_blobs_on_a_full_disk(small_disk: Path) -> None:
    blobs = await LocalBlobs.open(small_disk / "blobs")
    await blobs.write("a/kept", b"k" * 1_000_000)
    for key in ("a/large", "b/large", "a/kept"):
        with pytest.raises(StoreFull):
            await blobs.write(key, b"x" * 5_000_000)
    answers = await asyncio.gather(
        *(blobs.write(f"c/{number}", b"x" * 1_000_000) for number in range(8)), return_exceptions=True
    )
    assert {type(answer) for answer in answers} == {type(None), StoreFull}
    stored = {f"c/{number}" for number, answer in enumerate(answers) if answer is None}
    assert {key async for key in blobs.list("")} == stored | {"a/kept"}
    assert files(small_disk / "blobs") == stored | {"a/kept"}

    fill(small_disk / "other")
    with pytest.raises(StoreFull):
        await blobs.check()
    assert await blobs.read("a/kept") == b"k" * 1_000_000
    # a server that starts now can still read
    again = await LocalBlobs.open(small_disk / "blobs")
    assert await again.read("a/kept", 0, 3) == b"kkk"
    await again.close()

    (small_disk / "other").unlink()
    await blobs.delete("c")
    await blobs.check()
    await blobs.write("b/large", b"x" * 2_000_000)
    assert {key async for key in blobs.list("")} == {"a/kept", "b/large"}
    await blobs.close()
