"""Runs a row and its baselines in turns and sums up the times; what they do is in `rows.py` and `baselines.py`."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.baselines import BASELINES
from benchmarks.bench import Bench, Steps
from benchmarks.rows import Row

WORK = "work"


@dataclass(frozen=True)
class Figure:
    """The median of some samples and their quartiles: ms, or MiB."""

    median: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, samples: list[float]) -> Figure:
        """Of at least one sample."""
        if len(samples) == 1:
            return cls(samples[0], samples[0], samples[0], 1)
        low, median, high = statistics.quantiles(samples, n=4, method="inclusive")
        return cls(median, low, high, len(samples))


@dataclass(frozen=True)
class Result:
    """What a row took, and its baselines in the same loop; `title` says what was measured, sizes included."""

    row: Row
    title: str
    figure: Figure
    baselines: Mapping[str, Figure]

    @property
    def unit(self) -> float:
        """The value of the budget's unit in this run: ms of its formula, or 1."""
        terms = self.row.budget.terms
        return sum(count * self.baselines[name].median for name, count in terms.items()) if terms else 1.0

    @property
    def ratio(self) -> float:
        """How many of the budget's unit it took."""
        return self.figure.median / self.unit

    @property
    def excess(self) -> float:
        """By which fraction of the budget it was missed; negative if it was met."""
        return self.ratio / self.row.budget.factor - 1


def run(row: Row, bench: Bench) -> Result:
    """Measure one row."""
    turns: dict[str, Steps] = {WORK: row.steps(bench)}
    turns |= {name: BASELINES[name](bench) for name in row.budget.terms}
    samples = take_turns(turns, bench, row)
    figures = {name: Figure.of(values) for name, values in samples.items()}
    return Result(row, row.title(bench.scale), figures.pop(WORK), figures)


def take_turns(turns: Mapping[str, Steps], bench: Bench, row: Row) -> dict[str, list[float]]:
    """The samples of each, in ms where they are times, without the warm-ups."""
    scale = bench.scale
    samples: dict[str, list[float]] = {name: [] for name in turns}
    gc.collect()
    gc.freeze()
    for _ in range(row.warm_ups):
        for steps in turns.values():
            next(steps)()
    started = time.perf_counter()
    count = 0
    while count < scale.most and (count < min(scale.least, row.most) or time.perf_counter() - started < scale.seconds):
        if count >= row.most:
            break
        for name, steps in turns.items():
            samples[name].append(_sample(steps))
        count += 1
    for steps in turns.values():
        # cleans up after the last
        next(steps)
    return samples


def _sample(steps: Steps) -> float:
    work = next(steps)
    started = time.perf_counter()
    figure = work()
    taken = 1e3 * (time.perf_counter() - started)
    return taken if figure is None else figure
