"""MetaData: the document that says everything about a measurement; its arrays and files are in datafile.py."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import AfterValidator, Field, PlainValidator, StringConstraints, model_validator

from aqdata.errors import Invalid
from aqdata.models.canonical import decode, encode, utc_text
from aqdata.models.device import Device
from aqdata.models.environment import Environment
from aqdata.models.ids import check_id
from aqdata.models.instrument import Instrument
from aqdata.models.part import Free, Part, Text
from aqdata.models.program import Program

SCHEMA_VERSION: Final = 1

Kind = Literal["measurement", "simulation", "mask", "analysis"]
Flag = Literal["red", "orange", "yellow", "green", "blue", "purple", "gray"]

MAX_TAG = 128
MAX_NAME = 1000


def read_date(date: Any) -> datetime:
    """The date in UTC, from a datetime or ISO 8601 text; one without time zone is local time.

    Raises:
        Invalid: it is neither.
    """
    if isinstance(date, str):
        try:
            date = datetime.fromisoformat(date)
        except ValueError:
            raise Invalid(f"{date!r} is no date in ISO 8601, such as 2026-11-22T10:07:00+01:00") from None
    if not isinstance(date, datetime):
        raise Invalid(f"a date is a datetime or text in ISO 8601, not {type(date).__name__}")
    return datetime.fromisoformat(utc_text(date))


def _check_name(name: str) -> str:
    if not name.strip():
        raise Invalid("the name can't be empty: say in a few words what this is")
    return name


def _check_tags(tags: list[str]) -> list[str]:
    for index, tag in enumerate(tags):
        if not tag.strip() or len(tag) > MAX_TAG:
            raise Invalid(f"a tag has 1 to {MAX_TAG} characters, not {len(tag.strip())}", field=str(index))
    return list(dict.fromkeys(tags))


def _check_parents(parents: list[str]) -> list[str]:
    return list(dict.fromkeys(check_id(parent, str(index)) for index, parent in enumerate(parents)))


class MetaData(Part):
    """Everything about a DataFile but its arrays and files.

    `date` is when it was taken (default: now), an aware datetime in UTC. `custom` holds a lab's own fields.
    `instruments`, `device`, `program` and `environment` may be given as dicts.
    """

    parts: ClassVar[Mapping[str, type[Part]]] = {"instruments": Instrument}

    schema_version: Literal[1] = SCHEMA_VERSION
    kind: Kind = "measurement"
    name: Annotated[Text, StringConstraints(max_length=MAX_NAME), AfterValidator(_check_name)]
    user: Text | None = None
    station: Text | None = None
    tags: Annotated[list[Text], AfterValidator(_check_tags)] = Field(default_factory=list)
    flag: Flag | None = None
    comment: Text | None = None
    date: Annotated[datetime, PlainValidator(read_date)] = Field(default_factory=lambda: datetime.now(UTC))
    cooldown: Text | None = None
    device: Device | None = None
    instruments: dict[Text, Instrument] = Field(default_factory=dict)
    program: Program | None = None
    parents: Annotated[list[Text], AfterValidator(_check_parents)] = Field(default_factory=list)
    environment: Environment | None = None
    custom: Free = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _check_version(cls, data: Any) -> Any:
        version = data.get("schema_version", SCHEMA_VERSION) if isinstance(data, dict) else SCHEMA_VERSION
        if type(version) is int and version != SCHEMA_VERSION:
            message = (
                f"schema version {version} was written by a newer aqdata: update this one, which reads {SCHEMA_VERSION}"
            )
            if version < SCHEMA_VERSION:
                message = f"there is no schema version {version}; this aqdata writes {SCHEMA_VERSION}"
            raise Invalid(message, field="schema_version")
        return data

    def to_document(self, field: str = "") -> dict[str, Any]:
        # lists take anything; what was put into these since they were checked is checked now
        self.tags, self.parents = self.tags, self.parents
        return super().to_document(field)

    def to_json(self) -> bytes:
        """The document as canonical JSON.

        Raises:
            Invalid: something wrong was put into one of its dicts or lists.
        """
        return encode(self.to_document())

    @classmethod
    def from_json(cls, data: bytes | bytearray | memoryview | str) -> Self:
        """The MetaData of canonical JSON.

        Raises:
            Invalid: it is no JSON, or has a wrong value; its `field` is the path.
        """
        return cls.from_document(decode(data))
