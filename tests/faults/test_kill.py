"""The server is killed: at random moments of many saves, and at each step of every change."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from faults.harness import Sample, Server, assert_equal

import aqdata

SAVES = int(os.environ.get("AQDATA_TEST_SAVES", "240"))
WRITERS = 4
STEPS = 60


def sample(number: int) -> Sample:
    return Sample.new(("large", "files", *["small"] * 6)[number % 8], number)


def test_kill_at_random_moments(server: Server) -> None:
    samples = [sample(number) for number in range(SAVES)]
    created: Counter[str] = Counter()
    acknowledged: set[str] = set()
    statuses: Counter[int | None] = Counter()
    over = threading.Event()
    lock = threading.Lock()

    def save(one: Sample) -> None:
        # who gets no answer asks again at once, later, or (see below) after all is over
        for _ in range(random.randrange(1, 4)):
            status = one.save(server)
            with lock:
                statuses[status] += 1
                created[one.id] += status == 201
                if status in (200, 201):
                    acknowledged.add(one.id)
                    return
            time.sleep(random.uniform(0, 0.3))

    def kill() -> int:
        kills = 0
        while not over.wait(random.uniform(0.02, 0.6)):
            server.kill()
            kills += 1
            server.start()
        return kills

    with ThreadPoolExecutor(WRITERS + 1) as threads:
        killer = threads.submit(kill)
        try:
            list(threads.map(save, samples))
        finally:
            over.set()
        kills = killer.result()
    assert set(statuses) <= {None, 200, 201}, statuses

    with aqdata.connect(server.url) as lab:
        listed = [hit.id for hit in lab.find(limit=None)]
        assert len(listed) == len(set(listed))
        assert acknowledged <= set(listed)
        by_id = {one.id: one for one in samples}
        for file_id in listed:
            assert_equal(lab, by_id[file_id])
        for one in samples:
            if one.id not in acknowledged:
                assert one.save(server) == (200 if one.id in listed else 201)
                assert_equal(lab, one)
        again = [hit.id for hit in lab.find(limit=None)]
        assert sorted(again) == sorted(by_id)
    assert max(created.values()) == 1
    unanswered = statuses[None]
    print(
        f"{SAVES} saves, {kills} kills, {len(acknowledged)} acknowledged, {unanswered} requests without answer, "
        f"{len(listed) - len(acknowledged)} stored but not acknowledged; lost 0, torn 0, doubled 0"
    )
    assert kills > 1
    assert unanswered


@pytest.mark.parametrize("kind", ["small", "large", "files"])
def test_kill_at_each_step_of_a_save(server: Server, kind: str) -> None:
    with aqdata.connect(server.url) as lab:
        for step in range(STEPS):
            one = Sample.new(kind, step)
            server.arm(step // 2, after=step % 2 == 1)
            status = one.save(server)
            if status is not None:
                steps = server.disarm()
                break
            server.ended()
            server.start()
            # the record is the commit, and it is the last step
            stored = [hit.id for hit in lab.find(limit=None)].count(one.id)
            if stored:
                assert_equal(lab, one)
            else:
                assert server.answers("GET", one.path) == 404
            assert one.save(server) == (200 if stored else 201)
            assert_equal(lab, one)
            assert [hit.id for hit in lab.find(limit=None)].count(one.id) == 1
        assert status == 201
        assert steps[-1] == "records.insert"
        assert step == 2 * len(steps)
        assert_equal(lab, one)


# what the client sends, and what the retry is answered with when the killed one was done or not
CHANGES = {
    "delete": ("DELETE", "", 204, 204),
    "restore": ("POST", "/restore", 200, 200),
    "purge": ("DELETE", "?purge=true", 204, 404),
    "put_file": ("PUT", "/files/fit.png", 200, 200),
    "replace_file": ("PUT", "/files/a.bin", 200, 200),
}


@pytest.mark.parametrize("change", CHANGES)
def test_kill_at_each_step_of_a_change(server: Server, change: str) -> None:
    method, path, answer, repeated = CHANGES[change]
    content = os.urandom(100_000)
    body = content if "file" in change else None
    files = {"fit.png" if change == "put_file" else "a.bin": content} if body else {}
    states: set[bool] = set()
    with aqdata.connect(server.url) as lab:
        for step in range(STEPS):
            one = Sample.new("files", step)
            assert one.save(server) == 201
            if change in ("restore", "purge"):
                assert server.answers("DELETE", one.path) == 204
            server.disarm()
            server.arm(step // 2, after=step % 2 == 1)
            status = server.answers(method, one.path + path, body)
            if status is not None:
                break
            server.ended()
            server.start()
            done = is_done(server, lab, one, change, files)
            states.add(done)
            assert server.answers(method, one.path + path, body) == (repeated if done else answer)
            assert is_done(server, lab, one, change, files)
        steps = server.disarm()
        assert status == answer
        assert step == 2 * len(steps)
        assert is_done(server, lab, one, change, files)
    assert states == {False, True}


def is_done(server: Server, lab: aqdata.Lab, one: Sample, change: str, files: dict[str, bytes]) -> bool:
    """Whether the change is visible; it must be wholly or not at all, and the rest of the DataFile untouched."""
    live = [hit.id for hit in lab.find(limit=None)].count(one.id)
    binned = [hit.id for hit in lab.find(limit=None, state="deleted")].count(one.id)
    assert live + binned <= 1
    if change == "purge" and not binned:
        assert server.answers("GET", one.path) == 404
        return True
    if binned:
        assert server.answers("GET", f"{one.path}/data/i") == 410
        return change == "delete"
    if not files:
        assert_equal(lab, one)
        return change == "restore"
    attached = {name: lab.get_file(one.id, name) for name in lab.load(one.id).files}
    done = attached.items() >= files.items()
    assert_equal(lab, one, files if done else None)
    return done
