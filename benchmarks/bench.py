"""What every row needs while it is measured: both servers, a Lab, a place to write, sizes; no rows, no timing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from urllib3 import HTTPConnectionPool
from urllib3.util import parse_url

import aqdata
from benchmarks.servers import Server, aqdata_server, bare_server

Steps = Iterator[Callable[[], float | None]]
"""Endless: each `next` prepares a repetition and gives what is timed; the `next` after it cleans up.

What is timed gives None, or a figure to be taken in place of the time.
"""


@dataclass(frozen=True)
class Scale:
    """How much is measured: bytes of large arrays, bytes that pass through, seconds and repetitions of a row."""

    large: int
    passing: int
    seconds: float
    least: int
    most: int

    def fitting(self, folder: Path) -> Scale:
        """The same, but with 1 GiB passing through where the disk has no room for more."""
        room = shutil.disk_usage(folder).free > 2 * self.passing
        return self if room else replace(self, passing=min(self.passing, 1 << 30))


FULL = Scale(large=256 << 20, passing=4 << 30, seconds=20.0, least=7, most=600)
QUICK = Scale(large=16 << 20, passing=64 << 20, seconds=0.3, least=2, most=20)


@dataclass(frozen=True)
class Bench:
    """The servers of one run. `folder` is on the disk of the server's data."""

    lab: aqdata.Lab
    server: Server
    bare: HTTPConnectionPool
    served: HTTPConnectionPool
    folder: Path
    scale: Scale

    @cached_property
    def large(self) -> np.ndarray:
        """Noise, shape (64, n) float64, of the scale's size."""
        rng = np.random.default_rng(seed=7)
        return rng.standard_normal((64, self.scale.large // 64 // 8))

    def remove(self, file_id: str) -> None:
        """Delete a DataFile for ever, so that the disk does not fill."""
        self.lab.delete(file_id)
        self.lab.purge(file_id)


@contextmanager
def opened(folder: Path, backend: str, scale: Scale, profile: Path | None = None) -> Iterator[Bench]:
    """Start the servers, and stop them at the end; `profile` is as in `aqdata_server`."""
    with (
        bare_server(folder) as bare,
        aqdata_server(folder, backend, profile) as server,
        aqdata.connect(server.url) as lab,
        _pool(bare) as bare_pool,
        _pool(server) as server_pool,
    ):
        yield Bench(lab, server, bare_pool, server_pool, folder, scale)


def _pool(server: Server) -> HTTPConnectionPool:
    url = parse_url(server.url)
    return HTTPConnectionPool(url.host or "", url.port, maxsize=1)
