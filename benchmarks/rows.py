"""The rows of the table, each with its budget; a new feature adds its row to `ROWS`. How they are timed is not here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import aqdata
from benchmarks.bare import PIECE
from benchmarks.bench import Bench, Scale, Steps
from benchmarks.samples import SameRows, large_document, small_datafile
from benchmarks.servers import MemoryPeak

MIB = 1 << 20


@dataclass(frozen=True)
class Budget:
    """At most `factor` times a sum of baselines, or, without `terms`, so many ms or MiB."""

    factor: float
    terms: Mapping[str, float] = field(default_factory=dict)

    @property
    def unit(self) -> str:
        """The sum of baselines as people write it; empty without."""
        return " + ".join(name if count == 1 else f"{count:g} {name}" for name, count in self.terms.items())


@dataclass(frozen=True)
class Row:
    """Something to measure. `steps` is endless, as `Steps` says; `most` bounds its repetitions.

    `only_on` is the one platform where it can be measured, as `sys.platform` names it.
    """

    name: str
    title: Callable[[Scale], str]
    budget: Budget
    steps: Callable[[Bench], Steps]
    warm_ups: int = 10
    most: int = 10_000
    unit: str = "ms"
    only_on: str | None = None


def save_small(bench: Bench) -> Steps:
    while True:
        df = small_datafile()
        yield lambda df=df: _none(bench.lab.save(df))  # type: ignore[misc]


def load_small(bench: Bench) -> Steps:
    file_id = bench.lab.save(small_datafile())

    def load() -> None:
        df = bench.lab.load(file_id)
        arrays = [np.asarray(df[name]) for name in df]
        if sum(array.nbytes for array in arrays) != 32_000:
            raise ValueError("not what was saved")

    while True:
        yield load


def save_large(bench: Bench) -> Steps:
    while True:
        df = _datafile(bench.large)
        yield lambda df=df: _none(bench.lab.save(df))  # type: ignore[misc]
        bench.remove(df.id)


def load_large(bench: Bench) -> Steps:
    file_id = bench.lab.save(_datafile(bench.large))

    def load() -> None:
        array = bench.lab.load(file_id)["x"][:]
        if array[-1, -1] != bench.large[-1, -1]:
            raise ValueError("not what was saved")

    while True:
        yield load


def slice_large(bench: Bench) -> Steps:
    """Somewhere else each time."""
    rng = np.random.default_rng(seed=11)
    df = bench.lab.load(bench.lab.save(_datafile(bench.large)))
    while True:
        row = int(rng.integers(df["x"].shape[0]))
        start = int(rng.integers(df["x"].shape[1] - 1_000))

        def read(row: int = row, start: int = start) -> None:
            if df["x"][row, start : start + 1_000][-1] != bench.large[row, start + 999]:
                raise ValueError("not what was saved")

        yield read


def save_document(bench: Bench) -> Steps:
    while True:
        df = aqdata.DataFile(metadata=large_document())
        yield lambda df=df: _none(bench.lab.save(df))  # type: ignore[misc]


def memory(bench: Bench) -> Steps:
    """Up as a lazy array, down as one raw answer that is thrown away: neither takes the client's memory."""
    size = bench.scale.passing
    lazy = SameRows(64, bench.large.reshape(-1)[: size // 64 // 8])
    target = np.empty(PIECE, np.uint8).data

    def through() -> float:
        df = _datafile(lazy)
        with MemoryPeak(bench.server) as peak:
            bench.lab.save(df, progress=False)
            response = bench.served.urlopen("GET", f"/api/v1/datafiles/{df.id}/data/x", preload_content=False)
            count = 0
            while got := response.readinto(target):
                count += got
            response.release_conn()
        bench.remove(df.id)
        if count != size:
            raise ValueError(f"{count} bytes came back")
        return peak.bytes / MIB

    while True:
        yield through


def _datafile(array: np.ndarray | SameRows) -> aqdata.DataFile:
    return aqdata.DataFile({"name": "benchmark"}, {"x": aqdata.DataSet(array, dims=("shot", "time"), units="V")})


def _none(_: Any) -> None:
    return None


def size_text(nbytes: int) -> str:
    """As people write it: 256 MiB, 4 GiB."""
    return f"{nbytes >> 30} GiB" if nbytes >= 1 << 30 else f"{nbytes >> 20} MiB"


def _large(text: str) -> Callable[[Scale], str]:
    return lambda scale: text.format(size_text(scale.large))


ROWS: tuple[Row, ...] = (
    Row(
        "save-small",
        lambda _: "save a small DataFile (4 × 1,000 float64, 20 kB metadata), durable, over HTTP",
        Budget(1, {"R": 5, "F": 3}),
        save_small,
    ),
    Row("load-small", lambda _: "load it", Budget(5, {"R": 1}), load_small),
    Row("save-large", _large("save {}, durable"), Budget(1.5, {"H↑": 1, "W": 1}), save_large, warm_ups=1),
    Row("load-large", _large("load {} into numpy, warm"), Budget(1.5, {"H↓": 1}), load_large, warm_ups=1),
    Row("slice", _large("slice 1,000 points out of {}"), Budget(4, {"R": 1}), slice_large),
    Row(
        "save-document",
        lambda _: "save a document of 175 kB with 1,000 settings",
        Budget(15),
        save_document,
    ),
    Row(
        "memory",
        lambda scale: f"server's anonymous memory (RssAnon) while {size_text(scale.passing)} go up and down",
        Budget(300),
        memory,
        warm_ups=0,
        most=1,
        unit="MiB",
        only_on="linux",
    ),
)
