"""`aqdata config`: prints what `aqdata.config` loads; decides nothing."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from typing import Any

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
    variables = {key: variable for variable, key in VARIABLES.items()}
    width = max(len(key) for key in variables)
    values = [f"{block}.{key}" for block, keys in loaded.config.redacted().items() for key in keys]
    redacted = loaded.config.redacted()
    print(f"# {loaded.file or 'no configuration file'}; each key can be set as AQDATA_<KEY>, {variables[values[0]]}")
    for dotted in values:
        block, _, key = dotted.partition(".")
        text = json.dumps(redacted[block][key], ensure_ascii=False)
        print(f"{dotted:<{width}}  {text}  # {loaded.sources[dotted]}")
