"""A real server in a process of its own, and a place to run commands against: that server, or a folder."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from aqdata.cli import main
from aqdata.config import OTHER_VARIABLES, VARIABLES


@pytest.fixture(autouse=True)
def _nothing_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty home, no AQDATA_ variable, and output 100 characters wide."""
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    for variable in (*VARIABLES, *OTHER_VARIABLES):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)


class Server:
    """`aqdata serve` in a process of its own, on a free port."""

    def __init__(self, *arguments: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AQDATA_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "aqdata.cli", "serve", "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert self.process.stdout
        self.first_line = self.process.stdout.readline()
        found = re.search(r"http://\S+:\d+", self.first_line)
        if found is None:
            raise AssertionError(f"no server: {self.first_line}{self.process.communicate(timeout=30)}")
        self.url = found[0]

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Exit code and what it printed after its first line."""
        assert self.process.stdout
        assert self.process.stderr
        self.process.send_signal(number)
        # not communicate: it would miss what readline has read ahead
        with self.process.stdout, self.process.stderr:
            out, err = self.process.stdout.read(), self.process.stderr.read()
        return self.process.wait(30), out, err


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server("--data-dir", str(tmp_path_factory.mktemp("server")))
    yield running
    running.stop()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts servers that are gone at the end."""
    running: list[Server] = []

    def start(*arguments: str) -> Server:
        running.append(Server(*arguments))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.stop(signal.SIGKILL)


@dataclass(frozen=True)
class Done:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Run = Callable[..., Done]


@pytest.fixture
def aqdata(capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs one command in this process."""

    def run(*arguments: str | Path) -> Done:
        capfd.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        return Done(code, *capfd.readouterr())

    return run


@pytest.fixture(params=["server", "folder"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """The options that choose where the DataFiles are."""
    if request.param == "folder":
        return ["--folder", str(tmp_path / "lab")]
    return ["--url", request.getfixturevalue("server").url]
