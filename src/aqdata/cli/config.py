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
    url, source = loaded.client_url(named=arguments.config is not None)
    if arguments.json:
        print(json.dumps(_as_json(loaded) | {"client": {"url": url, "source": source}}, indent=2))
        return 0
    _table(loaded, f"clients talk to {url} (from {source})")
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


def _table(loaded: Loaded, clients: str) -> None:
    rows = [
        (f"{block}.{key}", json.dumps(value, ensure_ascii=False), loaded.sources[f"{block}.{key}"])
        for block, values in loaded.config.redacted().items()
        for key, value in values.items()
    ]
    print(f"configuration file: {loaded.file or 'none'}; a variable is called like its key, {next(iter(VARIABLES))}")
    print(f"{clients}\n")
    print(table(("KEY", "VALUE", "FROM"), rows))
