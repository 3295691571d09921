"""`aqdata ls` and `aqdata show`: what is there; how it looks is in `text.py`."""

from __future__ import annotations

import dataclasses
import json
import sys
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from aqdata.cli.place import open_lab
from aqdata.cli.text import document_text, local, shape_text, short_ids, table
from aqdata.models import canonical

if TYPE_CHECKING:
    from aqdata import Hit


def ls(arguments: Namespace) -> int:
    """List DataFiles, newest first."""
    with open_lab(arguments) as lab:
        hits = lab.find(limit=arguments.limit, state=arguments.state)
    if arguments.json:
        for hit in hits:
            print(_json(dataclasses.asdict(hit) | {"date": _utc(hit.date), "saved_at": _utc(hit.saved_at)}))
    elif hits:
        header = ("ID", "DATE", "NAME", "USER", "SHAPES")
        rows = [(short, *_row(hit)) for short, hit in zip(short_ids([hit.id for hit in hits]), hits, strict=True)]
        print(table(header, rows))
    else:
        print("the bin is empty" if arguments.state == "deleted" else "no DataFiles", file=sys.stderr)
    return 0


def show(arguments: Namespace) -> int:
    """Print a DataFile without its arrays."""
    with open_lab(arguments) as lab:
        document = lab.load(arguments.id).to_document()
    print(_json(document, indent=2) if arguments.json else document_text(document))
    return 0


def _row(hit: Hit) -> tuple[str, str, str, str]:
    shapes = ", ".join(f"{name} {shape_text(shape)}" for name, shape in hit.shapes.items())
    flags = "" if hit.state == "complete" else f" ({hit.state})"
    return local(hit.date), hit.name + flags, hit.user or "", shapes


_utc = canonical.utc_text


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(canonical.to_json_value(value), indent=indent, ensure_ascii=False)
