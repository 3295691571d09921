"""The server's memory stays bounded while large arrays pass through, whatever their shape and memory order.

`AQDATA_TEST_GIB=4` moves 4 GiB in all combinations; by default it is 0.5 GiB in two of them. `-s` prints figures.
"""

from __future__ import annotations

import http.client
import itertools
import math
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from faults.harness import DATAFILES, Server, running
from numpy.lib import format as npy_format

import aqdata
from aqdata.models.ids import new_id
from aqdata.wire.layout import Layout
from aqdata.wire.pack import Chunk, Header, Limits, parse_pack
from aqdata.wire.zip import check_crc

Order = Literal["C", "F"]

BUDGET = 300 << 20
GIB = float(os.environ.get("AQDATA_TEST_GIB", "0.5"))
BYTES = int(GIB * (1 << 30))
PIECE = 1 << 20
# (64, 8388608) and (4096, 131072) float64 are 4 GiB
SHAPES = [(rows, BYTES // 8 // rows) for rows in (64, 4096)]
ALL = list(itertools.product(SHAPES, ("pack", "npy"), ("C", "F")))
COMBINATIONS = ALL if "AQDATA_TEST_GIB" in os.environ else [ALL[1], ALL[6]]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells RssAnon")


class Memory:
    """Watches a process's anonymous memory."""

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self._peak = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def now(self) -> int:
        found = re.search(r"RssAnon:\s*(\d+) kB", self._status.read_text())
        assert found
        return int(found[1]) << 10

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            self._peak = max(self._peak, self.now())

    def peak(self) -> int:
        """The most since it was asked last."""
        peak, self._peak = max(self._peak, self.now()), 0
        return peak

    def stop(self) -> None:
        self._over.set()
        self._thread.join()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Noise that arrays of both memory orders are made of; it includes NaNs of any payload."""
    path = tmp_path_factory.mktemp("source") / "noise"
    noise = np.random.default_rng(1)
    with path.open("wb") as file:
        for _ in range(BYTES // PIECE):
            file.write(noise.bytes(PIECE))
    yield path
    path.unlink()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running(tmp_path / "lab", fork=False, faults=False) as server:
        yield server
    shutil.rmtree(tmp_path / "lab")


@pytest.fixture
def memory(server: Server) -> Iterator[Memory]:
    memory = Memory(server.pid)
    yield memory
    memory.stop()


def send_pack(server: Server, source: Path, shape: tuple[int, ...], order: Order) -> str:
    array = np.memmap(source, np.float64, "r", shape=shape, order=order)
    with aqdata.connect(server.url) as lab:
        return lab.save(aqdata.DataFile({"name": "large"}, {"x": array}), environment=False)


def send_npy(server: Server, source: Path, shape: tuple[int, ...], order: Order) -> str:
    file_id = new_id()
    head = b'--cut\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n{"name": "large", "id": "%s"}\r\n'
    part = b'--cut\r\nContent-Disposition: form-data; name="x"; filename="x.npy"\r\n\r\n'
    before, after = head % file_id.encode() + part, b"\r\n--cut--\r\n"
    npy = npy_head(shape, order)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    connection.putrequest("POST", DATAFILES)
    connection.putheader("Content-Type", "multipart/form-data; boundary=cut")
    connection.putheader("Content-Length", str(len(before) + len(npy) + BYTES + len(after)))
    connection.endheaders(before + npy)
    with source.open("rb", buffering=0) as file:
        while piece := file.read(PIECE):
            connection.send(piece)
    connection.send(after)
    response = connection.getresponse()
    content = response.read()
    assert response.status == 201, content
    connection.close()
    return file_id


def npy_head(shape: tuple[int, ...], order: Order) -> bytes:
    header = {"descr": "<f8", "fortran_order": order == "F", "shape": shape}
    head = bytearray()
    npy_format.write_array_header_2_0(type("Out", (), {"write": staticmethod(head.extend)}), header)
    return bytes(head)


@contextmanager
def answer(server: Server, path: str, accept: str = "*/*") -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    connection.request("GET", path, headers={"Accept": accept})
    response = connection.getresponse()
    assert response.status == 200
    yield response
    connection.close()


def same_as(source: Path, response: http.client.HTTPResponse) -> None:
    """The rest of an answer is the bytes of the source."""
    buffer, expected = bytearray(PIECE), bytearray(PIECE)
    with source.open("rb", buffering=0) as file:
        while count := file.readinto(expected):
            filled = 0
            while filled < count:
                got = response.readinto(memoryview(buffer)[filled:count])
                assert got
                filled += got
            assert buffer[:count] == expected[:count]
    assert not response.read()


def same_pack(source: Path, server: Server, file_id: str) -> None:
    """The pack holds the bytes of the source."""
    with answer(server, f"{DATAFILES}/{file_id}.zarr.zip") as response, source.open("rb", buffering=0) as file:
        parser = parse_pack(Limits())
        layout: Layout | None = None
        step = next(parser)
        while True:
            try:
                if isinstance(step, int):
                    data = response.read(step)
                    assert len(data) == step
                    step = parser.send(data)
                    continue
                if isinstance(step, Header):
                    layout = step.arrays["x"][1]
                    runs = layout.runs()
                elif isinstance(step, Chunk):
                    check_crc(step.data, step.crc, step.key)
                    expected = file.read(next(runs).count * 8)
                    assert bytes(step.data[: len(expected)]) == expected
                step = next(parser)
            except StopIteration:
                break
        assert layout
        assert next(runs, None) is None


def same_rows(source: Path, server: Server, file_id: str, shape: tuple[int, int]) -> None:
    """Some rows of an array in Fortran order are equal: each piece of them needs a bit of every chunk."""
    array = np.memmap(source, np.int64, "r", shape=shape, order="F")
    rows = min((64 << 20) // 8 // shape[1], shape[0])
    with answer(server, f"{DATAFILES}/{file_id}/data/x?slice=:{rows}") as response:
        for row in range(rows):
            assert np.array_equal(np.frombuffer(response.read(shape[1] * 8), np.int64), array[row])


def same_array(source: Path, server: Server, file_id: str, order: Order) -> None:
    """The client makes an equal array of it."""
    with aqdata.connect(server.url) as lab:
        got = lab.load(file_id)["x"][...]
        assert got.flags.f_contiguous if order == "F" else got.flags.c_contiguous
        assert got.dtype == np.float64
        flat = got.reshape(-1, order=order).view(np.int64)
        expected = np.memmap(source, np.int64, "r")
        for at in range(0, flat.size, PIECE):
            assert np.array_equal(flat[at : at + PIECE], expected[at : at + PIECE])


@pytest.mark.parametrize(("shape", "form", "order"), COMBINATIONS)
def test_memory(server: Server, memory: Memory, source: Path, shape: tuple[int, int], form: str, order: Order) -> None:
    assert math.prod(shape) * 8 == BYTES
    figures = []

    def measured(what: str, work: Callable[[], object]) -> object:
        memory.peak()
        start = time.monotonic()
        result = work()
        seconds = time.monotonic() - start
        figures.append((what, seconds, memory.peak()))
        return result

    def raw() -> None:
        with answer(server, f"{path}?order=K", "application/octet-stream") as response:
            assert response.getheader("x-aqdata-order") == order
            same_as(source, response)

    def npy() -> None:
        head = npy_head(shape, order)
        with answer(server, f"{path}?order=K", "application/x-npy") as response:
            assert response.read(len(head)) == head
            same_as(source, response)

    idle = memory.now()
    send = send_pack if form == "pack" else send_npy
    file_id = str(measured("up", lambda: send(server, source, shape, order)))
    path = f"{DATAFILES}/{file_id}/data/x"
    measured("raw", raw)
    measured("npy", npy)
    measured("pack", lambda: same_pack(source, server, file_id))
    measured("client", lambda: same_array(source, server, file_id, order))
    if order == "F":
        measured("rows", lambda: same_rows(source, server, file_id, shape))
    told = "; ".join(f"{what} {seconds:.1f} s, {peak >> 20} MiB" for what, seconds, peak in figures)
    print(f"\n{GIB} GiB {shape} as {form}, {order} order: idle {idle >> 20} MiB; {told}")
    assert max(peak for _, _, peak in figures) < BUDGET
