"""`python -m benchmarks` runs, and prints a line for each row; how fast anything is, is not tested."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
NAMES = ["save-small", "load-small", "save-large", "load-large", "slice", "save-document"]
NAMES += ["memory"] if sys.platform == "linux" else []


def benchmarks(*arguments: str | Path, code: int = 0) -> str:
    command = [sys.executable, "-m", "benchmarks", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("benchmarks")
    figures: dict[str, Any] = json.loads(benchmarks("--quick", "--json", "--folder", folder))
    assert not list(folder.iterdir()), "nothing stays behind"
    return figures


def test_every_row_has_its_figure_its_baselines_and_its_budget(report: dict[str, Any]) -> None:
    rows = {row["name"]: row for row in report["rows"]}
    assert list(rows) == NAMES
    for row in rows.values():
        assert row["low"] <= row["median"] <= row["high"]
        assert row["median"] > 0
        unit = row["ratio_unit"]
        assert set(re.findall(r"[RFHW][↑↓]?", unit if unit not in ("ms", "MiB") else "")) == set(row["baselines"])
        assert row["met"] == (row["ratio"] <= row["budget"])


def test_the_machine_is_named(report: dict[str, Any]) -> None:
    assert report["machine"]["backend"] == "sqlite+file"
    assert report["machine"]["cores"] >= 1


def test_the_table_has_the_rows_that_were_asked_for_and_goes_between_the_markers(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("# x\n\n<!-- benchmarks -->\nold\n<!-- /benchmarks -->\n\nmore\n", "utf-8")
    printed = benchmarks("--quick", "--rows", "save-document", "slice", "--write", readme)
    for line in ("save a document of 175 kB with 1,000 settings", "slice 1,000 points out of 16 MiB"):
        assert re.search(rf"^{line} .*(met|missed by \d+ %)$", printed, re.MULTILINE)
    assert "load it" not in printed
    written = readme.read_text("utf-8")
    assert re.search(r"^\| slice 1,000 points out of 16 MiB \|.*\| ≤ 4 R \| (met|missed by \d+ %) \|$", written, re.M)
    assert "old" not in written
    assert written.startswith("# x\n\n<!-- benchmarks -->\n")
    assert written.endswith("\n<!-- /benchmarks -->\n\nmore\n")


def test_a_profile_shows_both_sides() -> None:
    printed = benchmarks("--quick", "--profile", "load-small")
    assert "server's CPU" in printed
    assert printed.count("function calls") == 2


def test_an_unknown_row_is_refused_with_the_list_of_those_there_are() -> None:
    assert "save-small" in benchmarks("--rows", "nothing", code=2)
