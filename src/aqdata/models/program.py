"""The compiled program that a measurement ran; compiling it is not done here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field, field_validator, model_validator

from aqdata.models.part import Free, Part, Text
from aqdata.models.setting import Setting

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_VERSION = re.compile(r"\s*OPENQASM\s+(\d+)")


class Core(Part):
    """What one core of the control hardware ran: its settings and its code."""

    parts: ClassVar[Mapping[str, type[Part]]] = {"settings": Setting}

    settings: dict[Text, Setting] = Field(default_factory=dict)
    code: Text | None = None


class Program(Part):
    """A program: its source (OpenQASM), how it was compiled, and what each core got.

    `language` is read from the first statement of the source, or OPENQASM 3. `cores` may be given as a list; their
    names are then 0, 1, …
    """

    parts: ClassVar[Mapping[str, type[Part]]] = {"cores": Core}

    source: Text | None = None
    language: Text | None = None
    compiler: Text | None = None
    version: Text | None = None
    setup: Free = Field(default_factory=dict)
    cores: dict[Text, Core] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _detect_language(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("language") is None and isinstance(data.get("source"), str):
            found = _VERSION.match(_COMMENT.sub("", data["source"]))
            return {**data, "language": f"OPENQASM {found[1] if found else 3}"}
        return data

    @field_validator("cores", mode="before")
    @classmethod
    def _name_cores(cls, cores: Any) -> Any:
        return {str(index): core for index, core in enumerate(cores)} if isinstance(cores, list | tuple) else cores
