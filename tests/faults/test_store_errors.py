"""A store fails at each step of every change, before or after the step took effect."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator

import pytest
from faults.harness import DATAFILES, Sample, Server, assert_equal, attempts, running, stored_files

import aqdata

STATUSES = {"unavailable": 503, "full": 507}
STEPS = 60
KINDS = ["small", "large", "files"]

failing = pytest.mark.parametrize(
    ("action", "after", "onwards"),
    [
        (action, after, onwards)
        for action in STATUSES
        for after, onwards in [(False, False), (True, False), (False, True)]
    ],
)


@pytest.fixture(scope="module")
def one_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("errors")
    with running(folder) as server:
        yield server
    shutil.rmtree(folder)


@pytest.fixture
def server(one_server: Server) -> Server:
    one_server.disarm()
    return one_server


def problem_of(server: Server, method: str, path: str, body: object = None, media_type: str | None = None) -> int:
    """The status; a failure must say so as a problem document."""
    status, content = server.request(method, path, body, media_type)
    if status >= 400:
        problem = json.loads(content)
        assert problem["status"] == status
        assert problem["detail"]
    return status


def save(server: Server, one: Sample) -> int:
    return problem_of(server, "POST", DATAFILES, one.pack(), "application/zip")


def unknown(change: str, action: str) -> bool:
    """Whether who asks the store for this change can't know if it was made."""
    return change.startswith("records.") and action == "unavailable"


def edges(steps: list[str]) -> list[int]:
    """The first and the last of steps that are alike: the chunks of a large DataFile are many."""
    kinds = ["", *(step.split()[0] for step in steps), ""]
    return [at for at in range(len(steps)) if not kinds[at] == kinds[at + 1] == kinds[at + 2]]


@failing
@pytest.mark.parametrize("kind", KINDS)
def test_save(server: Server, kind: str, action: str, after: bool, onwards: bool) -> None:
    with aqdata.connect(server.url) as lab:
        assert save(server, Sample.new(kind, 0)) == 201
        usual = server.disarm()
        assert usual[-1] == "records.insert"
        for step in edges(usual):
            one = Sample.new(kind, step + 1)
            server.arm(step, action, after=after, onwards=onwards)
            status = save(server, one)
            steps = server.disarm()
            assert status == STATUSES[action]
            stored = [hit.id for hit in lab.find(limit=None)].count(one.id)
            assert stored == (after and steps[step] == "records.insert")
            if stored:
                assert_equal(lab, one)
            else:
                assert server.answers("GET", one.path) == 404
            cleaned = not onwards and not unknown(steps[step], action)
            if cleaned and not stored:
                assert attempts(server.folder, one.id) == set()
            assert save(server, one) == (200 if stored else 201)
            assert_equal(lab, one)
            assert [hit.id for hit in lab.find(limit=None)].count(one.id) == 1
            if cleaned:
                assert len(attempts(server.folder, one.id)) == 1
            server.disarm()


@failing
@pytest.mark.parametrize("kind", KINDS)
def test_save_again(server: Server, kind: str, action: str, after: bool, onwards: bool) -> None:
    """What was stored before stays, whatever happens to a second attempt and to its clean-up."""
    one = Sample.new(kind, 1)
    with aqdata.connect(server.url) as lab:
        assert save(server, one) == 201
        server.disarm()
        assert save(server, one) == 200
        usual = server.disarm()
        assert usual[-1].startswith("blobs.delete")
        for step in edges(usual):
            server.arm(step, action, after=after, onwards=onwards)
            status = save(server, one)
            steps = server.disarm()
            assert_equal(lab, one)
            # the answer is known before the clean-up
            cleaning = steps[step].startswith("blobs.delete")
            assert status == 200 if cleaning else status in (200, STATUSES[action])
        assert save(server, one) == 200
        other = Sample(one.id, kind, 2)
        server.arm(usual.index("records.insert") + 1, action, after=after, onwards=onwards)
        assert save(server, other) == 409
        server.disarm()
        assert_equal(lab, one)


# what the client sends, its answers when it is done and when it is done again, and the step that makes it visible
CHANGES = {
    "delete": ("DELETE", "", 204, 204, "records.replace"),
    "restore": ("POST", "/restore", 200, 200, "records.replace"),
    "purge": ("DELETE", "?purge=true", 204, 404, "records.delete"),
    "put_file": ("PUT", "/files/fit.png", 200, 200, "records.replace"),
    "replace_file": ("PUT", "/files/a.bin", 200, 200, "records.replace"),
}


@failing
@pytest.mark.parametrize("change", CHANGES)
def test_change(server: Server, change: str, action: str, after: bool, onwards: bool) -> None:
    method, path, answer, repeated, commit = CHANGES[change]
    content = os.urandom(100_000)
    body = content if "file" in change else None
    name = "a.bin" if change == "replace_file" else "fit.png"
    with aqdata.connect(server.url) as lab:
        for step in range(STEPS):
            one = Sample.new("files", step)
            assert save(server, one) == 201
            if change in ("restore", "purge"):
                assert server.answers("DELETE", one.path) == 204
            before = attempts(server.folder, one.id)
            server.arm(step, action, after=after, onwards=onwards)
            status = problem_of(server, method, one.path + path, body)
            steps = server.disarm()
            if step >= len(steps):
                break
            committed = next(number for number, done in enumerate([*steps, commit]) if done.startswith(commit))
            done = step > committed or (step == committed and after)
            # once it is done, what fails behind it is only litter
            assert status == (answer if step > committed else STATUSES[action]) or (done and status == answer)
            if not done and not onwards and not unknown(steps[step], action):
                assert attempts(server.folder, one.id) == before
            assert problem_of(server, method, one.path + path, body) == (repeated if done else answer)
            if change == "purge":
                assert server.answers("GET", one.path) == 404
            elif change == "delete":
                assert server.answers("GET", f"{one.path}/data/i") == 410
                assert server.answers("POST", f"{one.path}/restore") == 200
                assert_equal(lab, one)
            else:
                assert_equal(lab, one, {name: content} if body else None)
        assert status == answer
        assert step > 1
        if change == "purge":
            assert attempts(server.folder, one.id) == set()
            assert not {found for found in stored_files(server.folder) if one.id in found}
