"""Where a DataFile's arrays and files lie and how they are laid out: the `storage` of a record; no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pydantic_core

from aqdata.errors import Corrupt
from aqdata.wire.layout import Layout

VERSION = 1


@dataclass(frozen=True)
class StoredArray:
    """An array's layout and, in a pack, the offset and size of each chunk in stored order."""

    layout: Layout
    extents: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Placement:
    """One attempt to save, as the record names it.

    `path` is the attempt's own: arrays are in the pack `<path>.zarr.zip` or the directory `<path>.zarr/`. `files` maps
    the attached files' names to their keys, and `digest` tells a repeated save from another DataFile of the same id.
    """

    path: str
    form: Literal["pack", "directory"]
    digest: str
    arrays: Mapping[str, StoredArray] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """The key of the pack, or the prefix of the directory."""
        return pack_key(self.path) if self.form == "pack" else directory_key(self.path)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays' chunks, about."""
        return sum(array.layout.nbytes for array in self.arrays.values())

    def names(self, path: str) -> bool:
        """Whether something of the attempt of this path is part of it."""
        below = f"{files_key(path)}/"
        return self.path == path or any(key.startswith(below) for key in self.files.values())

    def to_json(self) -> bytes:
        """What `from_json` reads."""
        arrays = {
            name: {
                "dtype": array.layout.dtype,
                "shape": array.layout.shape,
                "order": array.layout.order,
                "chunk": array.layout.chunk,
                **({"extents": array.extents} if array.extents else {}),
            }
            for name, array in self.arrays.items()
        }
        head = {"version": VERSION, "path": self.path, "form": self.form, "digest": self.digest}
        # names may hold what databases don't take in keys, so both are lists
        tree: dict[str, Any] = head | {"arrays": list(arrays.items()), "files": list(self.files.items())}
        return pydantic_core.to_json(tree)

    @classmethod
    def from_json(cls, data: bytes) -> Placement:
        """The placement of a record.

        Raises:
            Corrupt: a newer aqdata wrote it, or it is damaged.
        """
        try:
            tree = pydantic_core.from_json(data)
            if tree["version"] != VERSION:
                raise Corrupt(f"storage version {tree['version']}: written by a newer aqdata, which can read it")
            arrays = {
                name: StoredArray(
                    Layout(array["dtype"], tuple(array["shape"]), array["order"], tuple(array["chunk"])),
                    tuple((offset, size) for offset, size in array.get("extents", ())),
                )
                for name, array in tree["arrays"]
            }
            return cls(tree["path"], tree["form"], tree["digest"], arrays, dict(tree["files"]))
        except (ValueError, KeyError, TypeError) as error:
            raise Corrupt(f"the record's storage is damaged: {error!r}") from error


def pack_key(path: str) -> str:
    """Where the pack of an attempt lies."""
    return f"{path}.zarr.zip"


def directory_key(path: str) -> str:
    """Under which prefix the group of an attempt lies."""
    return f"{path}.zarr"


def files_key(path: str) -> str:
    """Under which prefix the attached files of an attempt lie."""
    return f"{path}.files"


def file_key(path: str, name: str) -> str:
    """Where an attached file of an attempt lies."""
    return f"{files_key(path)}/{name}"
