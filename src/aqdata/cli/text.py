"""Documents and tables as text for people; asks no server and prints nothing."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

SHORT = 8
"""Characters of an id's ending: rarely two alike among a million."""

_HEAD = ("id", "kind", "name", "state", "revision", "date", "saved_at")
_BLOCKS = ("device", "instruments", "program", "environment", "custom", "datasets", "files")
_SKIPPED = ("schema_version",)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns under a header; the last one is as wide as it likes."""
    lines = [list(map(_one_line, row)) for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def short_ids(ids: Sequence[str]) -> list[str]:
    """The shortest endings of one length, at least `SHORT`, that tell these ids apart."""
    length = next(n for n in range(SHORT, 37) if len({one[-n:] for one in ids}) == len(set(ids)) or n == 36)
    return [one[-length:] for one in ids]


def local(date: datetime) -> str:
    """A date as the clock on the wall says it."""
    return f"{date.astimezone():%Y-%m-%d %H:%M}"


def shape_text(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "scalar"


def size_text(size: float) -> str:
    """Bytes in the unit that suits them."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def document_text(document: Mapping[str, Any], width: int | None = None) -> str:
    """A whole document; long lists and lines are cut to `width` characters (default: the terminal's)."""
    width = width or shutil.get_terminal_size((120, 24)).columns
    return "\n".join(line if len(line) <= width else line[: width - 1] + "…" for line in _lines(document))


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    state = f"{document.get('state', 'unsaved')}, revision {document.get('revision', 0)}"
    yield f"{_one_line(document['name'])}  ({document['kind']}, {state})"
    plain = {key: value for key, value in document.items() if key not in (*_HEAD, *_BLOCKS, *_SKIPPED)}
    dates = {key: document[key] for key in ("date", "saved_at") if document.get(key)}
    yield from _tree({"id": document["id"], **dates, **plain}, "")
    for block in _BLOCKS:
        if document.get(block):
            yield ""
            yield block
            yield from _block(block, document[block])


def _block(name: str, content: Any) -> Iterator[str]:
    if name == "instruments":
        yield from _instruments(content)
    elif name == "datasets":
        yield from _indented(table_of(_data_set(key, spec) for key, spec in content.items()))
    elif name == "files":
        yield from _indented(table_of([key, size_text(one["size"]), one["media_type"]] for key, one in content.items()))
    else:
        yield from _tree(content, "  ")


def table_of(rows: Iterator[list[str]]) -> list[str]:
    """Columns without a header."""
    first, *others = rows
    return table(first, others).splitlines()


def _data_set(name: str, spec: Mapping[str, Any]) -> list[str]:
    dims = ", ".join(f"{dim}: {length}" for dim, length in zip(spec["dims"], spec["shape"], strict=True))
    return [name, spec["dtype"], f"({dims})", spec.get("units", ""), spec.get("long_name", "")]


def _instruments(instruments: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for name, instrument in instruments.items():
        facts = [f"{key} {_value(instrument[key])}" for key in instrument if key not in ("settings", "custom")]
        yield f"  {_one_line(name)}  {', '.join(facts)}".rstrip()
        yield from _tree(instrument.get("settings", {}), "    ")
        yield from _tree(instrument.get("custom", {}), "    ")


def _indented(lines: list[str]) -> Iterator[str]:
    yield from (f"  {line}" for line in lines)


def _tree(content: Mapping[str, Any], indent: str) -> Iterator[str]:
    """One line a value, deeper objects below their key; a setting is a value with its unit."""
    width = max((len(_one_line(key)) for key in content), default=0)
    for key, value in content.items():
        name = _one_line(key)
        if isinstance(value, Mapping) and _is_setting(value):
            yield f"{indent}{name:<{width}}  {_value(value['value'])} {value.get('unit', '')}".rstrip()
        elif isinstance(value, Mapping) and value:
            yield f"{indent}{name}"
            yield from _tree(value, indent + "  ")
        elif isinstance(value, str) and "\n" in value.strip():
            yield f"{indent}{name}"
            yield from (f"{indent}  {_one_line(line)}" for line in value.strip().splitlines())
        else:
            yield f"{indent}{name:<{width}}  {_value(value)}".rstrip()


def _is_setting(value: Mapping[str, Any]) -> bool:
    return "value" in value and value.keys() <= {"value", "unit", "dtype", "options"}


def _value(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone():%Y-%m-%d %H:%M:%S}"
    if isinstance(value, list):
        shown = ", ".join(map(_value, value[:8]))
        return f"{shown}, … ({len(value)} values)" if len(value) > 8 else shown
    if isinstance(value, float) and math.isfinite(value) and value == round(value) and abs(value) < 1e6:
        return f"{value:.1f}"
    return _one_line(str(value)) if value is not None else "–"


def _one_line(text: str) -> str:
    """Text that can't move the cursor or break the table: control characters are for terminals, not for names."""
    return "".join(character if character.isprintable() else " " for character in text)
