"""The server is killed: at random moments of many saves, and at each step of every change."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from faults.harness import DATAFILES, Sample, Server, assert_equal

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
    assert set(statuses) <= {None, 200, 201}

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
