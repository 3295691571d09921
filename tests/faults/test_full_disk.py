"""The disk of a running server is full: saves are refused, nothing is left of them, and reads go on."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from faults.harness import DATAFILES, Sample, Server, assert_equal, attempts, running, stored_files

import aqdata


def fill(path: Path) -> None:
    """Take all the space that is left."""
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 65536):
                pass
        except OSError:
            pass


def refused(server: Server, one: Sample) -> None:
    status, content = server.request("POST", DATAFILES, one.pack(), "application/zip")
    assert status == 507
    problem = json.loads(content)
    assert problem["status"] == 507
    assert "free some space" in problem["detail"]
    assert server.answers("GET", one.path) == 404
    assert attempts(server.folder, one.id) == set()


@pytest.mark.parametrize("kind", ["small", "large", "files"])
def test_full_disk(small_disk: Path, kind: str) -> None:
    kept = [Sample.new("small", 1), Sample.new("large", 2), Sample.new("files", 3)]
    with running(small_disk / "lab", fork=False, faults=False) as server, aqdata.connect(server.url) as lab:
        for one in kept:
            assert one.save(server) == 201
        before = stored_files(server.folder)
        other = small_disk / "other"
        fill(other)
        lost = [Sample.new(kind, number) for number in range(10, 15)]
        for one in lost:
            refused(server, one)
            for old in kept:
                assert_equal(lab, old)
        assert stored_files(server.folder) == before
        assert server.answers("PUT", f"{kept[0].path}/files/fit.png", b"x" * 100_000) == 507
        assert server.answers("GET", "/healthz") == 200
        assert server.answers("GET", "/readyz") == 507
        assert stored_files(server.folder) == before
        assert len(lab.find(limit=None)) == len(kept)

        other.unlink()
        assert server.answers("GET", "/readyz") == 200
        for one in lost:
            # the same DataFile under the same id, as a client would send it again
            assert one.save(server) == 201
        for one in kept:
            assert_equal(lab, one)


def test_disk_fills_up(small_disk: Path) -> None:
    """One save after the other until none fits any more; what was acknowledged is there, also after a restart."""
    kept: list[Sample] = []
    with running(small_disk / "lab", fork=False, faults=False) as server, aqdata.connect(server.url) as lab:
        status: int | None = 201
        while status == 201:
            one = Sample.new("large", len(kept))
            status = one.save(server)
            if status == 201:
                kept.append(one)
        assert status == 507
        assert attempts(server.folder, one.id) == set()
        assert len(kept) >= 3
        for old in kept:
            assert_equal(lab, old)
        # small ones may still fit; then they are whole
        for number in range(5):
            small = Sample.new("small", number)
            if small.save(server) == 201:
                kept.append(small)
        assert server.answers("DELETE", kept[0].path) == 204
        assert server.answers("DELETE", f"{kept[0].path}?purge=true") == 204
        assert one.save(server) == 201
    with running(small_disk / "lab", fork=False, faults=False) as server, aqdata.connect(server.url) as lab:
        assert {hit.id for hit in lab.find(limit=None)} == {old.id for old in [*kept[1:], one]}
        for old in [*kept[1:], one]:
            assert_equal(lab, old)


def test_almost_full_disk(small_disk: Path) -> None:
    """The arrays may still fit and the record not."""
    with running(small_disk / "lab", fork=False, faults=False) as server, aqdata.connect(server.url) as lab:
        kept = [Sample.new("small", 0)]
        assert kept[0].save(server) == 201
        other = small_disk / "other"
        statuses = set()
        for number in range(1, 40):
            fill(other)
            os.truncate(other, other.stat().st_size - number * 4096)
            one = Sample.new("small", number)
            if server.request("POST", DATAFILES, one.pack(), "application/zip")[0] == 201:
                kept.append(one)
                statuses.add(201)
            else:
                refused(server, one)
                statuses.add(507)
        assert statuses == {201, 507}
        assert {hit.id for hit in lab.find(limit=None)} == {one.id for one in kept}
        for one in kept:
            assert_equal(lab, one)
