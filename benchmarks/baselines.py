"""The baselines R, H, W and F, each as steps to be timed; the package's docstring defines them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import numpy as np

from aqdata.stores.disk import sync_file
from benchmarks.bare import PIECE, SMALL
from benchmarks.bench import Bench, Steps

SMALL_FILE = 32_000


def round_trip(bench: Bench) -> Steps:
    """R."""

    def get() -> None:
        response = bench.bare.request("GET", f"/{SMALL}")
        if len(response.data) != SMALL:
            raise ValueError(f"the bare server answered {response.status}")

    while True:
        yield get


def upward(bench: Bench) -> Steps:
    """H, of the large array, up."""
    content = bench.large.data.cast("B")

    def pieces() -> Iterator[memoryview]:
        return (content[at : at + PIECE] for at in range(0, len(content), PIECE))

    def post() -> None:
        # urllib3 sends any buffers, its types say bytes
        body = cast("Iterator[bytes]", pieces())
        response = bench.bare.request("POST", "/", body=body, headers={"Content-Length": str(len(content))})
        if response.status != 200:
            raise ValueError(f"the bare server answered {response.status}")

    while True:
        yield post


def downward(bench: Bench) -> Steps:
    """H, of the large array, down."""

    def get() -> None:
        array = np.empty(bench.large.nbytes, np.uint8)
        response = bench.bare.urlopen("GET", f"/{array.nbytes}", preload_content=False)
        view = array.data
        at = 0
        while count := response.readinto(view[at : at + PIECE]):
            at += count
        response.release_conn()
        if at != array.nbytes:
            raise ValueError(f"the bare server sent {at} bytes")

    while True:
        yield get


def write(bench: Bench) -> Steps:
    """W, of the large array."""
    return _write(bench.folder / "W", bench.large.data.cast("B"))


def write_small(bench: Bench) -> Steps:
    """F."""
    return _write(bench.folder / "F", memoryview(bytes(SMALL_FILE)))


def _write(path: Path, content: memoryview) -> Steps:
    def work() -> None:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0))
        try:
            for at in range(0, len(content), PIECE):
                if os.write(fd, content[at : at + PIECE]) != len(content[at : at + PIECE]):
                    raise OSError("the disk is full")
            sync_file(fd)
        finally:
            os.close(fd)

    while True:
        yield work
        path.unlink()


BASELINES: dict[str, Callable[[Bench], Steps]] = {
    "R": round_trip,
    "H↑": upward,
    "H↓": downward,
    "W": write,
    "F": write_small,
}
