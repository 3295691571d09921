"""`aqdata config`: prints what `aqdata.config` loads; decides nothing."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from typing import Any

from aqdata.cli.text import table
from aqdata.config import VARIABLES, Loaded, load


def config(arguments: Namespace) -> int:
    """Print every key with its value and source."""
    loaded = load(arguments.config)
    if arguments.json:
        print(json.dumps(_as_json(loaded), indent=2))
        return 0
    _table(loaded)
    for note in loaded.notes:
        print(f"note: {note}", file=sys.stderr)
    return 0


def _as_json(loaded: Loaded) -> dict[str, Any]:
    return {
        "file": str(loaded.file) if loaded.file else None,
        "config": loaded.config.redacted(),
        "sources": dict(loaded.sources),
        "notes": list(loaded.notes),
    }


def _table(loaded: Loaded) -> None:
    rows = [
        (f"{block}.{key}", json.dumps(value, ensure_ascii=False), loaded.sources[f"{block}.{key}"])
        for block, values in loaded.config.redacted().items()
        for key, value in values.items()
    ]
    print(f"configuration file: {loaded.file or 'none'}; a variable is called like its key, {next(iter(VARIABLES))}\n")
    print(table(("KEY", "VALUE", "FROM"), rows))
