"""Where a DataFile's arrays and files lie and how they are laid out: the `storage` of a record; no I/O."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pydantic_core
import xxhash

from aqdata.errors import Corrupt
from aqdata.wire.layout import Layout

VERSION = 1


@dataclass(frozen=True)
class StoredArray:
    """An array's layout and, in a pack, the offset and size of each chunk in stored order."""

    layout: Layout
    extents: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class StoredFile:
    """Where an attached file lies, and the digest and CRC of its bytes."""

    key: str
    digest: str
    crc: int


@dataclass(frozen=True)
class Placement:
    """One attempt to save, as the record names it.

    `path` is the attempt's own: arrays are in the pack `<path>.zarr.zip` or the directory `<path>.zarr/`. `digest`, of
    metadata and arrays, and `first_files`, of the attached files of the save, tell a repeated save from another
    DataFile of the same id.
    """

    path: str
    form: Literal["pack", "directory"]
    digest: str
    arrays: Mapping[str, StoredArray] = field(default_factory=dict)
    files: Mapping[str, StoredFile] = field(default_factory=dict)
    first_files: str = ""

    def is_same(self, digests: Collection[str], files: str) -> bool:
        """Whether a save of these digests is the one that was made, or has what is stored by now."""
        return self.digest in digests and files in (self.first_files, digest_of(self.files))

    @property
    def group(self) -> str:
        """The key of the pack, or the prefix of the directory."""
        return pack_key(self.path) if self.form == "pack" else directory_key(self.path)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays' chunks."""
        return sum(
            sum(size for _, size in array.extents) if array.layout.is_text else array.layout.nbytes
            for array in self.arrays.values()
        )

    def names(self, path: str) -> bool:
        """Whether something of the attempt of this path is part of it."""
        below = f"{files_key(path)}/"
        return self.path == path or any(file.key.startswith(below) for file in self.files.values())

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
        digests = {"digest": self.digest, "first_files": self.first_files}
        head = {"version": VERSION, "path": self.path, "form": self.form, **digests}
        files = [[name, file.key, file.digest, file.crc] for name, file in self.files.items()]
        # names may hold what databases don't take in keys, so both are lists
        tree: dict[str, Any] = head | {"arrays": list(arrays.items()), "files": files}
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
            files = {name: StoredFile(*rest) for name, *rest in tree["files"]}
            return cls(tree["path"], tree["form"], tree["digest"], arrays, files, tree["first_files"])
        except (ValueError, KeyError, TypeError) as error:
            raise Corrupt(f"the record's storage is damaged: {error!r}") from error


def digest_of(files: Mapping[str, StoredFile]) -> str:
    """One digest of all attached files, whatever their order."""
    return xxhash.xxh3_128_hexdigest(pydantic_core.to_json(sorted((name, file.digest) for name, file in files.items())))


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
