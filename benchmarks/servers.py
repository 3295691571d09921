"""The processes that are measured: aqdata's server and the bare one; their memory and CPU time; no timing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BACKENDS: dict[str, Callable[[Path], Sequence[str]]] = {
    "sqlite+file": lambda folder: ["--data-dir", str(folder)],
}
"""The options of `aqdata serve` for each pair of backends, whose data go below a folder."""

_HERE = Path(__file__).parents[1]
_SAMPLING = 0.005


@dataclass(frozen=True)
class Server:
    """A server that runs, and where."""

    url: str
    pid: int

    def anonymous_memory(self) -> int | None:
        """RssAnon in bytes, where the system has it."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except FileNotFoundError:
            return None
        found = re.search(r"^RssAnon:\s+(\d+) kB", status, re.MULTILINE)
        return int(found[1]) << 10 if found else None

    def cpu_seconds(self) -> float | None:
        """CPU time of all threads that live, where the system has it."""
        try:
            threads = list(Path(f"/proc/{self.pid}/task").iterdir())
            return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9
        except FileNotFoundError:
            return None


class MemoryPeak:
    """The highest RssAnon of a server while the context is open, sampled every 5 ms."""

    def __init__(self, server: Server) -> None:
        self.bytes = 0
        self._server = server
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> MemoryPeak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.bytes = max(self.bytes, self._server.anonymous_memory() or 0)
            if self._stop.wait(_SAMPLING):
                return


@contextmanager
def aqdata_server(folder: Path, backend: str, profile: Path | None = None) -> Iterator[Server]:
    """`aqdata serve` on a free port; `profile` is the file that gets cProfile's figures, once it is told to begin."""
    command = ["-m", "benchmarks.profiled", str(profile)] if profile else ["-m", "aqdata.cli"]
    with _started([*command, "serve", "--port", "0", *BACKENDS[backend](folder)], folder) as server:
        yield server


@contextmanager
def bare_server(folder: Path) -> Iterator[Server]:
    """The server of the baselines R and H."""
    with _started(["-m", "benchmarks.bare"], folder) as server:
        yield server


@contextmanager
def _started(arguments: Sequence[str], folder: Path) -> Iterator[Server]:
    """Run Python with these arguments; what it runs prints its URL on its first line."""
    # a configuration of whoever runs this must not change what is measured
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AQDATA_")}
    environment |= {"HOME": str(folder), "USERPROFILE": str(folder), "PYTHONPATH": str(_HERE)}
    log = folder / f"{arguments[1].rpartition('.')[2]}.log"
    with log.open("a") as errors:
        process = subprocess.Popen(
            [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        )
    with process:
        try:
            first = process.stdout.readline() if process.stdout else ""
            found = re.search(r"http://\S+:\d+", first)
            if found is None:
                raise SystemExit(f"the server did not start: {first}{log.read_text()}")
            yield Server(found[0], process.pid)
        finally:
            process.terminate()
