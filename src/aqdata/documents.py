"""The documents of DataFiles: made from what clients send, changed, and cut for answers; no stores, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from aqdata.errors import TooLarge
from aqdata.models import canonical
from aqdata.models.ids import check_id, new_id
from aqdata.models.keys import escape_key
from aqdata.models.metadata import MetaData, read_date

Tree = dict[str, Any]

_SYSTEM = ("id", "state", "revision", "saved_at", "was", "datasets", "files")
_SUMMARY = (
    *("id", "kind", "name", "user", "station", "tags", "flag", "comment"),
    *("date", "saved_at", "state", "revision"),
)


NOT_IN_SUMMARY = ("instruments", "program", "custom", "environment", "device", "parents")
"""Fields that a list does not need, large ones among them."""


@dataclass(frozen=True)
class Draft:
    """What a client wants to save: its id, its metadata and these as canonical JSON."""

    id: str
    metadata: MetaData
    encoded: bytes

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """The draft of a decoded document; what the server decides itself is left out, and a missing id is made.

        Raises:
            Invalid: the id or a metadata field is wrong.
        """
        file_id = check_id(document["id"]) if "id" in document else new_id()
        metadata = MetaData.from_document({key: document[key] for key in document if key not in _SYSTEM})
        return cls(file_id, metadata, metadata.to_json())

    def dated(self, date: str) -> bytes:
        """Its JSON with this date, if the client gave none and it has the server's."""
        if "date" in self.metadata.model_fields_set:
            return self.encoded
        return self.metadata.model_copy(update={"date": read_date(date)}).to_json()

    @property
    def identity(self) -> dict[str, str]:
        """What the group's attributes repeat."""
        return {"id": self.id, "name": self.metadata.name, "kind": self.metadata.kind}

    def group(self, saved_at: str) -> bytes:
        """The document without its DataSets and files, as the group's attributes have it."""
        system = canonical.write_tree({"id": self.id, "state": "complete", "revision": 1, "saved_at": saved_at})
        return system[:-1] + b"," + self.encoded[1:]


def described(group: bytes, datasets: Mapping[str, bytes], files: Mapping[str, Any]) -> bytes:
    """The document with its DataSets (canonical JSON each) and files."""
    parts = [group[:-1]]
    if datasets:
        entries = (canonical.write_tree(escape_key(name)) + b":" + dataset for name, dataset in datasets.items())
        parts.append(b'"datasets":{' + b",".join(entries) + b"}")
    if files:
        parts.append(b'"files":' + canonical.encode(files))
    return b",".join(parts) + b"}"


def group_of(tree: Tree) -> bytes:
    """What of a document goes into the group's attributes."""
    return canonical.write_tree({key: value for key, value in tree.items() if key not in ("datasets", "files")})


def summary(document: bytes) -> Tree:
    """What a list says of a DataFile."""
    tree: Tree = canonical.read_tree(document)
    shapes = {name: spec["shape"] for name, spec in tree.get("datasets", {}).items()}
    return {key: tree[key] for key in _SUMMARY if key in tree} | {"shapes": shapes}


def check_size(document: bytes, limit: int) -> None:
    """Raise `TooLarge`, with the largest fields, if the document has more bytes than that."""
    if len(document) <= limit:
        return
    tree: Tree = canonical.read_tree(document)
    sizes = sorted(((len(canonical.write_tree(value)), key) for key, value in tree.items()), reverse=True)
    largest = ", ".join(f"{key}: {size}" for size, key in sizes[:3])
    raise TooLarge(
        f"the document has {len(document)} bytes, at most {limit} (largest: {largest}); "
        "attach large texts as files and long lists as DataSets",
        field=sizes[0][1],
    )
