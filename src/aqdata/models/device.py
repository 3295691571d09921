"""The Device under test; its serial number is made of where it comes from."""

from __future__ import annotations

from typing import Any

from pydantic import model_validator

from aqdata.errors import Invalid
from aqdata.models.part import Part, Text

_ORIGIN = ("mask", "wafer", "chip", "die")


class Device(Part):
    """What was measured: `serial` is mask-wafer-chip-die if all four are given, or any other text."""

    mask: Text | None = None
    wafer: Text | None = None
    chip: Text | None = None
    die: Text | None = None
    serial: Text | None = None
    designer: Text | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        """Assign; a serial number made of the other fields follows them."""
        fields = {**self.__dict__, name: value}
        if name in _ORIGIN and self.serial == _serial(self.__dict__):
            fields["serial"] = None
        fresh = type(self).from_document(fields)
        self.__dict__.update(fresh.__dict__)

    @model_validator(mode="before")
    @classmethod
    def _make_serial(cls, data: Any) -> Any:
        made = _serial(data) if isinstance(data, dict) else None
        if made is None:
            return data
        given = data.get("serial")
        if given is not None and given != made:
            message = f"{given!r} contradicts mask, wafer, chip and die, which make {made!r}: leave one of the two out"
            raise Invalid(message, field="serial")
        return {**data, "serial": made}


def _serial(data: dict[str, Any]) -> str | None:
    parts = [data.get(name) for name in _ORIGIN]
    return "-".join(str(part) for part in parts) if all(isinstance(part, str) for part in parts) else None
