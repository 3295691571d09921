"""The Environment that code ran in; aqdata/environment.py looks at it."""

from __future__ import annotations

from pydantic import Field, StrictBool

from aqdata.models.part import Part, Text


class Environment(Part):
    """Which code ran where: `commit` of the script's git repository, and whether it had uncommitted changes."""

    commit: Text | None = None
    dirty: StrictBool | None = None
    script: Text | None = None
    packages: dict[Text, Text] = Field(default_factory=dict)
    python: Text | None = None
    user: Text | None = None
    host: Text | None = None
    os: Text | None = None
