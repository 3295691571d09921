"""Results as a table of plain text or Markdown, or as JSON, with the machine they were measured on; no measuring."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.bench import FULL
from benchmarks.measure import Figure, Result

BEGIN, END = "<!-- benchmarks -->", "<!-- /benchmarks -->"
_HEAD = ("work", "time", "ratio", "budget", "")

_LEGEND = """\
R: a GET of 8 kB through bare uvicorn and urllib3. H: the same bytes through them, up or down. W: the same bytes written
to a file and fsynced. F: 32 kB written to a file and fsynced. All in the same loop as the work; medians, quartiles."""


@dataclass(frozen=True)
class Machine:
    """Where and when the figures were taken."""

    cores: int
    cpu: str
    system: str
    file_system: str
    python: str
    aqdata: str
    backend: str
    date: str

    def __str__(self) -> str:
        return (
            f"{self.cores} cores ({self.cpu}), {self.system}, {self.file_system}, Python {self.python}, "
            f"aqdata {self.aqdata} on {self.backend}, {self.date}"
        )


def describe_machine(folder: Path, backend: str) -> Machine:
    """This machine; the file system is the one of the folder."""
    return Machine(
        cores=os.cpu_count() or 1,
        cpu=_cpu(),
        system=platform.system(),
        file_system=_file_system(folder),
        python=platform.python_version(),
        aqdata=version("aqdata"),
        backend=backend,
        date=f"{datetime.now(UTC):%Y-%m-%d}",
    )


def plain(results: Sequence[Result], machine: Machine) -> str:
    """The table for a terminal."""
    rows = [_HEAD, *map(_cells, results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([str(machine), "", *lines, "", *_notes(results)])


def markdown(results: Sequence[Result], machine: Machine) -> str:
    """The table for a README."""
    lines = [f"| {' | '.join(_HEAD)} |", "|---" * len(_HEAD) + "|"]
    lines += [f"| {' | '.join(_cells(result))} |" for result in results]
    return "\n".join([*lines, "", f"{machine}.", *_notes(results)])


def json_report(results: Sequence[Result], machine: Machine) -> str:
    """All figures."""
    rows = [
        {
            "name": result.row.name,
            "work": result.title,
            "unit": result.row.unit,
            **dataclasses.asdict(result.figure),
            "baselines": {name: dataclasses.asdict(figure) for name, figure in result.baselines.items()},
            "ratio": result.ratio,
            "ratio_unit": result.row.budget.unit or result.row.unit,
            "budget": result.row.budget.factor,
            "met": result.excess <= 0,
        }
        for result in results
    ]
    return json.dumps({"machine": dataclasses.asdict(machine), "rows": rows}, indent=2, ensure_ascii=False)


def replace_between_markers(file: Path, text: str) -> None:
    """Put the text between the two markers of a file."""
    content = file.read_text("utf-8")
    pattern = re.compile(f"({re.escape(BEGIN)}\n).*?({re.escape(END)})", re.DOTALL)
    if not pattern.search(content):
        raise SystemExit(f"{file} has no lines {BEGIN} and {END}")
    file.write_text(pattern.sub(lambda found: f"{found[1]}{text}\n{found[2]}", content), "utf-8")


def _cells(result: Result) -> tuple[str, ...]:
    budget, unit = result.row.budget, result.row.unit
    if not budget.terms:
        ratio, limit = "", f"≤ {budget.factor:g} {unit}"
    elif budget.factor == 1:
        ratio, limit = f"{result.ratio:.2f} × ({budget.unit})", f"≤ {budget.unit}"
    else:
        name = f"({budget.unit})" if len(budget.terms) > 1 else budget.unit
        ratio, limit = f"{result.ratio:.2f} {name}", f"≤ {budget.factor:g} {name}"
    verdict = "met" if result.excess <= 0 else f"missed by {100 * result.excess:.0f} %"
    return result.title, _text(result.figure, unit), ratio, limit, verdict


def _notes(results: Sequence[Result]) -> list[str]:
    """What the baselines took: the range of their medians over the rows."""
    medians: dict[str, list[float]] = {}
    for result in results:
        for name, figure in result.baselines.items():
            medians.setdefault(name, []).append(figure.median)
    texts = [
        f"{name} {_number(min(values))}" + (f"–{_number(max(values))}" if len(values) > 1 else "") + " ms"
        for name, values in medians.items()
    ]
    notes = [_LEGEND.replace("\n", " "), f"Here: {', '.join(texts)}."] if texts else []
    if any(result.title != result.row.title(FULL) for result in results):
        notes.append("Sizes are smaller here than those that the budgets are for.")
    return notes


def _text(figure: Figure, unit: str) -> str:
    spread = f" ({_number(figure.low)}–{_number(figure.high)})" if figure.count > 1 else ""
    return f"{_number(figure.median)} {unit}{spread}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _cpu() -> str:
    try:
        found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _file_system(folder: Path) -> str:
    """The type of the file system that holds the folder; empty files are not synced on a tmpfs."""
    try:
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    except OSError:
        return "local disk"
    inside = [(len(point), kind) for _, point, kind, *_ in mounts if folder.resolve().is_relative_to(point)]
    return max(inside)[1] if inside else "local disk"
