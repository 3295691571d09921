"""The client as `pip install` gives it: alone, small, and enough to save and load."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MEGABYTE = 10**6
ALLOWED = {
    *("aqdata", "numpy", "pydantic", "pydantic_core", "urllib3", "tqdm"),
    *("annotated_types", "typing_extensions", "typing_inspection"),
}

ROUND_TRIP = """
import sys
import numpy as np
import aqdata

values = np.array([1.5, -0.0, np.nan])
with aqdata.connect(sys.argv[1]) as lab:
    file_id = lab.save(aqdata.DataFile(aqdata.MetaData(name="client alone"), {"x": values}))
    assert lab.load(file_id)["x"][:].tobytes() == values.tobytes()
try:
    aqdata.open("folder")
except ModuleNotFoundError as error:
    assert "aqdata[server]" in str(error)
else:
    raise AssertionError("there are no stores here")
"""


@pytest.fixture(scope="module")
def site_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the client alone is installed, with what it depends on and nothing else."""
    target = tmp_path_factory.mktemp("client")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--target",
        str(target),
    ]
    done = subprocess.run([*command, str(ROOT)], capture_output=True, text=True, timeout=600, check=False)
    if done.returncode and "onnection" in done.stderr and not os.environ.get("CI"):
        pytest.skip("no package index within reach")
    assert done.returncode == 0, done.stderr
    return target


def run(site_packages: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run Python with these packages and the standard library alone."""
    # -S leaves this environment's own packages out, -s the user's
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(cwd),
        "USERPROFILE": str(cwd),
        "PYTHONPATH": str(site_packages),
    }
    command = [sys.executable, "-S", "-s", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment, cwd=cwd)


def test_it_brings_only_what_it_needs_and_stays_under_100_mb(site_packages: Path) -> None:
    packages = {entry.name.removesuffix(".py").partition(".")[0] for entry in site_packages.iterdir()}
    names = {name.partition("-")[0] for name in packages} - {"bin", "__pycache__", "numpy"}
    assert names <= ALLOWED
    size = sum(file.stat().st_size for file in site_packages.rglob("*") if file.is_file())
    assert size < 100 * MEGABYTE


def test_it_saves_and_loads_on_a_server(site_packages: Path, server: Any, tmp_path: Path) -> None:
    done = run(site_packages, "-c", ROUND_TRIP, server.url, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_its_commands_work_and_serve_says_what_is_missing(site_packages: Path, server: Any, tmp_path: Path) -> None:
    listed = run(site_packages, "-m", "aqdata.cli", "ls", "--json", "--url", server.url, cwd=tmp_path)
    assert (listed.returncode, listed.stderr) == (0, "")
    served = run(site_packages, "-m", "aqdata.cli", "serve", cwd=tmp_path)
    assert served.returncode == 2
    assert "pip install 'aqdata[server]'" in served.stderr
    assert served.stderr.count("\n") == 1
