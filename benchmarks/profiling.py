"""Where a row's time goes: CPU time of both sides against the clock, and cProfile's figures; no budgets."""

from __future__ import annotations

import cProfile
import io
import os
import pstats
import signal
import sys
import time
from pathlib import Path

from benchmarks.bench import Bench, Scale, opened
from benchmarks.rows import Row

_LINES = 25


def profile(row: Row, folder: Path, backend: str, scale: Scale) -> str:
    """First without a profiler, for the split; then with one on each side, for the functions."""
    if sys.platform == "win32":
        raise SystemExit("a profile needs signals, which Windows has not")
    (folder / "split").mkdir()
    with opened(folder / "split", backend, scale) as bench:
        split = _split(row, bench)
    client, server = cProfile.Profile(), folder / "server.prof"
    with opened(folder, backend, scale, server) as bench:
        _repeat(row, bench, client)
    parts = [row.title(scale), split, "client, by own time", _top(pstats.Stats(client, stream=io.StringIO()))]
    parts += ["server's event loop (its threads are not in it), by own time", _top(pstats.Stats(str(server)))]
    return "\n\n".join(parts)


def _split(row: Row, bench: Bench) -> str:
    wall = client = server = 0.0
    count = 0
    steps = row.steps(bench)
    for _ in range(row.warm_ups):
        next(steps)()
    started = time.perf_counter()
    while count < min(row.most, bench.scale.least) or (
        count < min(row.most, bench.scale.most) and time.perf_counter() - started < bench.scale.seconds
    ):
        work = next(steps)
        begin = time.perf_counter(), time.process_time(), bench.server.cpu_seconds() or 0.0
        work()
        end = time.perf_counter(), time.process_time(), bench.server.cpu_seconds() or 0.0
        wall, client, server = (
            total + stop - start for total, start, stop in zip((wall, client, server), begin, end, strict=True)
        )
        count += 1
    next(steps)
    times = {"clock": wall, "client's CPU": client, "server's CPU": server}
    texts = [f"{name} {1e3 * value / count:.3g} ms" for name, value in times.items()]
    return f"{', '.join(texts)}; mean of {count}; what is missing is waiting: disk, sockets, threads' turns"


def _repeat(row: Row, bench: Bench, recorder: cProfile.Profile) -> None:
    steps = row.steps(bench)
    for _ in range(row.warm_ups):
        next(steps)()
    os.kill(bench.server.pid, signal.SIGUSR1)
    for _ in range(min(row.most, 100 if row.warm_ups > 1 else bench.scale.least)):
        work = next(steps)
        recorder.enable()
        work()
        recorder.disable()
    next(steps)


def _top(stats: pstats.Stats) -> str:
    out = io.StringIO()
    stats.stream = out  # type: ignore[attr-defined]
    stats.strip_dirs().sort_stats("tottime").print_stats(_LINES)
    return out.getvalue().strip()
