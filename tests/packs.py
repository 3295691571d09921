"""Packs for tests to break: taken apart into entries, and put together with right sizes and CRCs."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Iterable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from aqdata.models import canonical
from aqdata.models.attachment import BytesFile
from aqdata.models.dtypes import dtype_name
from aqdata.models.ids import new_id
from aqdata.models.spec import DataSetSpec
from aqdata.wire.pack import Pack
from aqdata.wire.zip import ZipWriter

Entries = dict[str, bytes]


def make_pack(
    arrays: dict[str, Any] | None = None,
    files: dict[str, bytes] | None = None,
    dims: dict[str, tuple[str, ...]] | None = None,
    **document: Any,
) -> bytes:
    """A pack of arrays with an id of its own, unless one is given."""
    made = {}
    for name, given in (arrays or {}).items():
        array = np.asarray(given)
        own = (dims or {}).get(name, tuple(f"{name}_{axis}" for axis in range(array.ndim)))
        made[name] = (DataSetSpec(dtype_name(array.dtype), array.shape, own), array)
    text = canonical.encode({"id": new_id(), "schema_version": 1, "kind": "measurement", "name": "rabi", **document})
    return b"".join(Pack(text, made, {name: BytesFile(content) for name, content in (files or {}).items()}))


def entries_of(pack: bytes) -> Entries:
    with zipfile.ZipFile(io.BytesIO(pack)) as archive:
        return {entry.filename: archive.read(entry) for entry in archive.infolist()}


def zip_of(entries: Entries | Iterable[tuple[str, bytes]]) -> bytes:
    writer = ZipWriter()
    pairs = entries.items() if isinstance(entries, dict) else entries
    return b"".join(writer.header(name, data) + data for name, data in pairs) + writer.end()


def group_of(entries: Entries) -> dict[str, Any]:
    group: dict[str, Any] = json.loads(entries["zarr.json"])
    return group


def with_group(entries: Entries, group: dict[str, Any], *, own: bool = True) -> bytes:
    """The pack with another group; `own`: the arrays' own zarr.json follow it."""
    changed = dict(entries)
    changed["zarr.json"] = json.dumps(group).encode()
    if own:
        try:
            arrays = group["consolidated_metadata"]["metadata"].items()
        except (KeyError, TypeError, AttributeError):
            arrays = ()
        for name, array in arrays:
            if f"{name}/zarr.json" in entries:
                changed[f"{name}/zarr.json"] = json.dumps(array).encode()
    return zip_of(changed)


def nodes(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything in a tree."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path, *(found for key, value in items for found in nodes(value, (*path, key)))]


def changed(tree: Any, path: tuple[Any, ...], how: str, value: Any) -> Any:
    """The tree with one thing in it replaced, removed or added."""
    if not path:
        return value
    tree = copy.deepcopy(tree)
    parent = tree
    for key in path[:-1]:
        parent = parent[key]
    if how == "remove":
        del parent[path[-1]]
    elif how == "add" and isinstance(parent[path[-1]], dict):
        parent[path[-1]]["more"] = value
    elif how == "add" and isinstance(parent[path[-1]], list):
        parent[path[-1]].append(value)
    else:
        parent[path[-1]] = value
    return tree


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "r16", "float64", "string", "blosc", "x", "\x00", "S9", "U99999999", "S99999999", "{}"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "configuration", "aqdata", "dtype", "units", "attributes", "__float__", "%", "a"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=5,
)
