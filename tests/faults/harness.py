"""What the fault tests share: a server that can be killed, DataFiles made of a seed, and a look at what is stored."""

from __future__ import annotations

import json
import os
import queue
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import urllib3
from urllib3.exceptions import HTTPError

import aqdata
from aqdata.models import canonical
from aqdata.models.ids import new_id
from aqdata.wire.pack import Pack

SCRIPT = Path(__file__).with_name("server.py")
START_SECONDS = 60.0
DATAFILES = "/api/v1/datafiles"


def free_port() -> int:
    """A port below those that outgoing connections take: a server may be gone from it for a while."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


class Server:
    """A server in a process of its own that is killed and started again, on the same folder and port."""

    def __init__(
        self, folder: Path, *, fork: bool = True, faults: bool = True, prefix: tuple[str, ...] = (), **environment: str
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.pid = 0
        self._http = urllib3.HTTPConnectionPool("127.0.0.1", self.port, maxsize=16, timeout=60, retries=False)
        settings = {"folder": str(folder), "port": self.port, "fork": fork, "faults": faults}
        own = {name: value for name, value in os.environ.items() if not name.startswith("AQDATA_")}
        self._process = subprocess.Popen(
            [*prefix, sys.executable, str(SCRIPT), json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=own | environment,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()
        if fork:
            self.start()
        else:
            self._ready()

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._lines.put(line.strip())
        self._lines.put("gone")

    def start(self) -> None:
        """Start it (again)."""
        assert self._process.stdin
        self._process.stdin.write("start\n")
        self._process.stdin.flush()
        self._ready()

    def _ready(self) -> None:
        line = self._lines.get(timeout=START_SECONDS)
        assert line.startswith("ready"), line
        self.pid = int(line.split()[1])

    def kill(self) -> None:
        """kill -9."""
        os.kill(self.pid, signal.SIGKILL)
        self.ended()

    def ended(self) -> None:
        """Wait for the end that a fault brings."""
        assert self._lines.get(timeout=START_SECONDS) == f"ended {-signal.SIGKILL}"
        self.pid = 0
        self._http.close()
        self._http = urllib3.HTTPConnectionPool("127.0.0.1", self.port, maxsize=16, timeout=60, retries=False)

    def close(self) -> None:
        """End it and the process that starts it."""
        self._http.close()
        if self.pid and self._process.poll() is None:
            os.kill(self.pid, signal.SIGTERM)
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(30)
        assert self._process.stdout
        self._process.stdout.close()

    def request(self, method: str, path: str, body: Any = None, media_type: str | None = None) -> tuple[int, bytes]:
        """Status and body of one request, which is sent once."""
        headers = {} if media_type is None else {"Content-Type": media_type}
        if hasattr(body, "size"):
            headers["Content-Length"] = str(body.size)
            body = iter(body)
        response = self._http.urlopen(method, path, body=body, headers=headers)
        return response.status, response.data

    def answers(self, method: str, path: str, body: Any = None, media_type: str | None = None) -> int | None:
        """The status of one request, or None if no answer came."""
        try:
            return self.request(method, path, body, media_type)[0]
        except HTTPError:
            return None

    def arm(self, at: int, action: str = "kill", *, after: bool = False, onwards: bool = False) -> None:
        """Let a change of the stores fail: the one of this number, counted from now."""
        body = json.dumps({"at": at, "action": action, "after": after, "onwards": onwards}).encode()
        assert self.request("POST", "/faults", body, "application/json")[0] == 200

    def disarm(self) -> list[str]:
        """What the stores were asked to change since the last call; from now on nothing fails."""
        changes: list[str] = json.loads(self.request("GET", "/faults")[1])
        self.arm(-1)
        return changes


@contextmanager
def running(folder: Path, **options: Any) -> Iterator[Server]:
    """A server for the time of a test."""
    server = Server(folder, **options)
    try:
        yield server
    finally:
        server.close()


@dataclass(frozen=True)
class Sample:
    """A DataFile that is made again from its seed whenever it is looked at, so that thousands need no memory."""

    id: str
    kind: str
    seed: int

    @classmethod
    def new(cls, kind: str, seed: int) -> Sample:
        """One with a new id; `kind` is small (a pack), large (a directory) or files (a pack with attached files)."""
        return cls(new_id(), kind, seed)

    def datafile(self) -> aqdata.DataFile:
        """All of it."""
        noise = np.random.default_rng(self.seed)
        metadata = {
            "name": f"{self.kind} {self.seed}",
            "date": f"2026-11-22T10:07:{self.seed % 60:02d}.{self.seed % 1_000_000:06d}Z",
            "tags": ["fault", f"seed-{self.seed}"],
            "custom": {"noise": noise.random(20).tolist()},
        }
        data: dict[str, Any] = {"i": noise.integers(-9, 9, 1_000), "s21": noise.random((2, 500)) * (1 + 1j)}
        if self.kind == "large":
            data["long"] = np.frombuffer(noise.bytes(9 << 20), np.int64).reshape(9, -1)
        files = {"a.bin": noise.bytes(300_000), "notes.txt": noise.bytes(99)} if self.kind == "files" else {}
        return aqdata.DataFile(metadata, data, files, id=self.id)

    def pack(self) -> Pack:
        """What a client sends."""
        df = self.datafile()
        document = canonical.encode({"id": df.id, **df.metadata.to_document()})
        arrays = {name: (dataset.spec(name), dataset.array) for name, dataset in df.data.items()}
        return Pack(document, arrays, df.files)

    def save(self, server: Server) -> int | None:
        """The status of one request to save it, or None if no answer came."""
        return server.answers("POST", DATAFILES, self.pack(), "application/zip")

    @property
    def path(self) -> str:
        return f"{DATAFILES}/{self.id}"


def assert_equal(lab: aqdata.Lab, sample: Sample, files: dict[str, bytes] | None = None) -> None:
    """What is stored of a sample is equal to it, bit for bit; `files` were attached later."""
    got, expected = lab.load(sample.id), sample.datafile()
    assert got.metadata == expected.metadata
    assert got.data.keys() == expected.data.keys()
    for name, dataset in expected.data.items():
        array = np.asarray(got[name].array)
        assert got[name].spec(name) == dataset.spec(name)
        assert array.tobytes() == np.asarray(dataset.array).tobytes(), (sample, name)
    attached = {name: source.read() for name, source in expected.files.items()} | (files or {})
    assert {name: lab.get_file(sample.id, name) for name in got.files} == attached


def stored_files(folder: Path) -> set[str]:
    """Everything in the folder of the blobs, empty folders too."""
    root = folder / "data"
    return {path.relative_to(root).as_posix() for path in root.rglob("*")}


def attempts(folder: Path, file_id: str) -> set[str]:
    """The paths of the attempts to save (or to attach to) a DataFile of which something lies there."""
    names = {name.split("/")[0] for name in stored_files(folder)}
    return {name.rsplit(".", 1)[0].removesuffix(".zarr") for name in names if name.startswith(file_id)} - {
        f"{file_id}.meta"
    }
