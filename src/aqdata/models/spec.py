"""What describes a DataSet: dtype, shape, dims, units, attributes; the values are in dataset.py."""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass, field
from typing import Any, Self

from aqdata.errors import Invalid
from aqdata.models.dtypes import parse_dtype

MAX_DIM = 128
MAX_NDIM = 64


@dataclass(frozen=True, slots=True)
class DataSetSpec:
    """All of a DataSet but its values. `dtype` is a name of dtypes.py.

    Raises:
        Invalid: a wrong value; its `field` is the name of the wrong one.
    """

    dtype: str
    shape: tuple[int, ...]
    dims: tuple[str, ...]
    units: str | None = None
    long_name: str | None = None
    coordinates: tuple[str, ...] = ()
    attributes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        parse_dtype(text_of(self.dtype, "dtype"), "dtype")
        _check_shape(self.shape)
        _check_dims(self.dims, len(self.shape))
        for name in ("units", "long_name"):
            if getattr(self, name) is not None:
                text_of(getattr(self, name), name)
        for index, name in enumerate(self.coordinates):
            text_of(name, f"coordinates.{index}")
        if not isinstance(self.attributes, dict):
            raise Invalid(f"a dict, not {type(self.attributes).__name__}", field="attributes")

    @property
    def size(self) -> int:
        """How many elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the values in memory; of texts of any length only what numpy holds in place."""
        return self.size * parse_dtype(self.dtype).itemsize

    def to_document(self) -> dict[str, Any]:
        """The document for canonical JSON; what is None or empty is left out."""
        document: dict[str, Any] = {"dtype": self.dtype, "shape": list(self.shape), "dims": list(self.dims)}
        for name in ("units", "long_name"):
            if getattr(self, name) is not None:
                document[name] = getattr(self, name)
        if self.coordinates:
            document["coordinates"] = list(self.coordinates)
        if self.attributes:
            document["attributes"] = self.attributes
        return document

    @classmethod
    def from_document(cls, document: Any, field: str = "") -> Self:
        """The spec that `to_document` gave.

        Raises:
            Invalid: a wrong value; its `field` is the path below the given one.
        """
        try:
            return cls(**_arguments(document))
        except Invalid as error:
            path = ".".join(part for part in (field, error.field) if part)
            raise type(error)(error.detail, field=path or None) from None


def _check_shape(shape: tuple[int, ...]) -> None:
    if not isinstance(shape, tuple) or len(shape) > MAX_NDIM:
        raise Invalid(f"the shape is a list of at most {MAX_NDIM} lengths", field="shape")
    for index, length in enumerate(shape):
        if type(length) is not int or not 0 <= length < 2**63:
            raise Invalid(f"a length is an integer from 0, not {length!r}", field=f"shape.{index}")


def _check_dims(dims: tuple[str, ...], ndim: int) -> None:
    for index, dim in enumerate(dims):
        where = f"dims.{index}"
        if not 0 < len(text_of(dim, where)) <= MAX_DIM:
            raise Invalid(f"the name of a dim has 1 to {MAX_DIM} characters, not {len(dim)}", field=where)
        if "/" in dim or any(unicodedata.category(character) in ("Cc", "Cs") for character in dim):
            raise Invalid(f"the name {dim!r} of a dim has a slash or control characters", field=where)
    if len(dims) != ndim:
        raise Invalid(f"{len(dims)} dims {list(dims)} for an array of {ndim} dimensions: name each once", field="dims")
    if len(set(dims)) < len(dims):
        raise Invalid(f"the dims {list(dims)} are not unique: name each differently", field="dims")


def _arguments(document: Any) -> dict[str, Any]:
    known = DataSetSpec.__dataclass_fields__
    if not isinstance(document, dict):
        raise Invalid(f"a DataSet is described by an object with dtype, shape and dims, not {type(document).__name__}")
    for name in ("dtype", "shape", "dims"):
        if name not in document:
            raise Invalid("it is required", field=name)
    for name in document:
        if name not in known:
            raise Invalid(f"there is no such field; one of {', '.join(known)}", field=name)
    return {
        name: _tuple(value, name) if name in ("shape", "dims", "coordinates") else value
        for name, value in document.items()
    }


def _tuple(values: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(values, list | tuple):
        raise Invalid(f"a list, not {type(values).__name__}", field=where)
    return tuple(values)


def text_of(value: object, where: str) -> str:
    """The value, if it is a text; `Invalid` if not."""
    if not isinstance(value, str):
        raise Invalid(f"a text, not {type(value).__name__}", field=where)
    return value
