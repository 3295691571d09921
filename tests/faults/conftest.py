"""Fixtures of the fault tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.harness import Server, running


def missing(reason: str) -> None:
    """Skip what this machine can't do, which CI must be able to."""
    if "CI" in os.environ:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server whose stores can be made to fail, on an empty folder."""
    if sys.platform == "win32":
        pytest.skip("Windows has no fork and no SIGKILL")
    with running(tmp_path / "lab") as server:
        yield server
    # pytest keeps the last folders, and these are large
    shutil.rmtree(tmp_path / "lab")


@pytest.fixture
def strace() -> str:
    found = shutil.which("strace")
    if found is None:
        missing("strace is not installed")
    assert found
    return found


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 MiB, which takes root to mount."""
    if sys.platform != "linux" or os.geteuid() != 0:
        missing("mounting a small disk takes root on Linux")
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        missing(f"root can't mount a small disk here: {mounted.stderr}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)
