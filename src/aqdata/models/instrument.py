"""An Instrument and what it was set to; how instruments are connected is not here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from aqdata.models.part import Free, Part, Text
from aqdata.models.setting import Setting


class Instrument(Part):
    """One instrument as it was configured. A bare value in `settings` becomes a Setting."""

    parts: ClassVar[Mapping[str, type[Part]]] = {"settings": Setting}

    model: Text | None = None
    serial: Text | None = None
    firmware: Text | None = None
    address: Text | None = None
    driver: Text | None = None
    settings: dict[Text, Setting] = Field(default_factory=dict)
    custom: Free = Field(default_factory=dict)
