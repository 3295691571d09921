"""What all parts of a document share: strict fields, and `Invalid` with the path of the wrong value."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, StrictStr, ValidationError

from aqdata.errors import Invalid
from aqdata.models.canonical import encode, from_json_value, to_json_value, utc_text
from aqdata.models.keys import escape_key, join


def normal(value: Any) -> Any:
    """Free content as it will come back from a store: numpy values as Python's, dates aware.

    Raises:
        Invalid: something that canonical JSON can't hold.
    """
    tree = to_json_value(value)
    return value if tree is value else from_json_value(tree)


Text = StrictStr
Free = Annotated[dict[StrictStr, Any], AfterValidator(normal)]
"""A dict of anything that canonical JSON can hold."""


class Part(BaseModel):
    """A part of a document. Wrong values are refused with `Invalid`, in the constructor and in assignments."""

    # constants: pydantic's own JSON must not make NaN null; documents are written by canonical.py
    model_config = ConfigDict(extra="forbid", validate_assignment=True, ser_json_inf_nan="constants")

    parts: ClassVar[Mapping[str, type[Part]]] = {}
    """The fields that are dicts of other parts."""

    def __init__(self, /, **values: Any) -> None:
        self._fill(values)

    # or else pydantic calls the constructor for each nested part, which is slow
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    def _fill(self, values: dict[str, Any]) -> None:
        try:
            self.__pydantic_validator__.validate_python(values, self_instance=self)
        except ValidationError as error:
            raise invalid(error) from None

    def __setattr__(self, name: str, value: Any) -> None:
        try:
            super().__setattr__(name, value)
        except ValidationError as error:
            raise invalid(error) from None

    def __eq__(self, other: object) -> bool:
        """Whether the documents are the same: NaN equals NaN, 1 differs from 1.0, the order of keys counts."""
        if type(self) is not type(other) or not isinstance(other, Part):
            return NotImplemented
        return encode(self.to_document()) == encode(other.to_document())

    @classmethod
    def from_document(cls, document: Any, field: str = "") -> Self:
        """The part that `to_document` gave.

        Raises:
            Invalid: a wrong value; its `field` is the path below the given one.
        """
        try:
            part: Self = cls.__pydantic_validator__.validate_python(document)
        except ValidationError as error:
            raise invalid(error, field) from None
        return part

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """As pydantic's, but it raises `Invalid`."""
        try:
            return super().model_validate(obj, **options)
        except ValidationError as error:
            raise invalid(error) from None

    def to_document(self, field: str = "") -> dict[str, Any]:
        """The document of this part for canonical JSON; what is None or an empty collection is left out.

        Raises:
            Invalid: something wrong was put into one of its dicts; its `field` is the path below the given one.
        """
        document = {}
        for name, value in self.__dict__.items():
            if value is None:
                continue
            if name in self.parts:
                value = _documents(value, self.parts[name], join(field, name))
            elif isinstance(value, Part):
                value = value.to_document(join(field, name))
            elif isinstance(value, datetime):
                value = utc_text(value)
            if value or not isinstance(value, dict | list):
                document[name] = value
        return document


def invalid(error: ValidationError, field: str = "") -> Invalid:
    """The first wrong value that pydantic found, as `Invalid`, and how many there are."""
    first = error.errors(include_url=False)[0]
    path = [escape_key(str(step)) for step in first["loc"] if step != "[key]"]
    detail = first["msg"]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, Invalid):
        detail = cause.detail
        path += [cause.field] if cause.field else []
    elif first["type"] in ("extra_forbidden", "no_such_attribute"):
        detail = "there is no such field; a lab's own fields go into `custom` of the MetaData"
    elif first["type"] == "missing":
        detail = "it is required"
    elif "input" in first:
        detail = f"{detail[:1].lower()}{detail[1:]}, not {short(first['input'])}"
    if error.error_count() > 1:
        detail += f" (and {error.error_count() - 1} more wrong values)"
    return Invalid(detail, field=".".join([field, *path] if field else path) or None)


def _documents(values: Any, kind: type[Part], field: str) -> dict[str, Any]:
    documents = {}
    for name, value in values.items():
        if isinstance(value, kind) and not kind.parts:
            # nothing in it can be wrong, so its path is not needed: the hot loop
            documents[name] = value.to_document()
            continue
        path = join(field, name if name.isidentifier() else escape_key(str(name)))
        # a dict takes anything; what was put into it since it was checked is checked now
        part = value if isinstance(value, kind) else kind.from_document(value, path)
        documents[name] = part.to_document(path)
    return documents


def short(value: object) -> str:
    """What an error message shows of a wrong value."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
