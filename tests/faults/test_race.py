"""Two clients save under one id at the same time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from faults.harness import Sample, Server, assert_equal, attempts

import aqdata

ROUNDS = {"small": 60, "files": 30, "large": 8}
RACERS = 3


def race(server: Server, samples: list[Sample]) -> list[int | None]:
    """The statuses of saves that start together."""
    start = threading.Barrier(len(samples))

    def save(one: Sample) -> int | None:
        pack = one.pack()
        start.wait()
        return server.answers("POST", "/api/v1/datafiles", pack, "application/zip")

    with ThreadPoolExecutor(len(samples)) as threads:
        return list(threads.map(save, samples))


@pytest.mark.parametrize("kind", ROUNDS)
def test_same_content(server: Server, kind: str) -> None:
    with aqdata.connect(server.url) as lab:
        for number in range(ROUNDS[kind]):
            one = Sample.new(kind, number)
            assert sorted(map(int, filter(None, race(server, [one] * RACERS)))) == [200] * (RACERS - 1) + [201]
            assert_equal(lab, one)
            assert len(attempts(server.folder, one.id)) == 1
            assert lab.metadata(one.id).name == f"{kind} {number}"
        assert len(lab.find(limit=None)) == ROUNDS[kind]


@pytest.mark.parametrize("kind", ROUNDS)
def test_other_content(server: Server, kind: str) -> None:
    with aqdata.connect(server.url) as lab:
        for number in range(ROUNDS[kind]):
            first = Sample.new(kind, number)
            racers = [first, *(Sample(first.id, kind, number + 1_000 * other) for other in range(1, RACERS))]
            statuses = race(server, racers)
            assert sorted(map(int, filter(None, statuses))) == [201] + [409] * (RACERS - 1)
            assert_equal(lab, racers[statuses.index(201)])
            assert len(attempts(server.folder, first.id)) == 1
        assert len(lab.find(limit=None)) == ROUNDS[kind]


@pytest.mark.parametrize("kind", ["small", "files"])
def test_saves_and_purges(server: Server, kind: str) -> None:
    """While some save, one removes: whatever is there in the end is whole, and the rest leaves nothing."""
    with aqdata.connect(server.url) as lab:
        for number in range(ROUNDS[kind]):
            one = Sample.new(kind, number)
            assert one.save(server) == 201
            start = threading.Barrier(RACERS)

            def save(one: Sample = one, start: threading.Barrier = start) -> set[int | None]:
                start.wait()
                return {one.save(server) for _ in range(3)}

            def purge(one: Sample = one, start: threading.Barrier = start) -> set[int | None]:
                start.wait()
                return {server.answers("DELETE", one.path), server.answers("DELETE", f"{one.path}?purge=true")}

            with ThreadPoolExecutor(RACERS) as threads:
                saving = [threads.submit(save) for _ in range(RACERS - 1)]
                assert threads.submit(purge).result() == {204}
                for saved in saving:
                    # 410: it was in the bin at that moment, and says so
                    assert saved.result() <= {200, 201, 410}
            there = [hit.id for hit in lab.find(limit=None)].count(one.id)
            if there:
                assert_equal(lab, one)
            assert len(attempts(server.folder, one.id)) == there


def test_restore_and_purge(server: Server) -> None:
    """One takes a DataFile out of the bin while another empties it: only one of them may succeed."""
    outcomes = set()
    with aqdata.connect(server.url) as lab:
        for number in range(100):
            one = Sample.new("small", number)
            assert one.save(server) == 201
            assert server.answers("DELETE", one.path) == 204
            start = threading.Barrier(2)

            def ask(method: str, path: str, start: threading.Barrier = start) -> int | None:
                start.wait()
                return server.answers(method, path)

            with ThreadPoolExecutor(2) as threads:
                restored = threads.submit(ask, "POST", f"{one.path}/restore")
                purged = threads.submit(ask, "DELETE", f"{one.path}?purge=true")
            outcomes.add((restored.result(), purged.result()))
            if restored.result() == 200:
                assert_equal(lab, one)
    assert outcomes <= {(200, 409), (404, 204)}
