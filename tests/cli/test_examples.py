"""The examples do what they say."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def environment(tmp_path: Path, **variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AQDATA_")}
    return {**kept, "HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "PYTHONIOENCODING": "utf-8", **variables}


def demo(tmp_path: Path, url: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", str(EXAMPLES / "demo.py")]
    return subprocess.run(
        command,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        env=environment(tmp_path, AQDATA_URL=url),
    )


def test_the_demo_saves_lists_slices_and_compares(serve: Any, tmp_path: Path) -> None:
    done = demo(tmp_path, serve("--data-dir", str(tmp_path / "lab")).url)
    assert (done.returncode, done.stderr) == (0, "")
    for words in (
        "qubit spectroscopy",
        "s21 61×601",
        "power = -30.0 dBm",
        "offset = nan V",
        "OPENQASM 3",
        "s21: equal",
    ):
        assert words in done.stdout


def test_the_demo_says_how_to_start_a_server(tmp_path: Path) -> None:
    done = demo(tmp_path, "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "aqdata serve" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="ends by a signal")
def test_a_server_starts_from_python(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(EXAMPLES / "launch.py")]
    variables = environment(tmp_path, AQDATA_SERVER_PORT=str(port))
    with subprocess.Popen(command, env=variables, stderr=subprocess.DEVNULL) as process:
        try:
            assert answers(f"http://127.0.0.1:{port}/readyz")
            assert (tmp_path / "aqdata" / "datafiles.sqlite").exists()
        finally:
            process.send_signal(signal.SIGTERM)


def answers(url: str) -> bool:
    """Whether there is an answer within some seconds."""
    for _ in range(100):
        try:
            with urllib.request.urlopen(url, timeout=5):
                return True
        except urllib.error.URLError:
            time.sleep(0.1)
    return False
