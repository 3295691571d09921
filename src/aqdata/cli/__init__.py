"""The command `aqdata`: reads the arguments, runs one command and turns errors into exit codes; no command is here."""

from __future__ import annotations

import importlib
import io
import os
import sys
from argparse import Namespace
from collections.abc import Sequence

from aqdata.cli.parser import parse
from aqdata.errors import AqdataError, ConfigError

FAILED = 1
MISUSED = 2
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0: done, 1: it failed, 2: wrong usage or configuration, 130: interrupted."""
    arguments = parse(argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # a terminal that can't show a character of a name is no reason to fail
            stream.reconfigure(errors="replace")
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except ConfigError as error:
        return _say(error, MISUSED)
    except (AqdataError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            return _close_quietly()
        return _say(error, FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _run(arguments: Namespace) -> int:
    """Import the command's module only now: `--help` must not wait for numpy."""
    module, _, function = arguments.run.partition(":")
    code: int = getattr(importlib.import_module(module), function)(arguments)
    return code


def _say(error: Exception, code: int) -> int:
    print(f"aqdata: {' '.join(_text(error).split())}", file=sys.stderr)
    return code


def _text(error: Exception) -> str:
    """What went wrong, without the number that Python puts in front."""
    if isinstance(error, OSError) and not isinstance(error, AqdataError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _close_quietly() -> int:
    """Whoever read the output has had enough; stop Python from complaining when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
