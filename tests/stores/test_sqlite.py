from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pydantic_core
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aqdata.errors import AqdataError, ConfigError, Conflict, Invalid, NotFound, StoreUnavailable
from aqdata.stores.base import MetadataStore
from aqdata.stores.connection import MIGRATIONS, network_file_system
from aqdata.stores.database import Database
from aqdata.stores.sqlite import SqliteStore
from aqdata.testing import MetadataStoreContract, change_record, new_record


class TestFile(MetadataStoreContract):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[SqliteStore]:
        self.path = tmp_path / "lab" / "datafiles.sqlite"
        store = await SqliteStore.open(self.path)
        yield store
        await store.close()

    async def reopen(self, store: MetadataStore) -> SqliteStore:
        await store.close()
        return await SqliteStore.open(self.path)


class TestNotDurableFile(MetadataStoreContract):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[SqliteStore]:
        self.path = tmp_path / "datafiles.sqlite"
        store = await SqliteStore.open(str(self.path), durable=False)
        yield store
        await store.close()

    async def reopen(self, store: MetadataStore) -> SqliteStore:
        # beside the first, as another process would
        return await SqliteStore.open(str(self.path), durable=False)


class TestMemory(MetadataStoreContract):
    @pytest.fixture
    async def store(self) -> AsyncIterator[SqliteStore]:
        store = await SqliteStore.open(":memory:")
        yield store
        await store.close()


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([-0.0, 1.0, 1, 1e22, 1e16, 1e-7, 5e-324, 1.7976931348623157e308])
    | st.text(),
    lambda values: st.lists(values, max_size=5) | st.dictionaries(st.text(), values, max_size=5),
    max_leaves=40,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.dictionaries(st.text(), JSON))
async def test_any_document_comes_back_byte_for_byte(value: dict[str, object]) -> None:
    store = await SqliteStore.open(":memory:")
    texts = (
        pydantic_core.to_json(value),
        json.dumps(value, separators=(",", ":")).encode(),
        json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(),
    )
    for text in texts:
        record = new_record(extra=b'"x":' + text)
        await store.insert(record)
        assert (await store.get(record.id)).document == record.document
    await store.close()


async def test_document_is_searchable_json_for_other_tools(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "db")
    await store.insert(new_record(extra=b'"device":{"chip":"A7"}'))
    other = apsw.Connection(str(tmp_path / "db"))
    assert other.execute("SELECT document ->> 'device.chip', document ->> '$.device.chip' FROM datafiles").get == (
        None,
        "A7",
    )
    other.close()
    await store.close()


async def test_lists_and_endings_use_an_index(tmp_path: Path) -> None:
    from aqdata.stores import sqlite

    await (await SqliteStore.open(tmp_path / "db")).close()
    other = apsw.Connection(str(tmp_path / "db"))
    for query, values in [
        (sqlite._RESOLVE, ("a", "b", 2)),
        (sqlite._FIND.format(document="document", states="state != 'deleted'"), ("x", "y", 50)),
        (sqlite._FIND.format(document="document", states="state IN (?)"), ("deleted", "x", "y", 50)),
    ]:
        plan = [row[3] for row in other.execute("EXPLAIN QUERY PLAN " + query, values)]
        assert len(plan) == 1
        assert plan[0].startswith("SEARCH datafiles USING")
    other.close()


class TestGroups:
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[SqliteStore]:
        store = await SqliteStore.open(tmp_path / "db")
        yield store
        await store.close()

    async def test_one_bad_change_fails_alone(self, store: SqliteStore) -> None:
        taken = new_record()
        await store.insert(taken)
        good = [new_record() for _ in range(100)]
        bad = {10: taken, 30: new_record(extra=b'"x":'), 31: new_record(extra=b'"x":' + b"[" * 2000 + b"]" * 2000)}
        answers = await asyncio.gather(
            *(store.insert(bad.get(number, record)) for number, record in enumerate(good)), return_exceptions=True
        )
        assert {number: type(answer) for number, answer in enumerate(answers) if answer is not None} == {
            10: Conflict,
            30: Invalid,
            31: Invalid,
        }
        for number, record in enumerate(good):
            if number in bad:
                with pytest.raises(NotFound):
                    await store.get(record.id)
            else:
                assert await store.get(record.id) == record

    async def test_a_mistake_in_the_code_reaches_its_caller_only(self, store: SqliteStore) -> None:
        good = [new_record() for _ in range(5)]
        wrong = change_record(new_record(), revision=2**70)
        answers = await asyncio.gather(*map(store.insert, [*good, wrong]), return_exceptions=True)
        assert answers[:5] == [None] * 5
        assert isinstance(answers[5], OverflowError)
        assert (await store.get(good[4].id)) == good[4]

    async def test_changes_before_close_are_kept(self, store: SqliteStore, tmp_path: Path) -> None:
        records = [new_record() for _ in range(50)]
        tasks = [asyncio.create_task(store.insert(record)) for record in records]
        await asyncio.sleep(0)
        await store.close()
        await asyncio.gather(*tasks)
        again = await SqliteStore.open(tmp_path / "db")
        assert len((await again.find(limit=100)).documents) == 50
        await again.close()


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_closed_store_says_so(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "db")
    await store.close()
    await store.close()
    for call in (store.check(), store.insert(new_record()), store.get("x")):
        with pytest.raises(StoreUnavailable, match="closed"):
            await call
    assert names(tmp_path) == ["db"]


async def test_blocked_database_is_unavailable_and_recovers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aqdata.stores.connection.BUSY_SECONDS", 0.1)
    store = await SqliteStore.open(tmp_path / "db")
    record = new_record()
    await store.insert(record)
    other = apsw.Connection(str(tmp_path / "db"))
    other.execute("BEGIN IMMEDIATE")
    answers = await asyncio.gather(*(store.insert(new_record()) for _ in range(5)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [StoreUnavailable] * 5
    assert await store.get(record.id) == record
    other.execute("ROLLBACK")
    other.close()
    await store.insert(new_record())
    assert len((await store.find(limit=10)).documents) == 2
    await store.close()


async def test_a_file_deleted_under_the_server_takes_no_more_writes(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "db")
    (tmp_path / "db").unlink()
    with pytest.raises(StoreUnavailable, match="moved"):
        await store.insert(new_record())
    with pytest.raises(StoreUnavailable, match="moved"):
        await store.check()
    await store.close()


class TestOpen:
    async def refused(self, path: Path, words: str) -> None:
        with pytest.raises(ConfigError, match=words):
            await SqliteStore.open(path)

    @pytest.mark.parametrize("content", [b"no database", b"\x89HDF\r\n" * 1000, b"SQLite format 3\0" + b"x" * 5000])
    async def test_another_kind_of_file_is_refused(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "file"
        path.write_bytes(content)
        await self.refused(path, "not a SQLite database")
        assert path.read_bytes() == content

    @pytest.mark.parametrize("sql", ["CREATE TABLE runs (a)", "PRAGMA application_id = 7", "PRAGMA user_version = 3"])
    async def test_database_of_another_program_is_refused(self, tmp_path: Path, sql: str) -> None:
        other = apsw.Connection(str(tmp_path / "db"))
        other.execute(sql)
        other.close()
        content = (tmp_path / "db").read_bytes()
        await self.refused(tmp_path / "db", "another program")
        assert (tmp_path / "db").read_bytes() == content

    async def test_empty_file_is_a_new_database(self, tmp_path: Path) -> None:
        (tmp_path / "db").touch()
        store = await SqliteStore.open(tmp_path / "db")
        await store.insert(new_record())
        await store.close()

    async def test_paths_that_cannot_be(self, tmp_path: Path) -> None:
        await self.refused(tmp_path, "can't be opened")
        (tmp_path / "file").touch()
        await self.refused(tmp_path / "file" / "db", "folder")

    async def test_newer_database_is_refused(self, tmp_path: Path) -> None:
        newer = await Database.open(tmp_path / "db", migrations=[*MIGRATIONS, "CREATE TABLE news (a)"])
        await newer.close()
        await self.refused(tmp_path / "db", "newer aqdata .*upgrade aqdata")

    async def test_older_database_is_migrated_in_place(self, tmp_path: Path) -> None:
        record = new_record()
        store = await SqliteStore.open(tmp_path / "db")
        await store.insert(record)
        await store.close()
        steps = [
            *MIGRATIONS,
            "CREATE TABLE tags (file TEXT); INSERT INTO tags SELECT id FROM datafiles",
            "ALTER TABLE tags ADD COLUMN tag TEXT DEFAULT 'golden'",
        ]
        for _ in range(2):
            migrated = await Database.open(tmp_path / "db", migrations=steps)
            rows = await migrated.read(lambda connection: connection.execute("SELECT * FROM tags").fetchall())
            assert rows == [(record.id, "golden")]
            assert await SqliteStore(migrated).get(record.id) == record
            await migrated.close()

    async def test_failed_migration_changes_nothing(self, tmp_path: Path) -> None:
        await (await SqliteStore.open(tmp_path / "db")).close()
        with pytest.raises(apsw.SQLError):
            await Database.open(tmp_path / "db", migrations=[*MIGRATIONS, "CREATE TABLE news (a); SELECT nonsense"])
        store = await SqliteStore.open(tmp_path / "db")
        await store.insert(new_record())
        await store.close()

    @pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's table of mounts")
    async def test_network_file_system_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        mounts = tmp_path / "mountinfo"
        mounts.write_text(
            "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
            "23 22 0:40 / /lab rw,relatime shared:7 - nfs4 nas:/lab rw\n"
            "24 23 8:2 / /lab/fast rw - xfs /dev/sdb1 rw\n"
            "25 22 0:41 / /my\\040share rw - cifs //nas/lab rw\n"
            "26 22 0:42 / /ssh rw - fuse.sshfs host: rw\n"
        )
        kinds = {
            "/lab/x/db": "nfs4",
            "/lab/fast/db": None,
            "/labor/db": None,
            "/my share/db": "cifs",
            "/ssh/db": "fuse.sshfs",
        }
        assert {path: network_file_system(Path(path), mounts) for path in kinds} == kinds
        assert network_file_system(tmp_path / "db") is None
        monkeypatch.setattr("aqdata.stores.connection.network_file_system", lambda path: "nfs4")
        await self.refused(tmp_path / "db", r"network file system \(nfs4\)")


WRITE = """
import asyncio, sys
from aqdata.stores.sqlite import SqliteStore
from aqdata.testing import new_record

async def main(path, count):
    store = await SqliteStore.open(path)
    async def some():
        for _ in range(count // 4):
            record = new_record(extra=b'"text":"' + b"x" * 20000 + b'"')
            await store.insert(record)
            print(record.id, flush=True)
    await asyncio.gather(*(some() for _ in range(4)))
    await store.close()

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


def writer(path: Path, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", WRITE, path, str(count)], stdout=subprocess.PIPE, text=True)


async def stored(path: Path) -> set[str]:
    store = await SqliteStore.open(path)
    documents = (await store.find(limit=100_000)).documents
    await store.close()
    connection = apsw.Connection(str(path))
    assert connection.execute("PRAGMA integrity_check").get == "ok"
    connection.close()
    return {json.loads(document)["id"] for document in documents}


async def test_processes_share_one_new_file(tmp_path: Path) -> None:
    processes = [writer(tmp_path / "new" / "db", 200) for _ in range(3)]
    ids = [process.communicate(timeout=60)[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert [len(each) for each in ids] == [200, 200, 200]
    assert await stored(tmp_path / "new" / "db") == {file_id for each in ids for file_id in each}


def write_and_kill(path: Path, answers: int) -> set[str]:
    """The ids that a process acknowledged before it was killed."""
    with writer(path, 100_000) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(answers)]
        process.kill()
        lines += process.stdout.readlines()
    return {line.strip() for line in lines if line.endswith("\n")}


@pytest.mark.parametrize("answers", [1, 57, 400])
async def test_acknowledged_inserts_survive_a_kill(tmp_path: Path, answers: int) -> None:
    acknowledged = write_and_kill(tmp_path / "db", answers)
    assert len(acknowledged) >= answers
    assert acknowledged <= await stored(tmp_path / "db")


async def test_errors_of_a_lost_folder_are_ours(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "lab" / "db")
    (tmp_path / "lab").rename(tmp_path / "gone")
    with pytest.raises(AqdataError):
        await store.insert(new_record())
    with pytest.raises(AqdataError):
        await store.check()
    await store.close()
