"""Fixtures of the stores' tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("aqdata.testing")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB, which takes root to mount."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a small disk takes root on Linux")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        if "CI" in os.environ:
            pytest.fail(f"root can't mount a small disk: {mounted.stderr}")
        pytest.skip(f"root can't mount a small disk here: {mounted.stderr}")
    yield disk
    subprocess.run(["umount", disk], check=True)
