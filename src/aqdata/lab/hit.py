"""What a search tells of one DataFile; how it is found is the store's matter."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from aqdata.models.metadata import read_date


@dataclass(frozen=True, slots=True)
class Hit:
    """One DataFile in a list: the essentials of its metadata, and the shapes of its DataSets by name.

    `date` is when it was taken, `saved_at` the store's time of saving; both are aware, in UTC.
    """

    id: str
    kind: str
    name: str
    user: str | None
    station: str | None
    tags: tuple[str, ...]
    flag: str | None
    comment: str | None
    date: datetime
    saved_at: datetime
    state: str
    revision: int
    shapes: dict[str, tuple[int, ...]]

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Self:
        """A hit of a page of the API."""
        return cls(
            id=document["id"],
            kind=document["kind"],
            name=document["name"],
            user=document.get("user"),
            station=document.get("station"),
            tags=tuple(document.get("tags", ())),
            flag=document.get("flag"),
            comment=document.get("comment"),
            date=read_date(document["date"]),
            saved_at=read_date(document["saved_at"]),
            state=document["state"],
            revision=document["revision"],
            shapes={name: tuple(shape) for name, shape in document.get("shapes", {}).items()},
        )
