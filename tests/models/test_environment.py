"""The Environment is found out where there is something to find, and never in the way."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from aqdata.environment import capture


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "scan.py"
    path.write_text("1")
    git(tmp_path, "init", "-q")
    return path


def test_the_commit_of_the_script_and_whether_it_was_changed(script: Path) -> None:
    assert capture(script).commit is None
    git(script.parent, "add", ".")
    git(script.parent, "commit", "-qm", "x")
    (script.parent / "notes.txt").write_text("untracked")
    clean = capture(script)
    assert (clean.commit, clean.dirty) == (git(script.parent, "rev-parse", "HEAD"), False)
    script.write_text("2")
    changed = capture(str(script))
    assert (changed.commit, changed.dirty, changed.script) == (clean.commit, True, str(script.resolve()))


def test_packages_and_machine() -> None:
    environment = capture()
    assert environment.packages["numpy"] == np.__version__
    assert environment.python
    assert environment.host
    assert environment.os


def test_without_git_or_folder_it_leaves_out_what_it_cannot_know(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert capture(tmp_path / "gone" / "x.py").commit is None
    assert capture("\0").commit is None
    monkeypatch.setenv("PATH", str(tmp_path))
    environment = capture(__file__)
    assert (environment.commit, environment.dirty) == (None, None)


def test_it_is_fast() -> None:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        capture()
        times.append(time.perf_counter() - start)
    # 5 ms when measured
    assert min(times) < 0.05
