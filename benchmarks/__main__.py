"""The command `python -m benchmarks`; what is measured is in `rows.py`, how in `measure.py`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.bench import FULL, QUICK, Bench, opened
from benchmarks.measure import Result, run
from benchmarks.profiling import profile
from benchmarks.report import Machine, describe_machine, json_report, markdown, plain, replace_between_markers
from benchmarks.rows import ROWS, Row
from benchmarks.servers import BACKENDS


def _arguments(given: list[str] | None) -> argparse.Namespace:
    names = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Time aqdata against plain HTTP and plain files on this machine. Takes up to five minutes.",
        epilog=f"rows: {', '.join(names)}",
    )
    parser.add_argument("--backend", choices=list(BACKENDS), default=next(iter(BACKENDS)), help="the stores to measure")
    parser.add_argument("--rows", nargs="+", metavar="NAME", choices=names, default=names, help="only these")
    parser.add_argument("--quick", action="store_true", help="few repetitions, smaller arrays: to see that it runs")
    parser.add_argument("--folder", type=Path, help="where to write, on the disk to be measured (default: temporary)")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print JSON")
    output.add_argument("--markdown", action="store_true", help="print a Markdown table")
    output.add_argument("--write", type=Path, metavar="FILE", help="put the table between the markers of FILE as well")
    output.add_argument("--profile", metavar="NAME", choices=names, help="instead: where a row's time goes, both sides")
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> int:
    """Measure and print; the exit code says that it ran, not that budgets are met."""
    arguments = _arguments(given)
    scale = QUICK if arguments.quick else FULL
    if arguments.folder is not None:
        arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="aqdata-benchmarks-", dir=arguments.folder) as name:
        folder = Path(name)
        scale = scale.fitting(folder)
        if arguments.profile:
            row = next(row for row in ROWS if row.name == arguments.profile)
            print(profile(row, folder, arguments.backend, scale))
            return 0
        machine = describe_machine(folder, arguments.backend)
        with opened(folder, arguments.backend, scale) as bench:
            rows = [row for row in ROWS if row.name in arguments.rows and row.only_on in (None, sys.platform)]
            results = [_measured(row, bench) for row in rows]
    _print(results, machine, arguments)
    return 0


def _measured(row: Row, bench: Bench) -> Result:
    print(f"{row.name} …", file=sys.stderr, flush=True)
    return run(row, bench)


def _print(results: list[Result], machine: Machine, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print(json_report(results, machine))
    elif arguments.markdown:
        print(markdown(results, machine))
    else:
        print(plain(results, machine))
    if arguments.write:
        replace_between_markers(arguments.write, markdown(results, machine))


if __name__ == "__main__":
    sys.exit(main())
