"""`aqdata serve` under cProfile, for `profiling.py`: `python -m benchmarks.profiled FILE serve …`, begun by SIGUSR1."""

from __future__ import annotations

import cProfile
import signal
import sys

from aqdata.cli import main


def run() -> int:
    """Serve until a signal comes, then write the figures. Starting the server is not in them, nor are its threads."""
    recorder = cProfile.Profile()
    signal.signal(signal.SIGUSR1, lambda *_: recorder.enable())
    try:
        return main(sys.argv[2:])
    finally:
        recorder.disable()
        recorder.dump_stats(sys.argv[1])


if __name__ == "__main__":
    sys.exit(run())
