"""The contract suites of the stores, for backends here and elsewhere; only tests import this, as it needs pytest.

A backend is right when it passes. Subclass the suite in a test module and give it a fixture; run it with pytest and
pytest-asyncio in auto mode:

    class TestMyStore(MetadataStoreContract):
        @pytest.fixture
        async def store(self):
            store = await MyStore.open(...)
            yield store
            await store.close()

A store that outlives its process overrides `reopen` too.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import secrets

import pytest
import tensorstore as ts

from aqdata.errors import Conflict, Corrupt, Invalid, NotFound
from aqdata.stores.base import Blobs, MetadataStore, Record

# what a store that parses and rewrites JSON would change
AWKWARD = (
    '"zero":-0.0,"one":1,"float":1.0,"large":1e+22,"small":5e-324,"third":0.3333333333333333,"int":9007199254740993,'
    '"limit":-9223372036854775808,"empty":[{},[],""],"null":null,"bool":[true,false],"text":"é 😀 \u2028 \x7f / \'",'
    '"escapes":"\\"\\\\\\n\\t\\u0000\\u001f","nan":{"__float__":"NaN"},"key %2E %":1,"ä":{"1":{"0":[[1],[2,[3]]]}},'
    '"order":{"b":1,"a":2}'
).encode()


def new_record(*, day: int = 1, state: str = "complete", revision: int = 1, extra: bytes = b'"x":1') -> Record:
    """A record with an id of its own, dated in November 2026."""
    random = secrets.token_hex(9)
    file_id = f"019aa000-{random[:4]}-7{random[4:7]}-8{random[7:10]}-{secrets.token_hex(6)}"
    return change_record(
        Record(
            id=file_id,
            revision=revision,
            state=state,
            saved_at="2026-11-30T12:00:00.000000Z",
            date=f"2026-11-{day:02d}T10:07:00.123456Z",
            document=b"",
            storage=b'{"path":"a/b","digest":"00ff"}',
        ),
        extra=extra,
    )


def change_record(record: Record, *, extra: bytes = b'"x":1', **changes: object) -> Record:
    """The record with other fields, and a document that says so."""
    record = dataclasses.replace(record, **changes)  # type: ignore[arg-type]
    head = f'{{"id":"{record.id}","state":"{record.state}","revision":{record.revision},"date":"{record.date}",'
    return dataclasses.replace(record, document=head.encode() + extra + b"}")


class MetadataStoreContract:
    """What every `MetadataStore` promises; a subclass gives the fixture `store`, which begins empty."""

    async def reopen(self, store: MetadataStore) -> MetadataStore:
        """The same data through a new store; closing the given one is up to this method."""
        pytest.skip("this store does not outlive its process")

    async def test_record_comes_back_as_it_went_in(self, store: MetadataStore) -> None:
        record = new_record(extra=AWKWARD)
        await store.insert(record)
        assert await store.get(record.id) == record

    async def test_large_document_comes_back(self, store: MetadataStore) -> None:
        record = new_record(extra=b'"text":"' + b"0123456789abcdef" * 16384 + b'"')
        await store.insert(record)
        assert (await store.get(record.id)).document == record.document

    async def test_taken_id_is_refused(self, store: MetadataStore) -> None:
        record = new_record()
        await store.insert(record)
        with pytest.raises(Conflict):
            await store.insert(change_record(record, state="open"))
        assert await store.get(record.id) == record

    async def test_of_two_inserts_of_one_id_one_wins(self, store: MetadataStore) -> None:
        first = new_record()
        rivals = [change_record(first, extra=b'"x":%d' % number) for number in range(8)]
        answers = await asyncio.gather(*map(store.insert, rivals), return_exceptions=True)
        [winner] = [rival for rival, answer in zip(rivals, answers, strict=True) if answer is None]
        assert [type(answer) for answer in answers if answer is not None] == [Conflict] * 7
        assert await store.get(first.id) == winner

    async def test_unknown_id_is_not_found(self, store: MetadataStore) -> None:
        await store.insert(new_record())
        with pytest.raises(NotFound):
            await store.get(new_record().id)

    async def test_replace_changes_everything(self, store: MetadataStore) -> None:
        record, other = new_record(), new_record()
        await store.insert(record)
        await store.insert(other)
        changed = change_record(
            record,
            revision=2,
            state="deleted",
            saved_at="2026-11-30T13:00:00.000000Z",
            date="2026-11-29T00:00:00.000000Z",
            storage=b'{"path":"c"}',
            extra=AWKWARD,
        )
        await store.replace(changed, 1)
        assert await store.get(record.id) == changed
        assert await store.get(other.id) == other

    async def test_replace_of_another_revision_is_refused(self, store: MetadataStore) -> None:
        record = new_record(revision=2)
        await store.insert(record)
        for revision in (1, 3):
            with pytest.raises(Conflict):
                await store.replace(change_record(record, revision=revision + 1), revision)
        assert await store.get(record.id) == record

    async def test_replace_of_an_unknown_id_is_not_found(self, store: MetadataStore) -> None:
        record = new_record()
        with pytest.raises(NotFound):
            await store.replace(change_record(record, revision=2), 1)
        with pytest.raises(NotFound):
            await store.get(record.id)

    async def test_of_many_replaces_of_one_revision_one_wins(self, store: MetadataStore) -> None:
        record = new_record()
        await store.insert(record)
        rivals = [change_record(record, revision=2, extra=b'"x":%d' % number) for number in range(8)]
        answers = await asyncio.gather(*(store.replace(rival, 1) for rival in rivals), return_exceptions=True)
        [winner] = [rival for rival, answer in zip(rivals, answers, strict=True) if answer is None]
        assert [type(answer) for answer in answers if answer is not None] == [Conflict] * 7
        assert await store.get(record.id) == winner

    async def test_find_leaves_fields_out(self, store: MetadataStore) -> None:
        record = new_record()
        await store.insert(record)
        fields = json.loads(record.document)
        left_out = [name for name in fields if name not in ("id", "state")]
        (document,) = (await store.find(limit=1, without=[*left_out, "there is none such"])).documents
        assert list(json.loads(document)) == [name for name in fields if name in ("id", "state")]

    async def test_delete_of_another_revision_is_refused(self, store: MetadataStore) -> None:
        record = new_record(revision=3)
        await store.insert(record)
        for revision in (2, 4):
            with pytest.raises(Conflict) as refused:
                await store.delete(record.id, revision)
            assert refused.value.field == "revision"
        assert await store.get(record.id) == record
        await store.delete(record.id, 3)
        with pytest.raises(NotFound):
            await store.delete(record.id, 3)

    async def test_delete_removes_for_ever(self, store: MetadataStore) -> None:
        record, other = new_record(), new_record()
        await store.insert(record)
        await store.insert(other)
        await store.delete(record.id)
        for call in (store.get, store.delete):
            with pytest.raises(NotFound):
                await call(record.id)
        assert list((await store.find(limit=10)).documents) == [other.document]
        await store.insert(record)
        assert await store.get(record.id) == record

    async def test_find_is_newest_first(self, store: MetadataStore) -> None:
        records = [new_record(day=day) for day in (3, 1, 2, 2, 3, 2)]
        for record in records:
            await store.insert(record)
        page = await store.find(limit=10)
        newest = sorted(records, key=lambda record: (record.date, record.id), reverse=True)
        assert list(page.documents) == [record.document for record in newest]
        assert page.cursor is None

    async def test_find_of_nothing(self, store: MetadataStore) -> None:
        page = await store.find(limit=10)
        assert (list(page.documents), page.cursor) == ([], None)

    @pytest.mark.parametrize("limit", [1, 2, 3, 6, 7])
    async def test_pages_hold_everything_once(self, store: MetadataStore, limit: int) -> None:
        for day in (1, 2, 2, 2, 3, 3):
            await store.insert(new_record(day=day))
        whole = await store.find(limit=100)
        paged: list[bytes] = []
        cursor = None
        for _ in range(-(-6 // limit)):
            page = await store.find(limit=limit, cursor=cursor)
            paged += page.documents
            cursor = page.cursor
        assert cursor is None
        assert paged == list(whole.documents)

    async def test_pages_are_stable_under_changes(self, store: MetadataStore) -> None:
        records = [new_record(day=day) for day in range(1, 9)]
        for record in records:
            await store.insert(record)
        first = await store.find(limit=3)
        await store.insert(new_record(day=20))
        await store.delete(records[5].id)
        rest = await store.find(limit=100, cursor=first.cursor)
        assert [*first.documents, *rest.documents] == [record.document for record in reversed(records)]

    async def test_find_by_state(self, store: MetadataStore) -> None:
        states = ("open", "complete", "interrupted", "deleted")
        records = {state: new_record(day=9 - day, state=state) for day, state in enumerate(states)}
        for record in records.values():
            await store.insert(record)

        async def found(*wanted: str) -> list[bytes]:
            return list((await store.find(limit=10, states=wanted)).documents)

        assert list((await store.find(limit=10)).documents) == [records[state].document for state in states[:3]]
        assert await found("deleted") == [records["deleted"].document]
        assert await found("deleted", "open") == [records["open"].document, records["deleted"].document]
        assert await found() == []

    async def test_pages_of_one_state(self, store: MetadataStore) -> None:
        for day in range(1, 9):
            await store.insert(new_record(day=day, state="deleted" if day % 2 else "complete"))
        first = await store.find(limit=2, states=["deleted"])
        rest = await store.find(limit=2, states=["deleted"], cursor=first.cursor)
        assert len(set(first.documents) | set(rest.documents)) == 4
        assert rest.cursor is None

    @pytest.mark.parametrize("cursor", ["", "x", "!!", "é", "MjAyNg", "MjAyNi0xMS0wMVQxMDowNzowMC4xMjM0NTZaIG5vLWlk"])
    async def test_bad_cursor_is_refused(self, store: MetadataStore, cursor: str) -> None:
        with pytest.raises(Invalid) as caught:
            await store.find(limit=1, cursor=cursor)
        assert caught.value.field == "cursor"

    async def test_resolve_by_the_ending(self, store: MetadataStore) -> None:
        head = "019aa000-0000-7000-8000-"
        endings = ("0000000a9f3a", "0000000b9f3a", "00000000af3a", "0000009f3a00")
        for ending, state in zip(endings, ("complete", "deleted", "open", "complete"), strict=True):
            await store.insert(change_record(new_record(state=state), id=head + ending))

        async def resolved(ending: str, limit: int = 2) -> list[str]:
            return [file_id.removeprefix(head) for file_id in await store.resolve(ending, limit=limit)]

        assert await resolved("9f3a") == ["0000000a9f3a", "0000000b9f3a"]
        assert await resolved("b9f3a") == ["0000000b9f3a"]
        assert await resolved("f3a", limit=10) == ["00000000af3a", "0000000a9f3a", "0000000b9f3a"]
        assert len(await resolved("f3a")) == 2
        assert await resolved(head + endings[3]) == [endings[3]]
        for nothing in ("ffff", "%", "_9f3a", "*", ".*", "x" + head + endings[3]):
            assert await resolved(nothing) == []

    async def test_resolve_forgets_the_deleted(self, store: MetadataStore) -> None:
        record = new_record()
        await store.insert(record)
        await store.delete(record.id)
        assert list(await store.resolve(record.id[-6:])) == []

    async def test_concurrent_use(self, store: MetadataStore) -> None:
        records = [new_record(day=1 + number % 28) for number in range(200)]
        await asyncio.gather(*map(store.insert, records))
        assert await asyncio.gather(*(store.get(record.id) for record in records)) == records

    async def test_cancelled_insert_is_whole_or_nothing(self, store: MetadataStore) -> None:
        records = [new_record() for _ in range(40)]
        tasks = [asyncio.create_task(store.insert(record)) for record in records]
        for number, task in enumerate(tasks):
            if number % 4 == 0:
                await asyncio.sleep(0)
            if number % 2:
                task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        for record, answer in zip(records, answers, strict=True):
            try:
                assert await store.get(record.id) == record
            except NotFound:
                assert isinstance(answer, asyncio.CancelledError)

    async def test_check(self, store: MetadataStore) -> None:
        await store.check()

    async def test_data_outlive_the_store(self, store: MetadataStore) -> None:
        records = [new_record(extra=AWKWARD) for _ in range(3)]
        for record in records:
            await store.insert(record)
        await store.replace(change_record(records[0], revision=2), 1)
        await store.delete(records[1].id)
        again = await self.reopen(store)
        try:
            assert await again.get(records[0].id) == change_record(records[0], revision=2)
            assert await again.get(records[2].id) == records[2]
            assert len((await again.find(limit=10)).documents) == 2
        finally:
            await again.close()


class BlobsContract:
    """What all `Blobs` promise; a subclass gives the fixture `blobs`, which begins empty."""

    async def keys(self, blobs: Blobs, prefix: str = "") -> set[str]:
        """The keys under a prefix; fails if one comes twice."""
        found = [key async for key in blobs.list(prefix)]
        assert len(found) == len(set(found))
        return set(found)

    @pytest.mark.parametrize("key", ["pack.zarr.zip", "a/b/c", "a b/ü 😀/x%41.b", ".hidden/.zgroup", "a/..b/c..d"])
    async def test_blob_comes_back(self, blobs: Blobs, key: str) -> None:
        await blobs.write(key, b"some bytes")
        await blobs.commit(key)
        assert bytes(await blobs.read(key)) == b"some bytes"
        assert await self.keys(blobs) == {key}

    async def test_a_blob_that_is_committed_at_once_comes_back(self, blobs: Blobs) -> None:
        await blobs.write("folder/key", b"first", commit=True)
        await blobs.write("folder/key", b"second", commit=True)
        assert bytes(await blobs.read("folder/key")) == b"second"
        assert await self.keys(blobs) == {"folder/key"}

    async def test_a_view_is_the_whole_blob(self, blobs: Blobs) -> None:
        await blobs.write("folder/key", b"some bytes")
        await blobs.write("empty", b"")
        view = await blobs.view("folder/key")
        await blobs.delete("folder")
        assert bytes(view) == b"some bytes"
        assert bytes(await blobs.view("empty")) == b""
        for key in ("folder/key", "folder", "none"):
            with pytest.raises(NotFound):
                await blobs.view(key)

    async def test_every_kind_of_buffer(self, blobs: Blobs) -> None:
        for data in (b"0123", bytearray(b"0123"), memoryview(b"x0123x")[1:5], memoryview(b"0123").cast("H")):
            await blobs.write("key", data)
            assert bytes(await blobs.read("key")) == b"0123"

    @pytest.mark.parametrize("data", [b"", memoryview(b""), memoryview(b"").cast("d")])
    async def test_empty_blob(self, blobs: Blobs, data: bytes | memoryview) -> None:
        await blobs.write("a/empty", data)
        assert bytes(await blobs.read("a/empty")) == b""
        assert bytes(await blobs.read("a/empty", 0, 0)) == b""
        assert await self.keys(blobs) == {"a/empty"}

    async def test_large_blob(self, blobs: Blobs) -> None:
        data = secrets.token_bytes(1 << 20) * 12
        await blobs.write("large", data)
        assert bytes(await blobs.read("large")) == data
        assert bytes(await blobs.read("large", 5 << 20, 6 << 20)) == data[: 1 << 20]

    async def test_ranges(self, blobs: Blobs) -> None:
        data = bytes(range(256))
        await blobs.write("key", data)
        for start, stop in [(0, None), (0, 1), (255, 256), (255, None), (10, 10), (256, None), (256, 256), (3, 200)]:
            assert bytes(await blobs.read("key", start, stop)) == data[start:stop]

    @pytest.mark.parametrize(("start", "stop"), [(0, 5), (4, 5), (5, None), (5, 5), (100, 200), (3, 2), (-1, None)])
    async def test_range_past_the_end_is_refused(self, blobs: Blobs, start: int, stop: int | None) -> None:
        await blobs.write("key", b"0123")
        with pytest.raises(Corrupt):
            await blobs.read("key", start, stop)

    async def test_missing_blob_is_not_found(self, blobs: Blobs) -> None:
        await blobs.write("a/b", b"x")
        for key in ("b", "a", "a/c", "a/b/c", "x/y/z"):
            with pytest.raises(NotFound):
                await blobs.read(key)

    async def test_buffers_are_copied(self, blobs: Blobs) -> None:
        data = bytearray(b"before")
        await blobs.write("key", data)
        data[:] = b"after!"
        assert bytes(await blobs.read("key")) == b"before"
        view = memoryview(await blobs.read("key"))
        if not view.readonly:
            view[:] = b"damage"
        assert bytes(await blobs.read("key")) == b"before"

    async def test_write_replaces(self, blobs: Blobs) -> None:
        for data in (b"a longer first version", b"second", b""):
            await blobs.write("key", data)
            assert bytes(await blobs.read("key")) == data
        assert await self.keys(blobs) == {"key"}

    async def test_replacing_is_atomic(self, blobs: Blobs) -> None:
        versions = [bytes([number]) * (100_000 + number) for number in range(20)]
        await blobs.write("key", versions[0])

        async def read() -> None:
            for _ in range(60):
                assert bytes(await blobs.read("key")) in versions

        readers = [asyncio.create_task(read()) for _ in range(3)]
        for version in versions:
            await blobs.write("key", version)
        await asyncio.gather(*readers)
        assert await self.keys(blobs) == {"key"}

    async def test_rival_writers_leave_one_whole_version(self, blobs: Blobs) -> None:
        versions = [bytes([number]) * 100_000 for number in range(16)]
        await asyncio.gather(*(blobs.write("a/key", version) for version in versions))
        assert bytes(await blobs.read("a/key")) in versions
        assert await self.keys(blobs) == {"a/key"}

    async def test_concurrent_use(self, blobs: Blobs) -> None:
        data = {f"{number % 7}/{number % 3}/{number}": secrets.token_bytes(1000 + number) for number in range(100)}

        async def cycle(key: str) -> None:
            await blobs.write(key, data[key])
            await blobs.commit(key)
            assert bytes(await blobs.read(key)) == data[key]

        await asyncio.gather(*map(cycle, data))
        assert await self.keys(blobs) == set(data)

    async def test_list_is_by_whole_parts(self, blobs: Blobs) -> None:
        for key in ("a/1", "a/b/2", "ab/3", "a.x", "b"):
            await blobs.write(key, b"x")
        assert await self.keys(blobs, "a") == {"a/1", "a/b/2"}
        assert await self.keys(blobs, "a/b") == {"a/b/2"}
        assert await self.keys(blobs, "b") == {"b"}
        assert await self.keys(blobs, "c") == set()
        assert await self.keys(blobs, "b/c") == set()

    async def test_delete_is_by_whole_parts(self, blobs: Blobs) -> None:
        for key in ("a/1", "a/b/2", "ab/3", "a.x", "b"):
            await blobs.write(key, b"x")
        await blobs.delete("a")
        assert await self.keys(blobs) == {"ab/3", "a.x", "b"}
        await blobs.delete("b")
        assert await self.keys(blobs) == {"ab/3", "a.x"}
        with pytest.raises(NotFound):
            await blobs.read("a/1")

    async def test_delete_of_nothing_is_no_error(self, blobs: Blobs) -> None:
        await blobs.write("a/b", b"x")
        for key in ("c", "a/c", "c/d/e"):
            await blobs.delete(key)
        assert await self.keys(blobs) == {"a/b"}

    async def test_deleted_key_can_be_written_again(self, blobs: Blobs) -> None:
        for _ in range(3):
            await blobs.write("a/b/c", b"x")
            await blobs.delete("a")
            await asyncio.gather(blobs.delete("a"), blobs.delete("a"))
        await blobs.write("a/b/c", b"y")
        assert bytes(await blobs.read("a/b/c")) == b"y"

    @pytest.mark.parametrize("key", ["..", "../x", "a/../../x", "/etc/passwd", "a//b", "a/", "./a", "a\\b", "a\0b"])
    async def test_keys_stay_inside(self, blobs: Blobs, key: str) -> None:
        for call in (blobs.write(key, b"x"), blobs.read(key), blobs.delete(key), self.keys(blobs, key)):
            with pytest.raises(Invalid):
                await call

    async def test_delete_of_everything_is_refused(self, blobs: Blobs) -> None:
        await blobs.write("a", b"x")
        with pytest.raises(Invalid):
            await blobs.delete("")
        assert await self.keys(blobs) == {"a"}

    async def test_cancelled_write_is_whole_or_nothing(self, blobs: Blobs) -> None:
        buffers = [bytearray([number]) * 500_000 for number in range(20)]
        tasks = [asyncio.create_task(blobs.write(f"{number}", buffer)) for number, buffer in enumerate(buffers)]
        await asyncio.sleep(0.002)
        for number, task in enumerate(tasks):
            task.cancel()
            await asyncio.wait((task,))
            buffers[number][:] = b"!" * 500_000
        for key in await self.keys(blobs):
            assert bytes(await blobs.read(key)) == bytes([int(key)]) * 500_000

    async def test_tensorstore_reads_the_same_blobs(self, blobs: Blobs) -> None:
        for key in ("a/x/0", "ab/x/0"):
            await blobs.write(key, key.encode())
        store = await ts.KvStore.open(blobs.kvstore("a/x"))
        assert await store.list() == [b"0"]
        assert (await store.read("0")).value == b"a/x/0"
        assert (await store.read("1")).state == "missing"

    async def test_check(self, blobs: Blobs) -> None:
        await blobs.check()
        assert await self.keys(blobs) == set()
